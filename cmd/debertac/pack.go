package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/token"
)

type packVerb struct {
	Path   string `arg:"" help:"Hugging Face model folder; or a spec, with --random-weights or --member."`
	Spec   string `placeholder:"FILE" help:"Spec to pack for. Default: the one that import writes for the folder."`
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	wishes
	drawnFlag
	Out    string            `short:"o" required:"" placeholder:"FILE" help:"File to write."`
	Member map[string]string `placeholder:"MODEL.HEAD=DIR" help:"For a spec that emits an ensemble: the folder of a member. Give it once per member."`
	Random *uint64           `name:"random-weights" placeholder:"SEED" help:"Draw random weights instead of reading a folder: for benchmarks and tests."`
}

// Help is the long help.
func (packVerb) Help() string {
	return `Writes the weights of a model in the layout that its kernels read: matrices in panels, relative tables projected and scaled, and
the tokenizer. The file names the spec that it is packed for, and a package of another spec refuses it. It holds a hash of every
tensor. A model maps the file when it is opened, so opening takes milliseconds.

Examples:
  debertac pack ~/models/deberta-v3-base-mnli -o nli.weights
  debertac pack ~/models/deberta-v3-base-mnli --spec nli.dspec -o nli.weights
  debertac pack ensemble.dspec --member a.nli=~/models/a --member b.nli=~/models/b -o nli.weights
  debertac pack big.dspec --random-weights 1 -o random.weights
  debertac pack big.dspec --random-weights 1 --tokenizer ~/models/deberta-v3-base -o random.weights`
}

// Run packs.
func (v *packVerb) Run(a *app) error {
	o := programOptions{wishes: v.wishes, lentFlag: lentFlag(v.drawnFlag), draw: true, target: v.Target, spec: v.Spec, seed: v.Random}
	if len(v.Member) > 0 {
		o.Ignore = nil // they are the members' folders that have something to ignore
	}
	src, dir, err := a.open(v.Path, o)
	if err != nil {
		return err
	}
	defer dir.Close()
	if len(v.Member) > 0 {
		return v.ensemble(a, src, dir)
	}
	if dir == nil && v.Random == nil {
		return noWeights(src, v.Path, "a spec has no weights", v.Out, "; or --random-weights 1, which draws them")
	}
	unit, err := a.oneOf(src, dir, o)
	if err != nil {
		return err
	}
	if _, err := outPlace(v.Out); err != nil {
		return err
	}
	tokenizer, err := a.lentToSpec(dir, o)
	if err != nil {
		return err
	}
	if dir != nil && dir.token == nil {
		a.note("%s: note: the folder has no tokenizer (tokenizer.json or spm.model), and --tokenizer names none: what is packed takes token ids and no texts", dir.dir)
	}
	if v.Random != nil {
		err = a.packRandom(unit, *v.Random, dir, tokenizer, v.Out)
	} else {
		err = a.packFolder(unit, dir, v.Out)
	}
	if err != nil {
		return err
	}
	return a.packed(v.Out, unit)
}

// noWeights says that a spec has no weights, and how they are made into the file out; more goes on with the hint.
func noWeights(src *source, path, what, out, more string) error {
	for _, t := range src.spec.Targets {
		for _, e := range t.Emit {
			if e.Ensemble == nil {
				continue
			}
			var members []string
			for _, m := range e.Ensemble.Members {
				members = append(members, fmt.Sprintf("--member %s=DIR", m.Head.FullName()))
			}
			return inputFault(path, "%s", what).hint("debertac pack %s %s -o %s%s", quoted(path), strings.Join(members, " "), quoted(out), more)
		}
	}
	return inputFault(path, "%s", what).hint("debertac pack MODEL_FOLDER --spec %s -o %s%s", quoted(path), quoted(out), more)
}

// packed says what was packed.
func (a *app) packed(path string, u *compiler.Unit) error {
	st, err := disk.Stat(path)
	if err != nil {
		return err
	}
	a.note("%s: %s, %s", path, unitName(u), size(st.Size()))
	return nil
}

// packRandom packs drawn weights, with the tokenizer and the limit of the folder if there is one, or else with the tokenizer t. Both may be nil.
func (a *app) packRandom(u *compiler.Unit, seed uint64, dir *folder, t *lent, out string) error {
	o, err := a.packOptions(u, dir)
	if err != nil {
		return err
	}
	if t != nil {
		if err := t.options(u, &o); err != nil {
			return err
		}
	}
	stop := a.progress("packing random weights")
	defer stop()
	return pack.Write(out, u.Program, pack.Random{Seed: seed, Std: u.Model.Defaults.Init.Std}, o)
}

// packOptions are what is packed beside the weights: the folder's tokenizer and its limit on tokens. dir may be nil.
func (a *app) packOptions(u *compiler.Unit, dir *folder) (o pack.Options, err error) {
	o.Context = a.ctx
	if dir == nil {
		return o, nil
	}
	if o.Extra, err = dir.extra(u); err != nil {
		return o, err
	}
	o.MaxTokens = dir.maxTokens(u.Model, vectors(u.Program.Meta.Task))
	if dir.token == nil {
		return o, nil
	}
	if u.Model.Tokenizer == "none" && dir.lent == nil {
		a.note("%s: note: the spec says tokenizer none, so the folder's is not packed", dir.dir)
		return o, nil
	}
	if err := fits(dir.token, dir.kind, dir.dir, u); err != nil {
		return o, err
	}
	if dir.lowers(u) {
		dir.token.LowerTexts()
	}
	o.TokenizerKind = token.PackedKind
	if o.Tokenizer, err = dir.token.Marshal(); err != nil {
		return o, ours(err)
	}
	return o, nil
}

// packFolder packs a folder's weights, with its tokenizer and its limit on tokens.
func (a *app) packFolder(u *compiler.Unit, dir *folder, out string) error {
	o, err := a.packOptions(u, dir)
	if err != nil {
		return err
	}
	stop := a.progress("packing weights")
	source := dir.source(u.Model)
	err = pack.Write(out, u.Program, source, o)
	stop()
	if err != nil {
		return a.packFault(dir.dir, err)
	}
	return a.leftover(dir.dir, source)
}

// leftover reports the tensors of a folder that were not packed.
func (a *app) leftover(dir string, source *pack.Checkpoint) error {
	unused, err := source.Leftover()
	if err == nil && len(unused) > 0 {
		a.note("%s: note: %s", dir, notPacked(unused))
	}
	return err
}

// notPacked says which tensors were left out, the first ones by name.
func notPacked(unused []string) string {
	const shown = 5
	names := list(unused)
	if len(unused) > shown {
		names = fmt.Sprintf("%s and %d more", strings.Join(unused[:shown], ", "), len(unused)-shown)
	}
	return counted(len(unused), "tensor is not part of the spec and was not packed: ", "tensors are not part of the spec and were not packed: ") + names
}

// packFault says that weights cannot be packed: a tensor is missing, has another shape, or is damaged. Faults of the file system speak for
// themselves.
func (a *app) packFault(path string, err error) error {
	var system *fs.PathError
	if errors.As(err, &system) || a.ctx.Err() != nil {
		return err
	}
	var tensor *safetensors.Error
	if errors.As(err, &tensor) { // it names the file and the tensor, so that where packing was does not matter
		return inputFault("", "%v", tensor)
	}
	return inputFault(path, "the weights cannot be packed: %v", err)
}

// randomWeights packs drawn weights into the cache. dir and t may be nil.
func (a *app) randomWeights(u *compiler.Unit, seed uint64, dir *folder, t *lent) (string, error) {
	key, err := a.packedKey(u, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "random %d\n", seed); err != nil {
			return err
		}
		if t != nil {
			return t.hash(w)
		}
		if dir == nil {
			return nil
		}
		return dir.hash(w)
	})
	if err != nil {
		return "", err
	}
	about := fmt.Sprintf("random weights %d of %s", seed, unitName(u))
	return a.cached(cache.Packed, key+weightsEnding, about, func(out string) error { return a.packRandom(u, seed, dir, t, out) })
}

// folderWeights packs a folder's weights into the cache, keyed by the content of its files.
func (a *app) folderWeights(u *compiler.Unit, dir *folder) (string, error) {
	stop := a.progress("reading weights")
	key, err := a.packedKey(u, dir.hash)
	stop()
	if err != nil {
		return "", err
	}
	return a.cached(cache.Packed, key+weightsEnding, "weights of "+dir.dir, func(out string) error { return a.packFolder(u, dir, out) })
}

// weightsEnding ends the names of packed weights in the cache.
const weightsEnding = ".weights"

// hash writes the content of every file of the folder that packing reads, and the tokenizer that it has borrowed.
func (f *folder) hash(w io.Writer) error {
	if f.lent != nil {
		if err := f.lent.hash(w); err != nil {
			return err
		}
	}
	entries, err := disk.ReadDir(f.dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "ignore %q\n", f.ignore)
	weights := ".safetensors" // what else the folder holds is not read
	safe, err := safetensors.In(f.dir)
	if err != nil {
		return err
	}
	if !safe {
		weights = ".bin"
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".json", weights, ".model", ".txt":
			st, err := disk.Stat(filepath.Join(f.dir, e.Name())) // published folders are often made of links
			if err != nil {
				return err
			}
			if !st.Mode().IsRegular() {
				continue
			}
			if err := hashFile(w, filepath.Join(f.dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
