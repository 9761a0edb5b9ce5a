package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// partsAttr is the number of sums of parts.
var partsAttr = ir.AttrDef{Name: "parts", Type: ir.AttrInt, Required: true, Doc: "sums over a part of the chunks each"}

// LossPart returns the chunks of a part: those from first on, before end. Parts after the last chunk are empty.
func LossPart(part, parts, chunks int) (first, end int) {
	each := (chunks + parts - 1) / parts
	return min(part*each, chunks), min((part+1)*each, chunks)
}

var _ = ir.Define(ir.Op{
	Name: "token_loss_grad", Class: ir.Reduction,
	Doc: "The gradients of token_loss's rows, vocabulary and bias. With dz = dy·(exp(x·wᵀ + bias - logs) - smooth/V, and 1-smooth less at the target): " +
		"the sums dz·w over parts of the chunks, side by side, each with zeros up to H16 = 16·⌈H/16⌉ columns; " +
		"for each entry dzᵀ·x; and the sums of dz: [M], [M, H], [V, H], [V], [M], [M] → [M, parts·H16], [V, H], [V].",
	In:    append(append([]ir.Operand{float("dy", "[M]")}, vocabIn()...), targetIn, float("logs", "[M] log Σ_v exp(z_v)")),
	Attrs: []ir.AttrDef{chunkAttr, partsAttr, smoothAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, width, entries, err := vocabShape(n, 1)
		_, err2 := vocabChunks(n, entries)
		if n.Int("parts") < 1 {
			err = fmt.Errorf("%d parts", n.Int("parts"))
		}
		return []ir.Type{f32(rows, ir.N(n.Int("parts")*round16(width))), f32(ir.N(entries), ir.N(width)), f32(ir.N(entries))},
			first(err, err2, shaped(n, 0, rows), shaped(n, 4, rows), shaped(n, 5, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		parts, chunk, h, entries := n.Int("parts"), n.Int("chunk"), in[1].Shape[1], in[2].Shape[0]
		z, x, w, dy, logs := logit(in[1:4]), in[1].Floats(), in[2].Floats(), in[0].Floats(), in[5].Floats()
		chunks, err := vocabChunks(n, entries)
		wide, smooth := round16(h), n.Float("smooth")
		dx, dw, db := ir.NewArray(len(dy), parts*wide), ir.NewArray(entries, h), ir.NewArray(entries)
		at := map[[2]int]bool{}
		if err := first(err, eachTarget(in[4], entries, func(i, v int) { at[[2]int{i, v}] = true })); err != nil {
			return nil, err
		}
		for p := range parts {
			from, to := LossPart(p, parts, chunks)
			for v := from * chunk; v < min(to*chunk, entries); v++ {
				for i, g := range dy {
					dz := g * (math.Exp(z(i, v)-logs[i]) - smooth/float64(entries))
					if at[[2]int{i, v}] {
						dz -= g * (1 - smooth)
					}
					addScaled(dx.F[(i*parts+p)*wide:][:h], w[v*h:][:h], dz)
					addScaled(dw.F[v*h:][:h], x[i*h:][:h], dz)
					db.F[v] += dz
				}
			}
		}
		return []*ir.Array{dx, dw, db}, nil
	},
	Results: []string{"dx", "dw", "dbias"},
	NoGrad:  onlyFirst,
	Cost:    vocabCost(3),
	NoLower: fromProducts,
	Sample: samples(
		sample(attrs("chunk", 32, "parts", 2), normal(ir.T), normal(ir.T, ir.N(5)), normal(ir.N(71), ir.N(5)), normal(ir.N(71)), targets(71, ir.T),
			positive(ir.T)),
		sample(attrs("chunk", 64, "parts", 8), normal(ir.B), normal(ir.B, ir.N(2)), normal(ir.N(128), ir.N(2)), missing(), targets(128, ir.B), positive(ir.B)),
		sample(attrs("chunk", 32, "parts", 2, "smooth", 0.25), normal(ir.T), normal(ir.T, ir.N(5)), normal(ir.N(71), ir.N(5)), normal(ir.N(71)),
			targets(71, ir.T), positive(ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "fold_columns", Class: ir.Rowwise,
	Doc:   "The sums of parts of each row that lie side by side, added as the leaves of a tree, [M, parts·N16] → [M, n].",
	In:    []ir.Operand{float("x", "[M, parts·N16]")},
	Attrs: []ir.AttrDef{partsAttr, {Name: "n", Type: ir.AttrInt, Required: true, Doc: "columns of the result, at most N16"}},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, w, err := matrix(n, 0)
		parts := n.Int("parts")
		if err == nil && (parts < 1 || w%parts != 0 || n.Int("n") < 1 || n.Int("n") > w/parts) {
			err = fmt.Errorf("x is %s, not %d parts of at least %d columns", n.In[0].Type, parts, n.Int("n"))
		}
		return []ir.Type{f32(rows, ir.N(n.Int("n")))}, err
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		all, w := in[0].Shape[1], in[0].Shape[1]/n.Int("parts")
		y := ir.NewArray(in[0].Shape[0], n.Int("n"))
		for i, v := range in[0].Floats() {
			if j := i % all % w; j < n.Int("n") {
				y.F[i/all*n.Int("n")+j] += v
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = the sums of the parts of each row of x, m rows.", "x m", func(b *nest) {
			w := b.cols["x"] / n.Int("parts")
			var tree func(from, to int, j loop.Expr) loop.Expr
			tree = func(from, to int, j loop.Expr) loop.Expr {
				if to == from+1 {
					return loop.At("xi", loop.Add(loop.I(from*w), j))
				}
				mid := (from + to + 1) / 2
				return loop.Add(tree(from, mid, j), tree(mid, to, j))
			}
			b.rows(func(i loop.Expr) {
				b.both(i)
				b.set("yi", b.cols["y"], func(j loop.Expr) loop.Expr { return tree(0, n.Int("parts"), j) })
			})
		})
	},
	Sample: samples(sample(attrs("n", 13, "parts", 8), normal(ir.T, ir.N(128))), sample(attrs("n", 16, "parts", 3), normal(ir.B, ir.N(48)))),
})
