package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/prepare"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/version"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/training"
)

// Call is a command line of debertac train.
type Call struct {
	Spec   string // path of the spec; of a run that goes on, its folder or the spec that it was begun with
	Out    string // folder of the run; "" if Spec is that folder
	Resume bool
	JSON   bool
	Flags
}

// run is a run that is about to start, or to go on.
type run struct {
	*built.Maker
	call   *Call
	flags  *Flags
	folder *runfolder.Folder
	src    *source.Source
	unit   *compiler.Unit
	tok    *folder.Lent
	data   *prepare.Data
	binary string
	judge  *judge // nil: no evaluations
	temp   string // folder with a tokenizer that was made for the run; "": none was
}

// close removes what was made for the time of the run.
func (r *run) close() error {
	if r.temp == "" {
		return nil
	}
	return disk.RemoveAll(r.temp)
}

// Train begins a run, or goes on with one.
func Train(m *built.Maker, c *Call) (err error) {
	r := &run{Maker: m, call: c, flags: &c.Flags}
	defer func() { err = errors.Join(err, r.close()) }()
	open := r.begin
	if c.Resume {
		open = r.resume
	}
	defer func() {
		if r.judge != nil && r.judge.data != nil {
			_ = r.judge.data.Close() // it is thrown away
		}
	}()
	if err := open(); err != nil {
		return err
	}
	return r.start()
}

// begin prepares a new run, and makes its folder last: a command line that cannot work leaves none.
func (r *run) begin() error {
	c, f := r.call, r.flags
	if err := f.fit(); err != nil {
		return err
	}
	switch {
	case c.Out == "":
		return fault.Usage("-o runs/first", "-o is missing: the folder of the run")
	case len(f.Data) == 0:
		return fault.Usage("--data train.jsonl", "--data is missing: what to train on")
	}
	if is, err := runfolder.Is(c.Out); err == nil && is {
		return fault.Input(c.Out, "it holds a run already").Hint("--resume goes on with it; a new run needs another folder")
	}
	if err := r.places(); err != nil {
		return err
	}
	text, err := disk.ReadFile(c.Spec, maxSpec)
	if err != nil {
		return err
	}
	weights, base, config, err := f.weights(r.Console)
	if err != nil {
		return err
	}
	if f.Tokenizer != "" {
		base = f.Tokenizer
	}
	if err := r.read(c.Spec, base); err != nil {
		return err
	}
	if base, config, err = r.marked(base, config); err != nil {
		return err
	}
	if err := r.ready(base); err != nil {
		return err
	}
	sum := ""
	if weights != "" {
		stop := r.Progress("reading weights")
		sum, _, err = prepare.Sum(r.Context, []string{weights})
		stop()
		if err != nil {
			return err
		}
	}
	files, err := baseFiles(base, config)
	if err != nil {
		return err
	}
	files[runfolder.SpecFile] = text
	return r.make(files, weights, sum)
}

// places refuses files that do not exist, and a folder that cannot be made, before any work.
func (r *run) places() error {
	f := r.flags
	for _, path := range slices.Concat([]string{f.Init, f.Generator, f.Tokenizer}, f.Data, f.Eval) {
		if path == "" {
			continue
		}
		if _, err := disk.Stat(path); err != nil {
			return err
		}
	}
	out := filepath.Clean(r.call.Out)
	for dir := out; ; dir = filepath.Dir(dir) {
		there, err := disk.Exists(dir)
		switch {
		case err != nil:
			return err
		case !there && dir != filepath.Dir(dir):
			continue
		}
		if is, err := disk.IsDir(dir); err != nil || !is {
			return fault.Input(out, "%s is not a folder, so the run cannot be written there", dir)
		}
		_, err = disk.Place(filepath.Join(dir, runfolder.RunFile))
		var path *fs.PathError
		if errors.As(err, &path) && dir != out {
			return fault.Input(out, "it cannot be made in %s: %v", dir, path.Err)
		}
		return err
	}
}

// maxSpec bounds a spec, in bytes.
const maxSpec = 16 << 20

// ready prepares the data and builds the programs.
func (r *run) ready(base string) (err error) {
	if r.data, err = r.flags.Make(r.Maker, r.unit, r.tok, r.flags.Data, r.flags.part(false), ""); err != nil {
		return err
	}
	if !r.call.JSON {
		r.data.Describe(r.Console)
		r.data.Label(r.Console, r.unit.Head)
	}
	if err := r.alone(); err != nil {
		return err
	}
	if len(r.flags.Eval) > 0 || r.flags.HoldOut > 0 {
		if r.judge, err = r.newJudge(base); err != nil {
			return err
		}
	}
	r.binary, err = r.Binary([]*compiler.Unit{r.unit})
	return err
}

// read compiles the training and reads the tokenizer.
func (r *run) read(path, base string) (err error) {
	if r.src, err = source.Load(r.Console, path); err != nil {
		return err
	}
	name, err := trainingOf(r.src, r.flags.Train)
	if err != nil {
		return err
	}
	if r.unit, err = source.TrainingOf(r.Console, r.src, r.flags.Target, name, compiler.Options{}); err != nil {
		return err
	}
	if base == "" {
		return fault.Usage("--tokenizer DIR", "the texts need a tokenizer: name one, or a folder with weights and a tokenizer by --init")
	}
	r.tok, err = folder.Lend(r.Console, base, nil)
	return err
}

// Prepare prepares data for a training of a spec, into a file.
func Prepare(m *built.Maker, path, target, train, tokenizer string, data []string, out string, f *prepare.Flags) (d *prepare.Data, err error) {
	r := &run{Maker: m, flags: &Flags{Train: train, Target: target, Flags: *f}}
	defer func() { err = errors.Join(err, r.close()) }()
	if err := r.read(path, tokenizer); err != nil {
		return nil, err
	}
	config := tokenizer
	if is, err := disk.IsDir(tokenizer); err != nil || !is {
		config = ""
	}
	if _, _, err := r.marked(tokenizer, config); err != nil {
		return nil, err
	}
	return r.flags.Make(m, r.unit, r.tok, data, prepare.Part{}, out)
}

// trainingOf returns the name of the training that a flag names, or that of the only one.
func trainingOf(src *source.Source, name string) (string, error) {
	trains := src.Spec.Trains
	switch {
	case name != "":
		return name, nil // TrainingOf reports a name that does not exist
	case len(trains) == 0:
		return "", fault.Input(src.Tree.Name, "the spec has no training").Hint("train tune on MODEL.HEAD { … }")
	case len(trains) == 1:
		return trains[0].Name, nil
	}
	var names []string
	for _, t := range trains {
		names = append(names, t.Name)
	}
	return "", fault.Usage("--train "+names[0], "--train is missing: the spec has the trainings %s", joined(names))
}

// baseFiles reads the files that a run keeps: those of the tokenizer in a folder, or the one file of it, and those that describe the model in the folder
// config. Without that folder the weights are drawn, or the file of weights is alone, and an export writes all fields itself.
func baseFiles(tokenizer, config string) (map[string][]byte, error) {
	files := map[string][]byte{}
	is, err := disk.IsDir(tokenizer)
	if err != nil {
		return nil, err
	}
	dir, names := tokenizer, tokenizerNames
	if !is {
		dir, names = filepath.Dir(tokenizer), append([]string{filepath.Base(tokenizer)}, folder.Besides...)
	}
	var paths []string
	for _, name := range names {
		paths = append(paths, filepath.Join(dir, name))
	}
	for _, name := range configNames {
		if config != "" {
			paths = append(paths, filepath.Join(config, name))
		}
	}
	for _, path := range paths {
		text, err := disk.ReadFile(path, folder.MostText)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		files[filepath.Join(runfolder.BaseFolder, filepath.Base(path))] = text
	}
	return files, nil
}

// make makes the folder of a new run.
func (r *run) make(files map[string][]byte, weights, sum string) error {
	f := r.flags
	steps, perEpoch, err := r.steps()
	if err != nil {
		return err
	}
	whole, err := f.absolute()
	if err != nil {
		return err
	}
	recorded, err := json.Marshal(whole)
	if err != nil {
		return fault.Ours(err)
	}
	tok, err := TokenizerSum(r.tok)
	if err != nil {
		return err
	}
	spec := sha256.Sum256(files[runfolder.SpecFile])
	about := &runfolder.Run{
		Training: r.unit.Training.Name, Head: r.unit.Head.FullName(), Task: string(r.unit.Head.Task()), Spec: hex.EncodeToString(spec[:]),
		Program: r.unit.Program.Meta.SpecHash, Tokenizer: tok, Base: weights, Weights: sum, Prepared: r.data.Report.Source,
		Steps: steps, StepsPerEpoch: perEpoch, Flags: recorded, Command: whole.command(), Version: version.Read().Version,
		Began:    time.Now().UTC().Truncate(time.Second),
		Settings: map[string]string{},
		Data:     []runfolder.Data{{Path: joined(whole.Data), SHA256: r.data.Sum, Bytes: r.data.Bytes, Examples: r.data.Report.Examples}},
	}
	about.Files = map[string]string{}
	for path, text := range files {
		if name, ok := strings.CutPrefix(filepath.ToSlash(path), runfolder.BaseFolder+"/"); ok {
			sum := sha256.Sum256(text)
			about.Files[name] = hex.EncodeToString(sum[:])
		}
	}
	if f.Seed != nil {
		about.Seed = *f.Seed
	}
	for _, arg := range whole.args() {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		about.Settings[name] = value
	}
	if r.judge != nil {
		sum, size := r.data.Sum, r.data.Bytes
		if f.HoldOut == 0 {
			if sum, size, err = prepare.Sum(r.Context, f.Eval); err != nil {
				return err
			}
		}
		about.Eval = []runfolder.Data{{Path: joined(evaluated(whole)), SHA256: sum, Bytes: size, Examples: r.judge.data.N}}
	}
	if r.folder, err = runfolder.Create(r.call.Out, about, files); err != nil {
		return fault.Input(r.call.Out, "%v", err)
	}
	return nil
}

// steps returns the number of steps of the whole training, and of an epoch.
func (r *run) steps() (steps, perEpoch int, err error) {
	t, meta := r.unit.Training, &r.data.Report.Meta
	l := training.Length{Steps: t.Steps, Epochs: t.Epochs, Batch: t.Batch, Rows: meta.Rows, Most: meta.Most}
	if steps, perEpoch, err = l.Total(); err != nil {
		err = fault.Input(r.src.Tree.Name, "%v", err)
	}
	return steps, perEpoch, err
}

// resume prepares a run to go on.
func (r *run) resume() error {
	c := r.call
	dir := c.Out
	if dir == "" {
		dir = c.Spec
	}
	if is, err := disk.IsDir(c.Spec); err == nil && is && filepath.Clean(dir) != filepath.Clean(c.Spec) {
		return fault.Usage("leave out -o", "-o %s and the run %s contradict each other: a run goes on in its own folder", c.Out, c.Spec)
	}
	if is, err := runfolder.Is(dir); errors.Is(err, fs.ErrNotExist) || err == nil && !is {
		return fault.Input(dir, "it is not the folder of a run, so there is nothing to go on with").Hint("leave out --resume to begin a new run")
	}
	old, err := Open(r.Console, dir)
	if err != nil {
		return err
	}
	if err := old.continuable(); err != nil {
		return err
	}
	r.folder, r.src, r.unit, r.tok = old.Folder, old.Source, old.Unit, old.Token
	if r.flags, err = c.recorded(old.Flags); err == nil {
		err = r.flags.fit()
	}
	if err != nil {
		return err
	}
	if err := old.lastFits(); err != nil {
		return err
	}
	if err := disk.RemoveAll(r.folder.Path(evaluatedWeights)); err != nil { // of an evaluation that was killed
		return err
	}
	if err := r.ready(r.folder.Path(runfolder.BaseFolder)); err != nil {
		return err
	}
	if err := r.sameData(old); err != nil {
		return err
	}
	if c.Out != "" && c.Spec != c.Out {
		return r.sameSpec()
	}
	return nil
}

// sameData refuses data that have changed, and data with which the run has another number of steps than run.json tells.
func (r *run) sameData(old *Recorded) error {
	about := &old.Run
	if sum := about.Data[0].SHA256; sum != r.data.Sum {
		return fault.Input(about.Data[0].Path, "the data have changed since the run began (sha256 %.12s… then, %.12s… now)", sum, r.data.Sum).
			Hint("a run goes on with the same data; other data need a new run, which can begin with the weights of this one: --init")
	}
	if about.Prepared != r.data.Report.Source {
		return fault.Input(old.Dir, "another tokenizer or version of debertac prepares other data than the run began with: go on with the version %s",
			about.Version)
	}
	steps, perEpoch, err := r.steps()
	switch {
	case err != nil:
		return err
	case steps != about.Steps:
		return old.wrong("steps", "it is %d, and with its spec and data the run has %d", about.Steps, steps)
	case perEpoch != about.StepsPerEpoch:
		return old.wrong("steps_per_epoch", "it is %d, and with its data the run has %d", about.StepsPerEpoch, perEpoch)
	}
	return nil
}

// sameSpec refuses a spec that is named beside a run and is not the run's.
func (r *run) sameSpec() error {
	src, err := source.Load(r.Console, r.call.Spec)
	if err != nil {
		return err
	}
	unit, err := source.TrainingOf(r.Console, src, r.flags.Target, r.unit.Training.Name, compiler.Options{})
	if err != nil {
		return err
	}
	if unit.Program.Meta.SpecHash != r.unit.Program.Meta.SpecHash || !slices.Equal(unit.Training.Statements(), r.unit.Training.Statements()) {
		return fault.Input(r.call.Spec, "the spec has changed since the run began, and a run goes on with the same spec only").
			Hint("debertac train %s --resume goes on with the spec that the folder holds", r.call.Out)
	}
	return nil
}

// command returns the command that repeats a run.
func (f *Flags) command() []string {
	return slices.Concat([]string{"debertac", "train", runfolder.SpecFile}, f.args())
}
