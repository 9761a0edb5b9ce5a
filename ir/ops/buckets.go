package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
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
	Rows:    func(n *ir.Node) int { return 2 * n.Int("span") },
	NoGrad:  integers,
	NoLower: atPacking,
	Sample: samples(
		sample(attrs("kind", "clamp", "span", 4, "length", 9)),
		sample(attrs("kind", "log", "span", 8, "length", 40, "exact", 4, "reach", 32)),
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
