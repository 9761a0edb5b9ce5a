package build

import (
	"context"
	"errors"
	"fmt"
	"go/version"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/debertac/debertac/codegen/build/vendored"
)

// Toolchain is a Go toolchain that can build programs.
type Toolchain struct {
	Path    string // of the go command
	Version string // such as go1.26.8
}

// ToolchainError reports that there is no Go toolchain that can build programs, and what to do.
type ToolchainError struct{ Reason string }

// Error returns the reason and the remedy.
func (e *ToolchainError) Error() string {
	return e.Reason + ": install Go " + strings.TrimPrefix(Needed(), "go") + " or newer (https://go.dev/dl) and have its go command in PATH"
}

// Needed returns the oldest version of Go that can build programs, such as go1.26.0. It is the version that the vendored sources ask for.
func Needed() string {
	files, err := vendored.Tree()
	if err != nil {
		return ""
	}
	for _, f := range files {
		if f.Name != "go.mod" {
			continue
		}
		for line := range strings.Lines(string(f.Text)) {
			if v, ok := strings.CutPrefix(line, "go "); ok {
				return "go" + strings.TrimSpace(v)
			}
		}
	}
	return ""
}

// FindGo finds the go command in PATH, or in the folder of Go's own installer, and checks its version. Its error is a *ToolchainError.
func FindGo(ctx context.Context) (*Toolchain, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		usual := "/usr/local/go/bin/go"
		if runtime.GOOS == "windows" {
			usual = `C:\Program Files\Go\bin\go.exe`
		}
		if path, err = exec.LookPath(usual); err != nil {
			return nil, &ToolchainError{"building a program needs a Go toolchain, and no go command was found"}
		}
	}
	if path, err = filepath.Abs(path); err != nil { // an entry of PATH may be relative, and go runs in another folder
		return nil, err
	}
	g := &Toolchain{Path: path}
	out, err := g.command(ctx, "env", "GOVERSION").Output()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return nil, &ToolchainError{fmt.Sprintf("%s does not work (%v)", path, err)}
	}
	g.Version = strings.TrimSpace(string(out))
	if need := Needed(); !enough(g.Version, need) {
		return nil, &ToolchainError{fmt.Sprintf("%s is %s, too old for programs that need %s", path, g.Version, need)}
	}
	return g, nil
}

// enough reports whether a version, as "go env GOVERSION" prints it, is at least need. Development versions have the form "devel go1.27-1a2b3c Mon …".
func enough(have, need string) bool {
	for word := range strings.FieldsSeq(have) {
		word, _, _ = strings.Cut(word, "-")
		if version.IsValid(word) {
			// A release candidate has the language of its release, so it is enough.
			return version.Compare(version.Lang(word), version.Lang(need)) >= 0 && (version.Compare(word, need) >= 0 || strings.Contains(word, "rc"))
		}
	}
	return false
}

// command returns a run of the go command. From Go's settings in the environment it keeps only paths; it sets everything itself that could change the program
// or use a network.
func (g *Toolchain) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, g.Path, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go build then removes its temporary files
	cmd.WaitDelay = 5 * time.Second
	places := map[string]bool{"GOCACHE": true, "GOPATH": true, "GOMODCACHE": true, "GOTMPDIR": true, "GOROOT": true, "GOMAXPROCS": true}
	for _, e := range os.Environ() {
		name, _, _ := strings.Cut(e, "=")
		if !strings.HasPrefix(name, "GO") && !strings.HasPrefix(name, "CGO_") || places[name] {
			cmd.Env = append(cmd.Env, e)
		}
	}
	cmd.Env = append(cmd.Env, "GO111MODULE=on", "GOENV=off", "GOWORK=off", "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local", "CGO_ENABLED=0")
	if _, err := os.UserCacheDir(); err != nil && os.Getenv("GOCACHE") == "" {
		// A process without a home folder, such as a service, has no folder for Go's cache.
		cmd.Env = append(cmd.Env, "GOCACHE="+filepath.Join(os.TempDir(), "debertac-go-cache"))
	}
	if os.Getenv("GOPATH") == "" && os.Getenv("HOME") == "" {
		cmd.Env = append(cmd.Env, "GOPATH="+filepath.Join(os.TempDir(), "debertac-go-path"))
	}
	return cmd
}
