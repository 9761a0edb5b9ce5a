package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "span_targets", Class: ir.Wordwise,
	Doc: "The targets of span_scores, with -1 for spans that would end after the last word of their sequence: these are left out of losses, " +
		"[G, K], [B+1], [B+1] → [G, K].",
	In: []ir.Operand{float("x", "[G, K]"), wordStartsIn, markStartsIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		if err == nil && rows != ir.G {
			err = fmt.Errorf("x is %s, not a row for each pair of a word and a label", n.In[0].Type)
		}
		return []ir.Type{n.In[0].Type}, first(err, shaped(n, 1, ir.Bound), shaped(n, 2, ir.Bound))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		words, labels, k := int(in[1].I[len(in[1].I)-1]), int(in[2].I[len(in[2].I)-1]), in[0].Shape[1]
		list, g, err := wordPairs(in[1], in[2], words, labels)
		if err != nil {
			return nil, err
		}
		if g != in[0].Shape[0] {
			return nil, fmt.Errorf("x has %d rows, there are %d pairs of a word and a label", in[0].Shape[0], g)
		}
		x, y := in[0].Floats(), ir.NewArray(in[0].Shape...)
		for _, p := range list {
			for at := range k {
				y.F[p.row*k+at] = -1
				if p.word+at < p.end {
					y.F[p.row*k+at] = x[p.row*k+at]
				}
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: "no gradient passes through targets",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the targets of the spans of a sequence, or -1 for those that end after it.", "x words labels", func(b *nest) {
			b.each("w", loop.V("words"), func(w loop.Expr) {
				b.each("c", loop.V("labels"), func(c loop.Expr) {
					b.both(loop.Add(loop.Mul(w, loop.V("labels")), c))
					b.each("j", loop.I(b.cols["x"]), func(j loop.Expr) {
						v := b.Let("v", loop.F(-1))
						b.If(loop.Less(loop.Add(w, j), loop.V("words")), func() { b.Assign(v, loop.At("xi", j)) }, nil)
						b.Store("yi", j, v)
					})
				})
			})
		})
	},
	Launches: spanTargetLaunches,
	Sample: samples(lens(sample(nil, normal(ir.G, ir.N(3)), wordStarts(), markStarts()), 9, 1, 4),
		lens(sample(nil, normal(ir.G, ir.N(3)), wordStarts(), queryStarts()), 9, 1, 4)),
})

// spanTargetLaunches returns one call per sequence.
func spanTargetLaunches(n *ir.Node, _ []int32, in []*ir.Array) (out []ir.Launch) {
	_, ldx, _ := row(n.In[0])
	_, ldy, _ := row(n.Out[0])
	words, marks := in[1].I, in[2].I
	pair := 0
	for s := 0; s+1 < len(words); s++ {
		w, c := int(words[s+1]-words[s]), int(marks[s+1]-marks[s])
		out = append(out, ir.Launch{Memory: map[string]ir.Place{"y": {Operand: ir.Result, At: pair * ldy}, "x": {Operand: 0, At: pair * ldx}},
			Counts: map[string]int{"words": w, "labels": c}})
		pair += w * c
	}
	return out
}
