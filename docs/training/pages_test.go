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

	"github.com/debertac/debertac/docs/pagetest"
)

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
			var list []pagetest.Command
			for _, b := range pagetest.Blocks(string(page)) {
				if b.Kind == "console" {
					list = append(list, b.Commands()...)
				}
			}
			require.NotEmpty(t, list)
			dir := t.TempDir()
			require.NoError(t, os.Symlink(examples, filepath.Join(dir, "examples")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o777))
			for _, c := range list {
				cmd := exec.CommandContext(t.Context(), "sh", "-ec", c.Text)
				cmd.Dir, cmd.Env = dir, env
				var said strings.Builder
				cmd.Stderr = &said
				printed, err := cmd.Output()
				require.NoError(t, err, "%s:%d: %s\n%s", name, c.Line, c.Text, said.String())
				if c.Prints != "" {
					require.Equal(t, shape(c.Prints), shape(string(printed)), "%s:%d: %s", name, c.Line, c.Text)
				}
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 2, "the page's commands leave files beside build and examples")
		})
	}
}

// TestShape checks that outputs are compared without their numbers.
func TestShape(t *testing.T) {
	require.Equal(t, shape("f1  0.25 ████▊\n"), shape("f1 1 █\n"))
	require.NotEqual(t, shape("f1 0.25"), shape("recall 0.25"))
	require.Equal(t, shape("f1 -0.25 1.5e-05"), shape("f1 - 3"))
}
