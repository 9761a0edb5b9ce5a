package main

import (
	"encoding/json"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/prepare"
	"github.com/debertac/debertac/cmd/debertac/runs"
)

type prepareVerb struct {
	Path      string   `arg:"" help:"A spec with a training."`
	Train     string   `placeholder:"NAME" help:"The training, by its name in the spec. Default: the only one."`
	Target    string   `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	Data      []string `sep:"none" placeholder:"FILE" help:"Data files. May be given several times."`
	Tokenizer string   `placeholder:"DIR|FILE" help:"The tokenizer: a model folder, or a file tokenizer.json, spm.model or vocab.txt."`
	Out       string   `short:"o" placeholder:"FILE" help:"The file to write."`
	JSON      bool     `help:"Print one JSON object."`

	prepare.Flags
}

// Help is the long help.
func (prepareVerb) Help() string {
	return `Tokenizes data files for a training and writes one file, which the program of debertac build trains on: its verb train takes
it by --data. debertac train calls this itself and finds the result again, so the verb is needed only for programs that train on
another machine, and to see what becomes of data files before a training.

Examples that cannot be used are listed with their places and reasons. Any of them stops the work, unless --allow-bad permits some.

Examples:
  debertac prepare spam.dspec --tokenizer model --data train.jsonl.gz --long truncate -o train.prepared
  debertac prepare nli.dspec --tokenizer ~/models/deberta-v3-base --data glue/MNLI --dataset mnli -o mnli.prepared --json`
}

// Run prepares data.
func (v *prepareVerb) Run(m *built.Maker) error {
	if err := v.Check(); err != nil {
		return err
	}
	switch {
	case len(v.Data) == 0:
		return fault.Usage("--data train.jsonl", "--data is missing: the files to prepare")
	case v.Out == "":
		return fault.Usage("-o train.prepared", "-o is missing: the file to write")
	}
	if _, err := output.Place(v.Out); err != nil {
		return err
	}
	d, err := runs.Prepare(m, v.Path, v.Target, v.Train, v.Tokenizer, v.Data, v.Out, &v.Flags)
	if err != nil {
		return err
	}
	if !v.JSON {
		d.Describe(m.Console)
		return nil
	}
	text, err := json.Marshal(d.Report)
	if err != nil {
		return fault.Ours(err)
	}
	_, err = m.Out.Write(append(text, '\n'))
	return err
}
