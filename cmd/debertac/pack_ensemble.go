package main

import (
	"bytes"
	"maps"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
)

// ensemble packs the weights of an ensemble's members together: tables that are equal are stored once, and there is one tokenizer.
func (v *packVerb) ensemble(c *console.Console, src *source.Source, dir *folder.Folder) error {
	if dir != nil || v.Random != nil {
		return fault.Usage("debertac pack ensemble.dspec --member MODEL.HEAD=DIR …", "--member belongs to a spec of an ensemble, and takes the weights from folders")
	}
	unit, err := source.UnitFor(c, src, v.Target, v.Head, compiler.Options{})
	if err != nil {
		return err
	}
	if unit.Ensemble == nil {
		return fault.Input(v.Path, "the target emits %s, which is no ensemble: it has no members", source.UnitName(unit))
	}
	if _, err := output.Place(v.Out); err != nil {
		return err
	}
	var options pack.Options
	members, named := pack.Members{}, maps.Clone(v.Member)
	folders := map[*pack.Checkpoint]string{}
	for i, m := range unit.Ensemble.Members {
		name := m.Head.FullName()
		path, ok := named[name]
		if !ok {
			return fault.Input(v.Path, "the folder of the member %s is missing", name).Hint("--member %s=DIR", name)
		}
		delete(named, name)
		f, err := folder.Open(path, true, v.Ignore)
		if err != nil {
			return err
		}
		defer f.Close()
		o, err := folder.PackOptions(c, &compiler.Unit{Program: unit.Program, Model: m.Head.Model, Head: m.Head, Target: unit.Target}, f)
		if err != nil {
			return err
		}
		switch {
		case i == 0:
			options = o
		case !bytes.Equal(options.Tokenizer, o.Tokenizer):
			return fault.Input(path, "its tokenizer is another than that of the first member's folder: all members read the same tokens")
		case !maps.Equal(options.Extra, o.Extra):
			return fault.Input(path, "its files say other things about texts (prompts, lengths, the side on which they are cut) than those of the first member's folder")
		case o.MaxTokens > 0 && o.MaxTokens < options.MaxTokens:
			options.MaxTokens = o.MaxTokens
		}
		source := f.Source(m.Head.Model)
		members[compiler.MemberPrefix(m.Head)], folders[source] = source, path
	}
	if len(named) > 0 {
		return fault.Input(v.Path, "the ensemble has no member %s", wording.List(slices.Sorted(maps.Keys(named))))
	}
	stop := c.Progress("packing weights")
	err = pack.Write(v.Out, unit.Program, members, options)
	stop()
	if err != nil {
		return folder.PackFault(c, v.Path, err)
	}
	for _, m := range unit.Ensemble.Members {
		source := members[compiler.MemberPrefix(m.Head)].(*pack.Checkpoint)
		if err := folder.Leftover(c, folders[source], source); err != nil {
			return err
		}
	}
	return packed(c, v.Out, unit)
}
