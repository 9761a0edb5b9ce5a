package source_test

import (
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
)

const twoHeads = `dspec 1
model m like deberta_v3_base { dim layers = 1; dim hidden = 32; dim heads = 2; dim vocab = 100 }
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head spam on m { take first; linear hidden; act; linear 2 as labels("ham", "spam"); loss cross_entropy }
target t { isa go; emit infer m.nli; emit infer m.spam; agree 1e-4 with reference }
`

func newConsole(t *testing.T, in string) *console.Console {
	return &console.Console{Context: t.Context(), In: strings.NewReader(in), Out: io.Discard, Err: io.Discard}
}

// TestLoad checks that a spec is read from a file or from the standard input, and that the message for a file that is obviously not a spec names what it is.
func TestLoad(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.WriteFile("m.dspec", []byte(twoHeads), 0o600))
	for _, name := range []string{"m.dspec", "-"} {
		src, err := source.Load(newConsole(t, twoHeads), name)
		require.NoError(t, err)
		require.Len(t, src.Spec.Heads, 2)
	}
	require.NoError(t, os.Mkdir("folder", 0o700))
	require.NoError(t, os.WriteFile("config.json", []byte(" {}"), 0o600))
	require.NoError(t, os.WriteFile("binary", []byte("a\x00b"), 0o600))
	require.NoError(t, os.WriteFile("broken.dspec", []byte("dspec 1\nmodel m like nothing {}\n"), 0o600))
	for name, want := range map[string]string{
		"folder": "hint: debertac import folder", "config.json": "this is JSON, a .dspec file is wanted", "binary": "this is no text",
		"broken.dspec": "broken.dspec:2:", "absent": "absent: ",
	} {
		_, err := source.Load(newConsole(t, ""), name)
		f := fault.Classify(t.Context(), err)
		require.Equal(t, fault.ExitInput, f.Code, name)
		require.Contains(t, f.Render(false), want, name)
	}
}

// TestUnitFor checks that a head is selected by its name or its full name, and that one must be selected if there are several.
func TestUnitFor(t *testing.T) {
	c := newConsole(t, "")
	src, err := source.Parse(c, "m.dspec", []byte(twoHeads))
	require.NoError(t, err)
	for _, name := range []string{"spam", "m.spam"} {
		u, err := source.UnitFor(c, src, "", name, compiler.Options{})
		require.NoError(t, err)
		require.Equal(t, "m.spam", source.UnitName(u))
	}
	_, err = source.UnitFor(c, src, "", "", compiler.Options{})
	require.ErrorContains(t, err, "the target emits 2 packages, one is wanted: m.nli and m.spam")
	_, err = source.UnitFor(c, src, "", "other", compiler.Options{})
	require.ErrorContains(t, err, "no head is named other; there are m.nli and m.spam")
	src, err = source.Parse(c, "m.dspec", []byte(twoHeads+`train tune on m.nli { batch 8 sequences; steps 10 steps; rate 1e-3 }
target both { emit train tune; emit infer m.nli as package "nli" }
target step { emit train tune }
`))
	require.NoError(t, err)
	u, err := source.UnitFor(c, src, "both", "", compiler.Options{})
	require.NoError(t, err)
	require.Equal(t, "m.nli", source.UnitName(u), "a training is left out")
	_, err = source.UnitFor(c, src, "step", "", compiler.Options{})
	require.ErrorContains(t, err, "m.dspec: the target step emits trainings only, and a model is wanted")
	require.Equal(t, "--target t", hintOf(t, err))
	heads, _, _ := strings.Cut(twoHeads, "target")
	src, err = source.Parse(c, "m.dspec", []byte(heads+`train tune on m.nli { batch 8 sequences; steps 10 steps; rate 1e-3 }
target step { emit train tune }
target spam { emit infer m.spam }
`))
	require.NoError(t, err)
	u, err = source.UnitFor(c, src, "", "", compiler.Options{})
	require.NoError(t, err)
	require.Equal(t, "m.spam", source.UnitName(u), "the first target emits no model")
	_, err = source.UnitFor(c, src, "step", "", compiler.Options{})
	require.Equal(t, "emit infer m.nli", hintOf(t, err))
	src, err = source.Parse(c, "m.dspec", []byte(twoHeads))
	require.NoError(t, err)
	choice := source.Choice{}
	require.NoError(t, choice.Narrow(src, false, "nli"))
	require.Equal(t, "m.nli", choice.Emit)
	require.ErrorContains(t, choice.Narrow(src, false, "spam"), "--head spam and --emit m.nli both choose")
	require.NoError(t, choice.Narrow(src, true, "spam"), "the spec of a folder has just the head that was asked for")
}

// TestTrainingOf checks that a training is compiled whether a target emits it or not, and that a wrong name is answered with those of the spec.
func TestTrainingOf(t *testing.T) {
	c := newConsole(t, "")
	text := twoHeads + "train fit on m.nli { batch 4 sequences; steps 100 steps; rate 1e-3 }\n"
	src, err := source.Parse(c, "m.dspec", []byte(text))
	require.NoError(t, err)
	_, err = source.TrainingOf(c, src, "", "fat", compiler.Options{})
	require.ErrorContains(t, err, "no training is named fat; there is fit")
	u, err := source.TrainingOf(c, src, "", "fit", compiler.Options{})
	require.NoError(t, err)
	require.Equal(t, "fit", source.UnitName(u))
	require.NotNil(t, u.Program.Training)
	src, err = source.Parse(c, "m.dspec", []byte(twoHeads))
	require.NoError(t, err)
	_, err = source.TrainingOf(c, src, "", "fit", compiler.Options{})
	require.ErrorContains(t, err, "the spec has no training, so none is named fit")
}

// TestUnitsAfter checks that compilation stops after the named pass, or after the last one without a name.
func TestUnitsAfter(t *testing.T) {
	passes := source.Passes()
	require.Equal(t, "build", passes[0])
	for pass, want := range map[string]string{"": passes[len(passes)-1], "build": "build", passes[1]: passes[1]} {
		units, last, err := source.UnitsAfter(newConsole(t, twoHeads), "-", pass, compiler.Options{})
		require.NoError(t, err, pass)
		require.Equal(t, want, last)
		require.Len(t, units, 2)
	}
	_, _, err := source.UnitsAfter(newConsole(t, twoHeads), "-", "nothing", compiler.Options{})
	require.ErrorContains(t, err, "no pass is named nothing; there are build,")
}

// hintOf returns the hint of an error about the input.
func hintOf(t *testing.T, err error) string {
	t.Helper()
	var f *fault.Error
	require.ErrorAs(t, err, &f)
	require.NotEmpty(t, f.List)
	return f.List[0].Hint
}
