package outfolder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/torchfile"
)

// The files of weights that are written.
const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
)

// Tensor is a tensor to be written, with what makes its bytes, which are those of its type.
type Tensor struct {
	safetensors.Tensor
	Bytes func() ([]byte, error)
}

// Write writes a file of tensors.
func Write(ctx context.Context, path string, metadata map[string]string, tensors []Tensor) error {
	out, err := disk.Create(path, 0o666)
	if err != nil {
		return err
	}
	defer out.Discard()
	list := make([]safetensors.Tensor, len(tensors))
	at := map[string]int{}
	for i, t := range tensors {
		list[i], at[t.Name] = t.Tensor, i
	}
	w, err := safetensors.NewWriter(out, metadata, list)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b, err := tensors[at[name]].Bytes()
		if err != nil {
			return err
		}
		if err := w.Write(name, b); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Commit()
}

// Source is the weights of a model folder, with the files that hold them.
type Source struct {
	published.Weights
	Torch  bool              // files of torch.save
	shards map[string]string // tensor → file; nil: one file
	index  string            // path of the index
}

// Open opens the weights of a model folder: safetensors, or else files of torch.save.
func Open(dir string) (*Source, error) {
	if there, err := safetensors.In(dir); err != nil {
		return nil, err
	} else if there {
		f, err := safetensors.OpenDir(dir)
		if err != nil {
			return nil, err
		}
		s := &Source{Weights: f}
		single, err := disk.Exists(filepath.Join(dir, singleName))
		if err == nil && !single {
			s.index = filepath.Join(dir, indexName)
			s.shards, err = safetensors.ReadIndex(s.index, ".safetensors")
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		return s, nil
	}
	there, err := torchfile.In(dir)
	if err != nil {
		return nil, err
	}
	if !there {
		return nil, fault.Input(dir, "the folder has neither model.safetensors nor pytorch_model.bin, and so no weights")
	}
	f, err := torchfile.OpenDir(dir)
	if err != nil {
		return nil, err
	}
	return &Source{Weights: f, Torch: true}, nil
}

// Same returns a tensor of the source as it is, under another name.
func (s *Source) Same(name, as string) (Tensor, error) {
	info, err := s.Info(name)
	if err != nil {
		return Tensor{}, err
	}
	t := Tensor{Tensor: safetensors.Tensor{Name: as, DType: info.DType, Shape: info.Shape}}
	if f, ok := s.Weights.(interface {
		Bytes(name string) ([]byte, error)
	}); ok {
		t.Bytes = func() ([]byte, error) { return f.Bytes(name) }
		return t, nil
	}
	if !slices.Contains([]safetensors.DType{safetensors.F32, safetensors.F16, safetensors.BF16}, info.DType) {
		return Tensor{}, &safetensors.Error{File: s.Name(), Tensor: name, Reason: fmt.Sprintf("its type is %v, and only floats of 16 or 32 bits are read from "+
			"files of torch.save: save the model as safetensors", info.DType)}
	}
	t.Bytes = func() ([]byte, error) {
		v := make([]float32, info.Elements())
		if err := s.Floats(name, v); err != nil {
			return nil, err
		}
		return Encode(name, info.DType, Wide(v))
	}
	return t, nil
}

// Wide returns numbers as float64.
func Wide(v []float32) []float64 {
	w := make([]float64, len(v))
	for i, x := range v {
		w[i] = float64(x)
	}
	return w
}

// Encode returns the bytes of a tensor. The error for a number that its type cannot hold names the tensor.
func Encode(name string, t safetensors.DType, v []float64) ([]byte, error) {
	b, err := safetensors.AppendFloats(make([]byte, 0, len(v)*t.Size()), t, v)
	if err != nil {
		return nil, fmt.Errorf("the tensor %s: %w", name, err)
	}
	return b, nil
}

// WriteLike writes tensors into the folder dir, in the files that the source has: one file, or shards and their index. Files of torch.save become one file.
// tensors maps the source's names to what is written for them; added has further tensors, which go to the last file.
func (s *Source) WriteLike(ctx context.Context, dir string, tensors map[string]Tensor, added []Tensor) error {
	metadata := map[string]string{}
	if f, ok := s.Weights.(*safetensors.File); ok {
		metadata = f.Metadata()
	}
	metadata["format"] = "pt" // the library does not read a file without it
	files := map[string][]Tensor{}
	for _, name := range s.Names() {
		t, ok := tensors[name]
		if !ok {
			continue // the caller leaves it out
		}
		file := singleName
		if s.shards != nil {
			file = s.shards[name]
		}
		files[file] = append(files[file], t)
	}
	order := slices.Sorted(maps.Keys(files))
	if len(order) == 0 {
		return fault.Input(s.Name(), "there are no tensors in it")
	}
	last := order[len(order)-1]
	files[last] = append(files[last], added...)
	for _, file := range order {
		if err := Write(ctx, filepath.Join(dir, file), metadata, files[file]); err != nil {
			return err
		}
	}
	if s.shards == nil {
		return nil
	}
	return s.writeIndex(dir, files)
}

// writeIndex writes the index of shards. Its fields besides the list of tensors and their size stay.
func (s *Source) writeIndex(dir string, files map[string][]Tensor) error {
	text, err := disk.ReadFile(s.index, 100_000_000)
	if err != nil {
		return err
	}
	var index struct {
		Metadata map[string]any    `json:"metadata"`
		Map      map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(text, &index); err != nil {
		return fault.Input(s.index, "it is not an index of shards: %v", err)
	}
	if index.Metadata == nil {
		index.Metadata = map[string]any{}
	}
	index.Map = map[string]string{}
	total, numbers := 0, 0
	for file, list := range files {
		for _, t := range list {
			index.Map[t.Name] = file
			n := 1
			for _, d := range t.Shape {
				n *= d
			}
			numbers += n
			total += n * t.DType.Size()
		}
	}
	index.Metadata["total_size"] = total
	if _, ok := index.Metadata["total_parameters"]; ok {
		index.Metadata["total_parameters"] = numbers
	}
	out, err := json.MarshalIndent(index, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(dir, indexName), append(out, '\n'), 0o666)
}
