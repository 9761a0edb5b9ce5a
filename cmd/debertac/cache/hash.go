package cache

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/debertac/debertac/runtime/disk"
)

// HashFile writes a file's name and content.
func HashFile(w io.Writer, path string) error {
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(w, "%s\n", filepath.Base(path))
	_, err = io.Copy(w, f)
	return err
}
