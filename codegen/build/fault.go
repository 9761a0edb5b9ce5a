package build

import (
	"fmt"
	"regexp"
	"strings"
)

// CompileError says that the Go toolchain refused the generated sources.
type CompileError struct {
	Dir    string // where the sources are kept, to look at
	Output string // of the toolchain
	Err    error
}

// Error returns the toolchain's first lines.
func (e *CompileError) Error() string {
	return fmt.Sprintf("the generated program does not compile (its sources are kept in %s): %v\n%s", e.Dir, e.Err, firstLines(e.Output))
}

// Unwrap returns the error of the process.
func (e *CompileError) Unwrap() error { return e.Err }

// GoError says that the Go toolchain failed for a reason that is not in the sources: a full disk, a cache that it cannot use, too little memory.
type GoError struct {
	Output string // of the toolchain
	Err    error
}

// Error returns the toolchain's first lines.
func (e *GoError) Error() string {
	return fmt.Sprintf("go build failed, and not because of the program that it was to build (%v); it said:\n%s", e.Err, firstLines(e.Output))
}

// Unwrap returns the error of the process.
func (e *GoError) Unwrap() error { return e.Err }

// mostLines bounds what is shown of the toolchain's output.
const mostLines = 25

func firstLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if n := len(lines); n > mostLines {
		lines = append(lines[:mostLines], fmt.Sprintf("… %d lines more", n-mostLines))
	}
	return strings.Join(lines, "\n")
}

var (
	// inSources is how a fault of a source file of the program, or of linking it, begins. Files of the standard library have absolute paths.
	inSources = regexp.MustCompile(`(?m)^(?:\./)?[\w.-]+(?:/[\w.@-]+)*\.(?:go|s):\d+|relocation target \S+ not defined|^\S*: undefined: `)
	// inSystem are the faults of the machine as the toolchain reports them, among them those of its own cache.
	inSystem = regexp.MustCompile(`(?i)no space left on device|not enough space|disk quota exceeded|input/output error|read-only file system|permission denied|` +
		`operation not permitted|too many open files|cannot allocate memory|out of memory|signal: killed|text file busy|stale NFS file handle|build cache|GOCACHE|GOTMPDIR|` +
		`package \S+ is not in std`)
)

// Fault finds out from the toolchain's output whose fault it is that it failed with err on the sources in dir: it returns a *CompileError or a *GoError.
// Faults of the machine come first: they can make good sources look bad.
func Fault(dir, output string, err error) error {
	if inSources.MatchString(output) && !inSystem.MatchString(output) {
		return &CompileError{dir, output, err}
	}
	return &GoError{output, err}
}
