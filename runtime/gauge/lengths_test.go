package gauge_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/gauge"
)

// TestReadLengths checks that numbers from 1 to the limit are read, however they fall into lines, and that the message about anything else names the file, the
// line and the word.
func TestReadLengths(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lengths")
	read := func(text string) ([]int, error) {
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return gauge.ReadLengths(path, 9)
	}
	got, err := read("1 9\n\n\t3\r\n2")
	require.NoError(t, err)
	require.Equal(t, []int{1, 9, 3, 2}, got)
	for text, want := range map[string]string{
		"":       path + ": it holds no lengths",
		"\n \n":  path + ": it holds no lengths",
		"1\n0":   path + `:2: "0" is not a number of tokens`,
		"1\n-1":  path + `:2: "-1" is not a number of tokens`,
		"1\nx 2": path + `:2: "x" is not a number of tokens`,
		"10":     path + ":1: 10 tokens, the limit of a sequence is 9",
	} {
		_, err := read(text)
		require.EqualError(t, err, want, text)
	}
	_, err = gauge.ReadLengths(path+"absent", 9)
	require.ErrorIs(t, err, os.ErrNotExist)
}
