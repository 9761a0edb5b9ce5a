package example_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/example"
)

// TestLines checks that examples come back as they were written.
func TestLines(t *testing.T) {
	pair, none, score := "", []string{}, 0.0
	all := []example.Example{
		{Text: "a <b>\u2028", Pair: &pair, At: 3},
		{Text: "x", Labels: &none},
		{Text: "x", Score: &score},
		{Words: []string{"a", ""}, Tags: []string{"O", "B-X"}, Entities: []example.Entity{{Label: "X", Start: 1, End: 2}}},
		{Question: "?", Context: "c", Answered: true, Answers: []example.Answer{{Text: "c", Start: 0}}},
	}
	var b bytes.Buffer
	for i := range all {
		require.NoError(t, example.Encode(&b, &all[i]))
	}
	r := example.NewReader(&b)
	for i := range all {
		e, err := r.Next()
		require.NoError(t, err)
		require.Equal(t, &all[i], e)
	}
	_, err := r.Next()
	require.Equal(t, io.EOF, err)
}

// TestBadLines checks the messages about lines that are not examples.
func TestBadLines(t *testing.T) {
	for text, want := range map[string]string{
		"{}\n{\"texd\":\"x\"}\n":  `line 2: it is not an example: json: unknown field "texd"`,
		"{}\n[1]":                 "line 2: it is not an example",
		"{} {}\n":                 "line 1: there is text after the example",
		"\n":                      "line 1: it is not an example: EOF",
		`{"text":"x","text":"y"}`: `line 1: the field "text" stands twice`,
	} {
		r := example.NewReader(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = r.Next()
		}
		require.ErrorContains(t, err, want)
	}
}

// TestTwice checks that a field that stands twice is found at any depth, and nothing else is.
func TestTwice(t *testing.T) {
	deep := strings.Repeat(`[`, 1<<16)
	for text, want := range map[string]string{
		`{"a":1,"b":2,"a":3}`: "a", `{"a":[{"b":1,"c":{}},{"c":1,"c":1}]}`: "c", `{"a":{"a":{"a":1}},"\u0061":2}`: "a", `[{"":1,"":2}]`: "",
	} {
		name, ok := example.Twice([]byte(text))
		require.True(t, ok, text)
		require.Equal(t, want, name)
	}
	for _, text := range []string{`{"a":{"a":"a"},"b":["a","a"],"c":"a"}`, `"a"`, `3`, ``, `[]{"a":1,"a":2}`, `{"a":`, deep, `{"a":null,"b":{},"c":[]}`,
		`[{"a":1},{"a":1}]`} {
		_, ok := example.Twice([]byte(text))
		require.False(t, ok, text)
	}
}
