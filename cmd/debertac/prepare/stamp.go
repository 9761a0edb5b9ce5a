package prepare

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
)

// stamp tells whether a file has changed since.
type stamp struct {
	path    string
	size    int64
	changed time.Time
}

// walk calls f for files, and for folders and all in them, in the order of their names. name is that of a file in a folder; of paths themselves it is "". A
// link to a folder that it lies in holds nothing new, and is passed over.
func walk(paths []string, above []fs.FileInfo, f func(name, path string, st fs.FileInfo) error) error {
	for _, path := range paths {
		st, err := disk.Stat(path)
		if err != nil {
			return err
		}
		name := ""
		if len(above) > 0 {
			name = filepath.Base(path)
		}
		if st.IsDir() && slices.ContainsFunc(above, func(a fs.FileInfo) bool { return os.SameFile(a, st) }) {
			continue
		}
		if err := f(name, path, st); err != nil {
			return err
		}
		if !st.IsDir() {
			continue
		}
		entries, err := disk.ReadDir(path)
		if err != nil {
			return err
		}
		var inside []string
		for _, e := range entries {
			inside = append(inside, filepath.Join(path, e.Name()))
		}
		if err := walk(inside, append(slices.Clone(above), st), f); err != nil {
			return err
		}
	}
	return nil
}

// stamps returns those of files, and of the files in folders.
func stamps(paths []string) (list []stamp, err error) {
	err = walk(paths, nil, func(_, path string, st fs.FileInfo) error {
		if !st.IsDir() {
			list = append(list, stamp{path, st.Size(), st.ModTime()})
		}
		return nil
	})
	return list, err
}

// unchanged refuses files that have changed since they were hashed: what was read may be something else, or a part of two versions.
func unchanged(paths []string, began []stamp) error {
	now, err := stamps(paths)
	if err != nil {
		return err
	}
	known := map[stamp]bool{} // a folder may have many thousands of files
	for _, s := range began {
		known[s] = true
	}
	for _, s := range now {
		if !known[s] {
			return fault.Input(s.path, "the file has changed while it was read: prepare it again when nothing writes to it any more")
		}
	}
	if len(now) != len(began) {
		return fault.Input(paths[0], "files in it have been removed while they were read: prepare them again when nothing changes them any more")
	}
	return nil
}
