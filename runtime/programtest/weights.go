package programtest

import (
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/debertac/debertac/runtime/bf16"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Steps holds the contents of an I32 tensor that never falls: it begins with First and rises by one each time an index occurs in Rise.
type Steps struct {
	Name  string
	First int32
	Rise  []int
}

// expand returns the tensor's n elements.
func (s Steps) expand(n int) []int32 {
	out := make([]int32, n)
	v, k := s.First, 0
	for i := range out {
		for k < len(s.Rise) && s.Rise[k] == i {
			v++
			k++
		}
		out[i] = v
	}
	return out
}

// adapterName is the name of the adapter in random weights of a package that takes adapters.
const adapterName = "a"

// RandomWeights returns a packed file in memory that the package accepts. Its numbers are normally distributed: around 1 for gains, and for
// matrices with a spread that keeps activations near 1. The same seed returns the same bytes.
func RandomWeights(p *engine.Program, seed uint64, integers []Steps) ([]byte, error) {
	var decls []engine.TensorDecl
	meta := engine.Meta{Layout: p.Want.Layout, SpecHash: p.Want.SpecHash, Model: "random"}
	if p.Want.Rank > 0 {
		meta.Adapters, meta.Rank = []engine.AdapterMeta{{Name: adapterName}}, p.Want.Rank
	}
	for _, t := range p.Want.Tensors {
		name := t.Name
		if t.Adapter {
			name = engine.AdapterTensor(adapterName, name)
		}
		if !t.Optional {
			decls = append(decls, engine.TensorDecl{Name: name, DType: t.DType, Len: max(t.Len, 0)})
		}
	}
	size := int64(0)
	for _, d := range decls {
		size += d.Len * int64(d.DType.Size())
	}
	if err := resource.CheckMemory("a file of random weights", size); err != nil {
		return nil, err
	}
	buf := &seeker{data: make([]byte, 0, size+1<<20)} // with room for the header
	w, err := engine.NewWeightsWriter(buf, meta, decls)
	if err != nil {
		return nil, err
	}
	r := rand.New(rand.NewPCG(seed, 7))
	for _, d := range decls {
		switch d.DType {
		case safetensors.I32:
			err = writeSteps(w, d, integers)
		case safetensors.BF16:
			err = writePairs(w, d, r)
		default:
			err = writeNormal(w, d, r)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.data, nil
}

// writeSteps writes a tensor of integers.
func writeSteps(w *engine.WeightsWriter, d engine.TensorDecl, integers []Steps) error {
	for _, s := range integers {
		if s.Name == d.Name {
			return w.WriteI32(d.Name, s.expand(int(d.Len)))
		}
	}
	return fmt.Errorf("tensor %q holds integers, and Integers has no entry for it", d.Name)
}

// writePairs writes a tensor of bfloat16.
func writePairs(w *engine.WeightsWriter, d engine.TensorDecl, r *rand.Rand) error {
	pairs := make([]int32, d.Len/2)
	for i := range pairs {
		pairs[i] = bf16.Pair(float32(0.05*r.NormFloat64()), float32(0.05*r.NormFloat64()))
	}
	return w.WriteI32(d.Name, pairs)
}

// writeNormal writes a tensor of floats, in pieces.
func writeNormal(w *engine.WeightsWriter, d engine.TensorDecl, r *rand.Rand) error {
	mean, spread := 0.0, 0.05
	switch {
	case strings.Contains(d.Name, "LayerNorm.weight") || strings.Contains(d.Name, "norm.weight") || strings.Contains(d.Name, "LayerNorm.gain"):
		mean, spread = 1, 0.1
	case strings.HasPrefix(d.Name, engine.AdapterTensor(adapterName, "")): // a term that is small beside the product, as those of trained adapters are
		spread = 0.03
	case d.Len < 16384: // vectors
		spread = 0.1
	}
	piece := make([]float32, min(d.Len, 1<<16))
	for left := d.Len; left > 0; left -= int64(len(piece)) {
		piece = piece[:min(left, int64(len(piece)))]
		for i := range piece {
			piece[i] = float32(mean + spread*r.NormFloat64())
		}
		if err := w.WriteF32(d.Name, piece); err != nil {
			return err
		}
	}
	return nil
}

// seeker is a growing block of memory that can be written at any offset.
type seeker struct {
	data []byte
	at   int64
}

func (s *seeker) Write(p []byte) (int, error) {
	if end := s.at + int64(len(p)); end > int64(len(s.data)) {
		if end > math.MaxInt {
			return 0, io.ErrShortBuffer
		}
		if end <= int64(cap(s.data)) {
			s.data = s.data[:end] // never written, so all zeros
		} else {
			s.data = append(s.data, make([]byte, end-int64(len(s.data)))...)
		}
	}
	copy(s.data[s.at:], p)
	s.at += int64(len(p))
	return len(p), nil
}

func (s *seeker) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		off += s.at
	case io.SeekEnd:
		off += int64(len(s.data))
	}
	if off < 0 {
		return 0, fmt.Errorf("seek to %d", off)
	}
	s.at = off
	return off, nil
}
