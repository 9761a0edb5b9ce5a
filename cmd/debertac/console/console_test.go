package console_test

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/spec/diag"
)

func newConsole(t *testing.T) (*console.Console, *strings.Builder) {
	var said strings.Builder
	return &console.Console{Context: t.Context(), Out: io.Discard, Err: &said}, &said
}

// TestShowAs checks that messages about a spec that is not a file name its origin, also in notes, and that the excerpt is from the spec.
func TestShowAs(t *testing.T) {
	c, said := newConsole(t)
	c.ShowAs("folder/model.dspec", "folder/config.json")
	files := func(name string) []byte {
		require.Equal(t, "folder/model.dspec", name, "the excerpt is looked up by the name of the spec")
		return []byte("dspec 1\nmodel m\n")
	}
	at := diag.Span{File: "folder/model.dspec", Line: 2, Col: 1, EndCol: 6}
	d := diag.Errorf("", at, "it is wrong")
	require.Equal(t, fault.ExitInput, c.Report(&fault.Error{Code: fault.ExitInput, List: diag.List{d}, Files: files}))
	require.True(t, strings.HasPrefix(said.String(), "folder/config.json:2:1: it is wrong"), said.String())
	require.Contains(t, said.String(), "model m")
	require.Equal(t, "folder/model.dspec", d.Span.File, "the message itself is as it was")
}

// TestNote checks that names with control characters do not reach a terminal as they are.
func TestNote(t *testing.T) {
	c, said := newConsole(t)
	c.Note("%s: %d", "a\x1b[31m\u009b\r\tb", 3)
	require.Equal(t, "a\ufffd[31m\ufffd\ufffd\tb: 3\n", said.String())
}

// TestReport: an error is printed once, and its exit code returned.
func TestReport(t *testing.T) {
	c, said := newConsole(t)
	require.Equal(t, fault.ExitOurs, c.Report(errors.New("broken")))
	require.Equal(t, 1, strings.Count(said.String(), "broken"))
}

// TestProgress checks that nothing is shown without a terminal, and that stop does not wait.
func TestProgress(t *testing.T) {
	c, said := newConsole(t)
	c.Progress("reading")()
	c.Building()()
	require.Empty(t, said.String())
	c.Note("%d files", 2)
	require.Equal(t, "2 files\n", said.String())
}
