package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// sideAttrs is the attribute that tells which of a boundary's two words is meant.
func sideAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "side", Type: ir.AttrString, Required: true, Words: []string{"left", "right"}, Doc: "which word of a boundary is read"}}
}

// edgeOf returns the boundary of a sequence that has no word on the side, counted from its first one, and by how many rows its words are shifted.
func edgeOf(side string, p ragged.SpanPlace) (edge, shift int) {
	if side == "left" {
		return 0, 1
	}
	return p.Words, 0
}

var _ = ir.Define(ir.Op{
	Name: "boundary_rows", Class: ir.Wordwise,
	Doc: "The row of the word on the left or on the right of each boundary. The first boundary has none on its left and the last none on its right; " +
		"they have the row edge, [W, N], [N] → [U, N].",
	In: placed(float("x", "[W, N]"), float("edge", "[N]")), Attrs: sideAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.W)
		return []ir.Type{f32(ir.U, ir.N(w))}, first(err, shaped(n, 1, ir.N(w)), placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, end := places(in)
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(end.Bound, w)
		for _, p := range list {
			edge, shift := edgeOf(n.Str("side"), p)
			copy(y.F[(p.Bound+edge)*w:][:w], in[1].Floats())
			for i := range p.Words {
				copy(y.F[(p.Bound+i+shift)*w:][:w], x[(p.Word+i)*w:][:w])
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		rest := n.In[2:]
		words := b.Like(n, "boundary_words", n.Attrs, append([]*ir.Value{dy[0]}, rest...)...)
		edges := b.Like(n, "boundary_edges", n.Attrs, append([]*ir.Value{dy[0]}, rest...)...)
		return []*ir.Value{words, b.Like(n, "col_sum", nil, edges), nil, nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		left := n.Str("side") == "left"
		return portable(n, fmt.Sprintf("y = the row on the %s of each boundary of a sequence.", n.Str("side")), "x edge words", func(b *nest) {
			cols := b.cols["y"]
			b.all("edges", "edge", loop.I(cols))
			at, shift := loop.V("words"), loop.I(0)
			if left {
				at, shift = loop.I(0), loop.I(1)
			}
			b.row("ye", "y", at)
			b.set("ye", cols, of("edges"))
			b.each("i", loop.V("words"), func(i loop.Expr) {
				b.row("xi", "x", i)
				b.row("yi", "y", loop.Add(i, shift))
				b.set("yi", cols, of("xi"))
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(
		placeSample(attrs("side", "left"), normal(ir.W, ir.N(5)), normal(ir.N(5))),
		placeSample(attrs("side", "right"), normal(ir.W, ir.N(16)), normal(ir.N(16)))),
})

var _ = ir.Define(ir.Op{
	Name: "boundary_words", Class: ir.Wordwise,
	Doc: "The row of the boundary of which each word lies on the left or on the right: the gradient of boundary_rows for words, [U, N] → [W, N].",
	In:  placed(float("x", "[U, N]")), Attrs: sideAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.U)
		return []ir.Type{f32(ir.W, ir.N(w))}, first(err, placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, end := places(in)
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(end.Word, w)
		for _, p := range list {
			_, shift := edgeOf(n.Str("side"), p)
			copy(y.F[p.Word*w:][:p.Words*w], x[(p.Bound+shift)*w:])
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		shift := 0
		if n.Str("side") == "left" {
			shift = 1
		}
		return portable(n, fmt.Sprintf("y = the row of the boundary that has each word of a sequence on its %s.", n.Str("side")), "x words", func(b *nest) {
			b.each("i", loop.V("words"), func(i loop.Expr) {
				b.row("xi", "x", loop.Add(i, loop.I(shift)))
				b.row("yi", "y", i)
				b.set("yi", b.cols["y"], of("xi"))
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(attrs("side", "left"), normal(ir.U, ir.N(5))),
		placeSample(attrs("side", "right"), normal(ir.U, ir.N(16)))),
})

var _ = ir.Define(ir.Op{
	Name: "boundary_edges", Class: ir.Wordwise,
	Doc: "The row of the first or last boundary of each sequence, which has no word on its left or right: a sequence's part of the gradient of boundary_rows " +
		"for its edge, [U, N] → [B, N].",
	In: placed(float("x", "[U, N]")), Attrs: sideAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 0, ir.U)
		return []ir.Type{f32(ir.B, ir.N(w))}, first(err, placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, _ := places(in)
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(len(list), w)
		for s, p := range list {
			edge, _ := edgeOf(n.Str("side"), p)
			copy(y.F[s*w:][:w], x[(p.Bound+edge)*w:])
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		left := n.Str("side") == "left"
		return portable(n, fmt.Sprintf("y = the row of the boundary of a sequence without a word on its %s.", n.Str("side")), "x words", func(b *nest) {
			at := loop.V("words")
			if left {
				at = loop.I(0)
			}
			b.row("xe", "x", at)
			b.row("ye", "y", loop.I(0))
			b.set("ye", b.cols["y"], of("xe"))
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(attrs("side", "left"), normal(ir.U, ir.N(5))),
		placeSample(attrs("side", "right"), normal(ir.U, ir.N(16)))),
})
