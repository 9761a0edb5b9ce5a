package folder

import (
	"errors"
	"path"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/torchfile"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// layout is a form of weights in a folder: one file, or shards with an index.
type layout struct {
	file   string // the one file; the index is file.index.json
	shards string // pattern of their names
	in     func(dir string) (bool, error)
	open   func(dir string) (pack.Weights, error)
}

// layouts are tried in this order.
var layouts = []layout{
	{"model.safetensors", "model-*-of-*.safetensors", safetensors.In, func(dir string) (pack.Weights, error) { return opened(safetensors.OpenDir(dir)) }},
	{"pytorch_model.bin", "pytorch_model-*-of-*.bin", torchfile.In, func(dir string) (pack.Weights, error) { return opened(torchfile.OpenDir(dir)) }},
}

// opened keeps a nil pointer from becoming weights that are not nil.
func opened[W pack.Weights](w W, err error) (pack.Weights, error) {
	if err != nil {
		return nil, err
	}
	return w, nil
}

// layout returns the form of the folder's weights. It returns nil if there are no weights, or if they are left out (--ignore).
func (f *Folder) layout() (*layout, error) {
	for i := range layouts {
		l := &layouts[i]
		for _, name := range f.ignore {
			if shard, err := path.Match(l.shards, name); shard && err == nil {
				return nil, fault.Input(f.Dir, "--ignore %s: one shard of the weights cannot be left out",
					name).Hint("--ignore %s.index.json leaves out all of them", l.file)
			}
		}
		there, err := l.in(f.Dir)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		var present, out []string
		for _, name := range []string{l.file, l.file + ".index.json"} {
			if ok, err := disk.Exists(filepath.Join(f.Dir, name)); err != nil {
				return nil, err
			} else if ok {
				present = append(present, name)
				if f.view.LeftOut(name, "") {
					out = append(out, name)
				}
			}
		}
		switch len(out) {
		case 0:
			return l, nil
		case len(present):
			continue
		}
		return nil, fault.Input(f.Dir, "--ignore %s: the folder also has %s, which holds the same weights", out[0], present[len(present)-1]).
			Hint("--ignore %s --ignore %s", present[0], present[1])
	}
	return nil, nil
}

// openWeights opens the folder's weights, and removes a training library's prefix from the names of the tensors.
func (f *Folder) openWeights(l *layout) error {
	w, err := l.open(f.Dir)
	if err != nil {
		return err
	}
	plain, prefix, err := published.Unwrap(w)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	if err := noAdapters(f.Dir, plain); err != nil {
		return errors.Join(err, plain.Close())
	}
	if prefix != "" {
		f.Note("all tensor names begin with %s, which was removed", prefix)
	}
	f.Weights = plain
	return nil
}

// IsPair reports whether the weights are those of a generator and a discriminator.
func (f *Folder) IsPair() bool {
	if f == nil || f.Weights == nil {
		return false
	}
	for _, n := range f.Weights.Names() {
		if strings.HasPrefix(n, hf.Discriminator+".") {
			return true
		}
	}
	return false
}

// Source returns the tensors of one of the folder's models.
func (f *Folder) Source(m *spec.Model) *pack.Checkpoint {
	if f.IsPair() && (m.Name == hf.Generator || m.Name == hf.Discriminator) {
		return &pack.Checkpoint{File: pack.Part(f.Weights, m.Name)}
	}
	return &pack.Checkpoint{File: f.Weights}
}
