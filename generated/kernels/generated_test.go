package kernels

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// TestGenerated makes the package's generated files again, in memory, and reports files that are stale, missing, or no longer made.
func TestGenerated(t *testing.T) {
	const hint = "run: go generate ./generated/kernels"
	files, err := kernel.SamplePackage()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		got, err := os.ReadFile(name)
		switch {
		case os.IsNotExist(err):
			t.Errorf("%s is missing; %s", name, hint)
		case err != nil:
			t.Error(err)
		case !bytes.Equal(got, want):
			t.Errorf("%s is stale; %s", name, hint)
		}
	}
	for _, pattern := range kernel.SampleFiles {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range found {
			if files[name] == nil {
				t.Errorf("%s is an orphan: nothing makes it; %s", name, hint)
			}
		}
	}
}

// TestAssemblyComplete checks that the table holds every sample and nothing else.
func TestAssemblyComplete(t *testing.T) {
	if len(assembly) == 0 {
		t.Skip("this build has no assembly")
	}
	var want []string
	for _, k := range kernel.Samples() {
		want = append(want, k.Name)
		if assembly[k.Name] == nil {
			t.Errorf("%s is not in the table", k.Name)
		}
	}
	for name := range assembly {
		if !slices.Contains(want, name) {
			t.Errorf("%s is no sample", name)
		}
	}
}
