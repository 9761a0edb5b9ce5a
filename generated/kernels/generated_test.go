package kernels

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

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
	required(t, files)
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

// required checks that no kernel needs a feature of the processor that its instruction set does not list, because programs test only for the listed features.
// The comment Requires of a kernel names the features that it needs.
func required(t *testing.T, files map[string][]byte) {
	requires := regexp.MustCompile(`(?m)^// func (\w+)\(.*\n// Requires: (.*)$`)
	found := 0
	for name, text := range files {
		if !strings.HasSuffix(name, ".s") {
			continue
		}
		for _, m := range requires.FindAllStringSubmatch(string(text), -1) {
			found++
			isa, ok := kernel.FindISA(m[1][strings.LastIndex(m[1], "_")+1:])
			if !ok {
				t.Fatalf("%s: %s ends in no instruction set", name, m[1])
			}
			for _, f := range strings.Split(m[2], ", ") {
				if f == "SSE" || f == "SSE2" || f == "CMOV" || f == "MMX+" {
					continue // every amd64 processor has it; MMX+ is avo's class of prefetches
				}
				if !slices.Contains(isa.Features, f) {
					t.Errorf("%s: %s requires %s", name, m[1], f)
				}
			}
		}
	}
	if want := len(kernel.Samples()); found != want {
		t.Errorf("%d kernels have a comment Requires, of %d", found, want)
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
