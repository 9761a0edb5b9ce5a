package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/sampler"
)

// Replaced-token detection draws the tokens of the generator in the program. The formulas are those of package runtime/sampler.

// The operands of all ops that draw.
var (
	givenIn = ir.Operand{Name: "given", DType: ir.I32, Doc: "[M] a token for each row; a row with a number below 0 is drawn"}
	siteIn  = ir.Operand{Name: "key", DType: ir.I32, Whole: true, Doc: "[2] the key of the site"}
)

// bySampler is the reason of ops that draw.
const bySampler = "package runtime/sampler computes it"

// sampleShape checks the operands given and key, which begin at operand i, and returns the type of the result.
func sampleShape(n *ir.Node, i int, rows ir.Dim, err error) ([]ir.Type, error) {
	return []ir.Type{i32(rows)}, first(err, shaped(n, i, rows), shaped(n, i+1, ir.N(2)))
}

// sampled returns the tokens of rows: those that are given, and otherwise those that draw returns for the random number of a row.
func sampled(given, key *ir.Array, draw func(row int, u float64) int) []*ir.Array {
	y := ir.NewInts(len(given.I))
	k := dropout.Key{uint32(key.I[0]), uint32(key.I[1])}
	for i := range y.I {
		if y.I[i] = given.I[i]; y.I[i] < 0 {
			y.I[i] = int32(draw(i, sampler.Uniform(k, i)))
		}
	}
	return []*ir.Array{y}
}

var _ = ir.Define(ir.Op{
	Name: "sample_row", Class: ir.Rowwise,
	Doc: "A column for each row, drawn from the softmax of the row, [M, N], [M], [2] → [M].",
	In:  []ir.Operand{float("z", "[M, N] logits"), givenIn, siteIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return sampleShape(n, 1, rows, err)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, z := in[0].Shape[1], in[0].Floats()
		return sampled(in[1], in[2], func(row int, u float64) int { return sampler.Pick(z[row*w:][:w], u) }), nil
	},
	NoGrad: integers,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 24 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	NoLower: bySampler,
	Sample:  samples(sample(nil, normal(ir.T, ir.N(5)), targets(5, ir.T), below(100, ir.N(2)))),
})

var _ = ir.Define(ir.Op{
	Name: "sample_token", Class: ir.Rowwise,
	Doc: "An entry of a vocabulary for each row, drawn from the softmax of z = x·wᵀ + bias, [M, H], [V, H], [V], [M], [2] → [M].",
	In:  append(vocabIn(), givenIn, siteIn),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, _, err := vocabShape(n, 0)
		return sampleShape(n, 3, rows, err)
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		z, row := logit(in), make([]float64, in[1].Shape[0])
		return sampled(in[3], in[4], func(i int, u float64) int {
			for v := range row {
				row[v] = z(i, v)
			}
			return sampler.Pick(row, u)
		}), nil
	},
	NoGrad:  integers,
	Cost:    vocabCost(1),
	NoLower: "a pass after the gradient's replaces it by sample_parts",
	Sample: samples(sample(nil, normal(ir.T, ir.N(3)), normal(ir.N(7), ir.N(3)), normal(ir.N(7)), targets(7, ir.T), below(100, ir.N(2))),
		sample(nil, normal(ir.B, ir.N(2)), normal(ir.N(5), ir.N(2)), missing(), targets(5, ir.B), below(100, ir.N(2)))),
})

var _ = ir.Define(ir.Op{
	Name: "sample_parts", Class: ir.Rowwise,
	Doc: "What sample_token computes, from what logit_parts keeps of the chunks: they decide the chunk, whose logits are computed again, " +
		"[M, H], [V, H], [V], [M, 2·⌈V/chunk⌉], [M], [2] → [M].",
	In: append(vocabIn(), float("parts", "[M, 2·⌈V/chunk⌉]"), givenIn, siteIn), Attrs: []ir.AttrDef{chunkAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, entries, err := vocabShape(n, 0)
		chunks, err2 := vocabChunks(n, entries)
		if err := first(err, err2); err != nil {
			return nil, err
		}
		return sampleShape(n, 4, rows, shaped(n, 3, rows, ir.N(2*chunks)))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		z, entries, chunk := logit(in), in[1].Shape[0], n.Int("chunk")
		w, parts := in[3].Shape[1], in[3].Floats()
		return sampled(in[4], in[5], func(i int, u float64) int {
			c, rest := sampler.PickChunk(parts[i*w:][:w], u)
			var row []float64
			for v := c * chunk; v < min(entries, (c+1)*chunk); v++ {
				row = append(row, z(i, v))
			}
			return c*chunk + sampler.Pick(row, rest)
		}), nil
	},
	NoGrad: integers,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		rows, chunk := float64(s.Dim(n.In[0].Type.Shape[0])), float64(min(n.Int("chunk"), n.In[1].Type.Shape[0].N))
		width := float64(n.In[0].Type.Shape[1].N)
		return ir.Cost{FLOPs: rows * chunk * (2*width + 24), Bytes: 4 * rows * (chunk + 1) * width}
	},
	NoLower: bySampler,
	Sample: samples(
		sample(attrs("chunk", 32), normal(ir.T, ir.N(5)), normal(ir.N(71), ir.N(5)), normal(ir.N(71)), positive(ir.T, ir.N(6)), targets(71, ir.T),
			below(100, ir.N(2))),
		sample(attrs("chunk", 64), normal(ir.B, ir.N(16)), normal(ir.N(128), ir.N(16)), missing(), positive(ir.B, ir.N(4)), targets(128, ir.B),
			below(100, ir.N(2)))),
})
