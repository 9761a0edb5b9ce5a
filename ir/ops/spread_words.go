package ops

import "github.com/debertac/debertac/ir"

var _ = ir.Define(ir.Op{
	Name: "spread_words", Class: ir.Gather,
	Doc: "The gradient of pool_words: the row of each word added to the row that it was taken from; for a mean in equal parts to all of its rows; for the " +
		"largest number of a column to the first row of x that has it, [W, N], [W, 2], [T, N] → [T, N].",
	In:    []ir.Operand{float("dy", "[W, N]"), wordsIn, float("x", "[T, N], what was pooled")},
	Attrs: []ir.AttrDef{howAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 2)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 0, ir.W, ir.N(w)), shaped(n, 1, ir.W, ir.N(2)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		rows, cols := in[2].Shape[0], in[2].Shape[1]
		dy, x, dx := in[0].Floats(), in[2].Floats(), ir.NewArray(in[2].Shape...)
		return []*ir.Array{dx}, eachWord(in[1], rows, func(i, from, to int) {
			for j := range cols {
				g := dy[i*cols+j]
				switch n.Str("how") {
				case "first":
					dx.F[from*cols+j] += g
				case "last":
					dx.F[(to-1)*cols+j] += g
				case "mean":
					for t := from; t < to; t++ {
						dx.F[t*cols+j] += g / float64(to-from)
					}
				case "max":
					top := from
					for t := from; t < to; t++ {
						if x[t*cols+j] > x[top*cols+j] {
							top = t
						}
					}
					dx.F[top*cols+j] += g
				}
			}
		})
	},
	NoGrad:  onlyFirst,
	NoLower: forTraining,
	Sample: samples(
		sample(attrs("how", "first"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "last"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "mean"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
		sample(attrs("how", "max"), normal(ir.W, ir.N(5)), spanned(), normal(ir.T, ir.N(5))),
	),
})
