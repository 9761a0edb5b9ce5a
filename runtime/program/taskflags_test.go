package program

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestEveryTaskIsServed checks that run can print the results of each task of the table.
func TestEveryTaskIsServed(t *testing.T) {
	for _, r := range tasktable.Table {
		require.NotNil(t, makers[r.Task], "%s has no maker", r.Task)
	}
	require.Len(t, makers, len(tasktable.Table))
}

// asked finds the flags that the sources read by name.
var asked = regexp.MustCompile(`\b(?:f|r|l|taskFlags)\.(?:on|word|words|count|real)\("([a-z-]+)"\)|valueOf\[\w+\]\(f, "([a-z-]+)"\)`)

// TestTaskFlags compares the table of flags with the sources that read them, checks that defaults are numbers in range, and compares them with the constants
// that they repeat.
func TestTaskFlags(t *testing.T) {
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	read := map[string]bool{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		require.NoError(t, err)
		for _, m := range asked.FindAllStringSubmatch(string(text), -1) {
			read[m[1]+m[2]] = true
		}
	}
	for name := range read {
		require.NotNil(t, tasktable.FlagNamed(name), "the sources read --%s", name)
	}
	f := taskFlags{tableFlags: &tableFlags{}}
	fs := flag.NewFlagSet("run", flag.ContinueOnError)
	f.register(fs)
	for _, r := range tasktable.Flags {
		require.True(t, read[r.Name], "no source reads --%s", r.Name)
		switch r.Kind {
		case tasktable.Count, tasktable.Real, tasktable.Natural:
			if r.Default != "" {
				x, err := strconv.ParseFloat(r.Default, 64)
				require.NoError(t, err, "--%s", r.Name)
				require.True(t, r.Kind == tasktable.Natural || r.Within(x), "--%s: its default is outside of its range", r.Name)
				require.Equal(t, r.Default, fs.Lookup(r.Name).DefValue)
			}
			require.True(t, r.Kind == tasktable.Natural || r.Must != "", "--%s", r.Name)
		case tasktable.Switch:
			require.Empty(t, r.Default)
		}
	}
	all := flag.NewFlagSet("run", flag.ContinueOnError)
	newRun(all)
	for _, r := range tasktable.RunFlags() {
		require.NotNil(t, all.Lookup(r.Name), "run has no --%s", r.Name)
		require.True(t, r.OneOf == nil || slices.Contains(r.OneOf, r.Default), "--%s: its default is none of its values", r.Name)
	}
	require.EqualValues(t, pool.MaxThreads, tasktable.FlagNamed("threads").Most)
	require.Contains(t, tasktable.FlagNamed("threads").Must, strconv.Itoa(pool.MaxThreads))
	require.Equal(t, task.DefaultTemplate, tasktable.FlagNamed("template").Default)
	require.EqualValues(t, task.MaxResults, tasktable.FlagNamed("samples").Most)
	require.Contains(t, tasktable.FlagNamed("samples").Must, strconv.Itoa(task.MaxResults))
	require.Equal(t, strconv.Itoa(defaultTop), tasktable.FlagNamed("top").Default)
}

// TestFlagRanges checks that a value that is out of range, empty or not a list is refused with the words of the flag's row, before any model is opened.
func TestFlagRanges(t *testing.T) {
	check := func(args ...string) error {
		f := taskFlags{tableFlags: &tableFlags{}}
		fs := flag.NewFlagSet("run", flag.ContinueOnError)
		f.register(fs)
		require.NoError(t, fs.Parse(args))
		f.given = map[string]bool{}
		fs.Visit(func(g *flag.Flag) { f.given[g.Name] = true })
		return f.check()
	}
	for i := range tasktable.Flags {
		r := &tasktable.Flags[i]
		needed := []string(nil)
		if r.Needs != "" {
			value := map[tasktable.Kind]string{tasktable.Switch: "", tasktable.Count: "=1"}
			if _, ok := value[tasktable.FlagNamed(r.Needs).Kind]; !ok {
				value[tasktable.FlagNamed(r.Needs).Kind] = "=x"
			}
			needed = []string{"--" + r.Needs + value[tasktable.FlagNamed(r.Needs).Kind]}
			require.ErrorContains(t, check("--"+r.Name+map[bool]string{true: "=1"}[r.Kind != tasktable.Switch]), "--"+r.Name+" needs --"+r.Needs)
		}
		bad := map[string]string{}
		switch r.Kind {
		case tasktable.Text, tasktable.List:
			bad["\xff"] = "--" + r.Name + " is not valid UTF-8"
			if r.Filled {
				bad[" "] = "--" + r.Name + " is empty"
			}
			if r.Kind == tasktable.List {
				bad["a,,b"] = "--" + r.Name + ` "a,,b": `
			}
		case tasktable.Count:
			bad[strconv.Itoa(int(r.Least)-1)] = "it must be " + r.Must
		case tasktable.Real:
			bad["NaN"], bad["Inf"] = "it must be "+r.Must, "it must be "+r.Must
			if r.Most > 0 {
				bad["-0.5"] = "it must be " + r.Must
			}
		}
		for value, want := range bad {
			require.ErrorContains(t, check(append(needed, "--"+r.Name+"="+value)...), want, "--%s=%s", r.Name, value)
		}
		for _, other := range r.Contradicts {
			on := func(name string) string {
				if tasktable.FlagNamed(name).Kind == tasktable.Switch {
					return "--" + name
				}
				return "--" + name + "=x"
			}
			require.ErrorContains(t, check(on(r.Name), on(other)), "--"+r.Name+" and --"+other+" contradict each other")
		}
	}
	require.ErrorContains(t, check("--samples=1048577"), "--samples 1048577: it must be from 1 to 1048576")
	require.NoError(t, check("--samples=1048576", "--top-p=1", "--no-answer-threshold=-3"))
}
