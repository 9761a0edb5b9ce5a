package main

import (
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/export"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/runs"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/runfolder"
)

type exportVerb struct {
	Folder    string `arg:"" name:"run" help:"Folder of a run."`
	Step      string `placeholder:"N" help:"The checkpoint: a number of steps, best or last. Default: the best if the run was evaluated, else the last."`
	Adapter   bool   `help:"Write the adapter of a training with lora alone, in the layout of PEFT."`
	Generator bool   `help:"Of a training by replaced-token detection, write the generator in place of the detector."`
	Out       string `short:"o" required:"" placeholder:"DIR" help:"Folder to make. It must not exist, or be empty."`
}

// Help is the long help.
func (exportVerb) Help() string {
	return `Writes a Hugging Face model folder of a run: config.json, model.safetensors with the published names, the files of the tokenizer,
and README.md, a model card with the metrics, the hashes of the data and the command that repeats the run. Its licence is left to
you. The library transformers loads the folder with the same logits, and so do debertac run, pack and build.

Adapters are merged into the weights. With --adapter the folder has the adapter alone, which the library PEFT loads.

If the run began from a folder, the fields of its config.json stay but for those that the training has changed. Some heads have no
class in transformers: those on DeBERTa's mask decoder, those that judge replaced tokens, and DeBERTas that do not see later tokens.
Their folders name no architecture, and the flag of debertac that reads them is printed.

Examples:
  debertac export run -o model
  debertac export run --step last -o model
  debertac export run --adapter -o adapter`
}

// Run writes the folder.
func (v *exportVerb) Run(c *console.Console) error {
	if v.Adapter && v.Generator {
		return fault.Usage("choose one", "--adapter and --generator exclude each other: trainings with lora train one model")
	}
	from, err := runs.Open(c, v.Folder)
	if err != nil {
		return err
	}
	best, err := from.Best()
	if err != nil {
		return err
	}
	found, err := from.Checkpoint(v.Step)
	if err != nil {
		return err
	}
	s := export.Source{Checkpoint: found.Path, Unit: from.Unit, BaseName: baseName(from.Run.Base), Generator: v.Generator}
	base := from.Path(runfolder.BaseFolder)
	if there, err := disk.IsDir(base); err != nil {
		return err
	} else if there {
		s.Base = base
	}
	if s.Card, err = card(from.Folder, found.Step, v.Out); err != nil {
		return err
	}
	write := export.Folder
	if v.Adapter {
		write = export.Adapter
	}
	w, err := write(c.Context, s, v.Out)
	if err != nil {
		return err
	}
	for _, n := range w.Notes {
		c.Note("%s: note: %s", v.Out, n)
	}
	what := "a model folder"
	switch {
	case v.Adapter:
		what = "an adapter"
	case w.Class != "":
		what = w.Class
	}
	c.Note("%s: %s, %s, after %s%s", v.Out, what, wording.Counted(w.Tensors, "tensor", "tensors"), wording.Counted(found.Step, "step", "steps"),
		why(best, found))
	return nil
}

// baseName returns the folder in which a run began, for adapters: PEFT opens it. A file of weights, such as a checkpoint, is not named.
func baseName(base string) string {
	switch filepath.Ext(base) {
	case ".safetensors", ".bin", ".pt", ".pth":
		return ""
	}
	return base
}

// why tells that a checkpoint is the best one.
func why(best *runfolder.Best, found runfolder.Checkpoint) string {
	if best == nil || best.Step != found.Step {
		return ""
	}
	return ", the best by " + best.Metric
}

// card returns the model card of a run.
func card(from *runfolder.Folder, step int, out string) (*export.Card, error) {
	c := &export.Card{Title: filepath.Base(strings.TrimRight(out, "/")), Run: from.Run, Step: step}
	lines, err := from.Metrics()
	if err != nil {
		return nil, err
	}
	for _, l := range lines {
		values := map[string]float64{}
		for name, v := range l.Values {
			if strings.HasPrefix(name, runfolder.EvalPrefix) {
				values[name] = v
			}
		}
		if len(values) > 0 && l.Step <= step {
			c.At, c.Metrics = l.Step, values
		}
	}
	text, err := disk.ReadFile(from.Path(runfolder.SpecFile), 16<<20)
	if err != nil {
		return nil, err
	}
	c.Spec = string(text)
	return c, nil
}
