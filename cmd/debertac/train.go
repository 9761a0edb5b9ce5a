package main

import (
	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/runs"
	"github.com/debertac/debertac/runtime/disk"
)

type trainVerb struct {
	Path   string `arg:"" help:"A spec with a training; with --resume also the folder of a run."`
	Out    string `short:"o" placeholder:"DIR" help:"The folder of the run, which is made."`
	Resume bool   `help:"Go on with a run after its last checkpoint, with the flags that it was begun with."`
	JSON   bool   `help:"Print one JSON object per event."`

	runs.Flags
}

// Help is the long help.
func (trainVerb) Help() string {
	return `Trains a model on data files and writes a run: a folder with the spec, checkpoints, metrics, and all that is needed to repeat it.
The data are tokenized once and kept in a cache; docs/data.md describes their formats. With --eval the model is evaluated by the
program that inference uses, and the best checkpoint stays.

A run can be stopped at any moment. Ctrl-C and SIGTERM write a checkpoint first; after a kill the run goes on from its last checkpoint.
A run that was interrupted ends with the same bits as one that was not.

  run.json            what the run depends on, with hashes, and the command that repeats it
  metrics.jsonl       loss, rate, norm of the gradients and speed of each step; metrics of each evaluation
  checkpoints/        the last checkpoints, and the best one
  events.out.…        the metrics for TensorBoard

Examples:
  debertac train spam.dspec --tokenizer model/spm.model --data train.jsonl.gz --eval test.jsonl.gz --long truncate -o runs/spam
  debertac train nli.dspec --train tune --init ~/models/deberta-v3-base --data glue/MNLI --dataset mnli -o runs/nli
  debertac train runs/spam --resume
  debertac train mlm.dspec --init ~/models/deberta-v3-base --data mails.txt.gz -o runs/domain`
}

// Run trains.
func (v *trainVerb) Run(m *built.Maker) error {
	if err := v.Check(); err != nil {
		return err
	}
	is, err := disk.IsDir(v.Path)
	if err != nil {
		return err
	}
	if is && !v.Resume {
		return fault.Usage("--resume, to go on with a run", "%s is a folder, and a training is described by a spec", v.Path)
	}
	return runs.Train(m, &runs.Call{Spec: v.Path, Out: v.Out, Resume: v.Resume, JSON: v.JSON, Flags: v.Flags})
}
