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

	"github.com/debertac/debertac/cmd/debertac/flags"
	builtprogram "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestTaskFlagsAgree checks that each flag of a built program is a flag of debertac run, and that every flag of a task or of the input is passed on
// under the program's name for it.
func TestTaskFlagsAgree(t *testing.T) {
	var out bytes.Buffer
	code := builtprogram.Run(t.Context(), nil, []string{"run", "--help"}, builtprogram.Streams{Out: &out, Err: &out})
	require.Equal(t, builtprogram.ExitDone, code, out.String())
	var built []string
	for _, m := range regexp.MustCompile(`(?m)^ +--?([a-z][a-z-]*)`).FindAllStringSubmatch(out.String(), -1) {
		built = append(built, m[1])
	}
	require.Contains(t, built, "perplexity", out.String())

	cli := struct {
		Run runVerb `cmd:""`
	}{runVerb{Handed: flags.NewHanded(tasktable.RunFlags())}}
	parser, err := kong.New(&cli, helpTexts(), kong.Exit(func(int) { t.Fatal("the parser wants to exit") }))
	require.NoError(t, err)
	var ours []string
	for _, f := range parser.Model.Children[0].Flags {
		ours = append(ours, f.Name)
	}
	// Only programs have these flags: which of several models, where threads run, and the name of an input that debertac run has converted.
	alone := []string{"model", "pin", "input-name"}
	for _, name := range built {
		if !slices.Contains(alone, name) {
			require.Contains(t, ours, name, "a flag of built programs that debertac run lacks")
		}
	}

	handed := flags.NewHanded(tasktable.RunFlags())
	fields := reflect.ValueOf(handed.Fields).Elem()
	for i := range fields.NumField() {
		switch f := fields.Field(i); f.Kind() {
		case reflect.Bool:
			f.SetBool(true)
		default:
			p := reflect.New(f.Type().Elem())
			if p.Elem().Kind() == reflect.String {
				p.Elem().SetString("x")
			}
			f.Set(p)
		}
	}
	var names []string
	for _, f := range handed.Flags() {
		names = append(names, strings.TrimPrefix(f.Name, "--"))
	}
	require.Len(t, names, fields.NumField())
	for _, name := range names {
		require.Contains(t, built, name)
		require.Contains(t, ours, name)
	}
	slices.Sort(names)
	require.Len(t, slices.Compact(names), fields.NumField())
}

// TestTaskFlagsNotGiven checks that a flag that was not given is not passed on, and that 0 and the empty text are values.
func TestTaskFlagsNotGiven(t *testing.T) {
	cli := struct {
		Run runVerb `cmd:""`
	}{runVerb{Handed: flags.NewHanded(tasktable.RunFlags())}}
	parser, err := kong.New(&cli, helpTexts())
	require.NoError(t, err)
	_, err = parser.Parse([]string{"run", "model", "--top-k", "0", "--pair=", "--seed", "18446744073709551615", "--nested", "--temperature", "0.5"})
	require.NoError(t, err)
	require.Equal(t, []string{"--pair=", "--nested", "--temperature=0.5", "--top-k=0", "--seed=18446744073709551615"}, flags.Args(cli.Run.Flags()...))
	require.True(t, cli.Run.Handed.Given("nested"))
	require.False(t, cli.Run.Handed.Given("labels"))
	cli.Run.TurnOn("normalize")
	require.Contains(t, flags.Args(cli.Run.Flags()...), "--normalize")
}

// TestHeadWords checks that the help of --head and of import names every word of the table that selects a head.
func TestHeadWords(t *testing.T) {
	parser, err := kong.New(newGrammar(), helpTexts())
	require.NoError(t, err)
	var words []string
	for _, w := range tasktable.Wishes {
		words = append(words, w.Word)
		require.Regexp(t, `(?m)(^  |  )`+w.Word+` `, importVerb{}.Help())
	}
	named := strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
	seen := 0
	for _, n := range parser.Model.Children {
		for _, f := range n.Flags {
			if f.Name == "head" && strings.Contains(f.Help, "model folder: ") {
				require.Contains(t, f.Help, named+"; default", n.Name)
				seen++
			}
		}
	}
	require.Positive(t, seen)
}
