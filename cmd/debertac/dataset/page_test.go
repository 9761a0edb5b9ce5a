package dataset_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// page is the page for users about data files.
const page = "../../../docs/data.md"

// TestPage reads the examples of the page, and compares its tables with those of the code. UPDATE=1 writes the tables.
func TestPage(t *testing.T) {
	text, err := os.ReadFile(page)
	require.NoError(t, err)
	read := 0
	for _, block := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```\n").FindAllStringSubmatch(string(text), -1) {
		examples, faults := count(t, write(t, "a."+block[1], block[2]), dataset.Options{Format: block[1]})
		require.Positive(t, examples, block[2])
		require.Zero(t, faults, block[2])
		read++
	}
	require.Greater(t, read, 8)
	for _, name := range dataset.FormatNames() {
		require.Contains(t, string(text), "| `"+name+"` |")
	}
	want := string(text)
	for heading, rows := range map[string][]string{"| role | the field is |": fieldRows(), "| `--dataset` | classes | a row becomes |": taskRows()} {
		heading += "\n|" + strings.Repeat("---|", strings.Count(heading, "|")-1) + "\n"
		before, after, ok := strings.Cut(want, heading)
		require.True(t, ok, heading)
		_, after, _ = strings.Cut(after, "\n\n")
		want = before + heading + strings.Join(rows, "\n") + "\n\n" + after
	}
	if os.Getenv("UPDATE") != "" {
		require.NoError(t, os.WriteFile(filepath.FromSlash(page), []byte(want), 0o600))
		return
	}
	require.Equal(t, want, string(text), "UPDATE=1 go test -run TestPage writes the tables")
}

func fieldRows() (rows []string) {
	for _, r := range dataset.Roles() {
		rows = append(rows, "| `"+r.Name+"` | "+r.Help+" |")
	}
	return rows
}

func taskRows() (rows []string) {
	for _, task := range dataset.Tasks() {
		classes := strings.Join(task.Classes, ", ")
		if classes == "" {
			classes = "no classes"
		}
		rows = append(rows, "| `"+task.Name+"` | "+classes+" | "+task.Form+" |")
	}
	return rows
}
