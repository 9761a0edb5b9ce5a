package folder

import (
	"bytes"
	"maps"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
)

// PackEnsemble packs the weights of an ensemble's members into one file, from the folders that are named for them. Equal tables are stored once, and
// there is one tokenizer. place is the spec, for messages.
func PackEnsemble(c *console.Console, unit *compiler.Unit, place string, folders map[string]string, ignore []string, out string) error {
	var options pack.Options
	members, named := pack.Members{}, maps.Clone(folders)
	from := map[*pack.Checkpoint]string{}
	for i, m := range unit.Ensemble.Members {
		name := m.Head.FullName()
		path, ok := named[name]
		if !ok {
			return fault.Input(place, "the folder of the member %s is missing", name).Hint("--member %s=DIR", name)
		}
		delete(named, name)
		f, err := Open(path, true, ignore)
		if err != nil {
			return err
		}
		defer f.Close()
		o, err := PackOptions(c, &compiler.Unit{Program: unit.Program, Model: m.Head.Model, Head: m.Head, Target: unit.Target}, f)
		if err != nil {
			return err
		}
		switch {
		case i == 0:
			options = o
		case !bytes.Equal(options.Tokenizer, o.Tokenizer):
			return fault.Input(path, "its tokenizer is another than that of the first member's folder: all members read the same tokens")
		case !maps.Equal(options.Extra, o.Extra):
			return fault.Input(path, "its files have other settings for texts (prompts, lengths, the side on which they are cut) than those of the first "+
				"member's folder")
		case o.MaxTokens > 0 && o.MaxTokens < options.MaxTokens:
			options.MaxTokens = o.MaxTokens
		}
		source := f.Source(m.Head.Model)
		members[compiler.MemberPrefix(m.Head)], from[source] = source, path
	}
	if len(named) > 0 {
		return fault.Input(place, "the ensemble has no member %s", wording.List(slices.Sorted(maps.Keys(named))))
	}
	stop := c.Progress("packing weights")
	err := pack.Write(out, unit.Program, members, options)
	stop()
	if err != nil {
		return PackFault(c, place, err)
	}
	for _, m := range unit.Ensemble.Members {
		source := members[compiler.MemberPrefix(m.Head)].(*pack.Checkpoint)
		if err := Leftover(c, from[source], source); err != nil {
			return err
		}
	}
	return nil
}
