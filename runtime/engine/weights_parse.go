package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/safetensors"
)

// littleEndian reports whether this machine is little-endian, as packed files are. Their numbers are
// used as they lie on disk, without conversion.
var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

var zeroHash = strings.Repeat("0", hex.EncodedLen(sha256.Size))

// parse reads and checks the header. It records where the tensors lie in data, because the forward
// pass reads them there, under guard.
func (w *Weights) parse(data []byte) error {
	bad := func(reason string, err error) error {
		return &runtime.WeightsError{File: w.name, Reason: reason, Err: err}
	}
	if !littleEndian {
		return bad("packed weights need a little-endian machine", nil)
	}
	f, err := safetensors.OpenBytes(w.name, data)
	if err != nil {
		return bad("not a whole weight file, "+again, err)
	}
	meta := f.Metadata()
	for _, key := range []string{keyHeader, keyLayout, keySpec, keyMeta, keyTensors} {
		if _, ok := meta[key]; !ok {
			return bad(fmt.Sprintf("not a weight file of debertac: its metadata lack %q; make one with debertac pack", key), nil)
		}
	}
	head := data[:8+binary.LittleEndian.Uint64(data)]
	if got, ok := headerHash(head, meta[keyHeader]); !ok || got != meta[keyHeader] {
		return bad("the header does not have the hash that it records: the file is damaged; "+again, nil)
	}
	if len(meta) != 5 {
		return bad("the metadata hold entries that this version does not know; "+again, nil)
	}
	if err := decodeStrict(meta[keyMeta], &w.meta); err != nil {
		return bad("the metadata cannot be read by this version; "+again, err)
	}
	w.meta.Layout, w.meta.SpecHash = meta[keyLayout], meta[keySpec]
	var list map[string]tensorMeta
	if err := decodeStrict(meta[keyTensors], &list); err != nil {
		return bad("the list of tensors cannot be read by this version; "+again, err)
	}
	if err := w.index(f, data[len(head):], int64(len(head)), list); err != nil {
		return err
	}
	return w.alias()
}

// alias adds the further names of tensors that are stored once.
func (w *Weights) alias() error {
	for name, stored := range w.meta.Aliases {
		_, ok := w.tensors[stored]
		if _, twice := w.tensors[name]; twice || !ok {
			return &runtime.WeightsError{File: w.name, Tensor: name, Reason: fmt.Sprintf("the metadata list it as stored under %q, which is impossible; "+
				"%s", stored, again)}
		}
	}
	for name, stored := range w.meta.Aliases { // only after all checks, so that no alias refers to another alias
		w.tensors[name] = w.tensors[stored]
	}
	return nil
}

// index records the tensors of f, whose bytes are data, which starts at offset at in the file. It
// checks lengths, padding and alignment.
func (w *Weights) index(f *safetensors.File, data []byte, at int64, list map[string]tensorMeta) error {
	w.tensors = map[string]packedTensor{}
	w.order = f.Names()
	for _, name := range w.order {
		bad := func(format string, args ...any) error {
			return &runtime.WeightsError{File: w.name, Tensor: name, Reason: fmt.Sprintf(format, args...) + "; " + again}
		}
		info, err := f.Info(name)
		if err != nil {
			return err
		}
		m, ok := list[name]
		size := int64(info.DType.Size())
		switch {
		case !ok:
			return bad("it has no length and hash in the metadata")
		case len(info.Shape) != 1:
			return bad("its shape is %v, packed tensors have one dimension", info.Shape)
		case m.Len < 0 || m.Len > info.Size/size || roundUp(m.Len*size, Alignment) != info.Size:
			return bad("%d elements do not fit the %d bytes that it takes", m.Len, info.Size)
		}
		stored := data[info.Offset : info.Offset+info.Size]
		if !aligned(stored) {
			return bad("it does not start at a multiple of %d bytes", Alignment)
		}
		w.tensors[name] = packedTensor{
			dtype: info.DType, bytes: stored[: m.Len*size : m.Len*size],
			offset: at + info.Offset, stored: info.Size, sha256: m.SHA256,
		}
		delete(list, name)
	}
	for name := range list {
		return &runtime.WeightsError{File: w.name, Tensor: name, Reason: "the metadata list it, the file lacks it; " + again}
	}
	return nil
}

// headerHash returns the sha256, in hex, of length prefix and header with the recorded hash
// replaced by zeros. It returns false unless the recorded hash occurs exactly once in the header.
func headerHash(head []byte, recorded string) (string, bool) {
	record := []byte(`"` + keyHeader + `":"` + recorded + `"`)
	at := bytes.Index(head, record)
	if len(recorded) != len(zeroHash) || at < 0 || bytes.Count(head, record) != 1 {
		return "", false
	}
	at += len(record) - len(zeroHash) - 1
	h := sha256.New()
	h.Write(head[:at])
	h.Write([]byte(zeroHash))
	h.Write(head[at+len(zeroHash):])
	return hex.EncodeToString(h.Sum(nil)), true
}
