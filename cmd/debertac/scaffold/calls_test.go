package scaffold

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tasktable"
)

// TestCallsHaveTemplates checks that each call in the table of tasks from which init makes a program has a template, and that each template belongs
// to such a call.
func TestCallsHaveTemplates(t *testing.T) {
	left, err := filepath.Glob("template/calls/*.tmpl")
	require.NoError(t, err)
	unused := map[string]bool{}
	for _, path := range left {
		unused[path] = true
	}
	for _, r := range tasktable.Table {
		for _, s := range append([]tasktable.Service{r.Direct}, r.Services...) {
			for _, v := range s.Verbs {
				if v.Start == nil {
					continue
				}
				path := filepath.Join("template", "calls", cmp.Or(v.Start.Template, v.Name)+".tmpl")
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				require.Contains(t, string(text), "model."+v.Name+"(")
				require.Equal(t, 2+len(strings.Fields(strings.ReplaceAll(v.Start.Args, " …", ""))), v.Start.Least, "%s: its arguments are %s",
					v.Name, v.Start.Args)
				for _, name := range v.Start.Imports {
					require.NotContains(t, name, ".", "imports of this module are in Packages, which stand apart from those of the standard library")
				}
				delete(unused, path)
			}
		}
	}
	require.Empty(t, unused)
}
