package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// OutputTensor is the name under which forward writes what a call gives its caller, row-major [B, C] or [T, C], beside the traced tensors.
const OutputTensor = "output"

type forwardFlags struct {
	openFlags
	batch, out string
}

func newForward(fs *flag.FlagSet) action {
	var f forwardFlags
	f.register(fs)
	f.registerHead(fs)
	fs.StringVar(&f.batch, "batch", "", "a safetensors `FILE` with I32 tensors: ids [T], starts [B+1], and if needed types [T], positions [T], prefix [B], rows [M], words [2·W], word_starts [B+1], marks [C], mark_starts [B+1]; F32: delta [T·H]")
	fs.StringVar(&f.out, "out", "", "the safetensors `FILE` to write: every traced tensor and \""+OutputTensor+"\", as F32")
	return f.run
}

func (f *forwardFlags) run(ctx context.Context, s *session, _ []string) error {
	if f.batch == "" || f.out == "" {
		return usage("forward needs --batch FILE and --out FILE")
	}
	if _, err := disk.Place(f.out); err != nil { // before any work
		return err
	}
	batch, err := readBatch(f.batch)
	if err != nil {
		return err
	}
	core, _, err := f.open(s)
	if err != nil {
		return err
	}
	defer core.Close()
	i, err := core.HeadIndex(f.head)
	if err != nil {
		return usage("--head: %v", err)
	}
	if _, err := disk.Place(f.out); err != nil { // now that the inputs are known
		return err
	}
	head := &core.Program().Heads[i]
	if err := batch.Validate(core.Program().Limits); err != nil {
		return faulty(f.batch, "%w", err)
	}
	r := recorder{}
	out := make([]float32, head.OutLen(batch))
	if err := core.Run(ctx, runtime.Call{Head: i, Batch: batch, Out: out, Trace: r.record}); err != nil {
		return err
	}
	r.record(OutputTensor, []int{len(out) / head.C, head.C}, out)
	if r.err != nil {
		return r.err
	}
	return r.write(f.out, map[string]string{"head": head.Name})
}

// readBatch reads a batch; whether it fits the model is for Validate.
func readBatch(path string) (*runtime.Batch, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := &runtime.Batch{}
	parts := []struct {
		name   string
		needed bool
		into   *[]int32
	}{{"ids", true, &b.IDs}, {"starts", true, &b.Starts}, {"types", false, &b.Types}, {"positions", false, &b.Positions}, {"prefix", false, &b.Prefix},
		{"rows", false, &b.Rows}, {"words", false, &b.Words}, {"word_starts", false, &b.WordStarts}, {"marks", false, &b.Marks}, {"mark_starts", false, &b.MarkStarts}}
	known := map[string]bool{}
	for _, p := range parts {
		known[p.name] = true
		if !f.Has(p.name) {
			if p.needed {
				return nil, faulty(path, "it lacks the tensor %q", p.name)
			}
			continue
		}
		info, err := f.Info(p.name)
		if err != nil {
			return nil, err
		}
		pairs := p.into == &b.Words && len(info.Shape) == 2 && info.Shape[1] == 2 // a row a word is as good
		if info.DType != safetensors.I32 || len(info.Shape) != 1 && !pairs {
			return nil, faulty(path, "tensor %q is %s %v, it must be I32 with one dimension", p.name, info.DType, info.Shape)
		}
		wide := make([]int64, info.Shape[0])
		if pairs {
			wide = make([]int64, 2*info.Shape[0])
		}
		if err := f.Ints(p.name, wide); err != nil {
			return nil, err
		}
		for _, v := range wide {
			*p.into = append(*p.into, int32(v))
		}
	}
	known[deltaTensor] = true
	if b.Delta, err = readDelta(f, path); err != nil {
		return nil, err
	}
	for _, name := range f.Names() {
		if !known[name] {
			return nil, faulty(path, "tensor %q is no part of a batch (ids starts types positions prefix rows words word_starts marks mark_starts delta)", name)
		}
	}
	return b, nil
}

// deltaTensor names the part of a batch that is of numbers.
const deltaTensor = "delta"

// readDelta reads what is to be added to the input, nil if there is nothing.
func readDelta(f *safetensors.File, path string) ([]float32, error) {
	if !f.Has(deltaTensor) {
		return nil, nil
	}
	info, err := f.Info(deltaTensor)
	if err != nil {
		return nil, err
	}
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	if info.DType != safetensors.F32 || len(info.Shape) < 1 || len(info.Shape) > 2 {
		return nil, faulty(path, "tensor %q is %s %v, it must be F32 with one or two dimensions", deltaTensor, info.DType, info.Shape)
	}
	delta := make([]float32, n)
	return delta, f.Floats(deltaTensor, delta)
}

// recorder keeps copies of traced tensors.
type recorder struct {
	names  []string
	shapes [][]int
	data   [][]float32
	err    error
}

func (r *recorder) record(name string, shape []int, data []float32) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	switch {
	case slices.Contains(r.names, name):
		r.err = errors.Join(r.err, fmt.Errorf("tensor %q was traced twice in one call", name))
	case n != len(data):
		r.err = errors.Join(r.err, fmt.Errorf("tensor %q was traced with %d elements, its shape is %v", name, len(data), shape))
	default:
		r.names, r.shapes, r.data = append(r.names, name), append(r.shapes, slices.Clone(shape)), append(r.data, slices.Clone(data))
	}
}

// write writes the tensors to path, which appears when it is complete.
func (r *recorder) write(path string, metadata map[string]string) error {
	f, err := disk.Create(path, 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	b := bufio.NewWriterSize(f, 1<<20)
	if err := r.encode(b, metadata); err != nil {
		return err
	}
	if err := b.Flush(); err != nil {
		return err
	}
	return f.Commit()
}

func (r *recorder) encode(b *bufio.Writer, metadata map[string]string) error {
	var list []safetensors.Tensor
	for i, n := range r.names {
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: r.shapes[i]})
	}
	w, err := safetensors.NewWriter(b, metadata, list)
	if err != nil {
		return err
	}
	for _, n := range w.Order() {
		if err := w.WriteFloats(n, r.data[slices.Index(r.names, n)]); err != nil {
			return err
		}
	}
	return w.Close()
}

// finite reports whether all values are.
func finite(v []float32) bool {
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}
