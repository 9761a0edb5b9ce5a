package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// OutputTensor is the name under which forward writes the output of a call, row-major [B, C] or [T, C], beside the traced tensors.
const OutputTensor = "output"

type forwardFlags struct {
	openFlags
	batch, out string
}

func newForward(fs *flag.FlagSet) action {
	var f forwardFlags
	f.register(fs)
	f.registerHead(fs)
	fs.StringVar(&f.batch, "batch", "", "a safetensors `FILE` with "+batchTensors())
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
	if err := core.Run(ctx, engine.Call{Head: i, Batch: batch, Out: out, Trace: r.record}); err != nil {
		return err
	}
	r.record(OutputTensor, []int{len(out) / head.C, head.C}, out)
	if r.err != nil {
		return r.err
	}
	return r.write(f.out, map[string]string{"head": head.Name})
}

// batchTensors describes the tensors of a file that holds a batch, by the types of their numbers.
func batchTensors() string {
	var needed, other, floats []string
	for p := range ragged.Part(ragged.Parts) {
		r := p.Row()
		switch text := r.Name + " " + r.Shape(); {
		case r.Floats():
			floats = append(floats, text)
		case p == ragged.IDs || p == ragged.Starts:
			needed = append(needed, text)
		default:
			other = append(other, text)
		}
	}
	return "I32 tensors: " + strings.Join(needed, ", ") + ", and if needed " + strings.Join(other, ", ") + "; F32: " + strings.Join(floats, ", ")
}

// readBatch reads a batch. It does not check whether the batch fits the model; Validate does.
func readBatch(path string) (*runtime.Batch, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := &runtime.Batch{}
	var known []string
	for p := range ragged.Part(ragged.Parts) {
		name := p.Row().Name
		known = append(known, name)
		if f.Has(name) {
			err = readPart(f, path, p, b)
		} else if p == ragged.IDs || p == ragged.Starts {
			err = faulty(path, "it lacks the tensor %q", name)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range f.Names() {
		if !slices.Contains(known, name) {
			return nil, faulty(path, "tensor %q is not a part of a batch (%s)", name, strings.Join(known, " "))
		}
	}
	return b, nil
}

// readPart reads a part of a batch from a tensor with all numbers in one dimension, or with one row per entry.
func readPart(f *safetensors.File, path string, p ragged.Part, b *runtime.Batch) error {
	r := p.Row()
	info, err := f.Info(r.Name)
	if err != nil {
		return err
	}
	want, dims := safetensors.I32, "one dimension"
	if r.Floats() {
		want, dims = safetensors.F32, "one or two dimensions"
	}
	flat := len(info.Shape) == 1
	rows := len(info.Shape) == 2 && (r.Columns == ragged.ByLimit || info.Shape[1] == r.Columns)
	if info.DType != want || !flat && !rows {
		return faulty(path, "tensor %q is %s %v, it must be %s with %s", r.Name, info.DType, info.Shape, want, dims)
	}
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	if r.Floats() {
		v := make([]float32, n)
		*p.Float32s(b) = v
		return f.Floats(r.Name, v)
	}
	wide := make([]int64, n)
	if err := f.Ints(r.Name, wide); err != nil {
		return err
	}
	v := make([]int32, n)
	for i, x := range wide {
		v[i] = int32(x)
	}
	*p.Ints(b) = v
	return nil
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

// finite reports whether all values are finite.
func finite(v []float32) bool {
	for _, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return false
		}
	}
	return true
}
