package tasks_test

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// block is the text between two fences of a page.
type block struct {
	kind  string // the fence's words
	text  string
	line  int // of the opening fence, from 1
	start int // of the text, a byte of the page
}

// blocks finds the fenced blocks of a page.
func blocks(page string) (list []block) {
	at, line := 0, 0
	open := -1
	for _, l := range strings.SplitAfter(page, "\n") {
		line++
		if kind, ok := strings.CutPrefix(strings.TrimRight(l, "\n"), "```"); ok {
			if open < 0 {
				list, open = append(list, block{kind: kind, line: line, start: at + len(l)}), at+len(l)
			} else {
				list[len(list)-1].text, open = page[open:at], -1
			}
		}
		at += len(l)
	}
	return list
}

// pages are the pages of this folder, by name.
func pages(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("*.md")
	require.NoError(t, err)
	list := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		list[f] = string(text)
	}
	return list
}

// command is a command of a page, with what stands below it.
type command struct {
	text, prints string
	line         int
}

// commands reads a console block: commands after "$ ", which continue on the next line after a backslash, and their outputs.
func (b *block) commands() (list []command) {
	more := false
	for i, l := range strings.SplitAfter(b.text, "\n") {
		c, begins := strings.CutPrefix(l, "$ ")
		switch {
		case begins:
			list = append(list, command{text: c, line: b.line + 1 + i})
		case len(list) == 0:
			continue
		case more:
			list[len(list)-1].text += l
		default:
			list[len(list)-1].prints += l
		}
		more = (begins || more) && strings.HasSuffix(l, "\\\n")
	}
	return list
}

// waited matches a note that depends on when the commands of other pages run.
var waited = regexp.MustCompile(`(?m)^waiting for another process that makes .*\n`)

// TestPages runs the commands in the console blocks of the pages, each page's in a folder of its own, and compares what they print. With UPDATE in
// the environment it writes the new outputs into the pages.
func TestPages(t *testing.T) {
	debertac(t)
	examples, err := filepath.Abs("../../examples")
	require.NoError(t, err)
	for name, page := range pages(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.Symlink(examples, filepath.Join(dir, "examples")))
			require.NoError(t, os.Mkdir(filepath.Join(dir, "build"), 0o777))
			renewed := page
			for _, b := range blocks(page) {
				if b.kind != "console" {
					continue
				}
				text := ""
				for _, c := range b.commands() {
					out, said, err := shell(t, dir, c.text)
					if err != nil && !strings.HasPrefix(c.prints, "debertac: ") { // pages show faults too
						t.Fatalf("%s:%d: %s%v\n%s", name, c.line, c.text, err, said)
					}
					if err != nil {
						out += waited.ReplaceAllString(said, "")
					}
					text += "$ " + c.text + out
					if fault := differLines(c.prints, out); fault != "" && os.Getenv("UPDATE") == "" {
						t.Errorf("%s:%d: %s%s\nprints\n%s", name, c.line, c.text, fault, out)
					}
				}
				renewed = strings.Replace(renewed, "```console\n"+b.text+"```", "```console\n"+text+"```", 1)
			}
			left, err := os.ReadDir(dir)
			require.NoError(t, err)
			require.Len(t, left, 2, "the page's commands leave files beside build and examples")
			if os.Getenv("UPDATE") != "" && renewed != page {
				require.NoError(t, os.WriteFile(name, []byte(renewed), 0o666))
			}
		})
	}
}

// built matches the message about a build that takes long, which depends on the machine.
var built = regexp.MustCompile(`(?m)^debertac: building the program with Go\..*\n`)

// shell runs a command of a page.
func shell(t *testing.T, dir, text string) (out, said string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
	cmd.Dir, cmd.Env = dir, environment()
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), built.ReplaceAllString(stderr.String(), ""), err
}

// number matches a number with a point or an exponent: its last digits may differ between instruction sets.
var number = regexp.MustCompile(`-?[0-9]+(\.[0-9]+(e[-+]?[0-9]+)?|e[-+]?[0-9]+)`)

// differLines describes how two outputs differ, or returns "". Differences in the last digits of numbers do not count.
func differLines(want, got string) string {
	if a, b := number.ReplaceAllString(want, "#"), number.ReplaceAllString(got, "#"); a != b {
		return "the page shows\n" + want
	}
	a, b := number.FindAllString(want, -1), number.FindAllString(got, -1)
	for i := range a {
		x, err := strconv.ParseFloat(a[i], 64)
		y, err2 := strconv.ParseFloat(b[i], 64)
		if err != nil || err2 != nil || math.Abs(x-y) > 2e-4*math.Max(1, math.Abs(x)) {
			return fmt.Sprintf("the page shows %s, not %s", a[i], b[i])
		}
	}
	return ""
}

// TestDifferLines checks that differLines finds differences.
func TestDifferLines(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"a 0.5001\n", "a 0.5002\n", true}, {"a 0.5001\n", "a 0.5101\n", false}, {"a 0.5\n", "b 0.5\n", false},
		{"a 12\n", "a 13\n", false}, {"a\n", "a\nb\n", false}, {"1e-05", "1.1e-05", true},
	} {
		require.Equal(t, c.same, differLines(c.want, c.got) == "", "%q and %q", c.want, c.got)
	}
}

// TestCommands reads the commands of a small page.
func TestCommands(t *testing.T) {
	list := blocks("text\n```console\n$ a \\\n  b\nout 1\nout 2\n$ c\n```\nmore\n```go tag\nx\n```\n")
	require.Len(t, list, 2)
	require.Equal(t, []command{{"a \\\n  b\n", "out 1\nout 2\n", 3}, {"c\n", "", 7}}, list[0].commands())
	require.Equal(t, block{"go tag", "x\n", 10, list[1].start}, list[1])
}
