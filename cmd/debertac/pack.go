package main

import (
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
)

type packVerb struct {
	Path   string `arg:"" help:"Model folder; with --spec also a .safetensors file; or a spec, with --random-weights or --member."`
	Spec   string `placeholder:"FILE" help:"Spec to pack for. Default: the one that import writes for the folder."`
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first that emits a model."`
	folder.Wishes
	folder.DrawnFlag
	Out    string            `short:"o" required:"" placeholder:"FILE" help:"File to write."`
	Member map[string]string `placeholder:"MODEL.HEAD=DIR" help:"For a spec that emits an ensemble: the folder of a member. Give it once per member."`
	Random *uint64           `name:"random-weights" placeholder:"SEED" help:"Draw random weights instead of reading a folder: for benchmarks and tests."`
	Trace  bool              `help:"For a program of build --trace, which also runs layers that the head does not read."`
}

// Help is the long help.
func (packVerb) Help() string {
	return `Writes the weights of a model in the layout that its kernels read: matrices in panels, relative tables projected and scaled, and
the tokenizer. The file names the spec that it is packed for, and a package of another spec refuses it. It holds a hash of every
tensor. A model maps the file when it is opened, so opening takes milliseconds.

Examples:
  debertac pack ~/models/deberta-v3-base-mnli -o nli.weights
  debertac pack ~/models/deberta-v3-base-mnli --spec nli.dspec -o nli.weights
  debertac pack trained.safetensors --spec nli.dspec --tokenizer ~/models/deberta-v3-base -o nli.weights
  debertac pack ensemble.dspec --member a.nli=~/models/a --member b.nli=~/models/b -o nli.weights
  debertac pack big.dspec --random-weights 1 -o random.weights
  debertac pack big.dspec --random-weights 1 --tokenizer ~/models/deberta-v3-base -o random.weights`
}

// Run packs the weights into the file.
func (v *packVerb) Run(c *console.Console) error {
	o := model.Options{Wishes: v.Wishes, LentFlag: folder.LentFlag(v.DrawnFlag), DrawsForTokenizer: true,
		Target: v.Target, Spec: v.Spec, Seed: v.Random, Trace: v.Trace}
	if len(v.Member) > 0 {
		o.Ignore = nil // --ignore applies to the members' folders
	}
	src, dir, err := model.Open(c, v.Path, o)
	if err != nil {
		return err
	}
	defer dir.Close()
	if len(v.Member) > 0 {
		return v.ensemble(c, src, dir)
	}
	if dir == nil && v.Random == nil {
		return folder.NoWeights(src, v.Path, "a spec has no weights", v.Out, "; or --random-weights 1, which draws them")
	}
	unit, err := model.One(c, src, dir, o)
	if err != nil {
		return err
	}
	if _, err := output.Place(v.Out); err != nil {
		return err
	}
	tokenizer, err := model.LentToSpec(c, dir, o)
	if err != nil {
		return err
	}
	if dir != nil && dir.Token == nil {
		has := "the folder has no tokenizer (tokenizer.json or spm.model), and"
		if v.Spec != "" && strings.HasSuffix(dir.Dir, ".safetensors") {
			has = "the file has no tokenizer, and"
		}
		c.Note("%s: note: %s --tokenizer names none: what is packed takes token ids and no texts", dir.Dir, has)
	}
	if v.Random != nil {
		err = folder.PackRandom(c, unit, *v.Random, dir, tokenizer, v.Out)
	} else {
		err = folder.Pack(c, unit, dir, v.Out)
	}
	if err != nil {
		return err
	}
	return packed(c, v.Out, unit)
}

// packed prints what was packed.
func packed(c *console.Console, path string, u *compiler.Unit) error {
	st, err := disk.Stat(path)
	if err != nil {
		return err
	}
	c.Note("%s: %s, %s", path, source.UnitName(u), wording.Size(st.Size()))
	return nil
}

// ensemble packs the members of an ensemble.
func (v *packVerb) ensemble(c *console.Console, src *source.Source, dir *folder.Folder) error {
	if v.Trace {
		return fault.Usage("", "--trace is for models, and --member belongs to an ensemble")
	}
	if dir != nil || v.Random != nil {
		return fault.Usage("debertac pack ensemble.dspec --member MODEL.HEAD=DIR …",
			"--member belongs to a spec of an ensemble, and takes the weights from folders")
	}
	unit, err := source.UnitFor(c, src, v.Target, v.Head, compiler.Options{})
	if err != nil {
		return err
	}
	if unit.Ensemble == nil {
		return fault.Input(v.Path, "the target emits %s, which is not an ensemble: it has no members", source.UnitName(unit))
	}
	if _, err := output.Place(v.Out); err != nil {
		return err
	}
	if err := folder.PackEnsemble(c, unit, v.Path, v.Member, v.Ignore, v.Out); err != nil {
		return err
	}
	return packed(c, v.Out, unit)
}
