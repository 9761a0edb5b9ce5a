// Package batchfile reads batches of token ids from safetensors files.
package batchfile

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Describe describes the tensors of a file that holds a batch, by the types of their numbers.
func Describe() string {
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

// Read reads a batch. It does not check whether the batch fits the model; Validate does.
func Read(path string) (*runtime.Batch, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return From(f, path)
}

// From reads a batch from an open file. path is for messages. others lists the tensors that the file may hold besides the parts of a batch.
func From(f *safetensors.File, path string, others ...string) (*runtime.Batch, error) {
	var err error
	b := &runtime.Batch{}
	known := slices.Clone(others)
	for p := range ragged.Part(ragged.Parts) {
		name := p.Row().Name
		known = append(known, name)
		if f.Has(name) {
			err = readPart(f, path, p, b)
		} else if p == ragged.IDs || p == ragged.Starts {
			err = command.Faulty(path, "it lacks the tensor %q", name)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, name := range f.Names() {
		if !slices.Contains(known, name) {
			return nil, command.Faulty(path, "tensor %q is not a part of a batch (%s)", name, strings.Join(known, " "))
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
		return command.Faulty(path, "tensor %q is %s %v, it must be %s with %s", r.Name, info.DType, info.Shape, want, dims)
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
	v, err := Integers(f, r.Name, n)
	*p.Ints(b) = v
	return err
}

// Integers reads the n integers of a tensor.
func Integers(f *safetensors.File, name string, n int) ([]int32, error) {
	wide := make([]int64, n)
	if err := f.Ints(name, wide); err != nil {
		return nil, err
	}
	v := make([]int32, n)
	for i, x := range wide {
		v[i] = int32(x)
	}
	return v, nil
}
