//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAFolderIsWholeOrAbsent(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("empty"), 0o777))
	require.NoError(t, os.Symlink("empty", at("link")))
	for _, name := range []string{"new", "new2/", "empty", "link"} {
		f, err := CreateFolder(at(name))
		require.NoError(t, err, name)
		require.NoError(t, WriteFile(filepath.Join(f.Dir(), "a"), []byte("x"), 0o666))
		if name != "empty" && name != "link" {
			_, err := os.Lstat(at(name))
			require.ErrorIs(t, err, fs.ErrNotExist)
		}
		if name == "empty" {
			f.Discard()
			require.Empty(t, list(t, at("empty")))
			continue
		}
		require.NoError(t, f.Commit())
		require.Equal(t, []string{"a"}, list(t, at(name)))
		require.Error(t, f.Commit())
		f.Discard()
		_, err = CreateFolder(at(name))
		require.ErrorIs(t, err, fs.ErrExist)
		require.ErrorContains(t, err, "holds a")
	}
	require.Equal(t, []string{"empty", "link", "new", "new2"}, list(t, dir))
	require.NoError(t, os.WriteFile(at("file"), nil, 0o666))
	require.NoError(t, os.Symlink("nowhere", at("lost")))
	for name, want := range map[string]error{"file": fs.ErrExist, "lost": ErrLink, "no/where": fs.ErrNotExist, "": ErrKind} {
		path := name
		if name != "" {
			path = at(name)
		}
		_, err := CreateFolder(path)
		require.ErrorIs(t, err, want, name)
	}
	_, err := CreateFolder("/dev/folder")
	require.ErrorIs(t, err, ErrKind)
}

func TestFaultsLeaveNoFolder(t *testing.T) {
	for _, op := range []Op{OpStat, OpMkdir, OpRename} {
		dir := t.TempDir()
		broken := errors.New("broken")
		restore := Inject(func(o Op, _ string) error {
			if o == op {
				return broken
			}
			return nil
		})
		f, err := CreateFolder(filepath.Join(dir, "new"))
		if err == nil {
			err = f.Commit()
		}
		restore()
		require.ErrorIs(t, err, broken)
		require.Empty(t, list(t, dir))
	}
}

func TestLeftFoldersAreSwept(t *testing.T) {
	dir := t.TempDir()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{".new.partial-00000001", ".other.partial-00000001"} {
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o777))
		require.NoError(t, os.Chtimes(filepath.Join(dir, name), old, old))
	}
	first, err := CreateFolder(filepath.Join(dir, "new"))
	require.NoError(t, err)
	require.NoError(t, os.Chtimes(first.Dir(), old, old))
	second, err := CreateFolder(filepath.Join(dir, "new"))
	require.NoError(t, err)
	require.Equal(t, []string{filepath.Base(first.Dir()), filepath.Base(second.Dir()), ".other.partial-00000001"}, sorted(list(t, dir), first, second))
	require.NoError(t, second.Commit())
	require.NoError(t, os.WriteFile(filepath.Join(dir, "new", "x"), nil, 0o666))
	require.Error(t, first.Commit(), "another process has made the folder")
	require.Equal(t, []string{".other.partial-00000001", "new"}, list(t, dir))
}

// sorted puts the temporary folders of two writers first, because their names are random.
func sorted(names []string, first, second *Folder) []string {
	out := []string{filepath.Base(first.Dir()), filepath.Base(second.Dir())}
	for _, n := range names {
		if n != out[0] && n != out[1] {
			out = append(out, n)
		}
	}
	return out
}
