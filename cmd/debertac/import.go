package main

import (
	"fmt"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec/hf"
)

type importVerb struct {
	Dir  string `arg:"" help:"Hugging Face model folder."`
	Out  string `short:"o" default:"model.dspec" placeholder:"FILE" help:"Spec to write; - is the standard output."`
	Name string `placeholder:"NAME" help:"Name of the model in the spec. Default: the folder's name."`
	folder.Wishes
	folder.LentFlag
	HeadName string `placeholder:"NAME" help:"Name of the head in the spec. Default: named after its task."`
	Force    bool   `short:"f" help:"Overwrite an existing file."`
}

// Help is the long help.
func (importVerb) Help() string {
	return `Reads config.json, the names and shapes in model.safetensors or pytorch_model.bin (or in the shards of their index) and the
tokenizer, and writes the spec: the nearest published model and the lines that differ. Nothing in a pytorch_model.bin is run.
Fields without an effect, and settings that are not applied (truncation and padding inside tokenizer.json), are reported on
stderr. Nothing is guessed: an unknown field is an error.

A folder that was trained for a task has a head for it, which config.json names. A base model has no head, or those of its
pre-training; --head chooses one:
  classify    one label or several, for a text or a pair of texts      zero-shot   the same, for labels of your own (NLI models)
  score       a number for a text (regression, reward)                 rank        a number for a query and a document
  tag         a label for every token (names, parts of speech)         entities    spans with labels of your own (GLiNER)
  answer      the part of a text that answers a question               choose      which of several options is right
  fill-mask   tokens for a mask                                        emd         the same; fails without DeBERTa's mask decoder
  perplexity  how well the model predicts a text                       generate    text that continues a prompt
  rtd         which tokens of a text were replaced                     embed       a vector for a text; every folder can do it
  own-labels  texts by labels of your own (GLiClass)                   extract     what a schema asks for (GLiNER2)

Examples:
  debertac import ~/models/deberta-v3-base-mnli -o nli.dspec
  debertac import ~/models/deberta-v3-base --head fill-mask -o mlm.dspec
  debertac import ~/models/deberta-v3-base --head embed --layer 9 -o embed.dspec`
}

// Run writes the spec.
func (v *importVerb) Run(c *console.Console) error {
	if err := v.OfFolder(); err != nil {
		return err
	}
	if err := v.place(); err != nil {
		return err
	}
	f, err := folder.OpenWith(c, v.Dir, false, v.Ignore, v.Tokenizer)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.Weights == nil {
		f.Note("the folder has neither model.safetensors nor pytorch_model.bin: the shapes of its tensors were not checked")
	}
	v.Apply(f)
	name := v.Name
	if name == "" {
		name = folder.NameOf(v.Dir)
	}
	text, notes, err := f.Spec(hf.Options{Model: name, HeadName: v.HeadName})
	if err != nil {
		return err
	}
	for _, n := range notes {
		c.Note("%s: note: %s", v.Dir, n)
	}
	src, err := source.Parse(c, v.Out, []byte(text))
	if err != nil {
		return err
	}
	embeds := len(src.Spec.Heads) == 0
	for _, h := range src.Spec.Heads {
		embeds = embeds || folder.Vectors(h.Task())
	}
	limit := f.MaxTokens(src.Spec.Models[0], embeds)
	if v.Out == "-" {
		_, err := fmt.Fprint(c.Out, text)
		return err
	}
	if err := output.Write(v.Out, []byte(text)); err != nil {
		return err
	}
	for _, m := range src.Spec.Models {
		head := ""
		for _, h := range src.Spec.Heads {
			if h.Model == m {
				head = ", head " + h.Name
			}
		}
		c.Note("%s: model %s, like %s%s; texts of up to %d tokens", v.Out, m.Name, m.Like[0], head, limit)
	}
	return nil
}

// place returns, before any work is done, the error for a spec that could not be written.
func (v *importVerb) place() error {
	if v.Out == "-" {
		return nil
	}
	target, err := output.Place(v.Out)
	if err != nil {
		return err
	}
	there, err := disk.Exists(target)
	if err != nil {
		return err
	}
	if there && !v.Force {
		return fault.Input(v.Out, "this file is there already").Hint("--force overwrites it, -o names another one")
	}
	return nil
}
