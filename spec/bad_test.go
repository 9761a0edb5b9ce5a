package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// faultsOf parses and resolves a text.
func faultsOf(name string, text []byte) (diag.List, diag.Sources) {
	f, faults := spec.Parse(name, text)
	_, more := spec.Resolve(f)
	faults = append(faults, more...)
	faults.Sort()
	return faults, f.Sources()
}

// expected matches the comments "ERROR code: part of the message" by line, and WARNING for warnings.
var expected = regexp.MustCompile(`// (ERROR|WARNING) ([a-z-]+): (.*?)(?: // |$)`)

// TestBadSpecs checks the faults of the specs in testdata/bad. A comment on each faulty line has the code and a part of the message. Every other line is right.
func TestBadSpecs(t *testing.T) {
	seen := map[diag.Code]bool{}
	files, err := filepath.Glob("testdata/bad/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, f := range a.Files {
			t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar")+"/"+f.Name, func(t *testing.T) {
				faults, src := faultsOf(f.Name, f.Data)
				var want []string
				for i, line := range strings.Split(string(f.Data), "\n") {
					for rest := line; ; {
						m := expected.FindStringSubmatchIndex(rest)
						if m == nil {
							break
						}
						want = append(want, fmt.Sprintf("%d %s %s %s", i+1, strings.ToLower(rest[m[2]:m[3]]), rest[m[4]:m[5]], rest[m[6]:m[7]]))
						rest = rest[m[7]:]
					}
				}
				require.NotEmpty(t, want, "no fault is expected")
				for _, d := range faults {
					seen[d.Code] = true
					_, known := diag.Find(d.Code)
					require.True(t, known, "the table has no code %s", d.Code)
					i := slices.IndexFunc(want, func(w string) bool {
						head, part := cut3(w)
						return head == fmt.Sprintf("%d %s %s", d.Span.Line, d.Severity, d.Code) && strings.Contains(d.Message, part)
					})
					if i < 0 {
						t.Fatalf("not expected, or not so:\n%swant %q", diag.Render(diag.List{d}, src, diag.Style{}), want)
					}
					want = slices.Delete(want, i, i+1)
				}
				require.Empty(t, want, "expected, but not found")
			})
		}
	}
	ofCompiler := []diag.Code{"isa-missing", "members", "memory-bound", "not-yet", "portable"} // the compiler finds them, and its tests check them
	for _, i := range diag.Codes {
		if !slices.Contains(ofCompiler, i.Code) {
			require.True(t, seen[i.Code], "no bad spec has the fault %s", i.Code)
		}
	}
}

func cut3(s string) (head, part string) {
	fields := strings.SplitN(s, " ", 4)
	return strings.Join(fields[:3], " "), fields[3]
}

// TestMessages compares messages with testdata/messages.txtar, letter by letter. UPDATE=1 rewrites that file.
func TestMessages(t *testing.T) {
	a, err := txtar.ParseFile("testdata/messages.txtar")
	require.NoError(t, err)
	for i := 0; i+1 < len(a.Files); i += 2 {
		faults, src := faultsOf("bad.dspec", a.Files[i].Data)
		got := diag.Render(faults, src, diag.Style{})
		if os.Getenv("UPDATE") == "1" {
			a.Files[i+1].Data = []byte(got)
			continue
		}
		require.Equal(t, string(a.Files[i+1].Data), got, a.Files[i].Name)
	}
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile("testdata/messages.txtar", txtar.Format(a), 0o644))
	}
}
