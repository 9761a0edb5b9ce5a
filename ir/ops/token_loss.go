package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// The cross entropy of a head over a large vocabulary never stores the logits of all rows. It computes them for a chunk of the vocabulary at a time, in the
// memory of a worker, and keeps what the loss needs of a chunk: two numbers per row. The gradient computes the logits of each chunk again.

// vocabIn are the operands that logits are computed from.
func vocabIn() []ir.Operand {
	return []ir.Operand{float("x", "[M, H]"), whole(float("w", "[V, H]")), whole(optional("bias", "[V]"))}
}

// chunkAttr is the width of a chunk.
var chunkAttr = ir.AttrDef{Name: "chunk", Type: ir.AttrInt, Required: true, Doc: "logits that are computed at a time"}

// vocabShape checks the operands of vocabIn, which begin at operand i, and returns the rows, and the numbers of columns and entries.
func vocabShape(n *ir.Node, i int) (rows ir.Dim, width, entries int, err error) {
	rows, width, err = matrix(n, i)
	entries, cols, err2 := fixed(n, i+1)
	if err := first(err, err2); err != nil {
		return rows, 0, 0, err
	}
	if cols != width {
		return rows, 0, 0, fmt.Errorf("x is %s, w is %s: their rows must have one length", n.In[i].Type, n.In[i+1].Type)
	}
	return rows, width, entries, vector(n, i+2, entries)
}

// vocabChunks returns the number of chunks of a node.
func vocabChunks(n *ir.Node, entries int) (int, error) {
	if n.Int("chunk") < 1 {
		return 0, fmt.Errorf("chunks of %d logits", n.Int("chunk"))
	}
	return (entries + n.Int("chunk") - 1) / n.Int("chunk"), nil
}

// logit returns a function that computes the logit of a row and an entry. The operands are those of vocabIn.
func logit(in []*ir.Array) func(row, entry int) float64 {
	x, w, h := in[0].Floats(), in[1].Floats(), in[0].Shape[1]
	var bias []float64
	if in[2] != nil {
		bias = in[2].Floats()
	}
	return func(i, v int) float64 {
		z := dot(x[i*h:][:h], w[v*h:][:h])
		if bias != nil {
			z += bias[v]
		}
		return z
	}
}

var _ = ir.Define(ir.Op{
	Name: "token_loss", Class: ir.Contraction,
	Doc: "The cross entropy of each row: log Σ_v exp(z_v) - (1-smooth)·z_target - smooth·(the mean of z) with z = x·wᵀ + bias. The row of a target " +
		"below 0 has no z_target, and its gradient must be 0, [M, H], [V, H], [V], [M] → [M].",
	In: append(vocabIn(), targetIn), Attrs: []ir.AttrDef{smoothAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, _, err := vocabShape(n, 0)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 3, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		z, entries, y, smooth := logit(in), in[1].Shape[0], ir.NewArray(in[0].Shape[0]), n.Float("smooth")
		for i := range y.F {
			y.F[i] = logSumExp(entries, func(v int) float64 { return z(i, v) })
			for v := range entries {
				y.F[i] -= smooth / float64(entries) * z(i, v)
			}
		}
		return []*ir.Array{y}, eachTarget(in[3], entries, func(i, v int) { y.F[i] -= (1 - smooth) * z(i, v) })
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		x, w, bias, target := n.In[0], n.In[1], n.In[2], n.In[3]
		logs := b.Like(n, "add", nil, n.Out[0], TargetLogits(b, n))
		set := attrs("chunk", LossChunk, "parts", LossParts)
		if s := n.Float("smooth"); s > 0 {
			set = append(set, ir.A("smooth", s))
		}
		d := b.Node("token_loss_grad", n.Pos, n.Note, set, dy[0], x, w, bias, target, logs)
		if b.Err() != nil {
			return nil, b.Err()
		}
		out := []*ir.Value{b.Like(n, "fold_columns", attrs("n", x.Type.Shape[1].N, "parts", LossParts), d[0]), d[1], d[2], nil}
		if bias == nil {
			out[2] = nil
		}
		return out, b.Err()
	},
	Cost:    vocabCost(1),
	NoLower: "a pass after the gradient's replaces it by logit_parts",
	Sample: samples(sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(7), ir.N(3)), normal(ir.N(7)), targets(7, ir.T)),
		sample(nil, normal(ir.B, ir.N(2)), normal(ir.N(5), ir.N(2)), missing(), targets(5, ir.B)),
		sample(attrs("smooth", 0.25), normal(ir.T, ir.N(3)), normal(ir.N(7), ir.N(3)), normal(ir.N(7)), targets(7, ir.T)),
		sample(attrs("smooth", 0.125), normal(ir.B, ir.N(2)), normal(ir.N(5), ir.N(2)), missing(), targets(5, ir.B))),
})

// smoothAttr is the share of a target that is spread over all classes.
var smoothAttr = ir.AttrDef{Name: "smooth", Type: ir.AttrFloat, Doc: "the share of a target that is spread over all classes, from 0 to 1"}

// TargetLogits appends what a token_loss subtracts from the logarithm of a row's sum: the logit of its target, or, with smooth, the mean of the row's logits
// weighed by the smoothed target. The mean of the logits of a row is its product with the mean of the vocabulary's rows.
func TargetLogits(b *ir.Builder, n *ir.Node) *ir.Value {
	g := graph{b, n}
	x, w, bias := n.In[0], n.In[1], n.In[2]
	target := g.op("target_logit", nil, x, w, bias, n.In[3])
	smooth := n.Float("smooth")
	if smooth == 0 {
		return target
	}
	if bias != nil {
		bias = g.op("mean", nil, bias)
	}
	center := g.scale(g.op("col_sum", nil, w), 1/float64(w.Type.Shape[0].N))
	row := g.op("repeat_rows", nil, center, g.op("slice", attrs("count", 1, "from", 0), w))
	mean := g.op("row_sum", nil, g.op("linear", nil, x, row, bias))
	return g.add(g.scale(target, 1-smooth), g.scale(mean, smooth))
}

// LossChunk is the number of logits of a row that token_loss computes at a time. LossParts is the number of sums over chunks in which the gradient of its
// rows is computed: one worker computes each, and they are added in one order.
const (
	LossChunk = 512
	LossParts = 8
)

// vocabCost returns the work of n products of all rows with the whole vocabulary.
func vocabCost(products float64) func(n *ir.Node, s ir.Sizes) ir.Cost {
	return func(n *ir.Node, s ir.Sizes) ir.Cost {
		i := 0
		if len(n.In[0].Type.Shape) == 1 {
			i = 1 // the gradient of the rows comes first
		}
		logits := float64(s.Dim(n.In[i].Type.Shape[0]) * n.In[i+1].Type.Shape[0].N)
		return ir.Cost{FLOPs: logits * (products*2*float64(n.In[i].Type.Shape[1].N) + 13)}
	}
}

var _ = ir.Define(ir.Op{
	Name: "logit_parts", Class: ir.Contraction,
	Doc: "What a softmax over a vocabulary needs of the logits z = x·wᵀ + bias: for each chunk the largest z, in column 2c, and Σ exp(z - largest), " +
		"in column 2c+1, [M, H], [V, H], [V] → [M, 2·⌈V/chunk⌉].",
	In: vocabIn(), Attrs: []ir.AttrDef{chunkAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, entries, err := vocabShape(n, 0)
		chunks, err2 := vocabChunks(n, entries)
		return []ir.Type{f32(rows, ir.N(2*chunks))}, first(err, err2)
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		z, entries, chunk := logit(in), in[1].Shape[0], n.Int("chunk")
		chunks, err := vocabChunks(n, entries)
		y := ir.NewArray(in[0].Shape[0], 2*chunks)
		for i := range in[0].Shape[0] {
			for c := range chunks {
				part := y.F[(i*chunks+c)*2:][:2]
				part[0] = math.Inf(-1)
				for v := c * chunk; v < min(entries, (c+1)*chunk); v++ {
					part[0] = max(part[0], z(i, v))
				}
				for v := c * chunk; v < min(entries, (c+1)*chunk); v++ {
					part[1] += math.Exp(z(i, v) - part[0])
				}
			}
		}
		return []*ir.Array{y}, err
	},
	NoGrad:  afterGrad,
	Cost:    vocabCost(1),
	NoLower: fromProducts,
	Sample: samples(sample(attrs("chunk", 32), normal(ir.T, ir.N(5)), normal(ir.N(71), ir.N(5)), normal(ir.N(71))),
		sample(attrs("chunk", 64), normal(ir.B, ir.N(16)), normal(ir.N(128), ir.N(16)), missing())),
})

// fromProducts is the reason of ops that are composed of products.
const fromProducts = "code generation composes it of products with chunks of the vocabulary"

var _ = ir.Define(ir.Op{
	Name: "join_parts", Class: ir.Rowwise,
	Doc: "log Σ exp(z) of each row from what logit_parts keeps of its chunks, [M, 2·C] → [M].",
	In:  []ir.Operand{float("x", "[M, 2·C]")},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		if err == nil && w%2 != 0 {
			err = fmt.Errorf("x is %s, not two columns for each chunk", n.In[0].Type)
		}
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, x, y := in[0].Shape[1], in[0].Floats(), ir.NewArray(in[0].Shape[0])
		for i := range y.F {
			row := x[i*w:][:w]
			y.F[i] = logSumExp(w/2, func(c int) float64 { return row[2*c] + math.Log(row[2*c+1]) })
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: afterGrad,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the logarithm of the sum of exponentials of row i from its chunks, m rows.", "x m", func(b *nest) {
			chunks := b.cols["x"] / 2
			b.all("ys", "y", loop.V("m"))
			top := func(c loop.Expr) loop.Expr { return loop.At("xi", loop.Mul(c, loop.I(2))) }
			b.rows(func(i loop.Expr) {
				b.row("xi", "x", i)
				most := b.largest(chunks, top)
				sum := b.Let("sum", sumOf(b.Builder, "s", chunks, func(c loop.Expr) loop.Expr {
					return loop.Mul(loop.At("xi", loop.Add(loop.Mul(c, loop.I(2)), loop.I(1))), loop.Fn("exp", loop.Sub(top(c), most)))
				}))
				b.Store("ys", i, loop.Add(most, loop.Fn("log", sum)))
			})
		})
	},
	Sample: samples(sample(nil, positive(ir.T, ir.N(6))), sample(nil, positive(ir.B, ir.N(2)))),
})

var _ = ir.Define(ir.Op{
	Name: "target_logit", Class: ir.Rowwise,
	Doc: "The logit of each row's target, x·w[target] + bias[target], and 0 for a row whose target is below 0, [M, H], [V, H], [V], [M] → [M].",
	In:  append(vocabIn(), targetIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, _, err := vocabShape(n, 0)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 3, rows))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		z, y := logit(in), ir.NewArray(in[0].Shape[0])
		return []*ir.Array{y}, eachTarget(in[3], in[1].Shape[0], func(i, v int) { y.F[i] = z(i, v) })
	},
	NoGrad: afterGrad,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		args, entries := "x w target m", n.In[1].Type.Shape[0].N
		if n.In[2] != nil {
			args = "x w bias target m"
		}
		return portable(n, "y[i] = the logit of target[i], or 0 for a target below 0, m rows.", args, func(b *nest) {
			b.all("to", "target", loop.V("m"))
			b.all("ys", "y", loop.V("m"))
			if n.In[2] != nil {
				b.all("shift", "bias", loop.I(entries))
			}
			b.rows(func(i loop.Expr) {
				v := b.Let("v", loop.F(0))
				to := b.Let("entry", loop.At("to", i))
				b.If(notBelow0(to), func() {
					b.row("xi", "x", i)
					b.row("wv", "w", to)
					b.Assign(v, sumOf(b.Builder, "s", b.cols["x"], func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("xi", j), loop.At("wv", j)) }))
					if n.In[2] != nil {
						b.AddTo(v, loop.At("shift", to))
					}
				}, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(7), ir.N(3)), normal(ir.N(7)), targets(7, ir.T)),
		sample(nil, normal(ir.B, ir.N(17)), normal(ir.N(5), ir.N(17)), missing(), targets(5, ir.B))),
})
