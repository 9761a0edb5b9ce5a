package main

import (
	"errors"
	"math"
	"path"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/compiler/pack/torchfile"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// wishes are the flags that choose what is made of a model folder.
type wishes struct {
	Head   string   `placeholder:"NAME" help:"What to compute. For a model folder: classify, score, zero-shot, rank, tag, answer, choose, embed, fill-mask, emd, perplexity, generate, rtd or entities; default: what config.json names. For a spec whose target emits several heads: the name of one."`
	Layer  *int     `group:"Model folders" placeholder:"N" help:"With --head embed: use layer N, counted from 1. Default: the last layer."`
	Pool   string   `group:"Model folders" placeholder:"mean|first|pooler|none" help:"With --head embed: how the vectors of tokens become one vector per text, inside the model; none keeps one vector per token. Default: what the folder says, else mean."`
	Mask   string   `group:"Model folders" placeholder:"all|causal|prefix" help:"With --head fill-mask, perplexity or generate: which tokens each token sees. Default: all; with --head generate causal."`
	Ignore []string `group:"Model folders" placeholder:"NAME" sep:"none" help:"Read the folder as if this were not there: a FIELD of config.json, a FILE, or FILE:FIELD. May be given several times."`
	Seq    *int     `group:"Model folders" placeholder:"TOKENS" help:"The longest text that the program is built for. Default: the rows of absolute positions if the model reads them, else the limit of the published model."`
}

// given reports whether there is any wish.
func (w *wishes) given() bool {
	return w.Head != "" || w.Layer != nil || w.Pool != "" || w.Mask != "" || w.Seq != nil || len(w.Ignore) > 0
}

// options are the wishes in the words of the import.
func (w *wishes) options() hf.Options {
	o := hf.Options{Task: w.Head, Pool: w.Pool, Mask: w.Mask}
	if w.Layer != nil {
		o.Layer = *w.Layer
	}
	if w.Seq != nil {
		o.Seq = *w.Seq
	}
	return o
}

// check refuses what no folder could grant.
func (w *wishes) check() error {
	return within(wholeNumber("--seq", w.Seq, 1, math.MaxInt), wholeNumber("--layer", w.Layer, 1, math.MaxInt))
}

// ofFolder refuses wishes that no folder could grant, in the words of the import.
func (w *wishes) ofFolder() error {
	if err := w.check(); err != nil {
		return err
	}
	o := w.options()
	if err := o.Check(); err != nil {
		return usage("", "%v", err)
	}
	return nil
}

// ofSpec refuses wishes that only a folder can grant.
func (w *wishes) ofSpec(path string) error {
	for _, f := range []struct {
		name  string
		given bool
	}{{"--layer", w.Layer != nil}, {"--pool", w.Pool != ""}, {"--mask", w.Mask != ""}, {"--seq", w.Seq != nil}, {"--ignore", len(w.Ignore) > 0}} {
		if f.given {
			return usage("", "%s belongs to a model folder: %s is a spec, which says this itself", f.name, path)
		}
	}
	return nil
}

// besideSpec refuses wishes for a folder whose spec is given; what is to be ignored is the folder's.
func (w *wishes) besideSpec(path string) error {
	o := *w
	o.Ignore = nil
	return o.ofSpec(path)
}

// layout is a form of weights in a folder: one file, or shards with an index.
type layout struct {
	file   string // the one file; the index is file.index.json
	shards string // pattern of their names
	in     func(dir string) (bool, error)
	open   func(dir string) (pack.Weights, error)
}

// layouts are tried in their order.
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

// layout returns the form of the folder's weights; nil if it has none, or they are left out (--ignore).
func (f *folder) layout() (*layout, error) {
	for i := range layouts {
		l := &layouts[i]
		for _, name := range f.ignore {
			if shard, err := path.Match(l.shards, name); shard && err == nil {
				return nil, inputFault(f.dir, "--ignore %s: one shard of the weights cannot be left out", name).hint("--ignore %s.index.json leaves out all of them", l.file)
			}
		}
		there, err := l.in(f.dir)
		if err != nil {
			return nil, err
		}
		if !there {
			continue
		}
		var present, out []string
		for _, name := range []string{l.file, l.file + ".index.json"} {
			if ok, err := disk.Exists(filepath.Join(f.dir, name)); err != nil {
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
		return nil, inputFault(f.dir, "--ignore %s: the folder also has %s, which holds the same weights", out[0], present[len(present)-1]).
			hint("--ignore %s --ignore %s", present[0], present[1])
	}
	return nil, nil
}

// openWeights opens the folder's weights, and removes a training library's prefix from the names of the tensors.
func (f *folder) openWeights(l *layout) error {
	w, err := l.open(f.dir)
	if err != nil {
		return err
	}
	plain, prefix, err := pack.Unwrap(w)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	if prefix != "" {
		f.note("all tensor names begin with %s, which was removed", prefix)
	}
	f.weights = plain
	return nil
}

// isPair reports whether the weights are those of a generator and a discriminator.
func (f *folder) isPair() bool {
	if f == nil || f.weights == nil {
		return false
	}
	for _, n := range f.weights.Names() {
		if strings.HasPrefix(n, hf.Discriminator+".") {
			return true
		}
	}
	return false
}

// source gives the tensors of one of the folder's models.
func (f *folder) source(m *spec.Model) *pack.Checkpoint {
	if f.isPair() && (m.Name == hf.Generator || m.Name == hf.Discriminator) {
		return &pack.Checkpoint{File: pack.Part(f.weights, m.Name)}
	}
	return &pack.Checkpoint{File: f.weights}
}
