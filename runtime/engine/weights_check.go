package engine

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
)

// check compares the file with what the package expects.
func (w *Weights) check(want Want) error {
	bad := func(tensor, format string, args ...any) error {
		return &runtime.WeightsError{File: w.name, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
	}
	if w.meta.Layout != want.Layout {
		return bad("", "packed in layout %q, this package reads %q: %s with the version of debertac that compiled it", w.meta.Layout, want.Layout, again)
	}
	if w.meta.SpecHash != want.SpecHash {
		return bad("", "packed for another spec (sha256 %.12s…, this package was compiled from %.12s…): compile and %s", w.meta.SpecHash, want.SpecHash, again)
	}
	if got, reads := w.precision(), want.precision(); got != reads {
		return bad("", "the weights are packed in another number format, %s, and this package reads %s: the weights line of the spec's target states it, and "+
			"of a model folder --precision; %s", got, reads, again)
	}
	known := map[string]bool{}
	for _, t := range want.Tensors {
		if t.Adapter {
			continue
		}
		known[t.Name] = true
		got, ok := w.tensors[t.Name]
		if !ok {
			if t.Optional {
				continue
			}
			if t.Name == tasktable.SpanWeight || t.Name == tasktable.SpanBias {
				return bad(t.Name, "missing: the model computes vectors of spans, and its weights are packed without them: %s with vectors in the "+
					"spec's target, or of a model folder with --vectors", again)
			}
			return bad(t.Name, "missing: %s", again)
		}
		n := int64(len(got.bytes) / got.dtype.Size())
		switch {
		case got.dtype != t.DType:
			return bad(t.Name, "it holds %s, this package reads %s: %s", got.dtype, t.DType, again)
		case t.Len >= 0 && n != t.Len:
			return bad(t.Name, "it has %d elements, this package reads %d: %s", n, t.Len, again)
		}
	}
	for name := range w.meta.Aliases {
		if !known[name] {
			return bad(name, "this package does not know it: %s", again)
		}
	}
	for _, name := range w.order {
		if name == tasktable.SpanWeight || name == tasktable.SpanBias { // a program without vectors has no use for them
			continue
		}
		if _, _, adapter := adapterOf(name); !adapter && !known[name] {
			return bad(name, "this package does not know it: %s", again)
		}
	}
	return w.checkAdapters(want)
}

// precision returns the number format of the weights, as a target states it.
func (w *Weights) precision() string {
	for _, t := range w.tensors {
		if t.dtype == safetensors.BF16 {
			return "bf16"
		}
	}
	return "f32"
}

// precision returns the number format of the weights that are wanted.
func (w *Want) precision() string {
	if slices.ContainsFunc(w.Tensors, func(t TensorWant) bool { return t.DType == safetensors.BF16 }) {
		return "bf16"
	}
	return "f32"
}

// damaged is the reason in the error for a tensor whose bytes do not have the recorded hash.
const damaged = "its values are not those that were packed: the weights are damaged; " + again

// checkIntegers compares tensors of integers with their hashes, and checks that row indices lie in
// their table. Kernels use these integers without a check, so a wrong one would make them read any
// address.
func (w *Weights) checkIntegers(data []byte, want Want) error {
	for _, name := range w.order {
		t := w.tensors[name]
		if t.dtype != safetensors.I32 {
			continue
		}
		if sum := sha256.Sum256(data[t.offset : t.offset+t.stored]); hex.EncodeToString(sum[:]) != t.sha256 {
			return &runtime.WeightsError{File: w.name, Tensor: name, Reason: damaged}
		}
	}
	for _, t := range want.Tensors {
		got, ok := w.tensors[t.Name]
		if !ok || t.Rows == 0 {
			continue
		}
		before := int32(0)
		for i := 0; i < len(got.bytes); i += 4 {
			v := int32(binary.LittleEndian.Uint32(got.bytes[i:]))
			if v < before || v >= t.Rows {
				return &runtime.WeightsError{File: w.name, Tensor: t.Name, Reason: fmt.Sprintf(
					"element %d is %d: it must be a row of a table of %d, not below the element before it; the weights are damaged: %s", i/4, v, t.Rows, again)}
			}
			before = v
		}
	}
	return nil
}

// CheckWeights compares every tensor with the hash recorded when it was packed, and names the first
// tensor that differs. It reads all of the file with system calls, not through the mapping. Weights
// that are in memory (from bytes, or on a system that cannot map files) have no file any more: then
// it reads the bytes in memory, and a later change of the file does not count.
func (w *Weights) CheckWeights() error { return w.checkAll(cpu.DefaultThreads()) }

// hashBlock is how many bytes of a file are read at once. They stay in a core's cache.
const hashBlock = 256 << 10

// checkAll is CheckWeights on a number of threads. Each thread takes whole tensors, the largest
// first.
func (w *Weights) checkAll(threads int) error {
	if err := w.Acquire(); err != nil {
		return err
	}
	defer w.Release()
	names := slices.Clone(w.order)
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(w.tensors[b].stored, w.tensors[a].stored) })
	faults := make([]error, len(names)) // fault of each tensor of names
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(threads, len(names)) {
		done.Go(func() {
			buf := make([]byte, hashBlock)
			for i := next.Add(1) - 1; i < int64(len(names)); i = next.Add(1) - 1 {
				faults[i] = w.checkTensor(names[i], buf)
			}
		})
	}
	done.Wait()
	for _, name := range w.order {
		if err := faults[slices.Index(names, name)]; err != nil {
			return err
		}
	}
	return nil
}

// checkTensor compares one tensor with its hash. buf is used for reading.
func (w *Weights) checkTensor(name string, buf []byte) error {
	t := w.tensors[name]
	h := sha256.New()
	n, err := io.CopyBuffer(h, io.NewSectionReader(w.mem, t.offset, t.stored), buf)
	if err == nil && n != t.stored {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return unreadable(w.name, name, err)
	}
	if hex.EncodeToString(h.Sum(nil)) != t.sha256 {
		return &runtime.WeightsError{File: w.name, Tensor: name, Reason: damaged}
	}
	return nil
}
