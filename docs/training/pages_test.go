// Package training_test runs the commands on the pages about trainings, in a small form.
package training_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// command is a command of a page, with what the page shows below it.
type command struct {
	text, prints string
	line         int
}

// commands reads the console blocks of a page: commands after "$ ", which continue on the next line after a backslash, and their outputs.
func commands(page string) (list []command) {
	console, more := false, false
	for i, l := range strings.SplitAfter(page, "\n") {
		c, begins := strings.CutPrefix(l, "$ ")
		switch {
		case strings.HasPrefix(l, "```"):
			console = !console && l == "```console\n"
			begins = false
		case !console:
		case begins:
			list = append(list, command{text: c, line: i + 1})
		case more:
			list[len(list)-1].text += l
		case len(list) > 0:
			list[len(list)-1].prints += l
		}
		more = console && (begins || more) && strings.HasSuffix(l, "\\\n")
	}
	return list
}

// small stands in front of debertac: its trainings end after 3 steps, and are evaluated there.
const small = `#!/bin/sh
case "$*" in
"train "*" --eval "*) exec "$DEBERTAC" "$@" --max-steps 3 --eval-every 3 ;;
"train "*) exec "$DEBERTAC" "$@" --max-steps 3 ;;
*) exec "$DEBERTAC" "$@" ;;
esac
`

// number matches what depends on how long a training was. A dash stands for a number that is not defined.
var number = regexp.MustCompile(`-?[0-9][0-9.,]*(e[-+]?[0-9]+)?|-|[█▊▉▋▌▍▎▏]+|\s+`)

// shape returns an output without its numbers.
func shape(text string) string { return number.ReplaceAllString(text, " ") }

// TestTrainings runs the commands in the console blocks of the pages, each page's in a folder of its own. Every command must succeed. What a page shows
// below a command must be what the command prints, but for the numbers: trainings end after 3 steps here. With FULL in the environment they are whole.
func TestTrainings(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	tools := t.TempDir()
	real := filepath.Join(tools, "real", "debertac")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-o", real, "../../cmd/debertac").CombinedOutput()
	require.NoError(t, err, string(out))
	first := filepath.Join(tools, "real")
	if os.Getenv("FULL") == "" {
		first = filepath.Join(tools, "small")
		require.NoError(t, os.Mkdir(first, 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(first, "debertac"), []byte(small), 0o777))
	}
	env := append(os.Environ(), "DEBERTAC="+real, "DEBERTAC_CACHE="+filepath.Join(tools, "cache"), "NO_COLOR=1", "GOFLAGS=-trimpath",
		"PATH="+first+string(filepath.ListSeparator)+os.Getenv("PATH"))
	examples, err := filepath.Abs("../../examples")
	require.NoError(t, err)
	pages, err := filepath.Glob("*.md")
	require.NoError(t, err)
	require.NotEmpty(t, pages)
	for _, name := range pages {
		t.Run(name, func(t *testing.T) {
			page, err := os.ReadFile(name)
			require.NoError(t, err)
			list := commands(string(page))
			require.NotEmpty(t, list)
			dir := t.TempDir()
			require.NoError(t, os.Symlink(examples, filepath.Join(dir, "examples")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o777))
			for _, c := range list {
				cmd := exec.CommandContext(t.Context(), "sh", "-ec", c.text)
				cmd.Dir, cmd.Env = dir, env
				var said strings.Builder
				cmd.Stderr = &said
				printed, err := cmd.Output()
				require.NoError(t, err, "%s:%d: %s\n%s", name, c.line, c.text, said.String())
				if c.prints != "" {
					require.Equal(t, shape(c.prints), shape(string(printed)), "%s:%d: %s", name, c.line, c.text)
				}
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 2, "the page's commands leave files beside build and examples")
		})
	}
}

// TestCommands reads the commands of a small page.
func TestCommands(t *testing.T) {
	list := commands("text\n```console\n$ a \\\n  b\nout 1\n$ c\n```\nmore\n```\n$ not\n```\n")
	require.Equal(t, []command{{"a \\\n  b\n", "out 1\n", 3}, {"c\n", "", 6}}, list)
	require.Equal(t, shape("f1  0.25 ████▊\n"), shape("f1 1 █\n"))
	require.NotEqual(t, shape("f1 0.25"), shape("recall 0.25"))
	require.Equal(t, shape("f1 -0.25 1.5e-05"), shape("f1 - 3"))
}
