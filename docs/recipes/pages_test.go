// Package recipes_test runs the commands on the pages about published models, with small folders in their layout, and compares the results on the pages with
// those of the libraries that the models were published for.
package recipes_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
)

func TestMain(m *testing.M) { pagetest.Main(m) }

// hf stands in for the program that downloads folders: it copies small folders in the published layout, or the files of one that are named.
const hf = `#!/bin/sh
set -e
[ "$1" = download ] || exit 2
from=$FOLDERS/${2##*/}
shift 2
files=
while [ $# -gt 0 ]; do
	case $1 in
	--local-dir) to=$2; shift 2 ;;
	--exclude) shift 2 ;;
	-*) echo "hf: $1 is not understood" >&2; exit 2 ;;
	*) files="$files $1"; shift ;;
	esac
done
mkdir -p "$to"
[ -n "$files" ] || files=$(ls "$from")
for f in $files; do cp "$from/$f" "$to/"; done
`

// recording is a command of a page, and what a library computes for the same texts.
type recording struct {
	Command string `json:"command"`
	By      string `json:"by"`   // the library
	Want    []any  `json:"want"` // of each line that the command prints: fields that are not in it are not compared
}

// TestRecipes runs the commands in the console blocks of the pages, each page's in a folder of its own, and compares what they print with the page. What the
// page shows below a command with a recording must be what the library computes. With UPDATE in the environment it writes the outputs into the pages.
func TestRecipes(t *testing.T) {
	pagetest.Debertac(t)
	tools := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(tools, "bin"), 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(tools, "bin", "hf"), []byte(hf), 0o777))
	folders, err := os.ReadDir("folders")
	require.NoError(t, err)
	for _, f := range folders {
		folder(t, f.Name(), filepath.Join(tools, "folders", f.Name()))
	}
	env := append(pagetest.Environment(t, filepath.Join(tools, "bin")), "FOLDERS="+filepath.Join(tools, "folders"))
	docs, err := filepath.Abs("..")
	require.NoError(t, err)
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	for _, name := range pages {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(name)
			require.NoError(t, err)
			dir := t.TempDir()
			require.NoError(t, os.Symlink(docs, filepath.Join(dir, "docs")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o777))
			renewed := pagetest.Console(t, name, string(text), dir, env)
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 2, "the page's commands leave files beside build and docs")
			compare(t, name, renewed)
			if os.Getenv("UPDATE") != "" && renewed != string(text) {
				require.NoError(t, os.WriteFile(name, []byte(renewed), 0o666))
			}
		})
	}
}

// compare compares what a page shows with the recordings of its commands. Each page but the list of them, which shows no results, has recordings.
func compare(t *testing.T, name, page string) {
	t.Helper()
	shown := map[string]string{}
	for _, b := range pagetest.Blocks(page) {
		for _, c := range b.Commands() {
			shown[strings.TrimSuffix(c.Text, "\n")] = c.Prints
		}
	}
	if name == "README.md" {
		return
	}
	text, err := os.ReadFile(filepath.Join("recorded", strings.TrimSuffix(name, ".md")+".json"))
	require.NoError(t, err)
	var list []recording
	require.NoError(t, json.Unmarshal(text, &list))
	require.NotEmpty(t, list)
	for _, r := range list {
		prints, ok := shown[r.Command]
		require.True(t, ok, "%s lacks the command %s", name, r.Command)
		lines := strings.Split(strings.TrimSuffix(prints, "\n"), "\n")
		require.Len(t, lines, len(r.Want), r.Command)
		for i, l := range lines {
			var got any
			require.NoError(t, json.Unmarshal([]byte(l), &got), l)
			if fault := pagetest.Differ(r.Want[i], got, ""); fault != "" {
				t.Errorf("%s: %s\n%s (by %s)", name, r.Command, fault, r.By)
			}
		}
	}
}
