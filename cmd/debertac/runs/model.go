package runs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/export"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/prepare"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/runfolder"
)

// Trained makes the model of a run runnable: the program of its head for inference, and the weights of a checkpoint. It also returns the flags that the run
// was begun with, with the limit on tokens of its training.
func Trained(m *built.Maker, dir, step string) (*built.Program, *Flags, error) {
	f, err := Open(m.Console, dir)
	if err != nil {
		return nil, nil, err
	}
	c, err := f.Checkpoint(step)
	if err != nil {
		return nil, nil, err
	}
	old, training := f.Flags, f.Unit
	old.Long = judgedLong(training.Head, old.Long)
	if old.MaxTokens == nil {
		old.MaxTokens = &training.Training.Length
	}
	p := &built.Program{}
	if p.Unit, err = source.InferenceOf(m.Console, f.Source, old.Target, training.Head); err != nil {
		return nil, nil, err
	}
	sum, _, err := prepare.Sum(m.Context, []string{c.Path, f.Path(runfolder.BaseFolder)})
	if err != nil {
		return nil, nil, err
	}
	own, err := m.Sum()
	if err != nil {
		return nil, nil, err
	}
	name := sha256.Sum256(fmt.Appendf(nil, "%s %s %s", own, sum, p.Unit.Program.Meta.SpecHash))
	p.Weights, err = m.Cached(cache.Packed, hex.EncodeToString(name[:])[:32]+".weights", "weights of "+c.Path, func(out string) error {
		return packed(m, training, p.Unit, c.Path, f.Path(runfolder.BaseFolder), out)
	})
	if err != nil {
		return nil, nil, err
	}
	p.Binary, err = m.Binary([]*compiler.Unit{p.Unit})
	return p, old, err
}

// packed packs the model of a checkpoint, without the states of the optimizer and with its adapters merged.
func packed(m *built.Maker, training, unit *compiler.Unit, checkpoint, base, out string) error {
	temp, err := disk.Scratch(out)
	if err != nil {
		return err
	}
	defer temp.Discard()
	model := filepath.Join(temp.Dir(), "model")
	if _, err := export.Folder(m.Context, export.Source{Checkpoint: checkpoint, Unit: training}, model); err != nil {
		return err
	}
	return packFile(m, unit, filepath.Join(model, "model.safetensors"), base, out)
}

// packFile packs a file of weights with the tokenizer of a folder or file.
func packFile(m *built.Maker, unit *compiler.Unit, weights, base, out string) error {
	dir, err := folder.OpenFile(m.Console, weights, nil, base)
	if err != nil {
		return err
	}
	defer dir.Close() // read only
	return folder.Pack(m.Console, unit, dir, out)
}
