package scaffold

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestPlan checks that the names of the model, the package and the module follow from the folder, and differ from names of Go and of published models.
func TestPlan(t *testing.T) {
	for dir, want := range map[string]struct{ model, pkg, module string }{
		"mails":             {"mails", "mailsclassifier", "mails"},
		"My Mails.2":        {"my_mails_2", "mymails2classifier", "my-mails-2"},
		"log":               {"log", "logclassifier", "my-log"},
		"9lives":            {"my_9lives", "my9livesclassifier", "my-9lives"},
		"42":                {"model42", "model42classifier", "model42"},
		"deberta_v3_xsmall": {"my_deberta_v3_xsmall", "mydebertav3xsmallclassifier", "my-deberta-v3-xsmall"},
	} {
		s, err := (&Scaffold{Dir: filepath.Join(t.TempDir(), dir), Version: "v1.2.3"}).plan()
		require.NoError(t, err, dir)
		require.Equal(t, want, struct{ model, pkg, module string }{s.Model, s.Package, s.Module}, dir)
	}
	for want, v := range map[string]*Scaffold{
		"--module log/x: log is a package of Go":           {Module: "log/x", Version: "v1.2.3"},
		"--like nothing: no such model":                    {Like: "nothing", Version: "v1.2.3"},
		"--labels: at least two are wanted":                {Labels: []string{"one"}, Version: "v1.2.3"},
		"--version 1.2 is not a version of a Go module":    {Version: "1.2"},
		"--like and --labels are for a new model":          {From: "folder", Like: "deberta_v3_base"},
		"this is not the folder of debertac's sources":     {Replace: "nowhere"},
		"built from a checkout and has no published versi": {},
	} {
		v.Dir = "new"
		_, err := v.plan()
		require.ErrorContains(t, err, want)
	}
}

// TestArgument checks that a word in a line of go generate is quoted if necessary.
func TestArgument(t *testing.T) {
	require.Equal(t, "../a/b.json", argument("../a/b.json"))
	require.Equal(t, `"../a b"`, argument("../a b"))
	got, err := commandPath("/x/new/pkg", "/x/models/one two")
	require.NoError(t, err)
	require.Equal(t, `"../../models/one two"`, got)
}
