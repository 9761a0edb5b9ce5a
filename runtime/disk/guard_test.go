package disk

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestInputsAreNotReplaced checks that no write replaces a file that was read, by whatever name, and that Rewrite does.
func TestInputsAreNotReplaced(t *testing.T) {
	reads := map[string]func(path string) error{
		"Open": func(path string) error {
			f, err := Open(path)
			if err != nil {
				return err
			}
			return f.Close()
		},
		"ReadFile": func(path string) error {
			_, err := ReadFile(path, 100)
			return err
		},
		"OpenStream": func(path string) error {
			s, err := OpenStream(context.Background(), path)
			if err != nil {
				return err
			}
			return s.Close()
		},
		"FS": func(path string) error {
			_, err := fs.ReadFile(FS(filepath.Dir(path), 100), filepath.Base(path))
			return err
		},
	}
	for how, read := range reads {
		t.Run(how, func(t *testing.T) {
			dir := t.TempDir()
			at := func(name string) string { return filepath.Join(dir, name) }
			for _, name := range []string{"in", "other", "made"} {
				require.NoError(t, os.WriteFile(at(name), []byte(name), 0o666))
			}
			require.NoError(t, os.Symlink("in", at("link")))
			require.NoError(t, os.Link(at("in"), at("hard")))
			writes := map[string]func(path string) error{
				"Place":     func(path string) error { _, err := Place(path); return err },
				"WriteFile": func(path string) error { return WriteFile(path, []byte("new"), 0o666) },
				"Install":   func(path string) error { return Install(at("made"), path) },
			}
			stop := GuardInputs()
			defer stop()
			require.NoError(t, read(at("link")))
			for name, write := range writes {
				for _, path := range []string{at("in"), at("link"), at("hard"), dir + "/./in"} {
					var input *InputError
					require.ErrorAs(t, write(path), &input, "%s %s", name, path)
					require.Contains(t, []string{at("link"), dir + "/./in"}, input.Input)
				}
			}
			text, err := os.ReadFile(at("in"))
			require.NoError(t, err)
			require.Equal(t, "in", string(text))

			require.NoError(t, WriteFile(at("other"), []byte("new"), 0o666))
			require.NoError(t, WriteFile(at("fresh"), []byte("new"), 0o666))
			require.NoError(t, RewriteFile(at("in"), []byte("new"), 0o666))
			require.NoError(t, read(at("other")))
			require.Error(t, WriteFile(at("other"), nil, 0o666))
			Replaceable(at("other"))
			require.NoError(t, WriteFile(at("other"), nil, 0o666))
			require.NoError(t, read(at("other")))
			stop()
			stop() // a second call changes nothing
			require.NoError(t, WriteFile(at("other"), nil, 0o666))
		})
	}
}

// TestSamePlace checks the comparison of two outputs that may be missing.
func TestSamePlace(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("sub"), 0o777))
	require.NoError(t, os.Symlink("sub", at("way")))
	require.NoError(t, os.Symlink("sub/new", at("link")))
	require.NoError(t, os.WriteFile(at("there"), nil, 0o666))
	require.NoError(t, os.Symlink("there", at("there-link")))
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"sub/new", "way/new", true}, {"sub/new", "link", true}, {"sub/new", "new", false}, {"sub/new", "sub/other", false},
		{"there", "there-link", true}, {"there", "new", false},
	} {
		same, err := SamePlace(at(c.a), at(c.b))
		require.NoError(t, err)
		require.Equal(t, c.same, same, "%s %s", c.a, c.b)
	}
	_, err := SamePlace(at("absent/x"), at("x"))
	require.ErrorIs(t, err, fs.ErrNotExist)
}
