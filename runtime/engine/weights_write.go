package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TensorDecl declares a tensor of a packed file.
type TensorDecl struct {
	Name  string
	DType safetensors.DType
	Len   int64 // elements
}

// stored returns the number of elements with padding.
func (d TensorDecl) stored() int64 {
	return roundUp(d.Len*int64(d.DType.Size()), Alignment) / int64(d.DType.Size())
}

// WeightsWriter streams a packed file. All tensors are declared at the start and then written in
// this order, in pieces of any size. Close adds the padding and goes back to fill in the hashes.
// The file depends only on what is written.
type WeightsWriter struct {
	w     io.WriteSeeker
	base  int64 // where the file starts in w
	meta  Meta
	decls []TensorDecl
	sums  []string // sha256 of the complete tensors
	size  int      // size of prefix and header, in bytes
	hash  hash.Hash
	done  int64 // bytes written of the current tensor, decls[len(sums)]
	err   error
	final func(ok bool) error // what CreateWeights adds to Close and Abort
}

// NewWeightsWriter starts a packed file at w's current position.
func NewWeightsWriter(w io.WriteSeeker, meta Meta, tensors []TensorDecl) (*WeightsWriter, error) {
	if !littleEndian {
		return nil, &runtime.WeightsError{File: "weights", Reason: "packed weights need a little-endian machine"}
	}
	base, err := w.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	ww := &WeightsWriter{w: w, base: base, meta: meta, decls: tensors, hash: sha256.New()}
	for _, d := range tensors {
		if d.DType.Size() == 0 || d.Len < 0 || d.Len > 1<<56 || int64(int(d.stored())) != d.stored() {
			return nil, &runtime.WeightsError{File: "weights", Tensor: d.Name, Reason: fmt.Sprintf("cannot hold %d elements of dtype %s", d.Len, d.DType)}
		}
	}
	head, err := ww.header(zeroHash)
	if err != nil {
		return nil, err
	}
	ww.size = len(head)
	_, err = w.Write(head)
	return ww, err
}

// CreateWeights starts a packed file at path. The file appears there, complete, when Close
// succeeds; until then the data lie in a temporary file next to it, which Abort removes. The rules
// of disk.Create apply: links are followed, and an existing file that is not a regular file is not
// replaced.
func CreateWeights(path string, meta Meta, tensors []TensorDecl) (*WeightsWriter, error) {
	f, err := disk.Create(path, 0o666)
	if err != nil {
		return nil, err
	}
	final := func(ok bool) error {
		if ok {
			return f.Commit()
		}
		f.Discard()
		return nil
	}
	ww, err := NewWeightsWriter(f, meta, tensors)
	if err != nil {
		final(false)
		return nil, err
	}
	ww.final = final
	return ww, nil
}

// header encodes prefix and header. Its length does not depend on the hashes: unknown hashes are
// zeros.
func (w *WeightsWriter) header(own string) ([]byte, error) {
	list := map[string]tensorMeta{}
	var tensors []safetensors.Tensor
	for i, d := range w.decls {
		m := tensorMeta{Len: d.Len, SHA256: zeroHash}
		if i < len(w.sums) {
			m.SHA256 = w.sums[i]
		}
		list[d.Name] = m
		// Whole multiples of 64 bytes keep the declared order, see safetensors.
		tensors = append(tensors, safetensors.Tensor{Name: d.Name, DType: d.DType, Shape: []int{int(d.stored())}})
	}
	meta, err := json.Marshal(w.meta)
	if err != nil {
		return nil, err
	}
	lens, err := json.Marshal(list)
	if err != nil {
		return nil, err
	}
	head, _, err := safetensors.Header(map[string]string{
		keyLayout: w.meta.Layout, keySpec: w.meta.SpecHash,
		keyMeta: string(meta), keyTensors: string(lens), keyHeader: own,
	}, tensors)
	return head, err
}

// Write adds bytes to the named tensor, which must be the first one in the declared order that is
// not complete. After an error all further writes fail.
func (w *WeightsWriter) Write(name string, p []byte) error {
	if w.err != nil {
		return w.err
	}
	bad := func(format string, args ...any) error {
		w.err = &runtime.WeightsError{File: "weights", Tensor: name, Reason: fmt.Sprintf(format, args...)}
		return w.err
	}
	for len(w.sums) < len(w.decls) && w.decls[len(w.sums)].Name != name && w.complete() {
		if err := w.finish(); err != nil {
			return err
		}
	}
	if len(w.sums) == len(w.decls) {
		return bad("all declared tensors are written already")
	}
	d := w.decls[len(w.sums)]
	total := d.Len * int64(d.DType.Size())
	switch {
	case d.Name != name:
		return bad("the next tensor is %q, of which %d of %d bytes are written", d.Name, w.done, total)
	case int64(len(p)) > total-w.done:
		return bad("%d bytes are too many: %d of %d are written", len(p), w.done, total)
	}
	w.emit(p)
	return w.err
}

// WriteF32 is Write for elements of an F32 tensor.
func (w *WeightsWriter) WriteF32(name string, v []float32) error {
	return w.Write(name, safetensors.FloatBytes(v))
}

// WriteI32 is Write for elements of an I32 tensor.
func (w *WeightsWriter) WriteI32(name string, v []int32) error {
	return w.Write(name, int32Bytes(v))
}

func (w *WeightsWriter) emit(p []byte) {
	w.hash.Write(p)
	_, w.err = w.w.Write(p)
	w.done += int64(len(p))
}

// complete reports whether the current tensor has all its bytes.
func (w *WeightsWriter) complete() bool {
	d := w.decls[len(w.sums)]
	return w.done == d.Len*int64(d.DType.Size())
}

// finish pads the current tensor and records its hash.
func (w *WeightsWriter) finish() error {
	w.emit(make([]byte, roundUp(w.done, Alignment)-w.done))
	w.sums = append(w.sums, hex.EncodeToString(w.hash.Sum(nil)))
	w.hash.Reset()
	w.done = 0
	return w.err
}

// Close completes the file. It does not close a writer passed to NewWeightsWriter, which is left at
// the end of the file.
func (w *WeightsWriter) Close() error {
	err := w.close()
	if w.final != nil {
		if ferr := w.final(err == nil); err == nil {
			err = ferr
		}
		w.final = nil
	}
	w.err = &runtime.WeightsError{File: "weights", Reason: "the file is closed"}
	return err
}

func (w *WeightsWriter) close() error {
	for w.err == nil && len(w.sums) < len(w.decls) {
		if !w.complete() {
			d := w.decls[len(w.sums)]
			reason := fmt.Sprintf("only %d of %d bytes were written", w.done, d.Len*int64(d.DType.Size()))
			return &runtime.WeightsError{File: "weights", Tensor: d.Name, Reason: reason}
		}
		w.finish()
	}
	if w.err != nil {
		return w.err
	}
	head, err := w.header(zeroHash)
	if err != nil {
		return err
	}
	own, ok := headerHash(head, zeroHash)
	if !ok || len(head) != w.size {
		return &runtime.WeightsError{File: "weights", Reason: "the header's length has changed since the file was begun: meta was modified meanwhile"}
	}
	if head, err = w.header(own); err != nil {
		return err
	}
	if _, err := w.w.Seek(w.base, io.SeekStart); err != nil {
		return err
	}
	if _, err := w.w.Write(head); err != nil {
		return err
	}
	_, err = w.w.Seek(0, io.SeekEnd)
	return err
}

// Abort discards a file begun with CreateWeights and removes its temporary file. After Close it
// does nothing.
func (w *WeightsWriter) Abort() {
	if w.final != nil {
		w.final(false)
		w.final = nil
	}
	w.err = &runtime.WeightsError{File: "weights", Reason: "the file was discarded"}
}
