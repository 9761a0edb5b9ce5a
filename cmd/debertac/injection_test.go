//go:build unix

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	host "github.com/debertac/debertac/runtime/program"
)

// bench is where scenarios run.
type bench struct {
	t        *testing.T
	checkout string
	base     string // all folders are made here
	programs []host.Model
}

// folders counts the folders that were made.
var folders atomic.Int64

// dir makes an empty folder. All names have the same length, so that a file that holds its folder's path breaks off at the same place when half of it
// is written.
func (b *bench) dir() string {
	dir := filepath.Join(b.base, fmt.Sprintf("%08d", folders.Add(1)))
	require.NoError(b.t, os.Mkdir(dir, 0o700))
	return dir
}

// try runs debertac in the folder dir, with or without a fault, and returns its exit code and outputs.
func (b *bench) try(dir string, args []string, inject disk.Fault) (code int, out, said string) {
	b.t.Chdir(dir)
	for name, folder := range map[string]string{cache.Env: "cache", "TMPDIR": "tmp"} {
		old, had := os.LookupEnv(name)
		require.NoError(b.t, os.Setenv(name, filepath.Join(dir, folder)))
		defer func() {
			if os.Unsetenv(name); had {
				os.Setenv(name, old)
			}
		}()
	}
	var stdout, stderr bytes.Buffer
	if inject != nil {
		defer disk.Inject(inject)()
	}
	if args[0] == "program" {
		code = host.Run(b.t.Context(), b.programs, args[1:], host.Streams{In: strings.NewReader(""), Out: &stdout, Err: &stderr})
	} else {
		code = run(b.t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	}
	return code, strings.ReplaceAll(stdout.String(), dir, "DIR"), stderr.String()
}

// snapshot holds the content of a folder: the text of each file, by path. Folders have a slash at the end and no text.
type snapshot map[string]string

// snap reads a folder.
func snap(t *testing.T, dir string) snapshot {
	t.Helper()
	all := snapshot{}
	require.NoError(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(strings.TrimPrefix(path, dir), "/")
		switch {
		case d.IsDir():
			all[name+"/"] = ""
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			link, err := os.Readlink(path)
			all[name] = "->" + link
			return err
		}
		text, err := os.ReadFile(path)
		all[name] = strings.ReplaceAll(string(text), dir, "DIR")
		return err
	}))
	return all
}

// files returns the files that are compared. The cache, whose entries hold times, and the folder for temporary files are left out. A profile differs
// from run to run, so only whether it is whole is compared.
func (s snapshot) files() map[string]string {
	list := map[string]string{}
	for name, text := range s {
		if strings.HasSuffix(name, "/") || strings.HasPrefix(name, "cache/") || strings.HasPrefix(name, "tmp/") {
			continue
		}
		if strings.HasSuffix(name, ".pprof") && wholeProfile(text) {
			text = "a profile"
		}
		list[name] = text
	}
	return list
}

// times matches the times in the entries of a cache.
var times = regexp.MustCompile(`"changed":"[^"]*"`)

// state identifies everything that a later run could see of a folder. Random parts of names, and times, are left out.
func (s snapshot) state() string {
	var lines []string
	for name, text := range s {
		if strings.HasSuffix(name, ".sum") {
			text = times.ReplaceAllString(text, "")
		}
		if strings.Contains(name, ".pprof") { // it differs from run to run
			text = fmt.Sprint("whole: ", wholeProfile(text))
		}
		lines = append(lines, fmt.Sprintf("%s %x", plain(name), sha256.Sum256([]byte(text))))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// moment is the operation of a run that is made to fail: the n-th of its kind on its path.
type moment struct {
	op   disk.Op
	path string // without the parts that differ between runs
	n    int
}

var (
	drawn         = regexp.MustCompile(`[0-9]{6,}|\.partial-[0-9a-f]{8}`) // parts of the names of temporary files and folders
	childSum      = "DEBERTAC_TEST_SUM"                                   // of a child process: the hash of the program
	childCheckout = "DEBERTAC_TEST_CHECKOUT"                              // of a child process
)

// plained caches the results of plain, because runs repeat the same paths.
var plained sync.Map

// plain returns a path without its random parts.
func plain(path string) string {
	if p, ok := plained.Load(path); ok {
		return p.(string)
	}
	p := drawn.ReplaceAllString(path, "#")
	plained.Store(path, p)
	return p
}

// moments lists the operations of a run that are made to fail. Of a file that is read or written in many parts, these are the first, the middle and
// the last part; of files in bulk, one operation of each kind.
func moments(s *scenario, seen []moment) []moment {
	exe, _ := os.Executable() // the program reads itself, in many parts, to name the entries of the cache
	bulk := append(slices.Clone(s.bulk), "tmp/debertac-build-", exe)
	parts := map[moment]int{} // by operation and path
	for _, p := range seen {
		parts[moment{op: p.op, path: p.path}]++
	}
	var list []moment
	had := map[string]bool{}
	for _, p := range seen {
		if s.only != nil && !slices.ContainsFunc(s.only, func(part string) bool {
			return p.path == part || strings.HasPrefix(p.path, part) && strings.ContainsAny(part[len(part)-1:], "/-")
		}) {
			continue
		}
		place := ""
		for _, prefix := range bulk {
			if strings.HasPrefix(p.path, prefix) {
				place = string(p.op) + " " + prefix
			}
		}
		n := parts[moment{op: p.op, path: p.path}]
		if place != "" && had[place] || p.n != 0 && p.n != n/2 && p.n != n-1 {
			continue
		}
		had[place] = true
		list = append(list, p)
	}
	return list
}

// counter records operations, and calls act for the one that is to fail.
func counter(dir string, at *moment, act func(op disk.Op) error) (disk.Fault, func() []moment) {
	count := map[moment]int{}
	var seen []moment
	var mu sync.Mutex
	return func(op disk.Op, path string) error {
		mu.Lock()
		defer mu.Unlock()
		if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsAbs(path) && !strings.HasPrefix(rel, "..") {
			path = rel
		}
		p := moment{op: op, path: plain(path)}
		n := count[p]
		count[p]++
		p.n = n
		seen = append(seen, p)
		if at != nil && p == *at {
			return act(op)
		}
		return nil
	}, func() []moment { return seen }
}

// faultOf returns the error that an operation fails with.
func faultOf(op disk.Op) error {
	if op == disk.OpWrite {
		return &disk.Short{Err: unix.ENOSPC}
	}
	return errnoOf(op)
}

func errnoOf(op disk.Op) error {
	switch op {
	case disk.OpCreate, disk.OpMkdir:
		return unix.ENOSPC
	case disk.OpOpen:
		return unix.EACCES
	}
	return unix.EIO
}

// TestEveryFaultOfTheDisk fails every operation on files of every verb, one in each run. A run that fails ends with exit code 1, reports why, and
// leaves each file as it was or as it is to be, and nothing else. A run that goes on in spite of the fault has the same result as without it. The
// next run succeeds. The same holds for a process that is killed at an operation that changes something.
func TestEveryFaultOfTheDisk(t *testing.T) {
	if os.Getenv(child) != "" {
		crash(t)
		return
	}
	b := newBench(t)
	b.programs = b.models()
	total, kills, ran, all := 0, 0, 0, scenarios(b.imported())
	for _, s := range all {
		if testing.Short() && s.only != nil {
			continue // scenarios that build a program are for long tests
		}
		t.Run(s.name, func(t *testing.T) {
			e := &experiment{bench: &bench{t: t, checkout: b.checkout, base: b.base, programs: b.programs}, scenario: &s, seen: map[string]bool{},
				killed: map[disk.Op]bool{}}
			e.before = e.prepare(&s)
			good := e.copy()
			note, seen := counter(good, nil, nil)
			code, out, said := e.try(good, s.args, note)
			require.Equal(t, fault.ExitDone, code, said)
			e.out, e.old, e.whole = out, snap(t, e.before).files(), snap(t, good).files()
			list := moments(&s, seen())
			require.Greater(t, len(list), 3)
			total += len(list)
			ran++
			for i, p := range list {
				if testing.Short() && (i%21 != 0 || s.bulk != nil) {
					continue
				}
				e.fail(p)
				if !testing.Short() && changes[p.op] {
					e.kill(p)
				}
			}
			kills += len(e.killed)
			require.NoError(t, os.RemoveAll(e.before))
		})
	}
	t.Logf("%d operations, %d processes killed", total, kills)
	if ran == len(all) {
		require.Greater(t, total, 1500)
	}
}

// experiment runs one scenario with each fault in turn.
type experiment struct {
	*bench
	scenario   *scenario
	before     string            // the folder that it finds
	old, whole map[string]string // the files before a run, and after a run without a fault
	out        string            // what that run prints
	seen       map[string]bool   // states from which the next run has succeeded
	killed     map[disk.Op]bool  // operations at which a process was killed
}

// copy makes a copy of the folder before, for one run.
func (e *experiment) copy() string {
	dir := filepath.Join(e.dir(), "w")
	copyTree(e.t, e.before, dir)
	return dir
}

// fail runs the scenario and makes one operation fail.
func (e *experiment) fail(p moment) {
	t, s, dir := e.t, e.scenario, e.copy()
	inject, _ := counter(dir, &p, faultOf)
	code, got, said := e.try(dir, s.args, inject)
	where := fmt.Sprintf("%s %s, number %d: exit code %d, %s", p.op, p.path, p.n, code, said)
	now := snap(t, dir)
	if p.op == disk.OpRemove { // the fault is that a temporary file stays
		maps.DeleteFunc(now, func(name, _ string) bool { return disk.IsTemporary(filepath.Base(name)) })
	}
	switch {
	case s.judges && code == fault.ExitNotHeld:
		require.Contains(t, drawn.ReplaceAllString(got, "#"), p.path+": ", where)
		require.Equal(t, e.old, now.files(), where)
	case code == fault.ExitDone:
		if !s.varies && (!s.reports || !strings.Contains(got, errnoOf(p.op).Error())) {
			require.Equal(t, e.out, got, where)
		}
		require.Equal(t, e.whole, now.files(), where)
	default:
		require.Equal(t, fault.ExitInput, code, where)
		require.NotEmpty(t, said, where)
		oldOrWhole(t, e.old, e.whole, now.files(), false, where)
	}
	e.again(dir, now, where)
}

// kill ends a run at an operation; a write is cut in the middle. Nothing of the process runs after it, not even the removal of its temporary files.
// For the first operation of each kind a process is really killed; it must leave the same files as a run whose later operations all fail.
func (e *experiment) kill(p moment) {
	t, s, dir := e.t, e.scenario, e.copy()
	where := fmt.Sprintf("killed at %s %s, number %d", p.op, p.path, p.n)
	dead := false
	inject, _ := counter(dir, &p, func(op disk.Op) error {
		dead = true
		if op == disk.OpWrite {
			return &disk.Short{Err: unix.EIO}
		}
		return unix.EIO
	})
	e.try(dir, s.args, func(op disk.Op, path string) error {
		if dead {
			return unix.EIO
		}
		return inject(op, path)
	})
	if s.varies && !dead {
		return // the number of writes of a profile depends on its samples
	}
	require.True(t, dead, "the run was to meet it: %s", where)
	now := snap(t, dir)
	oldOrWhole(t, e.old, e.whole, now.files(), true, where)
	if !e.killed[p.op] {
		e.killed[p.op] = true
		other := e.copy()
		e.crash(other, p)
		require.Equal(t, now.state(), snap(t, other).state(), "a process that is really %s", where)
		require.NoError(t, os.RemoveAll(filepath.Dir(other)))
	}
	e.again(dir, now, where)
}

// changes are the operations at which a killed process can leave something.
var changes = map[disk.Op]bool{disk.OpCreate: true, disk.OpWrite: true, disk.OpSync: true, disk.OpRename: true, disk.OpSyncDir: true,
	disk.OpMkdir: true, disk.OpRemove: true}

// oldOrWhole checks that every file is as it was before or as it is to be. Anything else that a killed process leaves must have the name of a temporary file.
func oldOrWhole(t *testing.T, old, whole, have map[string]string, killed bool, where string) {
	t.Helper()
	for name, text := range have {
		was, had := old[name]
		will, wanted := whole[name]
		if had && text == was || wanted && text == will {
			continue
		}
		temporary := killed && temporary(name)
		require.True(t, temporary, "%s: %s has %d bytes, neither those of before nor those that it is to have", where, name, len(text))
	}
	for name := range old {
		if _, there := have[name]; !there {
			_, wanted := whole[name]
			require.False(t, wanted, "%s: %s is gone", where, name)
		}
	}
}

// temporary reports whether a file is one that a process makes on its way, or lies in a folder of this kind.
func temporary(name string) bool {
	return slices.ContainsFunc(strings.Split(name, "/"), disk.IsTemporary)
}

// again runs the scenario without a fault in a folder where it had one, and removes the folder. It skips a state that another fault has left before,
// because a run from that state has succeeded already.
func (e *experiment) again(dir string, now snapshot, where string) {
	t, args := e.t, e.scenario.args
	defer os.RemoveAll(filepath.Dir(dir))
	if state := now.state(); e.seen[state] {
		return
	} else {
		e.seen[state] = true
	}
	code, got, said := e.try(dir, args, nil)
	if code != fault.ExitDone && strings.Contains(said, "the folder is there already") { // it is whole, and no verb replaces it
		have := snap(t, dir).files()
		for name, text := range e.whole {
			require.True(t, have[name] == text, "%s: %s is not whole", where, name)
		}
		return
	}
	if code != fault.ExitDone && strings.Contains(said, "there already") { // the last step failed when the file was in place
		args = append(slices.Clone(args), "--force")
		code, got, said = e.try(dir, args, nil)
	}
	require.Equal(t, fault.ExitDone, code, "the next run after %s: %s", where, said)
	if !e.scenario.reports && !e.scenario.varies {
		require.Equal(t, e.out, got, where)
	}
	have := snap(t, dir).files()
	for name := range have {
		if _, wanted := e.whole[name]; !wanted && temporary(name) {
			delete(have, name) // left by a process that was killed
		}
	}
	require.Equal(t, e.whole, have, where)
	if e.scenario.after != nil {
		code, got, said := e.try(dir, e.scenario.after, nil)
		require.Equal(t, fault.ExitDone, code, "%s: %s", where, said)
		require.Contains(t, got, "done", where)
	}
}

// crash runs the scenario in a process of its own that ends at the moment, in the middle of a write.
func (e *experiment) crash(dir string, p moment) {
	cmd := exec.CommandContext(e.t.Context(), os.Args[0], append([]string{"-test.run=^TestEveryFaultOfTheDisk$", "--"}, e.scenario.args...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), child+"="+strings.Join([]string{string(p.op), strconv.Itoa(p.n), p.path}, " "), childCheckout+"="+e.checkout,
		cache.Env+"="+filepath.Join(dir, "cache"), "TMPDIR="+filepath.Join(dir, "tmp"))
	sum, err := identity()
	require.NoError(e.t, err)
	cmd.Env = append(cmd.Env, childSum+"="+sum)
	said, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	require.ErrorAs(e.t, err, &exit, "the process was to end at %v: %s", p, said)
	require.Equal(e.t, crashed, exit.ExitCode(), "%v: %s", p, said)
}

// crashed is the exit code of a process that has ended at its moment.
const crashed = 99

// crash is the part of TestEveryFaultOfTheDisk that runs in the child process.
func crash(t *testing.T) {
	f := strings.SplitN(os.Getenv(child), " ", 3)
	n, err := strconv.Atoi(f[1])
	require.NoError(t, err)
	dir, err := os.Getwd()
	require.NoError(t, err)
	inject, _ := counter(dir, &moment{disk.Op(f[0]), f[2], n}, func(op disk.Op) error {
		if op == disk.OpWrite {
			return &disk.Short{Err: unix.EIO, Then: func() { os.Exit(crashed) }}
		}
		os.Exit(crashed)
		return nil
	})
	if sum := os.Getenv(childSum); sum != "" { // the parent has hashed the program already
		identity = func() (string, error) { return sum, nil }
	}
	args := os.Args[slices.Index(os.Args, "--")+1:]
	if args[0] == "program" {
		models := (&bench{t: t, checkout: os.Getenv(childCheckout), base: filepath.Dir(dir)}).models()
		require.NoError(t, os.Chdir(dir))
		disk.Inject(inject)
		host.Run(t.Context(), models, args[1:], host.Streams{In: strings.NewReader(""), Out: os.Stdout, Err: os.Stderr})
		os.Exit(0)
	}
	disk.Inject(inject)
	run(t.Context(), args, strings.NewReader(""), os.Stdout, os.Stderr)
	os.Exit(0)
}

func newBench(t *testing.T) *bench {
	checkout, err := filepath.Abs(filepath.Join("..", ".."))
	require.NoError(t, err)
	b := &bench{t: t, checkout: checkout, base: memory(t)}
	bin := b.dir()
	b.fakes(bin)
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	return b
}

// imported is the spec of the folder that the scenarios use, with a target that is quick to compile.
func (b *bench) imported() string {
	code, out, said := b.try(b.dir(), []string{"import", filepath.Join(b.checkout, "examples/tasks/classify"), "-o", "-"}, nil)
	require.Equal(b.t, fault.ExitDone, code, said)
	return out + "\ntarget t { isa go; emit infer classify.classify }\n"
}
