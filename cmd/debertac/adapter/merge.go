package adapter

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/outfolder"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Merged describes what a merge has done.
type Merged struct {
	Matrices int      // that took in an adapter
	Whole    []string // tensors that the adapter stores whole, and that took the place of the model's
	Added    []string // tensors that the model lacked
	Left     []string // files of the model's folder that were left out: weights in other formats
	Notes    []string
	Base     string // name or path of the model that the adapter was trained for, as its config has it; "": it has none
}

// Merge writes a model folder to out: that of the folder model, with an adapter merged into its weights. The weights lie in the files in which the model
// has them, in the types of the model; the other files are kept. out must not exist. It appears when it is complete.
//
// A matrix W becomes W + s·B·A, computed in float64 and rounded once to W's type, where s is alpha/rank, or alpha/√rank with use_rslora (Hu et al. 2021;
// Kalajdzievski 2023). Modules that the adapter stores whole take the place of the model's; if they are a new head, config.json gets its architecture and
// its labels.
func Merge(ctx context.Context, model, adapter, out string) (m *Merged, err error) {
	s, err := readSettings(adapter)
	if err != nil {
		return nil, err
	}
	tensors, err := s.openTensors(adapter)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tensors.Close()) }()
	source, err := outfolder.Open(model)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, source.Close()) }()
	p, err := newPlan(s, tensors, source)
	if err != nil {
		return nil, err
	}
	folder, err := disk.CreateFolder(out)
	if err != nil {
		return nil, output.Fault(err)
	}
	defer folder.Discard()
	m = &Merged{Base: s.base}
	if p.shortened > 0 {
		m.Notes = append(m.Notes, p.shortenedNote())
	}
	if err := p.write(ctx, source, folder.Dir(), m); err != nil {
		return nil, err
	}
	err = outfolder.Copy(ctx, model, folder.Dir(), func(name string) bool {
		if outfolder.Weights(name) {
			if there, err := disk.Exists(filepath.Join(folder.Dir(), name)); err != nil || !there {
				m.Left = append(m.Left, name)
			}
			return false
		}
		return name != "config.json" && !(path.Dir(name) == "." && strings.HasPrefix(name, "adapter_"))
	})
	if err != nil {
		return nil, err
	}
	if err := p.writeConfig(model, folder.Dir(), m); err != nil {
		return nil, err
	}
	return m, folder.Commit()
}

// write writes the weights.
func (p *plan) write(ctx context.Context, source *outfolder.Source, dir string, m *Merged) error {
	tensors := map[string]outfolder.Tensor{}
	for _, name := range source.Names() {
		if source.Torch && strings.HasSuffix(name, "position_ids") {
			m.Notes = append(m.Notes, name+" is left out: it counts from 0, and the library makes it anew")
			continue
		}
		c := p.changes[name]
		var t outfolder.Tensor
		var err error
		if c == nil {
			t, err = source.Same(name, p.prefix+name)
		} else {
			t, err = p.changed(name, c)
		}
		if err != nil {
			return err
		}
		tensors[name] = t
		switch {
		case c == nil:
		case c.down != "":
			m.Matrices++
		default:
			m.Whole = append(m.Whole, p.prefix+name)
		}
	}
	var added []outfolder.Tensor
	for _, name := range slices.Sorted(maps.Keys(p.added)) {
		info, err := p.adapter.Info(p.added[name])
		if err != nil {
			return err
		}
		dtype := p.dtype(info.DType)
		added = append(added, outfolder.Tensor{Tensor: safetensors.Tensor{Name: name, DType: dtype, Shape: info.Shape}, Bytes: func() ([]byte, error) {
			v, err := p.read(p.adapter, p.added[name], info.Elements())
			if err != nil {
				return nil, err
			}
			return outfolder.Encode(name, dtype, v)
		}})
		m.Added = append(m.Added, name)
	}
	return source.WriteLike(ctx, dir, tensors, added)
}

// dtype returns the type of the model's floats, or absent if they have several.
func (p *plan) dtype(absent safetensors.DType) safetensors.DType {
	var found safetensors.DType
	for name := range p.has {
		info, err := p.model.Info(name)
		if err != nil || !slices.Contains([]safetensors.DType{safetensors.F64, safetensors.F32, safetensors.F16, safetensors.BF16}, info.DType) {
			continue
		}
		if found != 0 && found != info.DType {
			return absent
		}
		found = info.DType
	}
	if found == 0 {
		return absent
	}
	return found
}

// changed returns a tensor of the model with its change.
func (p *plan) changed(name string, c *change) (outfolder.Tensor, error) {
	info, err := p.model.Info(name)
	if err != nil {
		return outfolder.Tensor{}, err
	}
	if c.whole != "" {
		whole, err := p.adapter.Info(c.whole)
		if err != nil {
			return outfolder.Tensor{}, err
		}
		info.Shape = whole.Shape
	}
	t := outfolder.Tensor{Tensor: safetensors.Tensor{Name: p.prefix + name, DType: info.DType, Shape: info.Shape}}
	t.Bytes = func() ([]byte, error) {
		from, of := p.model, name
		if c.whole != "" {
			from, of = p.adapter, c.whole
		}
		w, err := p.read(from, of, info.Elements())
		if err != nil {
			return nil, err
		}
		if err := p.apply(w, info, c); err != nil {
			return nil, err
		}
		for _, x := range w {
			if math.IsNaN(x) || math.IsInf(x, 0) {
				return nil, p.fault(name, "merged with the model's tensor it holds %v, because its numbers are too large", x)
			}
		}
		return outfolder.Encode(name, info.DType, w)
	}
	return t, nil
}

// read reads a tensor of n numbers. NaN and Inf are refused: a model that has them computes nothing else.
func (p *plan) read(from published.Weights, name string, n int) ([]float64, error) {
	v := make([]float32, n)
	if err := from.Floats(name, v); err != nil {
		return nil, err
	}
	for i, x := range v {
		if math.IsNaN(float64(x)) || math.IsInf(float64(x), 0) {
			return nil, &safetensors.Error{File: from.Name(), Tensor: name, Reason: fmt.Sprintf("its number %d is %v: the file is damaged", i, x)}
		}
	}
	return outfolder.Wide(v), nil
}

// apply adds what the adapter has for a tensor w.
func (p *plan) apply(w []float64, info safetensors.Info, c *change) error {
	if c.add != "" {
		v, err := p.read(p.adapter, c.add, len(w))
		if err != nil {
			return err
		}
		for i, x := range v {
			w[i] += c.factor * x
		}
	}
	if c.down == "" {
		return nil
	}
	shape, err := p.adapter.Info(c.down)
	if err != nil {
		return err
	}
	rank, in := shape.Shape[0], shape.Shape[1]
	out := len(w) / in
	down, err := p.read(p.adapter, c.down, rank*in)
	if err != nil {
		return err
	}
	up, err := p.read(p.adapter, c.up, out*rank)
	if err != nil {
		return err
	}
	turned := c.table || p.s.transposed // w is [in, out]
	product := make([]float64, in)
	for o := range out {
		clear(product)
		for k := range rank {
			u := up[o*rank+k]
			for i, d := range down[k*in:][:in] {
				product[i] += u * d
			}
		}
		for i, x := range product {
			if turned {
				w[i*out+o] += c.factor * x
			} else {
				w[o*in+i] += c.factor * x
			}
		}
	}
	return nil
}
