package ops

import "github.com/debertac/debertac/ir"

// attend computes the forward pass of the op attend. Rows that are not computed have queries of zeros, so every pair has a score.
type attend struct {
	n      *ir.Node
	in     []*ir.Array // the operands of attend
	starts *ir.Array
	pos    *ir.Array
	list   []block
	rows   []int // the batch's row of each row that is computed

	q       *ir.Array // [T, A·D], or nil
	score   *ir.Array // [A, P] before heads are mixed
	p       *ir.Array // probabilities
	dropped *ir.Array // probabilities, of which some are dropped
	weights *ir.Array // the weights of values: these, mixed
}

// newAttend computes the weights of the values.
func newAttend(n *ir.Node, in []*ir.Array) (*attend, error) {
	a := &attend{n: n, in: in, starts: in[AttendStarts], pos: data(in, AttendPos)}
	tokens := in[AttendV].Shape[0]
	list, err := filled(a.starts, tokens)
	if err != nil {
		return nil, err
	}
	a.list = list
	if a.pos == nil {
		a.pos = ramp(tokens)
	}
	switch n.Str("rows") {
	case "first":
		for _, b := range list {
			a.rows = append(a.rows, b.row)
		}
	case "picked":
		for _, t := range in[AttendPicked].I {
			a.rows = append(a.rows, int(t))
		}
	default:
		for t := range tokens {
			a.rows = append(a.rows, t)
		}
	}
	if q := data(in, AttendQ); q != nil {
		a.q = a.placed(q, tokens)
	}
	if err := a.scores(); err != nil {
		return nil, err
	}
	s, err := a.mixed(AttendMixScore, a.score)
	if err != nil {
		return nil, err
	}
	if a.p, err = a.rule("softmax", s, a.starts, data(in, AttendPrefix)); err != nil {
		return nil, err
	}
	a.dropped = a.drop(a.p)
	a.weights, err = a.mixed(AttendMixWeight, a.dropped)
	return a, err
}

// drop returns numbers of pairs, of which some are dropped if the node has a rate.
func (a *attend) drop(x *ir.Array) *ir.Array {
	if key := data(a.in, AttendKey); key != nil {
		return dropped(x, key, a.list, a.n.Float("rate"))
	}
	return x
}

// ramp returns the integers below n.
func ramp(n int) *ir.Array {
	out := ir.NewInts(n)
	for i := range out.I {
		out.I[i] = int32(i)
	}
	return out
}

// rule computes the reference of another op with the attributes of the node.
func (a *attend) rule(op string, operands ...*ir.Array) (*ir.Array, error) {
	out, err := ir.Lookup(op).Ref(a.n, operands)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// mixed mixes the heads by the matrix in operand i, if there is one.
func (a *attend) mixed(i int, x *ir.Array) (*ir.Array, error) {
	if data(a.in, i) == nil {
		return x, nil
	}
	return a.rule("mix_heads", x, a.in[i])
}

// placed returns a matrix of all rows from one of the rows that are computed; the others are zeros.
func (a *attend) placed(x *ir.Array, rows int) *ir.Array {
	w, from := x.Shape[1], x.Floats()
	y := ir.NewArray(rows, w)
	for r, t := range a.rows {
		copy(y.F[t*w:][:w], from[r*w:][:w])
	}
	return y
}

// computed returns the rows of a matrix that are computed.
func (a *attend) computed(x *ir.Array) *ir.Array {
	w := x.Shape[1]
	return x.Rearrange([]int{len(a.rows), w}, func(i int) int { return a.rows[i/w]*w + i%w })
}

// scores adds the references of the terms.
func (a *attend) scores() error {
	a.score = ir.NewArray(a.n.Int("heads"), pairCount(a.list))
	term := func(use bool, op string, by float64, flip bool, operands ...*ir.Array) error {
		if !use {
			return nil
		}
		node := &ir.Node{Op: op, Attrs: attrs("flip", flip, "heads", a.n.Int("heads"))}
		out, err := ir.Lookup(op).Ref(node, operands)
		if err != nil {
			return err
		}
		addScaled(a.score.F, out[0].F, by)
		return nil
	}
	k, index, bias, scale := data(a.in, AttendK), data(a.in, AttendIndex), data(a.in, AttendBias), a.n.Float("scale")
	var offsets *ir.Array
	if bias != nil {
		offsets = ramp(bias.Shape[1])
	}
	return first(
		term(a.n.Flag("cc"), "score_cc", scale, false, a.q, k, a.starts),
		term(a.n.Flag("cp"), "score_cp", scale, a.n.Flag("flip_cp"), a.q, data(a.in, AttendKR), index, a.starts, a.pos),
		term(a.n.Flag("pc"), "score_pc", scale, a.n.Flag("flip_pc"), k, data(a.in, AttendQR), index, a.starts, a.pos),
		term(bias != nil, "score_bias", 1, false, bias, offsets, a.starts, a.pos),
	)
}
