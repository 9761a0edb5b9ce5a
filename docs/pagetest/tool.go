package pagetest

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

// tool is debertac, built once per test binary, with a cache of its own.
var tool struct {
	sync.Once
	dir, path, said string
	err             error
}

// Main runs the tests of a package and removes what Debertac has built.
func Main(m *testing.M) {
	code := m.Run()
	if tool.dir != "" {
		os.RemoveAll(tool.dir)
	}
	os.Exit(code)
}

// Debertac returns the path of debertac, which it builds. The package of the test is two folders below the root. A test that needs debertac is skipped by
// go test -short.
func Debertac(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("it builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	tool.Do(func() {
		if tool.dir, tool.err = os.MkdirTemp("", "debertac-pages-"); tool.err != nil {
			return
		}
		tool.path = filepath.Join(tool.dir, "debertac")
		out, err := exec.Command("go", "build", "-trimpath", "-o", tool.path, "../../cmd/debertac").CombinedOutput()
		tool.said, tool.err = string(out), err
	})
	if tool.err != nil {
		t.Fatalf("%v\n%s", tool.err, tool.said)
	}
	return tool.path
}

// Environment returns the environment of commands. The folders of first stand before the others where programs are looked for.
func Environment(t *testing.T, first ...string) []string {
	t.Helper()
	path := append(first, filepath.Dir(Debertac(t)), os.Getenv("PATH"))
	return append(os.Environ(), "DEBERTAC_CACHE="+filepath.Join(tool.dir, "cache"), "NO_COLOR=1", "GOFLAGS=-trimpath",
		"PATH="+strings.Join(path, string(filepath.ListSeparator)))
}

// Run runs debertac and returns what it writes to the standard output.
func Run(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), Debertac(t), args...)
	cmd.Env = Environment(t)
	out, err := cmd.Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("debertac %s: %v\n%s", strings.Join(args, " "), err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// built matches the message about a build that takes long, which depends on the machine.
var built = regexp.MustCompile(`(?m)^debertac: building the program with Go\..*\n`)

// waited matches a note that depends on when the commands of other pages run.
var waited = regexp.MustCompile(`(?m)^waiting for another process that makes .*\n`)

// Console runs the commands in the console blocks of a page in the folder dir, and compares what they print with what the page shows. It returns the page
// with what they print. If UPDATE is in the environment, differences are no faults: callers write the page then.
func Console(t *testing.T, name, page, dir string, env []string) (renewed string) {
	t.Helper()
	renewed = page
	for _, b := range Blocks(page) {
		if b.Kind != "console" {
			continue
		}
		text := ""
		for _, c := range b.Commands() {
			out, said, err := shell(t, dir, c.Text, env)
			if err != nil && !strings.HasPrefix(c.Prints, "debertac: ") { // pages show faults too
				t.Fatalf("%s:%d: %s%v\n%s", name, c.Line, c.Text, err, said)
			}
			if err != nil {
				out += waited.ReplaceAllString(said, "")
			}
			text += "$ " + c.Text + out
			if fault := DifferLines(c.Prints, out); fault != "" && os.Getenv("UPDATE") == "" {
				t.Errorf("%s:%d: %s%s\nprints\n%s", name, c.Line, c.Text, fault, out)
			}
		}
		renewed = strings.Replace(renewed, "```console\n"+b.Text+"```", "```console\n"+text+"```", 1)
	}
	return renewed
}

// shell runs a command of a page.
func shell(t *testing.T, dir, text string, env []string) (out, said string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", text)
	cmd.Dir, cmd.Env = dir, env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), built.ReplaceAllString(stderr.String(), ""), err
}
