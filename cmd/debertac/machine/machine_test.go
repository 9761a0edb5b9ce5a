package machine_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/machine"
)

// TestMeasure builds and runs the program. The limits of a machine are not known in advance, so the test checks what holds for any machine: rates
// above those of the slowest processors of the last fifteen years, and below those that any processor can reach.
func TestMeasure(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	isa := machine.BestISA()
	if isa == "" {
		t.Skip("this machine has no instruction set with a peak kernel")
	}
	binary := filepath.Join(t.TempDir(), "peak")
	require.NoError(t, machine.Build(t.Context(), "go", t.TempDir(), binary))
	l, err := machine.Measure(t.Context(), binary, isa, 1)
	require.NoError(t, err)
	t.Logf("%+v", l)
	require.Equal(t, isa, l.ISA)
	require.Greater(t, l.GFLOPS, 5.0)
	require.Less(t, l.GFLOPS, 2000.0)
	require.Greater(t, l.GBps, 0.5)
	require.Less(t, l.GBps, 1000.0)
	_, err = machine.Measure(t.Context(), binary, "mmx", 1)
	require.ErrorContains(t, err, "mmx")
}

func TestRoof(t *testing.T) {
	l := machine.Limits{GFLOPS: 100, GBps: 10}
	require.InDelta(t, 0.02, l.Roof(2e9, 0, 1e6), 1e-12, "bound by arithmetic")
	require.InDelta(t, 0.2, l.Roof(2e9, 0, 2e9), 1e-12, "bound by memory")
	require.InDelta(t, 0.02, l.Roof(2e9, 1e9, 1e6), 1e-12, "bfloat16 in float32")
	l.BF16 = 200
	require.InDelta(t, 0.015, l.Roof(2e9, 1e9, 1e6), 1e-12, "half of the operations twice as fast")
}

func TestFilesAreDeterministic(t *testing.T) {
	a, err := machine.Files()
	require.NoError(t, err)
	b, err := machine.Files()
	require.NoError(t, err)
	require.Equal(t, a, b)
	require.Contains(t, a, "main.go")
}
