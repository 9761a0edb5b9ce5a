package main

import (
	"bytes"
	"maps"
	"slices"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
)

// ensemble packs the weights of an ensemble's members together: tables that are equal are stored once, and there is one tokenizer.
func (v *packVerb) ensemble(a *app, src *source, dir *folder) error {
	if dir != nil || v.Random != nil {
		return usage("debertac pack ensemble.dspec --member MODEL.HEAD=DIR …", "--member belongs to a spec of an ensemble, and takes the weights from folders")
	}
	unit, err := a.unitFor(src, v.Target, v.Head, compiler.Options{})
	if err != nil {
		return err
	}
	if unit.Ensemble == nil {
		return inputFault(v.Path, "the target emits %s, which is no ensemble: it has no members", unitName(unit))
	}
	if _, err := outPlace(v.Out); err != nil {
		return err
	}
	var options pack.Options
	members, named := pack.Members{}, maps.Clone(v.Member)
	folders := map[*pack.Checkpoint]string{}
	for i, m := range unit.Ensemble.Members {
		name := m.Head.FullName()
		path, ok := named[name]
		if !ok {
			return inputFault(v.Path, "the folder of the member %s is missing", name).hint("--member %s=DIR", name)
		}
		delete(named, name)
		f, err := openFolder(path, true, v.Ignore)
		if err != nil {
			return err
		}
		defer f.Close()
		o, err := a.packOptions(&compiler.Unit{Program: unit.Program, Model: m.Head.Model, Head: m.Head, Target: unit.Target}, f)
		if err != nil {
			return err
		}
		switch {
		case i == 0:
			options = o
		case !bytes.Equal(options.Tokenizer, o.Tokenizer):
			return inputFault(path, "its tokenizer is another than that of the first member's folder: all members read the same tokens")
		case !maps.Equal(options.Extra, o.Extra):
			return inputFault(path, "its files say other things about texts (prompts, lengths, the side on which they are cut) than those of the first member's folder")
		case o.MaxTokens > 0 && o.MaxTokens < options.MaxTokens:
			options.MaxTokens = o.MaxTokens
		}
		source := f.source(m.Head.Model)
		members[compiler.MemberPrefix(m.Head)], folders[source] = source, path
	}
	if len(named) > 0 {
		return inputFault(v.Path, "the ensemble has no member %s", list(slices.Sorted(maps.Keys(named))))
	}
	stop := a.progress("packing weights")
	err = pack.Write(v.Out, unit.Program, members, options)
	stop()
	if err != nil {
		return a.packFault(v.Path, err)
	}
	for _, m := range unit.Ensemble.Members {
		source := members[compiler.MemberPrefix(m.Head)].(*pack.Checkpoint)
		if err := a.leftover(folders[source], source); err != nil {
			return err
		}
	}
	return a.packed(v.Out, unit)
}
