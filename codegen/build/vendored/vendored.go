// Package vendored holds, compressed, the sources that a generated program links: runtime and its subfolders, and the third-party packages that
// those import, each with its licence. With them and a Go toolchain a program is built anywhere, without a network. Package gather makes the
// archives; its test holds them up to date.
package vendored

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	_ "embed" // of the archives
	"errors"
	"fmt"
	"io"
)

//go:generate go run ./gather

// The two archives change at different times: debertac's own sources often, the others when a dependency does.
var (
	//go:embed own.tar.gz
	own []byte
	//go:embed modules.tar.gz
	modules []byte
)

// File is one file of a module tree.
type File struct {
	Name string // path in the tree, with slashes
	Text []byte
}

// Tree unpacks the files of a module that can be built with -mod=vendor once packages and a main are put beside them: go.mod,
// vendor/modules.txt, and everything below vendor, sorted by name in each of the two archives.
func Tree() ([]File, error) {
	var list []File
	for _, a := range [][]byte{own, modules} {
		files, err := Unpack(a)
		if err != nil {
			return nil, fmt.Errorf("the sources inside this program are damaged: %w", err)
		}
		list = append(list, files...)
	}
	return list, nil
}

// Pack makes an archive. The same files give the same bytes, as far as the version of compress/gzip is the same.
func Pack(files []File) ([]byte, error) {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, err
	}
	t := tar.NewWriter(z)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: f.Name, Size: int64(len(f.Text)), Mode: 0o644, Format: tar.FormatPAX}); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.Text); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(t.Close(), z.Close()); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Unpack reads an archive that Pack made.
func Unpack(archive []byte) ([]File, error) {
	z, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		return nil, err
	}
	var list []File
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(t)
		if err != nil {
			return nil, err
		}
		list = append(list, File{h.Name, text})
	}
}
