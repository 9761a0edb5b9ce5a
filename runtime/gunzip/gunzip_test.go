package gunzip_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/gunzip"
)

// packed returns a member that holds a text.
func packed(t *testing.T, text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := io.WriteString(z, text)
	require.NoError(t, err)
	require.NoError(t, z.Close())
	return b.String()
}

// read decompresses a file.
func read(r io.Reader) (string, error) {
	z, err := gunzip.NewReader(bufio.NewReader(r))
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(z)
	return string(text), err
}

// TestMembers checks what may follow a member: others, and zeros up to the end. It is what the program gzip ignores without a warning.
func TestMembers(t *testing.T) {
	a, b := packed(t, "first\n"), packed(t, "second\n")
	zeros := strings.Repeat("\x00", 9000)
	for text, want := range map[string]string{a: "first\n", a + b: "first\nsecond\n", a + "\x00": "first\n", a + b + zeros: "first\nsecond\n",
		packed(t, "") + b: "second\n"} {
		got, err := read(strings.NewReader(text))
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = read(iotest.OneByteReader(strings.NewReader(text)))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	for _, rest := range []string{"x", "\n", "\x00x", zeros + b, "\x1f"} {
		_, err := read(strings.NewReader(a + rest))
		require.ErrorIs(t, err, gunzip.ErrTrailing, "%.9q", rest)
	}
	for cut := 1; cut < len(b); cut++ { // one byte of a second member is something else
		_, err := read(strings.NewReader(a + b[:len(b)-cut]))
		require.Error(t, err)
		if len(b)-cut > 1 {
			require.ErrorIs(t, err, io.ErrUnexpectedEOF, cut)
		}
	}
	broken := io.ErrClosedPipe
	_, err := read(io.MultiReader(strings.NewReader(a), iotest.ErrReader(broken)))
	require.ErrorIs(t, err, broken)
}
