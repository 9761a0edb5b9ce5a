package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
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
	Adapt  map[string]string `name:"adapter" placeholder:"NAME=DIR" help:"@pack_adapter"`
	Trace  bool              `help:"For a program of build --trace, which also runs layers that the head does not read."`
}

// Help is the long help.
func (packVerb) Help() string {
	return `Writes the weights of a model in the layout that its kernels read: matrices in panels, relative tables projected and scaled, and
the tokenizer. The file names the spec that it is packed for, and a package of another spec refuses it. It holds a hash of every
tensor. A model maps the file when it is opened, so opening takes milliseconds.

With --adapter the file holds low-rank adapters (LoRA) beside the weights, which it holds once: of each adapted product two small matrices,
and whatever else the adapter changes. A call chooses one by its name, or none. The spec's target needs adapters rank <= N, and a model
folder --adapter-rank N. The folders of adapters are those that merge takes; an adapter of another model is refused.

Examples:
  debertac pack ~/models/deberta-v3-base-mnli -o nli.weights
  debertac pack ~/models/news --adapter-rank 16 --adapter law=adapters/law --adapter sport=adapters/sport -o news.weights
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
	if err := v.checkAdapters(); err != nil {
		return err
	}
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
	switch {
	case v.Random != nil:
		err = folder.PackRandom(c, unit, *v.Random, dir, tokenizer, v.Out)
	case len(v.Adapt) > 0:
		err = v.adapted(c, unit, dir)
	default:
		err = folder.Pack(c, unit, dir, v.Out)
	}
	if err != nil {
		return err
	}
	return packed(c, v.Out, unit)
}

// checkAdapters refuses --adapter beside other flags, and what can be no name.
func (v *packVerb) checkAdapters() error {
	if len(v.Adapt) == 0 {
		return nil
	}
	if v.Random != nil || len(v.Member) > 0 {
		return fault.Usage("", "--adapter is for the weights of a model folder, not for drawn weights or those of an ensemble")
	}
	for _, name := range slices.Sorted(maps.Keys(v.Adapt)) {
		if !engine.AdapterName(name) {
			return fault.Usage("--adapter law=adapters/law", "--adapter %s=…: a name has up to 100 letters, digits, and the characters - _ .", name)
		}
	}
	return nil
}

// adapted packs the weights of a folder with adapters beside them.
func (v *packVerb) adapted(c *console.Console, unit *compiler.Unit, dir *folder.Folder) (err error) {
	var list []pack.Adapter
	var open []*adapter.Beside
	defer func() {
		for _, b := range open {
			err = errors.Join(err, b.Close())
		}
	}()
	most := 0
	for _, name := range slices.Sorted(maps.Keys(v.Adapt)) {
		b, err := adapter.OpenBeside(v.Adapt[name], dir.Source(unit.Model).File)
		if err != nil {
			return err
		}
		open = append(open, b)
		list = append(list, pack.Adapter{Name: name, Base: b.Base(), Tensors: b})
		most = max(most, b.MaxRank())
	}
	if rank := unit.Program.Meta.Rank; rank == 0 && v.Spec == "" {
		return fault.Usage(fmt.Sprintf("--adapter-rank %d, and the same for build", max(1, most)),
			"--adapter needs --adapter-rank RANK, the greatest rank of all adapters")
	} else if rank == 0 {
		return fault.Input(v.Spec, "the target takes no adapters").Hint("adapters rank <= %d in the target", max(1, most))
	}
	if err := folder.PackAdapted(c, unit, dir, list, v.Out); err != nil {
		return err
	}
	for i, b := range open {
		for _, n := range b.Notes() {
			c.Note("%s: note: %s", v.Adapt[list[i].Name], n)
		}
		if unused := b.Unused(); len(unused) > 0 {
			c.Note("%s: note: the spec lacks %s, which the adapter changes: %s", v.Adapt[list[i].Name],
				wording.Counted(len(unused), "tensor", "tensors"), wording.List(unused))
		}
	}
	return nil
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
