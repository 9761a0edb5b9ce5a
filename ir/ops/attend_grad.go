package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "attend_grad", Class: ir.Attention,
	Doc: "The gradients of attend's operands. It computes scores and probabilities again, so a training program keeps no number per pair. With do the " +
		"gradient of the result: dp_ij = do_i·v_j, ds = p∘(dp - Σ_j p·dp), and from ds the gradients of what the score is a sum of. There is one result " +
		"for each of q, k, v, kr, qr, bias, mix_score and mix_weight that is there, in this order and with the operand's shape.",
	In:    append([]ir.Operand{float("do", "[R, A·E]")}, attendIn...),
	Attrs: attendAttrs,
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		out, err := attendShape(n, 1)
		if err != nil {
			return nil, err
		}
		var types []ir.Type
		for _, i := range AttendDifferentiable(n.In[1:]) {
			types = append(types, n.In[1+i].Type)
		}
		return types, shaped(n, 0, out[0].Shape...)
	},
	Ref:     refAttendGrad,
	NoGrad:  onlyFirst,
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return attendCost(n, s, 1) },
	NoLower: inRuntime,
	Sample: func() []ir.Sample {
		return attendSamples(func(rows ir.Dim) []ir.Arg { return []ir.Arg{normal(rows, ir.N(6))} })
	},
})

// refAttendGrad computes the gradients by their formulas.
func refAttendGrad(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
	a, err := newAttend(n, in[1:])
	if err != nil {
		return nil, err
	}
	d := make([]*ir.Array, attendOperands)
	do := a.placed(in[0], in[1+AttendV].Shape[0])
	dp, err := a.rule("score_cc", do, a.in[AttendV], a.starts)
	if err != nil {
		return nil, err
	}
	d[AttendV] = a.collect(a.weights, do)
	dp, d[AttendMixWeight] = a.unmixed(AttendMixWeight, dp, a.dropped)
	ds := a.softmaxGrad(a.drop(dp))
	ds, d[AttendMixScore] = a.unmixed(AttendMixScore, ds, a.score)
	if bias := data(a.in, AttendBias); bias != nil {
		node := &ir.Node{Op: "collect_bias", Attrs: attrs("rows", bias.Shape[1])}
		out, err := ir.Lookup(node.Op).Ref(node, []*ir.Array{ds, ramp(bias.Shape[1]), a.starts, a.pos})
		if err != nil {
			return nil, err
		}
		d[AttendBias] = out[0]
	}
	if err := a.productGrads(ds, d); err != nil {
		return nil, err
	}
	if d[AttendQ] != nil {
		d[AttendQ] = a.computed(d[AttendQ])
	}
	var out []*ir.Array
	for i, x := range a.in {
		if x != nil && attendIn[i].DType == ir.F32 {
			out = append(out, d[i])
		}
	}
	return out, nil
}

// collect returns Σ_i p_ij·x_i in row j.
func (a *attend) collect(p, x *ir.Array) *ir.Array {
	heads, w := p.Shape[0], x.Shape[1]
	d := w / heads
	out := ir.NewArray(x.Shape...)
	for h := range heads {
		eachPair(a.list, func(i, j, at int) {
			addScaled(out.F[j*w+h*d:][:d], x.F[i*w+h*d:][:d], p.F[h*p.Shape[1]+at])
		})
	}
	return out
}

// unmixed returns the gradient of x from that of x mixed by the matrix w in operand i, Σ_g w[g, a]·dy_g, and the gradient of the matrix, Σ dy_g·x_a. Without
// a matrix it returns dy.
func (a *attend) unmixed(i int, dy, x *ir.Array) (dx, dw *ir.Array) {
	w := data(a.in, i)
	if w == nil {
		return dy, nil
	}
	heads, pairs := x.Shape[0], x.Shape[1]
	dx, dw = ir.NewArray(x.Shape...), ir.NewArray(heads, heads)
	for g := range heads {
		for h := range heads {
			addScaled(dx.F[h*pairs:][:pairs], dy.F[g*pairs:][:pairs], w.Floats()[g*heads+h])
			dw.F[g*heads+h] = dot(dy.F[g*pairs:][:pairs], x.F[h*pairs:][:pairs])
		}
	}
	return dx, dw
}

// softmaxGrad returns p∘(dp - Σ_j p·dp).
func (a *attend) softmaxGrad(dp *ir.Array) *ir.Array {
	ds := ir.NewArray(dp.Shape...)
	for h := range dp.Shape[0] {
		for _, b := range a.list {
			for i := range b.n {
				at := h*dp.Shape[1] + b.pair + i*b.n
				p, d := a.p.F[at:][:b.n], dp.F[at:][:b.n]
				mean := dot(p, d)
				for j := range p {
					ds.F[at+j] = p[j] * (d[j] - mean)
				}
			}
		}
	}
	return ds
}

// productGrads writes the gradients of queries, keys and tables. A pair with the gradient s = scale·ds and the rows r and t of the tables adds
//
//	cc: dq_i += s·k_j,   dk_j += s·q_i
//	cp: dq_i += s·kr_r,  dkr_r += s·q_i
//	pc: dk_j += s·qr_t,  dqr_t += s·k_j
func (a *attend) productGrads(ds *ir.Array, d []*ir.Array) error {
	x, columns := map[int][]float64{}, map[int]int{}
	for _, i := range []int{AttendQ, AttendK, AttendKR, AttendQR} {
		v := data(a.in, i)
		if i == AttendQ {
			v = a.q
		}
		if v != nil {
			x[i], columns[i], d[i] = v.Floats(), v.Shape[1], ir.NewArray(v.Shape...)
		}
	}
	heads, pairs, scale := ds.Shape[0], ds.Shape[1], a.n.Float("scale")
	// pair adds the gradients of the product of row i of operand left and row j of operand right.
	pair := func(left, i, right, j, p int) {
		w := columns[left]
		c := w / heads
		for h := range heads {
			s := scale * ds.F[h*pairs+p]
			l, r := i*w+h*c, j*w+h*c
			addScaled(d[left].F[l:][:c], x[right][r:][:c], s)
			addScaled(d[right].F[r:][:c], x[left][l:][:c], s)
		}
	}
	if a.n.Flag("cc") {
		eachPair(a.list, func(i, j, p int) { pair(AttendQ, i, AttendK, j, p) })
	}
	offsets := func(table int, flip bool) lookup {
		return lookup{index: a.in[AttendIndex].I, pos: a.pos.I, flip: flip, rows: a.in[table].Shape[0]}
	}
	if a.n.Flag("cp") {
		if err := offsets(AttendKR, a.n.Flag("flip_cp")).each(a.list, func(i, _, p, r int) { pair(AttendQ, i, AttendKR, r, p) }); err != nil {
			return err
		}
	}
	if a.n.Flag("pc") {
		return offsets(AttendQR, a.n.Flag("flip_pc")).each(a.list, func(_, j, p, r int) { pair(AttendK, j, AttendQR, r, p) })
	}
	return nil
}
