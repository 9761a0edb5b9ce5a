package kernel

import "slices"

var gemmFamily = Family{
	Name:    "gemm",
	Doc:     "matrix product with packed weights, bias, activation or residual",
	ISAs:    []string{AVX2, AVX512},
	Samples: gemmKernels,
}

// LD returns the distance, in floats, between rows of an activation buffer of n columns. It is n rounded up to 16, plus 16 if that is a multiple of 256, so
// that the rows of a tile do not fall into the same sets of the cache.
func LD(n int) int {
	ld := (n + 15) / 16 * 16
	if ld%256 == 0 {
		ld += 16
	}
	return ld
}

// GemmSamples returns the products that generated/kernels holds. The first four are those of DeBERTa-v3 base.
func GemmSamples() []GemmParams {
	shape := func(k, panels int, act string, residual bool) GemmParams {
		return GemmParams{K: k, LDA: LD(k), Panels: panels, Act: act, Residual: residual}
	}
	ps := []GemmParams{
		// The products of q|k|v, of the attention's output, and the two of the feed-forward part.
		shape(768, 2, "", false),
		shape(768, 2, "", true),
		shape(768, 2, "gelu", false),
		shape(3072, 2, "", true),
		// The products of a small classifier.
		shape(128, 2, "", false),
		shape(128, 2, "gelu", false),
		shape(512, 2, "", true),
		// Odd shapes: the last panel alone, and sums that no unrolling divides.
		shape(28, 2, "", false),
		shape(28, 1, "", false),
		shape(36, 1, "", true),
		shape(45, 2, "relu", false),
		shape(1, 1, "", false),
		shape(3, 1, "sigmoid", false),
		shape(17, 2, "", false),
	}
	for _, act := range activations { // those that no product above has
		if !slices.ContainsFunc(ps, func(p GemmParams) bool { return p.Act == act.Name }) {
			ps = append(ps, shape(33, 1, act.Name, false))
		}
	}
	for _, act := range activations { // of a product with the term of an adapter
		ps = append(ps, shape(19, 1, act.Name, true))
	}
	ps = append(ps, shape(768, 2, "gelu", true))
	return ps
}

// PairGemmSamples returns the products of pairs that generated/kernels holds. The first three are those of the training of DeBERTa-v3 base.
func PairGemmSamples() []GemmParams {
	var ps []GemmParams
	for _, s := range []struct {
		pairs, panels int
		residual      bool
	}{{384, 2, false}, {384, 2, true}, {1536, 2, true}, {14, 2, false}, {14, 1, false}, {18, 1, true}, {23, 2, false}, {1, 1, false}, {9, 2, true}} {
		ps = append(ps, GemmParams{K: s.pairs, LDA: LD(s.pairs), Panels: s.panels, Residual: s.residual, Pairs: true})
	}
	return ps
}

var pairGemmFamily = Family{
	Name: "pair_gemm",
	Doc:  "matrix product of pairs of bfloat16 with packed weights, sums in float32",
	ISAs: []string{AVX2, AVX512, AVX512BF16},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range PairGemmSamples() {
			ks = append(ks, Gemm(p, isa))
		}
		return ks
	},
}

func gemmKernels(isa ISA) []Kernel {
	var ks []Kernel
	for _, p := range GemmSamples() {
		ks = append(ks, Gemm(p, isa))
	}
	return ks
}
