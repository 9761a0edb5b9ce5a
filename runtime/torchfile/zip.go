package torchfile

import (
	"archive/zip"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"sync"

	"github.com/debertac/debertac/runtime/safetensors"
)

// archive is the container of torch 1.6 and later: it has the entry NAME/data.pkl and, for each storage, NAME/data/KEY.
type archive struct {
	name    string
	file    io.ReaderAt
	entries map[string]*zip.File // of storages, by key

	mu      sync.Mutex
	checked map[string]int64 // where a storage begins; set when its checksum has been checked
}

func (p *part) readZip(r io.ReaderAt, size int64) (any, error) {
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, &safetensors.Error{File: p.name, Reason: "it is not a whole zip archive", Err: err}
	}
	a := &archive{name: p.name, file: r, entries: map[string]*zip.File{}, checked: map[string]int64{}}
	p.data = a
	var pickle, order *zip.File
	root := ""
	for _, f := range z.File {
		if dir, ok := strings.CutSuffix(f.Name, "/data.pkl"); ok && !strings.Contains(dir, "/") {
			if pickle != nil {
				return nil, fault(p.name, "", "it has two pickles, %s and %s", pickle.Name, f.Name)
			}
			pickle, root = f, dir
		}
	}
	if pickle == nil {
		return nil, fault(p.name, "", "it is a zip archive without a data.pkl: torch.save has not written it")
	}
	for _, f := range z.File {
		rest, ok := strings.CutPrefix(f.Name, root+"/")
		switch key, isData := strings.CutPrefix(rest, "data/"); {
		case !ok:
		case rest == "constants.pkl":
			return nil, fault(p.name, "", "it is a TorchScript program: only weights are read, save the model's state_dict")
		case rest == "byteorder":
			order = f
		case isData && a.entries[key] != nil:
			return nil, fault(p.name, "", "its entry %s is there twice", f.Name)
		case isData:
			a.entries[key] = f
		}
	}
	if order != nil {
		if text, err := whole(order, 16); err != nil || strings.TrimSpace(string(text)) != "little" {
			return nil, fault(p.name, "", "its numbers have the byte order %.16q, only little is read", text)
		}
	}
	code, err := whole(pickle, maxPickle)
	if err != nil {
		return nil, &safetensors.Error{File: p.name, Reason: pickle.Name + " cannot be read", Err: err}
	}
	s := &storageTable{file: p.name, known: map[string]*storage{}}
	top, n, err := unpickle(code, s.person(5))
	if err == nil && n != len(code) {
		err = fmt.Errorf("%d bytes follow its pickle", len(code)-n)
	}
	if err != nil {
		return nil, &safetensors.Error{File: p.name, Reason: pickle.Name, Err: err}
	}
	return top, a.check(s.known)
}

// whole reads an entry of at most the given number of bytes.
func whole(f *zip.File, most int64) ([]byte, error) {
	if f.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("it has %d bytes, more than %d", f.UncompressedSize64, most)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(io.LimitReader(r, most))
}

// check compares the entries with the storages that the pickle refers to.
func (a *archive) check(known map[string]*storage) error {
	for key, s := range known {
		f := a.entries[key]
		switch {
		case f == nil:
			return fault(a.name, "", "it has no entry data/%s, which its pickle reads", key)
		case f.Method != zip.Store:
			return fault(a.name, "", "its entry %s is compressed: torch stores numbers as they are, so the archive was packed again", f.Name)
		case f.UncompressedSize64 != f.CompressedSize64 || f.UncompressedSize64 != uint64(s.count)*uint64(s.dtype.Size()):
			return fault(a.name, "", "its entry %s has %d bytes, %d numbers of %s have %d", f.Name, f.UncompressedSize64, s.count, s.dtype,
				s.count*int64(s.dtype.Size()))
		}
	}
	return nil
}

// at finds a storage in the archive. The first call for a storage checks its checksum.
func (a *archive) at(s *storage) (io.ReaderAt, int64, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if at, ok := a.checked[s.key]; ok {
		return a.file, at, nil
	}
	f := a.entries[s.key]
	at, err := f.DataOffset()
	if err != nil {
		return nil, 0, &safetensors.Error{File: a.name, Reason: f.Name + " cannot be read", Err: err}
	}
	sum := crc32.NewIEEE()
	n, err := io.CopyBuffer(sum, io.NewSectionReader(a.file, at, int64(f.UncompressedSize64)), make([]byte, block))
	switch {
	case err != nil:
		return nil, 0, &safetensors.Error{File: a.name, Reason: f.Name + " cannot be read", Err: err}
	case uint64(n) != f.UncompressedSize64:
		return nil, 0, fault(a.name, "", "the file ends within %s", f.Name)
	case sum.Sum32() != f.CRC32:
		return nil, 0, fault(a.name, "", "the checksum of %s is wrong: the file is damaged", f.Name)
	}
	a.checked[s.key] = at
	return a.file, at, nil
}
