package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// outcome is what the tests make of a mutant.
type outcome int

const (
	killed    outcome = iota // a test fails, does not end, or takes too much memory
	survived                 // all tests pass
	uncovered                // no test runs the line
	unviable                 // it does not compile, and does not count
)

// These are the limits on the tests of a mutant. They may take timeFactor times as long as without it, plus timeMore, and memoryLimit of memory. They are
// stopped beyond that.
const (
	timeFactor  = 4
	timeMore    = 20 * time.Second
	memoryLimit = 4 << 30 // bytes
	memoryLook  = 100 * time.Millisecond
)

// trial is the work on one package.
type trial struct {
	*pack
	folder  string // for binaries and mutated files
	sources map[string][]byte
	list    []mutant           // in the order in which they are tried
	blocks  map[string][]block // coverage, by file
	flags   []string           // of the test binary
	limit   time.Duration
	first   time.Duration // of the tests without a mutant
}

// tally counts the outcomes of a package.
type tally struct {
	count [unviable + 1]int
	left  int // mutants that were not tried before the time was over
}

// score is the share of mutants that the tests find, in percent. Without mutants it is 100.
func (t *tally) score() float64 {
	all := t.count[killed] + t.count[survived] + t.count[uncovered]
	if all == 0 {
		return 100
	}
	return 100 * float64(t.count[killed]) / float64(all)
}

// newTrial finds a package's mutants, shuffles them, and runs the tests once without any. A mutant's tests may take grace beyond
// timeFactor times the time of that run.
func newTrial(ctx context.Context, p *pack, folder string, seed uint64, grace time.Duration) (*trial, error) {
	t := &trial{pack: p, folder: folder, sources: map[string][]byte{}, blocks: map[string][]block{}}
	for _, name := range p.GoFiles {
		if p.changed != nil && p.changed[name] == nil {
			continue
		}
		source, err := os.ReadFile(filepath.Join(p.Dir, name))
		if err != nil {
			return nil, err
		}
		found, err := mutants(name, source)
		if err != nil {
			return nil, err
		}
		t.sources[name] = source
		t.list = append(t.list, slices.DeleteFunc(found, func(m mutant) bool { return p.changed != nil && !p.changed[name].has(m.line) })...)
	}
	if len(t.list) == 0 || len(p.TestGoFiles)+len(p.XTestGoFiles) == 0 {
		return t, nil
	}
	r := rand.New(rand.NewPCG(seed, 0))
	r.Shuffle(len(t.list), func(i, j int) { t.list[i], t.list[j] = t.list[j], t.list[i] })

	t.flags = []string{"-test.short", "-test.failfast", "-test.paniconexit0"}
	deps, err := output(ctx, "go", "list", "-test", "-deps", "--", p.ImportPath)
	if err != nil {
		return nil, err
	}
	if slices.Contains(strings.Fields(string(deps)), "pgregory.net/rapid") {
		// rapid must write no files of failures, make its usual 100 draws (-short divides 500 by 5), and make the same draws in each run.
		t.flags = append(t.flags, "-rapid.nofailfile", "-rapid.checks=500", "-rapid.seed="+strconv.FormatUint(seed, 10))
	}
	profile := filepath.Join(folder, "profile")
	if why, err := t.build(ctx, "-cover", "-covermode=set"); err != nil {
		return nil, err
	} else if why != "" {
		return nil, fmt.Errorf("%s does not build without a mutant:\n%s", p.name, why)
	}
	begin := time.Now()
	if _, err := t.run(ctx, time.Hour, "-test.coverprofile="+profile); err != nil {
		return nil, fmt.Errorf("%s: the tests fail without a mutant: %w", p.name, err)
	}
	t.first = time.Since(begin)
	t.limit = timeFactor*t.first + grace
	text, err := os.ReadFile(profile)
	if err != nil {
		return nil, err
	}
	for name, blocks := range parseProfile(string(text)) {
		if file, ok := strings.CutPrefix(name, p.ImportPath+"/"); ok {
			t.blocks[file] = blocks
		}
	}
	return t, nil
}

// binary is the program of the package's tests.
func (t *trial) binary() string { return filepath.Join(t.folder, "tests.exe") }

// build builds the tests. It returns the compiler's message in why if they do not compile.
func (t *trial) build(ctx context.Context, args ...string) (why string, err error) {
	cmd := exec.CommandContext(ctx, "go", slices.Concat([]string{"test", "-c", "-ldflags=-w", "-o", t.binary()}, args, []string{t.ImportPath})...)
	cmd.Dir = t.Dir
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); errors.As(err, &exit) && ctx.Err() == nil {
		return string(out), nil
	}
	return "", err
}

// run runs the tests as go test does, in the package's folder. ok is false if they fail, take longer than the limit, or take more memory than memoryLimit. err
// then holds what they print.
func (t *trial) run(ctx context.Context, limit time.Duration, args ...string) (ok bool, err error) {
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	cmd := exec.CommandContext(ctx, t.binary(), slices.Concat(t.flags, args)...)
	cmd.Dir = t.Dir
	cmd.Env = append(os.Environ(), "UPDATE=") // tests must not write what they expect
	cmd.WaitDelay = time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		return false, err
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(memoryLook):
				if resident(cmd.Process.Pid) > memoryLimit {
					stop()
					return
				}
			}
		}
	}()
	if err := cmd.Wait(); err != nil {
		text := out.Bytes()
		return false, fmt.Errorf("%w\n%s", err, text[:min(len(text), 4000)])
	}
	return true, nil
}

// resident is the memory in bytes that a process has, 0 where the system does not report it.
func resident(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, pages int64
	if _, err := fmt.Sscan(string(text), &size, &pages); err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// try runs the tests with one mutant.
func (t *trial) try(ctx context.Context, m *mutant) (outcome, error) {
	changed := filepath.Join(t.folder, "mutant.go")
	if err := os.WriteFile(changed, m.apply(t.sources[m.file]), 0o600); err != nil {
		return 0, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(t.Dir, m.file): changed}})
	if err != nil {
		return 0, err
	}
	name := filepath.Join(t.folder, "overlay.json")
	if err := os.WriteFile(name, overlay, 0o600); err != nil {
		return 0, err
	}
	why, err := t.build(ctx, "-overlay="+name)
	switch {
	case err != nil:
		return 0, err
	case why != "":
		return unviable, nil
	case unrun(t.blocks[m.file], m.line, m.column) || t.limit == 0:
		return uncovered, nil
	}
	ok, _ := t.run(ctx, t.limit)
	switch {
	case ctx.Err() != nil:
		return 0, ctx.Err()
	case ok:
		return survived, nil
	}
	return killed, nil
}
