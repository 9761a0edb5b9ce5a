package codegen_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// testPackages compiles the trainings of a spec to packages and runs the packages' own tests: all instruction sets, any number of threads, a pause, parts of a
// batch. more holds further tests, by the path of their file.
func testPackages(t *testing.T, text string, more map[string]string) {
	t.Helper()
	m := newStepsModule(t)
	s, faults := spec.ParseAndResolve("trainings.dspec", []byte(text))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	require.Len(t, units, len(s.Trains))
	for _, u := range units {
		m.emit(u.Training.Name, u.Program)
	}
	for path, text := range more {
		m.add(path, []byte(text))
	}
	t.Logf("%s", m.run("test", "-mod=mod", "-p=1", "./..."))
}

// testForward compiles the heads of a spec, which stand before its training all, to packages and runs the packages' own tests.
func testForward(t *testing.T, text string) {
	t.Helper()
	m := newStepsModule(t)
	heads, _, _ := strings.Cut(text, "train all")
	s, faults := spec.ParseAndResolve("heads.dspec", []byte(heads))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, len(s.Heads))
	for _, u := range units {
		m.emit(u.Head.Name, u.Program)
	}
	t.Logf("%s", m.run("test", "-mod=mod", "-p=1", "./..."))
}
