package main

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	builtprogram "github.com/debertac/debertac/runtime/program"
)

// TestTaskFlagsAgree: the flags of run stand in two tables, debertac's and that of the programs that it builds. Each flag of a program's is one of
// debertac's, and every flag of a task is handed on under the program's name for it.
func TestTaskFlagsAgree(t *testing.T) {
	var out bytes.Buffer
	code := builtprogram.Run(t.Context(), nil, []string{"run", "--help"}, builtprogram.Streams{Out: &out, Err: &out})
	require.Equal(t, builtprogram.ExitDone, code, out.String())
	var built []string
	for _, m := range regexp.MustCompile(`(?m)^ +--?([a-z][a-z-]*)`).FindAllStringSubmatch(out.String(), -1) {
		built = append(built, m[1])
	}
	require.Contains(t, built, "perplexity", out.String())

	var cli struct {
		Run runVerb `cmd:""`
	}
	parser, err := kong.New(&cli, kong.Exit(func(int) { t.Fatal("the parser wants to exit") }))
	require.NoError(t, err)
	var ours []string
	for _, f := range parser.Model.Children[0].Flags {
		ours = append(ours, f.Name)
	}
	alone := []string{"model", "pin", "input-name"} // of programs: which of several models, where threads run, and what debertac run has converted
	for _, name := range built {
		if !slices.Contains(alone, name) {
			require.Contains(t, ours, name, "a flag of built programs that debertac run lacks")
		}
	}

	for _, args := range []interface{ flags() []flag }{&taskArgs{}, &inputArgs{}} {
		v := reflect.ValueOf(args).Elem()
		for i := range v.NumField() {
			switch f := v.Field(i); f.Kind() {
			case reflect.Bool:
				f.SetBool(true)
			case reflect.String:
				f.SetString("x")
			default:
				p := reflect.New(f.Type().Elem())
				if p.Elem().Kind() == reflect.String {
					p.Elem().SetString("x")
				}
				f.Set(p)
			}
		}
		var handed []string
		for _, f := range args.flags() {
			handed = append(handed, strings.TrimPrefix(f.name, "--"))
		}
		require.Len(t, handed, v.NumField())
		for _, name := range handed {
			require.Contains(t, built, name)
			require.Contains(t, ours, name)
		}
		slices.Sort(handed)
		require.Len(t, slices.Compact(handed), v.NumField())
	}
}
