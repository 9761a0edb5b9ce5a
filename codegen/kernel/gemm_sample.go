package kernel

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
	shape := func(k, n, panels int, act string, residual bool) GemmParams {
		return GemmParams{K: k, LDA: LD(k), LDC: LD(n), Panels: panels, Act: act, Residual: residual}
	}
	ps := []GemmParams{
		// The products of q|k|v, of the attention's output, and the two of the feed-forward part.
		shape(768, 2304, 2, "", false),
		shape(768, 768, 2, "", true),
		shape(768, 3072, 2, "gelu", false),
		shape(3072, 768, 2, "", true),
		// The products of a small classifier.
		shape(128, 384, 2, "", false),
		shape(128, 512, 2, "gelu", false),
		shape(512, 128, 2, "", true),
		// Odd shapes: the last panel alone, and sums that no unrolling divides.
		shape(28, 39, 2, "", false),
		shape(28, 39, 1, "", false),
		shape(36, 45, 1, "", true),
		shape(45, 36, 2, "relu", false),
		shape(1, 3, 1, "", false),
		shape(3, 16, 1, "sigmoid", false),
		shape(17, 32, 2, "", false),
	}
	for _, act := range []string{"gelu_tanh", "silu", "tanh"} {
		ps = append(ps, shape(33, 48, 1, act, false))
	}
	return ps
}

func gemmKernels(isa ISA) []Kernel {
	var ks []Kernel
	for _, p := range GemmSamples() {
		ks = append(ks, Gemm(p, isa))
	}
	return ks
}
