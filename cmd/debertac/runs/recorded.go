package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/export"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
)

// Recorded is the folder of a run whose files are what they were when the run began.
type Recorded struct {
	*runfolder.Folder
	Flags  *Flags // that it was begun with
	Source *source.Source
	Unit   *compiler.Unit // the training
	Token  *folder.Lent   // nil: the run has none
}

// Open reads the folder of a run: to go on with it, to evaluate or export its model, or to begin another run with its weights. A file that is not what it was
// when the run began is an error, and so are values of run.json that no run has.
func Open(c *console.Console, dir string) (*Recorded, error) {
	f, err := runfolder.Open(dir)
	if err != nil {
		return nil, fault.Input(dir, "%v", err)
	}
	r := &Recorded{Folder: f}
	for _, step := range []func(*console.Console) error{r.begun, r.sameSpec, r.sameBase} {
		if err := step(c); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// wrong returns the error for a field of run.json.
func (r *Recorded) wrong(field, format string, args ...any) error {
	return fault.Input(r.Path(runfolder.RunFile), "field %q: "+format, append([]any{field}, args...)...)
}

// begun reads the flags that the run was begun with.
func (r *Recorded) begun(*console.Console) error {
	r.Flags = defaults()
	if len(r.Run.Flags) == 0 {
		return nil
	}
	if err := json.Unmarshal(r.Run.Flags, r.Flags); err != nil {
		return r.wrong("flags", "they cannot be read: %v", err)
	}
	if err := r.Flags.checkValues(); err != nil {
		return r.wrong("flags", "%s", strings.TrimPrefix(err.Error(), "debertac: "))
	}
	seed := uint64(0)
	if r.Flags.Seed != nil {
		seed = *r.Flags.Seed
	}
	if seed != r.Run.Seed {
		return r.wrong("seed", "it is %d, and the flags of the run have %d", r.Run.Seed, seed)
	}
	return nil
}

// sameSpec compiles the training of the spec, and refuses a spec that has changed, or that run.json describes differently.
func (r *Recorded) sameSpec(c *console.Console) error {
	path := r.Path(runfolder.SpecFile)
	text, err := disk.ReadFile(path, maxSpec)
	if err != nil {
		return err
	}
	if sum := sha256.Sum256(text); r.Run.Spec != "" && hex.EncodeToString(sum[:]) != r.Run.Spec {
		return fault.Input(path, "the spec has changed since the run began, and it does not fit the checkpoints any more").
			Hint("put it back; a new run can begin with the weights of a checkpoint: --init FILE")
	}
	if r.Source, err = source.Load(c, path); err != nil {
		return err
	}
	name := r.Run.Training
	if !slices.ContainsFunc(r.Source.Spec.Trains, func(t *spec.Train) bool { return t.Name == name }) {
		return r.wrong("training", "it is %q, and the spec in the folder has no such training", name)
	}
	if r.Unit, err = source.TrainingOf(c, r.Source, r.Flags.Target, name, compiler.Options{}); err != nil {
		return err
	}
	for _, field := range []struct{ name, have, want string }{{"head", r.Run.Head, r.Unit.Head.FullName()}, {"task", r.Run.Task, string(r.Unit.Head.Task())},
		{"program_sha256", r.Run.Program, r.Unit.Program.Meta.SpecHash}, {"flags.Train", r.Flags.Train, name}} {
		if field.have != "" && field.have != field.want {
			return r.wrong(field.name, "it is %q, and with the spec in the folder it would be %q", field.have, field.want)
		}
	}
	return nil
}

// sameBase reads the tokenizer, and refuses files of the folder base that have changed.
func (r *Recorded) sameBase(c *console.Console) (err error) {
	base := r.Path(runfolder.BaseFolder)
	for _, name := range slices.Sorted(maps.Keys(r.Run.Files)) {
		path := filepath.Join(base, name)
		text, err := disk.ReadFile(path, folder.MostText)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(text)
		if have, want := hex.EncodeToString(sum[:]), r.Run.Files[name]; have != want {
			return fault.Input(path, "it is not what it was when the run began (sha256 %.12s… then, %.12s… now): put it back", want, have)
		}
	}
	want := r.Run.Tokenizer
	if want == "" {
		return nil
	}
	if r.Token, err = folder.Lend(c, base, nil); err != nil {
		return err
	}
	have, err := TokenizerSum(r.Token)
	if err != nil {
		return err
	}
	if have != want {
		return fault.Input(base, "its tokenizer is not the one that the run began with (sha256 %.12s… then, %.12s… now): put its files back", want, have)
	}
	return nil
}

// TokenizerSum returns the sha256 of a tokenizer, as run.json has it.
func TokenizerSum(tok *folder.Lent) (string, error) {
	h := sha256.New()
	err := tok.Hash(h)
	return hex.EncodeToString(h.Sum(nil)), err
}

// Checkpoint returns the checkpoint of the run that a word names: last, best, or a number of steps. Without a word it is the best one, or the last one if the
// run was not evaluated. A file that is the checkpoint of another training, or of another step than its name tells, is an error.
func (r *Recorded) Checkpoint(word string) (runfolder.Checkpoint, error) {
	best, err := r.Best()
	if err != nil {
		return runfolder.Checkpoint{}, err
	}
	if word == "" && best != nil {
		word = "best"
	}
	c, err := r.Find(word)
	if err != nil {
		return c, fault.Input(r.Dir, "%v", err)
	}
	return c, export.Check(c.Path, r.Unit)
}

// lastFits refuses a last checkpoint that is that of another training, or of another step than its name tells. The program that trains tells of a damaged one.
func (r *Recorded) lastFits() error {
	list, err := r.Checkpoints()
	if err != nil || len(list) == 0 {
		return err
	}
	var damaged *safetensors.Error
	if err = export.Check(list[len(list)-1].Path, r.Unit); errors.As(err, &damaged) {
		return nil
	}
	return err
}

// weights returns the file or the folder of the weights that a new run begins with, "" if they are drawn, with the folders of the tokenizer and of the
// configuration that belong to them.
func (f *Flags) weights(c *console.Console) (path, tokenizer, config string, err error) {
	init := f.Init
	if init == "" {
		return "", "", "", nil
	}
	if is, err := runfolder.Is(init); err != nil || is {
		if err != nil {
			return "", "", "", err
		}
		other, err := Open(c, init)
		if err != nil {
			return "", "", "", err
		}
		found, err := other.Checkpoint("")
		base := other.Path(runfolder.BaseFolder)
		return found.Path, base, base, err
	}
	is, err := disk.IsDir(init)
	if err != nil || !is {
		return init, "", "", err
	}
	return init, init, init, nil
}

// tokenizerNames lists the files of the tokenizer of a model folder that a run keeps, because a model that is exported has them.
var tokenizerNames = append([]string{"tokenizer.json", "spm.model", "spiece.model", "sentencepiece.bpe.model", "vocab.json", "merges.txt", "vocab.txt"},
	folder.Besides...)

// configNames lists the files of a model folder that describe the model, and that a run keeps.
var configNames = []string{"config.json", "gliner_config.json", "sentence_bert_config.json"}

// continuable refuses a run of which too little is known to go on with it.
func (r *Recorded) continuable() error {
	switch {
	case r.Token == nil:
		return r.wrong("tokenizer_sha256", "it is missing, and texts need the tokenizer that the run began with")
	case len(r.Run.Data) == 0:
		return r.wrong("data", "it is empty, and the run was trained on data")
	case len(r.Run.Flags) == 0:
		return fault.Input(r.Dir, "the run was not begun by debertac train, so its flags are not known").
			Hint("the program that began it goes on with it: train --run %s --resume", wording.Quoted(r.Dir))
	}
	return nil
}
