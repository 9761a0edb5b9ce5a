package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// wrongNumbers are values that no flag of a kind takes, except the flags that free lists.
var wrongNumbers = map[reflect.Kind][]string{
	reflect.Int:     {"-1", "-9223372036854775808", "9223372036854775808", "1.5", "x"},
	reflect.Uint64:  {"-1", "18446744073709551616", "1.5", "x"},
	reflect.Float64: {"NaN", "+Inf", "-Inf", "-1", "x"},
}

// TestNumbers tries every number flag of every verb with values that are negative, too large or not numbers. Each must lead to exit code 2 and the
// name of the flag, before anything is built. There is no Go toolchain here, so a value that is accepted leads to exit code 1.
func TestNumbers(t *testing.T) {
	folder, err := filepath.Abs("../../examples/tasks/classify")
	require.NoError(t, err)
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	t.Setenv(cache.Env, t.TempDir())
	require.NoError(t, os.WriteFile("m.dspec", []byte("dspec 1\nmodel m like deberta_v3_base { dim layers = 2; dim hidden = 32; dim heads = 2; dim "+
		"vocab = 100 }\n"), 0o666))
	spec := []string{"m.dspec", "--random-weights", "1"}
	data := []string{"--data", "absent.jsonl"}
	onSpec := map[string][]string{"run": append(spec, "text"), "eval": append(spec, data...), "bench": spec,
		"explain": {"m.dspec", "--json"}, "prepare": append(data, "m.dspec", "-o", "p"), "train": append(data, "m.dspec", "-o", "r")}
	onFolder := map[string][]string{
		"run": {folder, "text"}, "eval": append(data, folder), "bench": {folder}, "pack": {folder, "-o", "w"}, "build": {folder, "-o", "p"},
		"compile": {folder, "-o", "c"}, "diff": {folder, "-o", "c"},
		"import": {folder, "-o", "s.dspec"}, "init": {"new", "--from", folder}, "doctor": {folder}, "plot": {"run", "-o", "x.png"},
		"verify": {"--model", folder, "--outputs", "o.safetensors"},
	}
	free := map[string]string{"no-answer-threshold": "-1", "word-column": "-1", "tag-column": "-1"}
	parser, err := kong.New(newGrammar(), helpTexts(), kong.Bind(&console.Console{}, &built.Maker{}))
	require.NoError(t, err)
	tried := map[string]int{}
	for _, verb := range parser.Model.Children {
		for _, f := range verb.Flags {
			kind := f.Target.Type()
			for kind.Kind() == reflect.Pointer || kind.Kind() == reflect.Slice {
				kind = kind.Elem()
			}
			if kind.String() == "time.Duration" {
				continue
			}
			for _, value := range wrongNumbers[kind.Kind()] {
				if free[f.Name] == value {
					continue
				}
				base := onSpec[verb.Name]
				if f.Name == "seq" || f.Name == "layer" || base == nil {
					base = onFolder[verb.Name]
				}
				require.NotNil(t, base, "%s has --%s and no case here", verb.Name, f.Name)
				tried[verb.Name]++
				refused(t, append([]string{verb.Name, "--" + f.Name + "=" + value}, base...), "--"+f.Name)
			}
		}
	}
	require.Greater(t, tried["run"], 80)
	require.Greater(t, tried["bench"], 20)
	require.Len(t, tried, 15)
}

// TestTooLarge checks that a number beyond a limit of a verb or of the model leads to exit code 2, before anything is built.
func TestTooLarge(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("PATH", "")
	t.Setenv(cache.Env, t.TempDir())
	require.NoError(t, os.WriteFile("m.dspec", []byte("dspec 1\nmodel m like deberta_v3_base { dim layers = 2; dim hidden = 32; dim heads = 2; dim "+
		"vocab = 100 }\n"), 0o666))
	const most = "9223372036854775807"
	for _, x := range []struct{ verb, flag, value, want string }{
		{"run", "--threads", "1025", "from 0 to 1024"}, {"run", "--samples", most, "from 1 to "}, {"run", "--max-tokens", most,
			"up to 512 tokens; --seq " + most}, {"run", "--batch-tokens", most, "tokens <= " + most},
		{"run", "--min-accuracy", "101", "from 0 to 100"}, {"run", "--top-p", "1.5", "from 0 to 1"},
		{"bench", "--threads", "1025", "from 1 to 1024"}, {"bench", "--threads", "0", "from 1 to 1024"}, {"bench", "--repeat", "1001",
			"from 1 to 1000"}, {"bench", "--batch", most, "the limit of a batch is 32 sequences"},
		{"bench", "--tokens", most, "the limit of a sequence is 512 tokens"}, {"bench", "--tokens", "8,513",
			"the limit of a sequence is 512 tokens"}, {"bench", "--batch", "33", "the limit of a batch is 32 sequences"},
		{"explain", "--tokens", most, "the seq of m allows 512"},
	} {
		args := []string{x.verb, "m.dspec", x.flag, x.value}
		if x.verb == "explain" {
			args = append(args, "--json")
		} else {
			args = append(args, "--random-weights", "1")
		}
		require.Contains(t, refused(t, args, x.flag), x.want)
	}
	var out, errs bytes.Buffer
	require.Equal(t, fault.ExitInput, run(t.Context(), []string{"bench", "m.dspec", "--random-weights", "1", "--precision", "bf16"}, nil, &out, &errs))
	require.Contains(t, errs.String(), "the target's weights are f32, not bf16")
}

// refused runs a command line that must be refused with exit code 2 and a message that holds name. It returns the message.
func refused(t *testing.T, args []string, name string) string {
	t.Helper()
	var out, errs bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(""), &out, &errs)
	assert.Equal(t, fault.ExitUsage, code, "%q: %s", args, errs.String())
	assert.Contains(t, errs.String(), name, "%q", args)
	assert.Empty(t, out.String(), "%q", args)
	return errs.String()
}
