package main

import (
	"math"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/trial"
)

type verifyVerb struct {
	Cases []string `arg:"" optional:"" name:"case" help:"Folders of recorded cases."`
	Only  string   `enum:",forward" default:"" placeholder:"forward" help:"@verify_only"`
	ISA   []string `name:"isa" placeholder:"SET" help:"Instruction sets to compare on. Default: all of this machine."`

	Tokenizer string  `placeholder:"DIR" help:"Instead of cases: compare the tokenizers in a folder with their recorded encodings."`
	Model     string  `placeholder:"DIR" help:"Instead of cases: compare a Hugging Face model folder with --outputs."`
	Outputs   string  `placeholder:"FILE" help:"With --model: safetensors file with input_ids, attention_mask, token_type_ids and the recorded outputs."`
	Atol      float64 `default:"1e-4" help:"With --model: a number holds if |got - want| <= atol + rtol·|want|."`
	Rtol      float64 `default:"1e-4" help:"With --model: see --atol."`
	OfLargest float64 `placeholder:"X" help:"@verify_oflargest"`

	Layers []int `placeholder:"N,…" help:"Compare the hidden states after these layers only; 0 is the input of the first layer."`
	folder.Wishes

	JSON bool `name:"json" help:"Print one JSON object per tensor, the summary last."`
}

// Help is the long help.
func (verifyVerb) Help() string {
	return `Compares a compiled model with recorded reference outputs. A case is a folder with config.json, model.safetensors,
inputs.safetensors, outputs.safetensors and case.json (head and tolerances). The model is imported, compiled, built and run on
every instruction set of this machine, and every recorded tensor is compared where the attention mask is 1. All cases share
one build. A case with a tensor that this version does not produce fails. The exit code is 3 if anything fails.

A case can be one forward pass, one with the enhanced mask decoder, a generator with a discriminator, the three passes of
scale-invariant fine-tuning, which take the recorded noise, or a training run. Losses are computed from what the model
produces and the case's labels. Recorded gradients are compared with those of a compiled training step, and so are its loss
and, of a training run of one model, the norms, the learning rates and the tensors after the last step. What depends on rows
where the mask is 0 is left out, and the output reports it. --only forward leaves out training. --precision bf16 compares
forward passes with weights in bfloat16, within 0.04 of the largest number of a tensor; of hidden states and attentions within half of
that, and of losses within twice as much.

Examples:
  debertac verify cases/v2_*
  debertac verify --only forward --isa avx2 cases/v2_v3like
  debertac verify --tokenizer path/to/tokenizer_folder
  debertac verify --model ~/models/deberta-v3-base --outputs reference.safetensors
  debertac verify --model ~/models/deberta-base --head fill-mask --outputs reference.safetensors --layers 0,6,12`
}

// Run compares cases, tokenizers or a model folder with what was recorded.
func (v *verifyVerb) Run(m *built.Maker) error {
	numbers := []flags.Number{flags.Real("--atol", &v.Atol, 0, math.MaxFloat64), flags.Real("--rtol", &v.Rtol, 0, math.MaxFloat64),
		flags.Real("--of-largest", &v.OfLargest, 0, math.MaxFloat64)}
	for _, layer := range v.Layers {
		numbers = append(numbers, flags.Whole("--layers", &layer, 0, math.MaxInt))
	}
	if err := flags.Within(numbers...); err != nil {
		return err
	}
	ways := 0
	for _, given := range []bool{len(v.Cases) > 0, v.Tokenizer != "", v.Model != ""} {
		if given {
			ways++
		}
	}
	wanted := v.Wishes
	wanted.Precision = ""
	if v.Tokenizer != "" {
		wanted.Ignore = nil
	}
	switch {
	case ways != 1:
		return fault.Usage("debertac verify --help", "give folders of cases, or --tokenizer DIR, or --model DIR --outputs FILE")
	case (v.Model != "") != (v.Outputs != ""):
		return fault.Usage("debertac verify --help", "--model and --outputs belong together")
	case v.OfLargest != 0 && v.Model == "":
		return fault.Usage("debertac verify --help", "--of-largest belongs to --model: a case has its own tolerances")
	case v.Model == "" && wanted.Given():
		return fault.Usage("debertac verify --help", "--head, --layer, --pool, --mask, --seq and --ignore belong to --model, and --ignore to --tokenizer "+
			"too: a case states what its model is for")
	case v.Tokenizer != "":
		return trial.Tokenizer(m.Console, v.Tokenizer, v.Ignore, v.JSON)
	}
	if err := v.Wishes.OfFolder(); err != nil {
		return err
	}
	for _, name := range v.ISA {
		if err := machine.CheckISA(name); err != nil {
			return err
		}
	}
	var trials []*trial.Trial
	for _, dir := range v.Cases {
		t, err := trial.OfCase(m, dir, v.Precision)
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	if v.Model != "" {
		tolerance := golden.Tolerance{Abs: v.Atol, Rel: v.Rtol}
		switch {
		case v.OfLargest > 0:
			tolerance = golden.Tolerance{OfLargest: v.OfLargest}
		case v.Precision == "bf16":
			tolerance.OfLargest = golden.BF16
		}
		t, err := trial.OfModel(m, v.Model, v.Outputs, tolerance, &v.Wishes)
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	c := trial.Comparison{Maker: m, ISA: v.ISA, JSON: v.JSON, Scope: golden.Scope{Forward: v.Only == "forward" || v.Precision == "bf16", Layers: v.Layers}}
	return c.Judge(trials)
}

// verifyHelp has the help of flags whose tags would be too long with it, by the names in the tags.
func verifyHelp() map[string]string {
	return map[string]string{
		"verify_only":      "Compare forward passes only: leave out gradients, trained weights and training runs.",
		"verify_oflargest": "With --model, instead of --atol and --rtol: a number holds if |got - want| <= X times the largest |want| of its tensor.",
	}
}
