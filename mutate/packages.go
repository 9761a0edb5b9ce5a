package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// pack is a package as `go list` describes it.
type pack struct {
	ImportPath, Dir           string
	GoFiles                   []string
	TestGoFiles, XTestGoFiles []string
	Module                    struct{ Dir string }

	name    string           // the folder in the module, for people
	changed map[string]lines // by file; nil: all lines count
}

// lines are the changed lines of a file, as intervals with both ends.
type lines [][2]int

// has reports whether a line is among them.
func (l lines) has(line int) bool {
	return slices.ContainsFunc(l, func(i [2]int) bool { return i[0] <= line && line <= i[1] })
}

// output runs a command and returns what it prints. An error holds what the command prints to its standard error.
func output(ctx context.Context, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.Bytes(), nil
}

// packages lists the packages that patterns name. If since is not empty, it lists only packages with lines that changed since that commit, and no patterns
// stand for all packages of the module.
func packages(ctx context.Context, patterns []string, since string) ([]*pack, error) {
	if len(patterns) == 0 && since != "" {
		patterns = []string{"./..."}
	}
	out, err := output(ctx, "go", append([]string{"list", "-json=ImportPath,Dir,GoFiles,TestGoFiles,XTestGoFiles,Module", "--"}, patterns...)...)
	if err != nil {
		return nil, err
	}
	var list []*pack
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		p := new(pack)
		if err := d.Decode(p); err != nil {
			return nil, err
		}
		if p.name, err = filepath.Rel(p.Module.Dir, p.Dir); err != nil {
			return nil, err
		}
		p.name = filepath.ToSlash(p.name)
		list = append(list, p)
	}
	if since == "" {
		return list, nil
	}
	changed, err := changes(ctx, since)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(p *pack) bool {
		p.changed = map[string]lines{}
		for _, f := range p.GoFiles {
			if l := changed[filepath.Join(p.Dir, f)]; len(l) > 0 {
				p.changed[f] = l
			}
		}
		return len(p.changed) == 0
	}), nil
}

// changes returns the lines of Go files that are new or different since the last commit that this tree shares with ref, by the file's path.
func changes(ctx context.Context, ref string) (map[string]lines, error) {
	base, err := output(ctx, "git", "merge-base", ref, "HEAD")
	if err != nil {
		return nil, err
	}
	top, err := output(ctx, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return nil, err
	}
	diff, err := output(ctx, "git", "-c", "core.quotePath=false", "diff", "--unified=0", "--no-color", "--no-ext-diff", "--src-prefix=a/", "--dst-prefix=b/",
		string(bytes.TrimSpace(base)), "--", "*.go")
	if err != nil {
		return nil, err
	}
	list := map[string]lines{}
	for name, l := range parseDiff(string(diff)) {
		list[filepath.Join(string(bytes.TrimSpace(top)), filepath.FromSlash(name))] = l
	}
	return list, nil
}

// hunk is the head of a part of a diff: "@@ -1,2 +3,4 @@". If the number of lines is missing, it is 1.
var hunk = regexp.MustCompile(`^@@ -\S+ \+(\d+)(?:,(\d+))? @@`)

// parseDiff reads a diff without context: for each file, which lines of its new text are in it. Lines that were only removed leave nothing to mutate.
func parseDiff(diff string) map[string]lines {
	list := map[string]lines{}
	name := ""
	for line := range strings.Lines(diff) {
		if to, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "+++ "); ok {
			name, _ = strings.CutPrefix(to, "b/")
			continue
		}
		m := hunk.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		first, _ := strconv.Atoi(m[1])
		count := 1
		if m[2] != "" {
			count, _ = strconv.Atoi(m[2])
		}
		if count > 0 {
			list[name] = append(list[name], [2]int{first, first + count - 1})
		}
	}
	return list
}

// block is a part of a file that the tests run or do not run, as a coverage profile has it. Columns count bytes from 1, and the end is exclusive.
type block struct {
	fromLine, fromColumn, toLine, toColumn int
	run                                    bool
}

// row is a row of a coverage profile.
var row = regexp.MustCompile(`^(.+):(\d+)\.(\d+),(\d+)\.(\d+) \d+ (\d+)$`)

// parseProfile reads a coverage profile: the blocks of each file, by its import path and name.
func parseProfile(text string) map[string][]block {
	list := map[string][]block{}
	for line := range strings.Lines(text) {
		m := row.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		var n [5]int
		for i := range n {
			n[i], _ = strconv.Atoi(m[2+i])
		}
		list[m[1]] = append(list[m[1]], block{n[0], n[1], n[2], n[3], n[4] > 0})
	}
	return list
}

// unrun reports whether a place lies in a block that no test runs. What lies in no block, such as a constant of the package, may be run.
func unrun(blocks []block, line, column int) bool {
	in := func(b block) bool {
		after := line > b.fromLine || line == b.fromLine && column >= b.fromColumn
		return after && (line < b.toLine || line == b.toLine && column < b.toColumn)
	}
	found := false
	for _, b := range blocks {
		if in(b) {
			if b.run {
				return false
			}
			found = true
		}
	}
	return found
}
