package build

import (
	"fmt"
	"regexp"
	"strings"
)

// CompileError reports that the Go toolchain refused the generated sources.
type CompileError struct {
	Dir    string // where the sources are kept for inspection
	Output string // of the toolchain
	Err    error
}

// Error returns the first lines of the toolchain's output.
func (e *CompileError) Error() string {
	return fmt.Sprintf("the generated program does not compile (its sources are kept in %s): %v\n%s", e.Dir, e.Err, firstLines(e.Output))
}

// Unwrap returns the error of the process.
func (e *CompileError) Unwrap() error { return e.Err }

// GoError reports that the Go toolchain failed for a reason that is not in the sources: a full disk, a cache that it cannot use, or too little memory.
type GoError struct {
	Output string // of the toolchain
	Err    error
}

// Error returns the first lines of the toolchain's output.
func (e *GoError) Error() string {
	return fmt.Sprintf("go build failed for a reason that is not in the program (%v); its output:\n%s", e.Err, firstLines(e.Output))
}

// Unwrap returns the error of the process.
func (e *GoError) Unwrap() error { return e.Err }

// mostLines is the greatest number of lines of the toolchain's output that are shown.
const mostLines = 25

func firstLines(output string) string {
	lines := strings.Split(strings.TrimSpace(output), "\n")
	if n := len(lines); n > mostLines {
		lines = append(lines[:mostLines], fmt.Sprintf("… %d lines more", n-mostLines))
	}
	return strings.Join(lines, "\n")
}

var (
	// inSources matches the beginning of a message about a source file of the program, or about linking it. Files of the standard library have absolute paths.
	inSources = regexp.MustCompile(`(?m)^(?:\./)?[\w.-]+(?:/[\w.@-]+)*\.(?:go|s):\d+|relocation target \S+ not defined|^\S*: undefined: `)
	// inSystem matches faults of the machine as the toolchain reports them, including faults of its own cache.
	inSystem = regexp.MustCompile(`(?i)no space left on device|not enough space|disk quota exceeded|input/output error|read-only file system|` +
		`permission denied|operation not permitted|too many open files|cannot allocate memory|out of memory|` +
		`signal: killed|text file busy|stale NFS file handle|build cache|GOCACHE|GOTMPDIR|` +
		`package \S+ is not in std`)
)

// Fault decides whose fault a failure of the toolchain is. err is the error and output the toolchain's output on the sources in dir. Fault returns a
// *CompileError or a *GoError. It looks for faults of the machine first, because they can make good sources look bad.
func Fault(dir, output string, err error) error {
	if inSources.MatchString(output) && !inSystem.MatchString(output) {
		return &CompileError{dir, output, err}
	}
	return &GoError{output, err}
}
