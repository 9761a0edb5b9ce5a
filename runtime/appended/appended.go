// Package appended appends files to an executable and finds them again. This is how a program finds its weights in itself. Loaders read only
// the parts that an executable's own headers name, so they ignore the appended files, which can be mapped at their offsets without a copy.
//
//	executable | zeros | file | zeros | file … | index (JSON) | trailer (64 bytes)
//
// Each file starts at a multiple of Alignment. The trailer is a magic text, the offset and the size of the index (little-endian), and the
// sha256 of the index.
package appended

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/debertac/debertac/runtime/disk"
)

// Alignment is the boundary, in bytes, at which appended files start. Kernels need this alignment of the weights' tensors.
const Alignment = 64

const (
	magic       = "debertac/weights"
	trailerSize = len(magic) + 8 + 8 + sha256.Size
	maxIndex    = 1 << 20
)

// Entry is the place of one appended file.
type Entry struct {
	Name   string `json:"name"`   // Source.Name: the name of the model
	Offset int64  `json:"offset"` // in bytes from the start of the executable, a multiple of Alignment
	Size   int64  `json:"size"`   // in bytes
}

// Source is a file to append.
type Source struct {
	Name string // name of the entry; the same name twice is an error
	Path string
}

// Append adds the files to the end of the executable at path, which must not have any yet. The executable is replaced by a whole file under
// the rules of disk.Rewrite. After an error it is unchanged.
func Append(path string, sources []Source) (err error) {
	if had, err := Find(path); err != nil || had != nil {
		return errors.Join(err, when(had != nil, fmt.Errorf("%s has appended files already", path)))
	}
	out, err := disk.Rewrite(path, 0o777)
	if err != nil {
		return err
	}
	defer out.Discard()
	start, err := copyFile(out, path)
	if err != nil {
		return err
	}
	if err := write(out, start, sources); err != nil {
		return err
	}
	return out.Commit()
}

func when(b bool, err error) error {
	if b {
		return err
	}
	return nil
}

// write appends to f, to which at bytes are written already.
func write(f io.Writer, at int64, sources []Source) error {
	var entries []Entry
	seen := map[string]bool{}
	for _, s := range sources {
		if seen[s.Name] {
			return fmt.Errorf("two files to append have the name %q", s.Name)
		}
		seen[s.Name] = true
		pad := (Alignment - at%Alignment) % Alignment
		if _, err := f.Write(make([]byte, pad)); err != nil {
			return err
		}
		n, err := copyFile(f, s.Path)
		if err != nil {
			return err
		}
		entries = append(entries, Entry{s.Name, at + pad, n})
		at += pad + n
	}
	index, err := json.Marshal(entries)
	if err != nil {
		return err
	}
	if len(index) > maxIndex {
		return fmt.Errorf("%d files are too many to append", len(sources))
	}
	sum := sha256.Sum256(index)
	t := append([]byte(nil), index...)
	t = append(t, magic...)
	t = binary.LittleEndian.AppendUint64(t, uint64(at))
	t = binary.LittleEndian.AppendUint64(t, uint64(len(index)))
	t = append(t, sum[:]...)
	_, err = f.Write(t)
	return err
}

// copyFile appends the file at path to w and returns its size.
func copyFile(w io.Writer, path string) (int64, error) {
	f, err := disk.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	n, err := io.Copy(w, f)
	if err != nil {
		return n, err
	}
	if st, err := f.Stat(); err != nil || st.Size() != n {
		return n, errors.Join(err, fmt.Errorf("%s changed while it was read", path))
	}
	return n, nil
}

// Find returns the files appended to the executable at path, or nil if it has none. An index that is damaged, or that reaches outside the
// file, is an error.
func Find(path string) ([]Entry, error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() < int64(trailerSize) {
		return nil, nil
	}
	t := make([]byte, trailerSize)
	if _, err := f.ReadAt(t, st.Size()-int64(trailerSize)); err != nil {
		return nil, err
	}
	if string(t[:len(magic)]) != magic {
		return nil, nil
	}
	damaged := fmt.Errorf("%s: the list of the weights appended to it is damaged: build it again", path)
	t = t[len(magic):]
	at, size := binary.LittleEndian.Uint64(t), binary.LittleEndian.Uint64(t[8:])
	if size > maxIndex || at > uint64(st.Size()) || at+size+uint64(trailerSize) != uint64(st.Size()) {
		return nil, damaged
	}
	index := make([]byte, size)
	if _, err := f.ReadAt(index, int64(at)); err != nil {
		return nil, err
	}
	if sum := sha256.Sum256(index); !bytes.Equal(sum[:], t[16:]) {
		return nil, damaged
	}
	var entries []Entry
	if err := json.Unmarshal(index, &entries); err != nil {
		return nil, damaged
	}
	for _, e := range entries {
		if e.Offset < 0 || e.Size < 0 || e.Offset%Alignment != 0 || e.Offset > int64(at) || e.Size > int64(at)-e.Offset {
			return nil, damaged
		}
	}
	return entries, nil
}
