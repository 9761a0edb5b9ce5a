package command_test

import (
	"flag"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/command"
)

// TestLowerDefault checks that a default above a limit is lowered, and that a value that is given stays as it is.
func TestLowerDefault(t *testing.T) {
	for _, c := range []struct {
		args        []string
		limit, want int
	}{
		{nil, 16, 16},
		{nil, 512, 128},
		{[]string{"--tokens", "32"}, 16, 32},
		{[]string{"--tokens", "128"}, 16, 128},
	} {
		fs := flag.NewFlagSet("bench", flag.ContinueOnError)
		tokens := fs.Int("tokens", 128, "")
		require.NoError(t, fs.Parse(c.args))
		command.LowerDefault(fs, "tokens", tokens, c.limit)
		require.Equal(t, c.want, *tokens, "%v", c)
	}
}
