package program

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/batchfile"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
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
	fs.StringVar(&f.batch, "batch", "", "a safetensors `FILE` with "+batchfile.Describe())
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
	batch, err := batchfile.Read(f.batch)
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
	if head.Parts == nil {
		r.record(OutputTensor, []int{len(out) / head.C, head.C}, out)
	}
	for p, part := range head.Split(batch.Sizes(), out) {
		c := head.Parts[p].C
		r.record(OutputTensor+"."+head.Parts[p].Name, []int{len(part) / c, c}, part)
	}
	if r.err != nil {
		return r.err
	}
	return r.write(f.out, map[string]string{"head": head.Name})
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
