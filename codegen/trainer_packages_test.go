package codegen_test

import (
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
