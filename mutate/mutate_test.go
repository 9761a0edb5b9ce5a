package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"go/format"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// weak is a package whose tests miss some changes and find others. A comment lists what becomes of each mutant of its line, in the order of the columns.
const weak = `package weak

import "errors"

const most = 10 // found, found

var errOdd = errors.New("odd")

// Big reports whether x is above the limit.
func Big(x int) bool {
	return x > most // found
}

// Fits reports whether x is below the limit.
func Fits(x int) bool {
	return x < most // no test fails
}

var calls int

// Half halves even numbers.
func Half(x int) (int, error) {
	calls++ // no test fails
	if x&1 == 1 { // found, found, found, found, found
		return 0, errOdd // no test fails, no test fails, found
	}
	return x >> 1, nil // found, found
}

// Join is not tested. A difference of strings does not compile, so it does not count.
func Join(a, b string) string {
	a = a + b // no test runs this
	return a
}

// Loop ends if each step is done.
func Loop() {
	for i := 0; i < 2; { // no test fails, no test fails, no test fails, no test fails, no test fails
		i++ // found
	}
}
`

const weakTest = `package weak

import "testing"

func Test(t *testing.T) {
	h, err := Half(6)
	_, odd := Half(7)
	if Big(10) || !Big(11) || !Fits(1) || Fits(20) || h != 3 || err != nil || odd == nil {
		t.Fatal()
	}
	Loop()
}
`

// workshop is a folder with the package weak that is mutated.
type workshop struct {
	*testing.T
}

// weakHere makes a folder with the package weak in it, and makes it the working directory.
func weakHere(t *testing.T) workshop {
	if testing.Short() {
		t.Skip("builds programs")
	}
	t.Chdir(t.TempDir())
	t.Setenv("GOFLAGS", "-trimpath") // as other programs that tests build, so that the standard library is compiled once
	w := workshop{t}
	w.write("go.mod", "module example.com/weak\n\ngo 1.26\n")
	w.write("weak.go", weak)
	w.write("weak_test.go", weakTest)
	return w
}

func (w workshop) write(name, text string) {
	require.NoError(w, os.WriteFile(name, []byte(text), 0o600))
}

// run mutates with a time limit that no test reaches, and returns what is printed.
func (w workshop) run(s settings, patterns ...string) (string, error) {
	var out bytes.Buffer
	s.seed, s.duration, s.grace, s.all = 1, time.Hour, time.Second, true
	err := s.mutate(w.Context(), patterns, &out)
	return out.String(), err
}

func (w workshop) git(args ...string) {
	w.Helper()
	_, err := output(w.Context(), "git", append([]string{"-c", "user.name=t", "-c", "user.email=t@t"}, args...)...)
	require.NoError(w, err)
}

// place matches the place of a mutant in a report.
var place = regexp.MustCompile(`(?m)^\./weak\.go:(\d+):(\d+): ([^:]*): `)

// outcomes lists what a report has on each line of the package, from left to right.
func outcomes(out string) (got []string) {
	type found struct{ line, column int }
	by := map[found][]string{}
	for _, m := range place.FindAllStringSubmatch(out, -1) {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		by[found{line, column}] = append(by[found{line, column}], m[3])
	}
	got = make([]string, strings.Count(weak, "\n")+1)
	for _, at := range slices.SortedFunc(maps.Keys(by), func(a, b found) int { return cmp.Or(a.line-b.line, a.column-b.column) }) {
		slices.Sort(by[at])
		got[at.line-1] = strings.TrimPrefix(got[at.line-1]+", "+strings.Join(by[at], ", "), ", ")
	}
	return got
}

// TestWeak mutates the package weak, all of it, some of it, and until somebody interrupts.
func TestWeak(t *testing.T) {
	w := weakHere(t)
	out, err := w.run(settings{least: 50}, ".")
	require.NoError(t, err)
	var want []string
	for line := range strings.SplitSeq(weak, "\n") {
		_, comment, _ := strings.Cut(line, " // ")
		want = append(want, comment)
	}
	require.Equal(t, want, outcomes(out), out)
	all := strings.Join(want, ", ")
	survived, unrun := strings.Count(all, "no test fails"), strings.Count(all, "no test runs this")
	require.Contains(t, out, fmt.Sprintf("%d survived, %d in lines that no test runs; 1 did not compile (", survived, unrun))
	require.Contains(t, out, "./weak.go:16:11: no test fails: < becomes <=\n\t-\treturn x < most // no test fails\n\t+\treturn x <= most // no test fails\n")
	source, err := os.ReadFile("weak.go")
	require.NoError(t, err)
	require.Equal(t, weak, string(source), "the tree is never written")

	few, err := w.run(settings{most: 3, least: 100}, "example.com/weak")
	require.Len(t, place.FindAllString(few, -1), 3)
	require.True(t, err == nil || strings.Contains(err.Error(), "of the mutants are found, at least 100 % are expected"))
	again, _ := w.run(settings{most: 3}, "example.com/weak")
	require.Equal(t, place.FindAllString(few, -1), place.FindAllString(again, -1), "the seed decides")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var halted stopper
	halted.stop = stop
	err = (&settings{seed: 1, duration: time.Hour, grace: time.Second, all: true}).mutate(ctx, []string{"."}, &halted)
	require.ErrorContains(t, err, "interrupted")
	require.Regexp(t, `(?m)^\.: .* not tried`, halted.String())
}

// TestWeakSince mutates the lines that changed since a commit.
func TestWeakSince(t *testing.T) {
	w := weakHere(t)
	w.git("init", "-q")
	w.git("add", ".")
	w.git("commit", "-q", "-m", "weak")
	out, err := w.run(settings{since: "HEAD"})
	require.NoError(t, err)
	require.NotContains(t, out, "weak.go", "nothing has changed")
	w.write("weak.go", strings.Replace(weak, "x < most", "most > x", 1))
	out, err = w.run(settings{since: "HEAD", least: 1})
	require.ErrorContains(t, err, "0.0 % of the mutants are found, at least 1 % are expected: add tests")
	require.Equal(t, []string{"./weak.go:16:14: no test fails: "}, place.FindAllString(out, -1))
}

// TestWeakTests mutates a package whose tests fail, one whose tests do not build, and one without tests.
func TestWeakTests(t *testing.T) {
	w := weakHere(t)
	w.write("weak_test.go", strings.Replace(weakTest, "!Fits(1)", "Fits(1)", 1))
	_, err := w.run(settings{}, ".")
	require.ErrorContains(t, err, "the tests fail without a mutant")
	w.write("weak_test.go", "package weak\n\nvar _ = nothing\n")
	_, err = w.run(settings{}, ".")
	require.ErrorContains(t, err, "does not build without a mutant")
	require.NoError(t, os.Remove("weak_test.go"))
	out, err := w.run(settings{least: 0}, ".")
	require.NoError(t, err)
	require.Contains(t, out, "no test runs this", "a package without tests")
}

// stopper is a user who stops the program when it prints the first mutant.
type stopper struct {
	bytes.Buffer
	stop func()
}

func (s *stopper) Write(b []byte) (int, error) {
	s.stop()
	return s.Buffer.Write(b)
}

// TestMutants compares the mutants of a file with a list, and each mutant must be Go.
func TestMutants(t *testing.T) {
	source := []byte(`package p

import "fmt"

func f(a, b int) (int, error) {
	if a < 0x10 && b != a || a >= 2 {
		return g(), fmt.Errorf("a" + s + "b")
	}
	x := a + b
	_ = x
	switch {
	case x > 1.5:
		x--
		fallthrough
	default:
		h := func() error { return err }
		y, _ = h(), 1
		a = b - 1
	}
	return a, nil
}
`)
	list, err := mutants("p.go", source)
	require.NoError(t, err)
	var got strings.Builder
	for _, m := range list {
		after := m.apply(source)
		_, err := format.Source(after)
		require.NoError(t, err, m.diff(source))
		require.NotEqual(t, source, after)
		require.Equal(t, "p.go", m.file)
		fmt.Fprintf(&got, "%d:%d %q %s\n", m.line, m.column, source[m.from:m.to], m.kind)
	}
	require.Equal(t, `6:24 "||" || becomes &&
6:14 "&&" && becomes ||
6:7 "<" < becomes <=
6:9 "0x10" 0x10 becomes one more
6:9 "0x10" 0x10 becomes one less
6:19 "!=" != becomes ==
6:29 ">=" >= becomes >
6:32 "2" 2 becomes one more
6:32 "2" 2 becomes one less
7:15 "fmt.Errorf(\"a\" + s + \"b\")" the error becomes nil
9:9 "+" + becomes -
13:3 "x--" the statement is removed
14:3 "fallthrough" the statement is removed
12:9 ">" > becomes >=
12:11 "1.5" 1.5 becomes one more
12:11 "1.5" 1.5 becomes one less
17:3 "y, _ = h(), 1" the statement is removed
18:3 "a = b - 1" the statement is removed
16:30 "err" the error becomes nil
17:15 "1" 1 becomes one more
17:15 "1" 1 becomes one less
18:9 "-" - becomes +
18:11 "1" 1 becomes one more
18:11 "1" 1 becomes one less
`, got.String())
	require.Equal(t, "\t-\tx := a + b\n\t+\tx := a - b\n", list[10].diff(source))

	list, err = mutants("p.go", append([]byte("// Code generated by a test. DO NOT EDIT.\n\n"), source...))
	require.NoError(t, err)
	require.Empty(t, list, "a generated file")
	_, err = mutants("p.go", []byte("package"))
	require.Error(t, err)
}

func TestParseDiff(t *testing.T) {
	got := parseDiff(`diff --git a/x/a.go b/x/a.go
index 1..2 100644
--- a/x/a.go
+++ b/x/a.go
@@ -3 +3,2 @@ func f() {
-	old
+	new
+	more
@@ -9,4 +10,0 @@
-	gone
@@ -20,0 +17 @@ func g() {
+	one
diff --git a/b.go b/b.go
new file mode 100644
--- /dev/null
+++ b/b.go
@@ -0,0 +1,30 @@
+package b
`)
	require.Equal(t, map[string]lines{"x/a.go": {{3, 4}, {17, 17}}, "b.go": {{1, 30}}}, got)
	for line, want := range map[int]bool{2: false, 3: true, 4: true, 5: false, 16: false, 17: true, 18: false} {
		require.Equal(t, want, got["x/a.go"].has(line), "line %d", line)
	}
}

func TestProfile(t *testing.T) {
	got := parseProfile("mode: set\nm/p/a.go:3.10,5.2 2 0\nm/p/a.go:4.5,4.9 1 1\nm/p/b.go:1.1,1.2 1 0\n")
	require.Equal(t, map[string][]block{"m/p/a.go": {{3, 10, 5, 2, false}, {4, 5, 4, 9, true}}, "m/p/b.go": {{1, 1, 1, 2, false}}}, got)
	for place, want := range map[[2]int]bool{
		{3, 9}: false, {3, 10}: true, {4, 4}: true, {4, 5}: false, {4, 8}: false, {4, 9}: true, {5, 1}: true, {5, 2}: false, {9, 1}: false,
	} {
		require.Equal(t, want, unrun(got["m/p/a.go"], place[0], place[1]), "%v", place)
	}
}

func TestSettings(t *testing.T) {
	good := settings{most: 1, seed: 1}
	require.NoError(t, good.check([]string{"./x"}))
	require.NoError(t, (&settings{seed: 1, since: "main"}).check(nil))
	require.ErrorContains(t, good.check(nil), "no packages: name some")
	require.ErrorContains(t, (&settings{most: -1, seed: 1}).check([]string{"x"}), "-n is -1")
	require.ErrorContains(t, (&settings{}).check([]string{"x"}), "-seed is 0")
	require.ErrorContains(t, (&settings{seed: 1, least: 101}).check([]string{"x"}), "-min is 101")
}
