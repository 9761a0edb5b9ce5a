package cpu

import "golang.org/x/sys/cpu"

// x/sys/cpu sets these only if the operating system saves the registers too.

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasFMA }

func hasAVXVNNI() bool { return cpu.X86.HasAVXVNNI }

func hasAVX512() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL
}

func hasAVX512VNNI() bool { return cpu.X86.HasAVX512VNNI }

func hasAVX512BF16() bool { return cpu.X86.HasAVX512BF16 }

// cpuFeatures returns the CPU features that kernels may use and this CPU has.
func cpuFeatures() []string {
	x := &cpu.X86
	return features([]feature{
		{"sse4.1", x.HasSSE41}, {"avx", x.HasAVX}, {"avx2", x.HasAVX2}, {"fma", x.HasFMA},
		{"avx512f", x.HasAVX512F}, {"avx512bw", x.HasAVX512BW}, {"avx512dq", x.HasAVX512DQ}, {"avx512vl", x.HasAVX512VL},
		{"avx512vnni", x.HasAVX512VNNI}, {"avx512bf16", x.HasAVX512BF16}, {"avx512vbmi", x.HasAVX512VBMI},
		{"avxvnni", x.HasAVXVNNI}, {"amx_tile", x.HasAMXTile}, {"amx_bf16", x.HasAMXBF16}, {"amx_int8", x.HasAMXInt8},
	})
}
