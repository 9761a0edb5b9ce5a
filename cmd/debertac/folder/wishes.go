package folder

import (
	"math"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// Wishes holds the flags that choose what is made from a model folder.
type Wishes struct {
	Head    string   `placeholder:"NAME" help:"@folder_head"`
	Layer   *int     `group:"Model folders" placeholder:"N" help:"With --head embed: use layer N, counted from 1. Default: the last layer."`
	Pool    string   `group:"Model folders" placeholder:"mean|first|pooler|none" help:"@folder_pool"`
	Mask    string   `group:"Model folders" placeholder:"all|causal|prefix" help:"@folder_mask"`
	Ignore  []string `group:"Model folders" placeholder:"NAME" sep:"none" help:"@folder_ignore"`
	Seq     *int     `group:"Model folders" placeholder:"TOKENS" help:"@folder_seq"`
	Rank    *int     `name:"adapter-rank" group:"Model folders" placeholder:"RANK" help:"@folder_rank"`
	Vectors bool     `group:"Model folders" help:"@folder_vectors"`

	Precision string `group:"Model folders" enum:",f32,bf16" default:"" placeholder:"f32|bf16" help:"@folder_precision"`
}

// Given reports whether any of the flags is set.
func (w *Wishes) Given() bool {
	return w.Head != "" || w.Layer != nil || w.Pool != "" || w.Mask != "" || w.Seq != nil || w.Rank != nil || w.Vectors || w.Precision != "" ||
		len(w.Ignore) > 0
}

// Apply sets what is made from a folder.
func (w *Wishes) Apply(dir *Folder) {
	dir.Wish, dir.Vectors, dir.Precision = w.Options(), w.Vectors, w.Precision
	if w.Rank != nil {
		dir.Rank = *w.Rank
	}
}

// Options returns the flags as options of the import.
func (w *Wishes) Options() hf.Options {
	o := hf.Options{Task: w.Head, Pool: w.Pool, Mask: w.Mask}
	if w.Layer != nil {
		o.Layer = *w.Layer
	}
	if w.Seq != nil {
		o.Seq = *w.Seq
	}
	return o
}

// Check refuses values that are right for no folder.
func (w *Wishes) Check() error {
	return flags.Within(flags.Whole("--seq", w.Seq, 1, math.MaxInt), flags.Whole("--layer", w.Layer, 1, math.MaxInt),
		flags.Whole("--adapter-rank", w.Rank, 1, spec.MostRank))
}

// OfFolder refuses values that are right for no folder, with the messages of the import.
func (w *Wishes) OfFolder() error {
	if err := w.Check(); err != nil {
		return err
	}
	o := w.Options()
	if err := o.Check(); err != nil {
		return fault.Usage("", "%v", err)
	}
	return nil
}

// OfSpec refuses flags that only apply to a folder.
func (w *Wishes) OfSpec(path string) error {
	for _, f := range []struct {
		name  string
		given bool
	}{{"--layer", w.Layer != nil}, {"--pool", w.Pool != ""}, {"--mask", w.Mask != ""}, {"--seq", w.Seq != nil},
		{"--adapter-rank", w.Rank != nil}, {"--vectors", w.Vectors}, {"--precision", w.Precision != ""}, {"--ignore", len(w.Ignore) > 0}} {
		if f.given {
			return fault.Usage("", "%s belongs to a model folder: %s is a spec, which states this itself", f.name, path)
		}
	}
	return nil
}

// BesideSpec refuses flags for a folder whose spec is given by --spec. Only --ignore is allowed, which applies to the folder.
func (w *Wishes) BesideSpec(path string) error {
	o := *w
	o.Ignore = nil
	return o.OfSpec(path)
}
