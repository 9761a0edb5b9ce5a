package pagetest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/docs/pagetest"
)

// TestDifferLines checks that DifferLines finds differences.
func TestDifferLines(t *testing.T) {
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{"a 0.5001\n", "a 0.5002\n", true}, {"a 0.5001\n", "a 0.5101\n", false}, {"a 0.5\n", "b 0.5\n", false},
		{"a 12\n", "a 13\n", false}, {"a\n", "a\nb\n", false}, {"1e-05", "1.1e-05", true},
	} {
		require.Equal(t, c.same, pagetest.DifferLines(c.want, c.got) == "", "%q and %q", c.want, c.got)
	}
}

// TestCommands reads the commands of a small page.
func TestCommands(t *testing.T) {
	list := pagetest.Blocks("text\n```console\n$ a \\\n  b\nout 1\nout 2\n$ c\n```\nmore\n```go tag\nx\n```\n")
	require.Len(t, list, 2)
	require.Equal(t, []pagetest.Command{{Text: "a \\\n  b\n", Prints: "out 1\nout 2\n", Line: 3}, {Text: "c\n", Line: 7}}, list[0].Commands())
	require.Equal(t, pagetest.Block{Kind: "go tag", Text: "x\n", Line: 10, Start: list[1].Start}, list[1])
}

// TestDiffer checks that Differ finds differences.
func TestDiffer(t *testing.T) {
	parse := func(s string) (v any) {
		require.NoError(t, json.Unmarshal([]byte(s), &v))
		return v
	}
	for _, c := range []struct {
		want, got string
		same      bool
	}{
		{`{"a":1}`, `{"a":1.00001,"b":2}`, true}, {`{"a":1}`, `{"a":1.001}`, false}, {`{"a":1}`, `{"b":1}`, false}, {`{"a":1000}`, `{"a":1000.01}`, true},
		{`[1,2]`, `[1]`, false}, {`[1]`, `[1,2]`, false}, {`["x"]`, `["x"]`, true}, {`["x"]`, `["y"]`, false}, {`{"a":true}`, `{"a":false}`,
			false}, {`{"a":1}`, `{"a":"1"}`, false},
	} {
		if got := pagetest.Differ(parse(c.want), parse(c.got), ""); (got == "") != c.same {
			t.Errorf("%s and %s: %q", c.want, c.got, got)
		}
	}
}
