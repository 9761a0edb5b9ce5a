package prepare

import (
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

// stamps returns those of files, and of the files in folders.
func stamps(paths []string) (list []stamp, err error) {
	for _, path := range paths {
		st, err := disk.Stat(path)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() {
			list = append(list, stamp{path, st.Size(), st.ModTime()})
			continue
		}
		entries, err := disk.ReadDir(path)
		if err != nil {
			return nil, err
		}
		var inside []string
		for _, e := range entries {
			inside = append(inside, filepath.Join(path, e.Name()))
		}
		more, err := stamps(inside)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
	}
	return list, nil
}

// unchanged refuses files that have changed since they were hashed: what was read may be something else, or a part of two versions.
func unchanged(paths []string, began []stamp) error {
	now, err := stamps(paths)
	if err != nil {
		return err
	}
	for _, s := range now {
		if !slices.Contains(began, s) {
			return fault.Input(s.path, "the file has changed while it was read: prepare it again when nothing writes to it any more")
		}
	}
	if len(now) != len(began) {
		return fault.Input(paths[0], "files in it have been removed while they were read: prepare them again when nothing changes them any more")
	}
	return nil
}
