package sweep

import (
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// TestPoints checks that every combination is one point, and that flags that are not given count as one value.
func TestPoints(t *testing.T) {
	require.Equal(t, []point{{1, 128, 0, ""}}, (&Sweep{Batch: []int{1}}).points())
	v := Sweep{Batch: []int{1, 2}, Tokens: []int{8, 16}, Threads: []int{3}, ISA: []string{"go", "avx2"}}
	require.Equal(t, []point{
		{1, 8, 3, "go"}, {1, 16, 3, "go"}, {2, 8, 3, "go"}, {2, 16, 3, "go"}, {1, 8, 3, "avx2"}, {1, 16, 3, "avx2"}, {2, 8, 3, "avx2"}, {2, 16, 3, "avx2"},
	}, v.points())
}

// TestRounds checks the default number of rounds: one for a measurement, and as many as an interval needs for a comparison.
func TestRounds(t *testing.T) {
	three := 3
	require.Equal(t, 1, (&Sweep{}).rounds())
	require.Equal(t, measure.RoundsForInterval, (&Sweep{Against: "before"}).rounds())
	require.Equal(t, three, (&Sweep{Against: "before", Repeat: &three}).rounds())
}

// TestCheck checks that flags that contradict each other are refused before any work.
func TestCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	good := func() *Sweep { return &Sweep{Batch: []int{1}, MinTime: time.Second} }
	require.NoError(t, good().Check())
	ten, two := 10.0, 2
	for want, change := range map[string]func(*Sweep){
		"--tokens and --lengths contradict each other":     func(v *Sweep) { v.Tokens, v.Lengths = []int{8}, "lengths" },
		"--tolerance belongs to --against":                 func(v *Sweep) { v.Tolerance = &ten },
		"--any-machine belongs to --against":               func(v *Sweep) { v.AnyMachine = true },
		"--any-spec belongs to --against":                  func(v *Sweep) { v.AnySpec = true },
		"--json and --format csv contradict each other":    func(v *Sweep) { v.JSON, v.Format = true, "csv" },
		"--min-time 0s: it must be positive":               func(v *Sweep) { v.MinTime = 0 },
		"--batch: 2 is there twice":                        func(v *Sweep) { v.Batch = []int{2, 2} },
		"--tokens 0: it must be at least 1":                func(v *Sweep) { v.Tokens = []int{0} },
		"--cpuprofile is for one point and one round":      func(v *Sweep) { v.CPUProfile, v.Repeat = "cpu", &two },
		"--cpuprofile a.svg and --plot a.svg are the same": func(v *Sweep) { v.CPUProfile, v.Plot = "a.svg", "a.svg" },
		"--pin is for forward calls":                       func(v *Sweep) { v.Train, v.Pin = "fit", true },
		"--cpuprofile is for forward calls":                func(v *Sweep) { v.Train, v.CPUProfile = "fit", "cpu" },
		"--plot":                                           func(v *Sweep) { v.Plot = "a.gif" },
	} {
		v := good()
		change(v)
		require.ErrorContains(t, v.Check(), want)
	}
}

// TestAccept checks that the lengths of each point are compared with the limits of the program.
func TestAccept(t *testing.T) {
	u := &compiler.Unit{Program: &ir.Program{File: "m.dspec", Bounds: ir.Bounds{Length: 16, Sequences: 4, Tokens: 32}}, Target: &spec.Target{}}
	u.Target.Weights.Kind = "f32"
	got, err := (&Sweep{Batch: []int{1, 2}, Tokens: []int{8, 16}}).Accept(u)
	require.NoError(t, err)
	require.Equal(t, [][]int{{8}, {16}, {8, 8}, {16, 16}}, got)
	for want, v := range map[string]*Sweep{
		"--batch 5: the limit of a batch is 4 sequences":           {Batch: []int{5}, Tokens: []int{1}},
		"--tokens 17: the limit of a sequence is 16 tokens":        {Batch: []int{1}, Tokens: []int{17}},
		"--batch 3 --tokens 11: the limit of a batch is 32 tokens": {Batch: []int{3}, Tokens: []int{11}},
		"the target's weights are f32, not bf16":                   {Batch: []int{1}, Tokens: []int{1}, Precision: "bf16"},
	} {
		_, err := v.Accept(u)
		require.ErrorContains(t, err, want)
	}
	for train, want := range map[string]point{"": {1, 16, 0, ""}, "fit": {4, 16, 0, ""}} {
		v := Sweep{Train: train}
		u.Program.Bounds.Tokens = 64
		got, err = v.Accept(u)
		require.NoError(t, err)
		require.Len(t, got[0], want.batch)
		require.Equal(t, []point{want}, v.points(), "defaults are within the limits of the program")
	}
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("lengths", []byte("3 16\n1\n"), 0o600))
	got, err = (&Sweep{Batch: []int{2}, Lengths: "lengths"}).Accept(u)
	require.NoError(t, err)
	require.Equal(t, [][]int{{3, 16, 1}}, got)
}
