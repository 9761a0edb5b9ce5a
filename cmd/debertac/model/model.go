// Package model opens what a command line names as its model: a spec, or a model folder with its spec.
package model

import (
	"errors"
	"io/fs"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
)

// Open reads a spec, or a model folder and its spec; the folder is nil for a spec.
func Open(c *console.Console, path string, o Options) (*source.Source, *folder.Folder, error) {
	if err := o.Check(); err != nil {
		return nil, nil, err
	}
	if o.Tokenizer != "" && o.Weights != "" {
		return nil, nil, fault.Usage("leave out --tokenizer", "--tokenizer is for weights that are packed now: those of --weights have theirs inside")
	}
	if path == "" {
		return nil, nil, fault.Usage("", "the name of the spec or model folder is empty")
	}
	st, err := disk.Stat(path)
	if err == nil && st.IsDir() {
		dir, err := folder.OpenWith(c, path, o.Seed == nil && o.Weights == "" && !o.ShapesOnly, o.Ignore, o.Tokenizer)
		if err != nil {
			return nil, nil, err
		}
		if o.Spec == "" {
			if err := o.OfFolder(); err != nil {
				return nil, nil, errors.Join(err, dir.Close())
			}
			o.Apply(dir)
		} else if err := o.BesideSpec(o.Spec); err != nil {
			return nil, nil, errors.Join(err, dir.Close())
		}
		src, err := folder.SpecOf(c, dir, o.Spec, 0)
		if err != nil {
			return nil, nil, errors.Join(err, dir.Close())
		}
		return src, dir, nil
	}
	if o.Spec != "" {
		return openFile(c, path, err, o)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && path != "-" { // it could be a folder, to which flags of folders belong
		return nil, nil, err
	}
	ofSpec := o.Wishes
	if o.Tokenizer != "" {
		ofSpec.Ignore = nil // --ignore applies to the tokenizer
	}
	if err := ofSpec.OfSpec(path); err != nil {
		return nil, nil, err
	}
	if o.Tokenizer != "" && !o.DrawsForTokenizer {
		return nil, nil, fault.Usage("leave out --tokenizer", "--tokenizer is for a model folder that has none: %s is a spec, whose weights are packed "+
			"with their tokenizer", path)
	}
	if o.Tokenizer != "" && o.Seed == nil {
		return nil, nil, fault.Usage("--random-weights 1", "--tokenizer is for a spec whose weights are drawn, or for a model folder: the weights of a "+
			"spec are packed with their tokenizer")
	}
	if errors.Is(err, fs.ErrNotExist) && path != "-" {
		return nil, nil, folder.NoFolder(path, err)
	}
	if strings.HasSuffix(path, ".safetensors") && err == nil {
		return nil, nil, fault.Input(path, "this file has weights, and its spec is missing").Hint("debertac pack %s --spec model.dspec -o model.weights",
			wording.Quoted(path))
	}
	src, err := source.LoadWith(c, path, spec.Options{Drawn: o.Seed != nil})
	return src, nil, err
}

// openFile reads the spec of --spec, and opens the weights in a safetensors file. missing is the error of a file that cannot be found.
func openFile(c *console.Console, path string, missing error, o Options) (*source.Source, *folder.Folder, error) {
	switch {
	case !strings.HasSuffix(path, ".safetensors") || o.Seed != nil:
		return nil, nil, fault.Usage("", "--spec belongs to a model folder or to a .safetensors file with weights, and %s is neither", path)
	case missing != nil:
		return nil, nil, missing
	}
	if err := o.BesideSpec(o.Spec); err != nil {
		return nil, nil, err
	}
	dir, err := folder.OpenFile(c, path, o.Ignore, o.Tokenizer)
	if err != nil {
		return nil, nil, err
	}
	src, err := source.Load(c, o.Spec)
	if err != nil {
		return nil, nil, errors.Join(err, dir.Close())
	}
	return src, dir, nil
}

// One compiles the one model or head that o selects. A folder's own spec has only the head that --head selected.
func One(c *console.Console, src *source.Source, dir *folder.Folder, o Options) (*compiler.Unit, error) {
	head := o.Head
	if dir != nil && o.Spec == "" {
		if head == "" && dir.IsPair() {
			return nil, fault.Input(dir.Dir, "the folder is a generator and a discriminator, one of them is wanted").Hint("--head fill-mask or --head rtd")
		}
		head = ""
	}
	return source.UnitFor(c, src, o.Target, head, compiler.Options{Trace: o.Trace})
}

// Options selects how a model is made runnable.
type Options struct {
	folder.Wishes
	folder.LentFlag
	Target            string
	Spec              string                     // of a model folder: use this spec instead of the folder's own
	Weights           string                     // packed weights; "" packs the folder's
	ShapesOnly        bool                       // of a model folder: only the shapes of the weights are read, and weights may be missing
	Texts             bool                       // the model must read texts: a folder needs a tokenizer
	Seed              *uint64                    // random weights instead
	DrawsForTokenizer bool                       // the verb has --random-weights and takes a tokenizer for it
	Trace             bool                       // compile as build --trace does, with the layers that the head does not read
	DrawsAlone        bool                       // random weights are as good as real ones, because the verb only measures
	Accept            func(*compiler.Unit) error // checks the verb's flags against the compiled unit before anything is packed or built; nil: no check
}

// LentToSpec reads the tokenizer for a spec without a folder; nil if there is a folder, or none was named.
func LentToSpec(c *console.Console, dir *folder.Folder, o Options) (*folder.Lent, error) {
	if dir != nil {
		return nil, nil
	}
	return folder.Lend(c, o.Tokenizer, o.Ignore)
}
