// Package runfolder defines the folder of a training's run: what it consists of, how it is written so that a kill at any moment loses nothing that a
// checkpoint holds, and how it is read.
//
//	run.json          what the run is: the training, hashes of all that it depends on, the command that repeats it
//	model.dspec       the spec
//	base/             config.json and the files of the tokenizer that the run began with
//	metrics.jsonl     one line per step that was logged, and per evaluation
//	checkpoints/      step-00000100.safetensors and so on: all that a resumed run needs
//	best.json         the evaluation with the best metric
//	events.out.tfevents…  the metrics for TensorBoard
//	run.lock          held by the process that trains
package runfolder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/ragged"
)

// The names in a run's folder.
const (
	RunFile     = "run.json"
	SpecFile    = "model.dspec"
	BaseFolder  = "base"
	MetricsFile = "metrics.jsonl"
	BestFile    = "best.json"
	Checkpoints = "checkpoints"
	LockFile    = "run.lock"
)

// Format is the version of the layout.
const Format = 1

// maxText bounds the JSON files of a run, in bytes.
const maxText = 16 << 20

// Run describes a run. It does not change while the run goes on.
type Run struct {
	Format   int    `json:"format"`
	Training string `json:"training"` // its name in the spec
	Head     string `json:"head"`     // full name of the head that is trained, MODEL.HEAD
	Task     string `json:"task"`     // of the head, see package tasktable

	Spec      string `json:"spec_sha256"`                // of model.dspec
	Program   string `json:"program_sha256"`             // of the canonical spec, as in checkpoints
	Tokenizer string `json:"tokenizer_sha256,omitempty"` // of its files
	// Files holds the sha256 of each file of base/, by its name. Runs of earlier versions have none.
	Files         map[string]string `json:"base_sha256,omitempty"`
	Base          string            `json:"base,omitempty"`           // the folder or file that the weights came from; "": they were drawn by the seed
	Weights       string            `json:"weights_sha256,omitempty"` // of the files that the weights came from
	Data          []Data            `json:"data"`                     // what it trains on
	Eval          []Data            `json:"eval,omitempty"`           // what it is evaluated on
	Seed          uint64            `json:"seed"`
	Steps         int               `json:"steps"`           // of the whole training
	StepsPerEpoch int               `json:"steps_per_epoch"` // batches of a pass over the data

	Prepared string            `json:"prepared_sha256"` // of all that the prepared data were made of, see package prepared
	Settings map[string]string `json:"settings"`        // the flags that were given, by name, for people
	Flags    json.RawMessage   `json:"flags,omitempty"` // the flags of debertac train, with which a run goes on
	Command  []string          `json:"command"`         // repeats the run
	Version  string            `json:"debertac"`
	Began    time.Time         `json:"began"`
}

// Again returns the command that repeats the run in a new folder. It is started where the spec is, such as in the folder of the run.
func (r *Run) Again() []string {
	if len(r.Command) == 0 || slices.Contains(r.Command, "-o") {
		return r.Command
	}
	return append(slices.Clone(r.Command), "-o", "again")
}

// Data is a file of examples.
type Data struct {
	Path     string `json:"path"`
	SHA256   string `json:"sha256"`
	Bytes    int64  `json:"bytes"`
	Examples int    `json:"examples"`
}

// Folder is a run's folder that was opened or made.
type Folder struct {
	Dir string
	Run Run

	made    bool // Create has made the folder itself
	lock    *disk.Lock
	metrics *disk.Log
}

// Abandon removes what Create has made if the run has not done a step: a run that could not begin leaves nothing.
func (f *Folder) Abandon() error {
	lines, err := f.Metrics()
	if err != nil || len(lines) > 0 {
		return err
	}
	if list, err := f.Checkpoints(); err != nil || len(list) > 0 {
		return err
	}
	if f.made {
		return disk.RemoveAll(f.Dir)
	}
	entries, err := disk.ReadDir(f.Dir)
	for _, e := range entries {
		err = errors.Join(err, disk.RemoveAll(f.Path(e.Name())))
	}
	return err
}

// ErrNone is matched by the error of Open for a folder that is not a run's.
var ErrNone = errors.New("not the folder of a run")

// Path returns the path of a name in the folder.
func (f *Folder) Path(name string) string { return filepath.Join(f.Dir, name) }

// Is reports whether a path is the folder of a run.
func Is(dir string) (bool, error) {
	there, err := disk.IsDir(dir)
	if err != nil || !there {
		return false, err
	}
	return disk.Exists(filepath.Join(dir, RunFile))
}

// Open opens the folder of a run for reading.
func Open(dir string) (*Folder, error) {
	f := &Folder{Dir: dir}
	text, err := disk.ReadFile(f.Path(RunFile), maxText)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s has no %s: %w", dir, RunFile, ErrNone)
	case err != nil:
		if is, failed := disk.IsDir(dir); failed == nil && !is {
			return nil, fmt.Errorf("%s is a file: name the folder of a run: %w", dir, ErrNone)
		}
		return nil, err
	}
	if err := decode(f.Path(RunFile), text, &f.Run); err != nil {
		return nil, err
	}
	if f.Run.Format == 0 {
		return nil, ragged.Errorf("%s is damaged: it has no format", f.Path(RunFile))
	}
	if f.Run.Format != Format {
		return nil, fmt.Errorf("%s has format %d; this version reads format %d", f.Path(RunFile), f.Run.Format, Format)
	}
	return f, f.Run.check(f.Path(RunFile))
}

// Create makes the folder of a new run, and the folders above it. files holds the contents of further files by their names, such as model.dspec and
// base/config.json. run.json is written last, so a folder that has it is whole. A folder that holds anything but the rests of a Create that was killed is
// refused.
func Create(dir string, run *Run, files map[string][]byte) (*Folder, error) {
	if err := vacant(dir, files); err != nil { // before anything is made
		return nil, err
	}
	f := &Folder{Dir: dir, Run: *run}
	f.Run.Format = Format
	text, err := json.MarshalIndent(&f.Run, "", "  ")
	if err != nil {
		return nil, err
	}
	there, err := disk.Exists(dir)
	if err != nil {
		return nil, err
	}
	f.made = !there
	if err := disk.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	l, err := disk.TryLock(f.Path(LockFile), true) // two processes may begin a run here at once
	if errors.Is(err, disk.ErrLocked) {
		return nil, fmt.Errorf("%s: another process begins a run in this folder: name another one: %w", dir, disk.ErrLocked)
	}
	if err != nil {
		return nil, err
	}
	defer l.Unlock()
	if err := vacant(dir, files); err != nil {
		return nil, err
	}
	if err := f.fill(files, append(text, '\n')); err != nil {
		return nil, errors.Join(err, f.Abandon()) // such as a full disk: nothing stays
	}
	return f, nil
}

// fill writes the files of a new run, run.json last.
func (f *Folder) fill(files map[string][]byte, run []byte) error {
	for _, d := range []string{Checkpoints, BaseFolder} {
		if err := disk.MkdirAll(f.Path(d), 0o777); err != nil {
			return err
		}
	}
	for name, data := range files {
		if err := disk.MkdirAll(filepath.Dir(f.Path(name)), 0o777); err != nil {
			return err
		}
		if err := disk.WriteFile(f.Path(name), data, 0o666); err != nil {
			return err
		}
	}
	return disk.WriteFile(f.Path(RunFile), run, 0o666)
}

// vacant refuses a folder that holds something else than what Create writes before run.json.
func vacant(dir string, files map[string][]byte) error {
	held, err := disk.Exists(filepath.Join(dir, RunFile))
	if err != nil {
		return err
	}
	if held {
		return fmt.Errorf("%s holds a run already: --resume goes on with it; a new run needs another folder", dir)
	}
	list, err := disk.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	own := map[string]bool{Checkpoints: true, BaseFolder: true, LockFile: true}
	for name := range files {
		own[filepath.ToSlash(name)] = true
	}
	for _, e := range list {
		if !own[e.Name()] && !disk.IsTemporary(e.Name()) {
			return fmt.Errorf("%s holds %s and is not the folder of a run: name a new or an empty folder", dir, e.Name())
		}
	}
	return nil
}

// patience is how long Lock waits for another process. One whose parent was killed ends with its next step.
const patience = 5 * time.Second

// Lock reserves the folder for this process until Close. If another process trains in it and goes on doing so, the error matches disk.ErrLocked.
func (f *Folder) Lock(ctx context.Context) error {
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := disk.WaitLock(waiting, f.Path(LockFile), true, nil)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if waiting.Err() != nil {
		return fmt.Errorf("%s: another process trains in this folder: wait for its end, or name another folder: %w", f.Dir, disk.ErrLocked)
	}
	if err == nil {
		f.lock = l
	}
	return err
}

// Close syncs the metrics and releases the lock.
func (f *Folder) Close() error {
	var errs []error
	if f.metrics != nil {
		errs = append(errs, f.metrics.Sync(), f.metrics.Close())
	}
	if f.lock != nil {
		errs = append(errs, f.lock.Unlock())
	}
	f.metrics, f.lock = nil, nil
	return errors.Join(errs...)
}
