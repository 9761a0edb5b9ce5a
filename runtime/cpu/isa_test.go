package cpu

import (
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPickISA(t *testing.T) {
	all := []ISA{ISAGo, ISAAVX2, ISAAVX512}
	has := func(list ...ISA) func(ISA) bool {
		return func(i ISA) bool {
			for _, l := range list {
				if l == i {
					return true
				}
			}
			return false
		}
	}
	for name, c := range map[string]struct {
		env, option string
		compiled    []ISA
		cpu         func(ISA) bool
		want        ISA
		err         string
	}{
		"best":               {"", "", all, has(all...), ISAAVX512, ""},
		"order of no import": {"", "", []ISA{ISAAVX512, ISAGo}, has(all...), ISAAVX512, ""},
		"what the CPU has":   {"", "", all, has(ISAGo, ISAAVX2), ISAAVX2, ""},
		"auto":               {"auto", "auto", all, has(all...), ISAAVX512, ""},
		"environment":        {"avx2", "", all, has(all...), ISAAVX2, ""},
		"option wins":        {"avx2", "go", all, has(all...), ISAGo, ""},
		"unknown env":        {"sse9", "", all, has(all...), 0, `asks for an unknown instruction set "sse9" (there are: go avx2 avx512 avx512bf16)`},
		"unknown option":     {"", "AVX2", all, has(all...), 0, "the option asks for an unknown"},
		"CPU lacks it":       {"avx512", "", all, has(ISAGo, ISAAVX2), 0, "this CPU or operating system lacks it (usable here: go avx2)"},
		"package lacks it":   {"", "avx512bf16", all, has(all...), 0, "this package has no kernels for it (usable here: go avx2 avx512)"},
		"nothing fits":       {"", "", []ISA{ISAAVX512}, has(ISAGo), 0, "none of the instruction sets of this package (avx512)"},
		"nothing compiled":   {"", "go", nil, has(ISAGo), 0, "usable here: none"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := pickISA(c.env, c.option, c.compiled, c.cpu)
			if c.err != "" {
				require.ErrorContains(t, err, c.err)
				return
			}
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

// TestISATable checks that names parse back, and that a supported set's implied set is supported
// too.
func TestISATable(t *testing.T) {
	for n, row := range isaTable {
		require.Equal(t, ISA(n), row.isa, "the table's order is the constants'")
		i, err := ParseISA(row.name)
		require.NoError(t, err)
		require.Equal(t, row.isa, i)
		require.LessOrEqual(t, row.implies, row.isa)
		if row.isa.Supported() {
			require.True(t, row.implies.Supported())
			require.Contains(t, SupportedISAs(), row.isa)
		}
	}
	require.True(t, ISAGo.Supported())
	require.False(t, ISA(200).Supported())
	require.Equal(t, "ISA(200)", ISA(200).String())
	got, err := PickISA("", "", []ISA{ISAGo})
	require.NoError(t, err)
	require.Equal(t, ISAGo, got)
}

// TestDetectionAgreesWithKernel compares the detection with the features that the kernel lists, if
// it lists any.
func TestDetectionAgreesWithKernel(t *testing.T) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Skip("no /proc/cpuinfo here")
	}
	has := func(flag string) bool {
		return exec.Command("grep", "-qw", flag, "/proc/cpuinfo").Run() == nil
	}
	if len(text) == 0 || !has("flags") {
		t.Skip("no x86 flags here")
	}
	require.Equal(t, has("avx2") && has("fma"), ISAAVX2.Supported())
	require.Equal(t, has("avx_vnni") && ISAAVX2.Supported(), ISAAVXVNNI.Supported())
	require.Equal(t, has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl"), ISAAVX512.Supported())
	require.Equal(t, has("avx512_vnni") && ISAAVX512.Supported(), ISAAVX512VNNI.Supported())
	require.Equal(t, has("avx512_bf16") && ISAAVX512.Supported(), ISAAVX512BF16.Supported())
}
