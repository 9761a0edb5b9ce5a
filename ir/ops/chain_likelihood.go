package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
)

// chainIn are the operands that score sequences of labels, and the labels.
func chainIn() []ir.Operand {
	return []ir.Operand{float("z", "[M, C]"), float("transitions", "[C, C], row: the earlier label, column: the later one"), float("start", "[C]"),
		float("end", "[C]"), targetIn, startsIn}
}

// chainShape checks the operands of chainIn, which begin at operand i, and returns the number of labels.
func chainShape(n *ir.Node, i int) (labels int, err error) {
	rows, c, err := matrix(n, i)
	if err == nil && rows != ir.T && rows != ir.W {
		err = fmt.Errorf("z is %s, not one row per token or word", n.In[i].Type)
	}
	if err != nil {
		return 0, err
	}
	labelled := ir.N(c)
	return c, first(shaped(n, i+1, labelled, labelled), shaped(n, i+2, labelled), shaped(n, i+3, labelled), shaped(n, i+4, rows), shaped(n, i+5, ir.Bound))
}

var _ = ir.Define(ir.Op{
	Name: "chain_likelihood", Class: ir.Recurrent,
	Doc: "The logarithm of the probability of each sequence's labels in a linear-chain conditional random field (Lafferty, McCallum and Pereira 2001): the " +
		"score start[y_0] + Σ z[t, y_t] + Σ transitions[y_(t-1), y_t] + end[y_last] of the labels y, less log Σ exp(score) over all labellings. Rows whose " +
		"target is below 0 are not in the chain. A sequence without a row in the chain has 0, [M, C], [C, C], [C], [C], [M] → [B].",
	In: chainIn(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := chainShape(n, 0)
		return []ir.Type{f32(ir.B)}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[5].Shape[0] - 1)
		return []*ir.Array{y}, eachChain(in, func(s int, k *chain) { y.F[s] = k.score() - k.total() })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		d := b.Node("chain_likelihood_grad", n.Pos, n.Note, nil, append([]*ir.Value{dy[0]}, n.In...)...)
		if b.Err() != nil {
			return nil, b.Err()
		}
		return append(d, nil, nil), nil
	},
	Cost:     chainCost,
	Lower:    lowerChain,
	Launches: chainLaunches,
	Sample:   samples(chainSample(), lens(chainSample(), 1, 7)),
})

// chainSample returns a sample of chain_likelihood.
func chainSample() ir.Sample {
	return sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(3), ir.N(3)), normal(ir.N(3)), normal(ir.N(3)), targets(3, ir.T), starts())
}

// chainCost returns the work of a recursion over all pairs of labels.
func chainCost(n *ir.Node, s ir.Sizes) ir.Cost {
	z := n.In[len(n.In)-6].Type.Shape
	return ir.Cost{FLOPs: 12 * float64(s.Elements(z)) * float64(z[1].N)}
}

var _ = ir.Define(ir.Op{
	Name: "chain_likelihood_grad", Class: ir.Recurrent,
	Doc: "The gradients of chain_likelihood's operands z, transitions, start and end: how often the labels use each score, less how often labellings use it " +
		"on average, by the forward-backward recursion: [B], [M, C], [C, C], [C], [C], [M] → [M, C], [C, C], [C], [C].",
	In: append([]ir.Operand{float("dy", "[B]")}, chainIn()...),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		_, err := chainShape(n, 1)
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[3].Type, n.In[4].Type}, first(err, shaped(n, 0, ir.B))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		var out []*ir.Array
		for _, a := range in[1:5] {
			out = append(out, ir.NewArray(a.Shape...))
		}
		dy := in[0].Floats()
		return out, eachChain(in[1:], func(s int, k *chain) { k.gradient(dy[s], out[0].F, out[1].F, out[2].F, out[3].F) })
	},
	Results:  []string{"dz", "dtransitions", "dstart", "dend"},
	NoGrad:   onlyFirst,
	Cost:     chainCost,
	Lower:    lowerChainGrad,
	Launches: chainLaunches,
	Sample: samples(sample(nil, normal(ir.B), normal(ir.T, ir.N(3)), normal(ir.N(3), ir.N(3)), normal(ir.N(3)), normal(ir.N(3)), targets(3, ir.T),
		starts())),
})

// chain is the part of one sequence that is labelled.
type chain struct {
	c                          int   // labels
	rows                       []int // of z, in order; at least one
	target                     []int32
	z, transitions, start, end []float64
}

// eachChain calls visit for each sequence with a row in the chain. The operands are those of chainIn.
func eachChain(in []*ir.Array, visit func(sequence int, k *chain)) error {
	list, err := blocks(in[5], in[0].Shape[0])
	if err != nil {
		return err
	}
	c := in[0].Shape[1]
	k := &chain{c: c, target: in[4].I, z: in[0].Floats(), transitions: in[1].Floats(), start: in[2].Floats(), end: in[3].Floats()}
	rows := map[int]bool{}
	if err := eachTarget(in[4], c, func(i, _ int) { rows[i] = true }); err != nil {
		return err
	}
	for s, b := range list {
		k.rows = nil
		for t := b.row; t < b.row+b.n; t++ {
			if rows[t] {
				k.rows = append(k.rows, t)
			}
		}
		if len(k.rows) > 0 {
			visit(s, k)
		}
	}
	return nil
}

// score returns the score of the labels.
func (k *chain) score() float64 {
	sum := 0.0
	for i, t := range k.rows {
		y := int(k.target[t])
		if i == 0 {
			sum += k.start[y]
		} else {
			sum += k.transitions[int(k.target[k.rows[i-1]])*k.c+y]
		}
		sum += k.z[t*k.c+y]
	}
	return sum + k.end[int(k.target[k.rows[len(k.rows)-1]])]
}

// total returns log Σ exp(score) over all labellings.
func (k *chain) total() float64 {
	alpha := k.forward()
	last := alpha[(len(k.rows)-1)*k.c:]
	return logSumExp(k.c, func(j int) float64 { return last[j] + k.end[j] })
}

// forward returns, for each row and label, log Σ exp(score) over the labellings of the rows up to it that end in the label.
func (k *chain) forward() []float64 {
	alpha := make([]float64, len(k.rows)*k.c)
	for i, t := range k.rows {
		for j := range k.c {
			before := k.start[j]
			if i > 0 {
				before = logSumExp(k.c, func(p int) float64 { return alpha[(i-1)*k.c+p] + k.transitions[p*k.c+j] })
			}
			alpha[i*k.c+j] = before + k.z[t*k.c+j]
		}
	}
	return alpha
}

// backward returns, for each row and label, log Σ exp(score) over the labellings of the rows after it.
func (k *chain) backward() []float64 {
	last := len(k.rows) - 1
	beta := make([]float64, len(k.rows)*k.c)
	copy(beta[last*k.c:], k.end)
	for i := last - 1; i >= 0; i-- {
		after := k.rows[i+1]
		for j := range k.c {
			beta[i*k.c+j] = logSumExp(k.c, func(q int) float64 {
				return k.transitions[j*k.c+q] + k.z[after*k.c+q] + beta[(i+1)*k.c+q]
			})
		}
	}
	return beta
}

// gradient adds g times the gradient of score - total.
func (k *chain) gradient(g float64, dz, dtransitions, dstart, dend []float64) {
	alpha, beta, total, c := k.forward(), k.backward(), k.total(), k.c
	last := len(k.rows) - 1
	for i, t := range k.rows {
		y := int(k.target[t])
		for j := range c {
			d := -math.Exp(alpha[i*c+j] + beta[i*c+j] - total)
			if j == y {
				d++
			}
			dz[t*c+j] += g * d
			if i == 0 {
				dstart[j] += g * d
			}
			if i == last {
				dend[j] += g * d
			}
			for p := range c {
				if i == 0 {
					break
				}
				e := -math.Exp(alpha[(i-1)*c+p] + k.transitions[p*c+j] + k.z[t*c+j] + beta[i*c+j] - total)
				if j == y && p == int(k.target[k.rows[i-1]]) {
					e++
				}
				dtransitions[p*c+j] += g * e
			}
		}
	}
}
