package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

type importVerb struct {
	Dir    string   `arg:"" help:"The Hugging Face model folder."`
	Out    string   `short:"o" default:"model.dspec" placeholder:"FILE" help:"The spec to write; - is the standard output."`
	Name   string   `placeholder:"NAME" help:"Name of the model in the spec; default the folder's."`
	Head   string   `placeholder:"NAME" help:"Name of the head in the spec; default one after its task."`
	Seq    int      `placeholder:"TOKENS" help:"Bound on the tokens of a text. Default: the rows of absolute positions if the input has them, else the published model's."`
	Ignore []string `placeholder:"FIELD" help:"Fields of config.json to ignore."`
	Force  bool     `short:"f" help:"Overwrite the spec."`
}

// Help is the long help.
func (importVerb) Help() string {
	return `Reads config.json, the header of model.safetensors (or of the shards in its index) and the tokenizer, and writes the spec:
the nearest published model and the lines that differ. What has no effect, and what is set but not applied (truncation and
padding inside tokenizer.json), is said on stderr. Nothing is guessed: a field that is not known is an error.

Example:
  debertac import ~/models/deberta-v3-base-mnli -o nli.dspec`
}

// Run writes the spec.
func (v *importVerb) Run(a *app) error {
	if v.Seq < 0 {
		return usage("debertac import --help", "--seq %d: it must be positive", v.Seq)
	}
	if v.Out != "-" && exists(v.Out) && !v.Force {
		return inputFault(v.Out, "this file is there already").hint("--force overwrites it, -o names another one")
	}
	f, err := openFolder(v.Dir, false)
	if err != nil {
		return err
	}
	defer f.Close()
	if f.weights == nil {
		f.note("the folder has no model.safetensors: the shapes of its tensors were not checked")
	}
	name := v.Name
	if name == "" {
		name = nameOf(v.Dir)
	}
	text, notes, err := f.spec(hf.Options{Model: name, HeadName: v.Head, Seq: v.Seq, Ignore: v.Ignore})
	if err != nil {
		return err
	}
	for _, n := range notes {
		a.note("%s: note: %s", v.Dir, n)
	}
	src, err := a.parse(v.Out, []byte(text))
	if err != nil {
		return err
	}
	limit, err := f.maxTokens(src.spec.Models[0])
	if err != nil {
		return err
	}
	if v.Out == "-" {
		_, err := fmt.Fprint(a.out, text)
		return err
	}
	if err := writeFile(v.Out, []byte(text)); err != nil {
		return err
	}
	a.note("%s: model %s, like %s; texts of up to %d tokens", v.Out, name, src.spec.Models[0].Like[0], limit)
	return nil
}

var notIdentifier = regexp.MustCompile(`[^A-Za-z0-9]+`)

// nameOf makes an identifier of a folder's name, which is no published model's.
func nameOf(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	name := strings.Trim(notIdentifier.ReplaceAllString(strings.ToLower(filepath.Base(dir)), "_"), "_")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "model_" + name
	}
	name = strings.TrimRight(name, "_")
	if spec.ZooModel(name) != nil {
		return "my_" + name // it will be like the published one, and nothing can be like itself
	}
	return name
}
