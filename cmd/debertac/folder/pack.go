package folder

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/token"
)

// NoWeights returns the error for a spec without weights, with a hint how to pack weights into the file out. more is added to the hint.
func NoWeights(src *source.Source, path, what, out, more string) error {
	for _, t := range src.Spec.Targets {
		for _, e := range t.Emit {
			if e.Ensemble == nil {
				continue
			}
			var members []string
			for _, m := range e.Ensemble.Members {
				members = append(members, fmt.Sprintf("--member %s=DIR", m.Head.FullName()))
			}
			return fault.Input(path, "%s", what).Hint("debertac pack %s %s -o %s%s", wording.Quoted(path), strings.Join(members, " "),
				wording.Quoted(out), more)
		}
	}
	return fault.Input(path, "%s", what).Hint("debertac pack MODEL_FOLDER --spec %s -o %s%s", wording.Quoted(path), wording.Quoted(out), more)
}

// PackRandom packs random weights, with the tokenizer and the limit of the folder dir, or without a folder with the tokenizer t. Both may be nil.
func PackRandom(c *console.Console, u *compiler.Unit, seed uint64, dir *Folder, t *Lent, out string) error {
	o, err := PackOptions(c, u, dir)
	if err != nil {
		return err
	}
	if t != nil {
		if err := t.options(u, &o); err != nil {
			return err
		}
	}
	stop := c.Progress("packing random weights")
	defer stop()
	return pack.Write(out, u.Program, pack.Random{Seed: seed, Std: u.Model.Defaults.Init.Std}, o)
}

// PackOptions returns what is packed besides the weights: the folder's tokenizer and its limit on tokens. dir may be nil.
func PackOptions(c *console.Console, u *compiler.Unit, dir *Folder) (o pack.Options, err error) {
	o.Context = c.Context
	if dir == nil {
		return o, nil
	}
	if o.Extra, err = dir.extra(u); err != nil {
		return o, err
	}
	o.MaxTokens = dir.MaxTokens(u.Model, Vectors(u.Program.Meta.Task))
	if dir.Token == nil {
		return o, nil
	}
	if u.Model.Tokenizer == "none" && dir.lent == nil {
		c.Note("%s: note: the spec has tokenizer none, so the folder's is not packed", dir.Dir)
		return o, nil
	}
	place := dir.Dir
	if dir.lent != nil {
		place = dir.lent.Path
	}
	if err := Fits(dir.Token, dir.kind, place, u); err != nil {
		return o, err
	}
	if dir.lowers(u) {
		dir.Token.LowerTexts()
	}
	o.TokenizerKind = token.PackedKind
	if o.Tokenizer, err = dir.Token.Marshal(); err != nil {
		return o, fault.Ours(err)
	}
	return o, nil
}

// Pack packs a folder's weights, with its tokenizer and its limit on tokens.
func Pack(c *console.Console, u *compiler.Unit, dir *Folder, out string) error {
	return PackAdapted(c, u, dir, nil, out)
}

// PackAdapted packs a folder's weights as Pack does, and adapters beside them.
func PackAdapted(c *console.Console, u *compiler.Unit, dir *Folder, adapters []pack.Adapter, out string) error {
	o, err := PackOptions(c, u, dir)
	if err != nil {
		return err
	}
	o.Adapters = adapters
	stop := c.Progress("packing weights")
	source := dir.Source(u.Model)
	err = pack.Write(out, u.Program, source, o)
	stop()
	if err != nil {
		return PackFault(c, dir.Dir, err)
	}
	return Leftover(c, dir.Dir, source)
}

// Leftover reports the tensors of a folder that were not packed.
func Leftover(c *console.Console, dir string, source *pack.Checkpoint) error {
	unused, err := source.Leftover()
	if err == nil && len(unused) > 0 {
		c.Note("%s: note: %s", dir, notPacked(unused))
	}
	return err
}

// notPacked describes the tensors that were left out; it names the first ones.
func notPacked(unused []string) string {
	const shown = 5
	names := wording.List(unused)
	if len(unused) > shown {
		names = fmt.Sprintf("%s and %d more", strings.Join(unused[:shown], ", "), len(unused)-shown)
	}
	return wording.Counted(len(unused), "tensor is not part of the spec and was not packed: ", "tensors are not part of the spec and were not packed: ") + names
}

// PackFault returns the error for weights that cannot be packed: a tensor is missing, has another shape, or is damaged. Errors of the file system are
// returned as they are.
func PackFault(c *console.Console, path string, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) || c.Context.Err() != nil {
		return err
	}
	var tensor *safetensors.Error
	if errors.As(err, &tensor) { // it names the file and the tensor, so the place of packing is not needed
		return fault.Input("", "%v", tensor)
	}
	return fault.Input(path, "the weights cannot be packed: %v", err)
}
