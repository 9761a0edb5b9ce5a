package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "buckets", Class: ir.Constant,
	Doc: "The row of the relative table for each offset -(length-1) … length-1: the offset itself or its log bucket, plus span, clamped to 0 … 2·span-1 " +
		"(DeBERTa section 3.1, with the log buckets of DeBERTa v2), → i32 [2·length-1].",
	Attrs: []ir.AttrDef{
		{Name: "kind", Type: ir.AttrString, Required: true, Words: []string{"clamp", "log"}, Doc: "how an offset becomes a row"},
		{Name: "span", Type: ir.AttrInt, Required: true, Doc: "half the table's rows: offset 0 has row span"},
		{Name: "length", Type: ir.AttrInt, Required: true, Doc: "the greatest length of a sequence"},
		{Name: "exact", Type: ir.AttrInt, Doc: "log: offsets up to this are rows of their own"},
		{Name: "reach", Type: ir.AttrInt, Doc: "log: the distance at which the buckets end"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		if n.Int("length") < 1 || n.Int("span") < 1 {
			return nil, fmt.Errorf("length %d and span %d must be at least 1", n.Int("length"), n.Int("span"))
		}
		if n.Str("kind") == "log" && (n.Int("exact") < 1 || n.Int("reach")-1 <= n.Int("exact")) {
			return nil, fmt.Errorf("reach %d must be more than exact %d by at least 2, and exact at least 1", n.Int("reach"), n.Int("exact"))
		}
		return []ir.Type{i32(ir.N(2*n.Int("length") - 1))}, nil
	},
	Ref: func(n *ir.Node, _ []*ir.Array) ([]*ir.Array, error) {
		length, span := n.Int("length"), n.Int("span")
		y := ir.NewInts(2*length - 1)
		for i := range y.I {
			r := i - (length - 1)
			if n.Str("kind") == "log" {
				r = logBucket(r, n.Int("exact"), n.Int("reach"))
			}
			y.I[i] = int32(min(max(r+span, 0), 2*span-1))
		}
		return []*ir.Array{y}, nil
	},
	Rows:   func(n *ir.Node) int { return 2 * n.Int("span") },
	NoGrad: integers,
	Lower:  lowerBuckets,
	Sample: samples(
		sample(attrs("kind", "clamp", "span", 4, "length", 9)),
		sample(attrs("kind", "log", "span", 8, "length", 40, "exact", 4, "reach", 32)),
		sample(attrs("kind", "log", "span", 256, "length", 512, "exact", 128, "reach", 512)),
	),
})

// logBucket returns the bucket of a distance. The published models compute it in float32, with natural logarithms, and divide before they multiply; logBucket
// does the same:
//
//	|r| ≤ exact: r
//	|r| > exact: sign(r) · (⌈log(|r|/exact) / log((reach-1)/exact) · (exact-1)⌉ + exact)
func logBucket(r, exact, reach int) int {
	a, sign := r, 1
	if r < 0 {
		a, sign = -r, -1
	}
	if a <= exact {
		return r
	}
	log := func(num, den int) float32 { return float32(math.Log(float64(float32(num) / float32(den)))) }
	step := float32(log(a, exact)/log(reach-1, exact)) * float32(exact-1)
	return sign * (int(math.Ceil(float64(step))) + exact)
}

// lowerBuckets returns the portable form, with the arguments (y, m, at). It rounds as logBucket does.
func lowerBuckets(n *ir.Node) (*loop.Nest, error) {
	length, span, exact := n.Int("length"), n.Int("span"), n.Int("exact")
	return portable(n, "y[i] = the row of offset at+i-(length-1), m offsets.", "m at", func(b *nest) {
		b.all("ys", "y", loop.V("m"))
		b.rows(func(i loop.Expr) {
			r := b.Let("r", loop.Sub(loop.Add(loop.V("at"), i), loop.I(length-1)))
			if n.Str("kind") == "log" {
				sign := b.Let("sign", loop.I(1))
				b.If(loop.Less(r, loop.I(0)), func() { b.Assign(sign, loop.I(-1)) }, nil)
				size := b.Let("size", loop.Mul(r, sign))
				b.If(loop.Less(loop.I(exact), size), func() {
					log := func(of loop.Expr) loop.Expr { return loop.Fn("log", loop.Div(of, loop.F(float64(exact)))) }
					far := b.Let("far", loop.F(float64(n.Int("reach")-1)))
					step := loop.Mul(loop.Div(log(loop.Fn("float", size)), log(far)), loop.F(float64(exact-1)))
					b.Assign(r, loop.Mul(sign, loop.Add(loop.Fn("int", loop.Fn("ceil", step)), loop.I(exact))))
				}, nil)
			}
			b.Store("ys", i, loop.Fn("min", loop.Fn("max", loop.Add(r, loop.I(span)), loop.I(0)), loop.I(2*span-1)))
		})
	})
}
