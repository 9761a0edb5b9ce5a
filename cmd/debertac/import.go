package main

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

type importVerb struct {
	Dir  string `arg:"" help:"The Hugging Face model folder."`
	Out  string `short:"o" default:"model.dspec" placeholder:"FILE" help:"The spec to write; - is the standard output."`
	Name string `placeholder:"NAME" help:"Name of the model in the spec; default the folder's."`
	wishes
	lentFlag
	HeadName string `placeholder:"NAME" help:"Name of the head in the spec; default one after its task."`
	Force    bool   `short:"f" help:"Overwrite the spec."`
}

// Help is the long help.
func (importVerb) Help() string {
	return `Reads config.json, the names and shapes in model.safetensors or pytorch_model.bin (or in the shards of their index) and the
tokenizer, and writes the spec: the nearest published model and the lines that differ. Nothing in a pytorch_model.bin is run.
What has no effect, and what is set but not applied (truncation and padding inside tokenizer.json), is said on stderr. Nothing
is guessed: a field that is not known is an error.

A folder that was trained for a task has a head for it, which config.json names. A base model has none, or several that its
makers trained it with; --head asks for one:
  classify    one label, or several, for a text or a pair of texts     zero-shot   the same with labels of your own (models of NLI)
  score       a number for a text (regression, reward)                 rank        a number for a query and a document
  tag         a label for every token (names, parts of speech)         entities    names of kinds that you list (GLiNER)
  answer      where a text answers a question                          choose      which of several endings is right
  fill-mask   the token behind a mask                                  emd         the same; fails unless DeBERTa's mask decoder is there
  perplexity  how well a text is predicted                             generate    text written on, token by token
  rtd         which tokens of a text were replaced                     embed       a vector for a text; any folder serves it

Examples:
  debertac import ~/models/deberta-v3-base-mnli -o nli.dspec
  debertac import ~/models/deberta-v3-base --head fill-mask -o mlm.dspec
  debertac import ~/models/deberta-v3-base --head embed --layer 9 -o embed.dspec`
}

// Run writes the spec.
func (v *importVerb) Run(a *app) error {
	if err := v.ofFolder(); err != nil {
		return err
	}
	if err := v.place(); err != nil {
		return err
	}
	f, err := openFolder(v.Dir, false, v.Ignore)
	if err != nil {
		return err
	}
	defer f.Close()
	t, err := a.lend(v.Tokenizer)
	if err == nil {
		err = f.borrow(t)
	}
	if err != nil {
		return err
	}
	if f.weights == nil {
		f.note("the folder has neither model.safetensors nor pytorch_model.bin: the shapes of its tensors were not checked")
	}
	f.wish = v.options()
	name := v.Name
	if name == "" {
		name = nameOf(v.Dir)
	}
	text, notes, err := f.spec(hf.Options{Model: name, HeadName: v.HeadName})
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
	embeds := len(src.spec.Heads) == 0
	for _, h := range src.spec.Heads {
		embeds = embeds || vectors(compiler.TaskOf(h))
	}
	limit := f.maxTokens(src.spec.Models[0], embeds)
	if v.Out == "-" {
		_, err := fmt.Fprint(a.out, text)
		return err
	}
	if err := writeFile(v.Out, []byte(text)); err != nil {
		return err
	}
	for _, m := range src.spec.Models {
		head := ""
		for _, h := range src.spec.Heads {
			if h.Model == m {
				head = ", head " + h.Name
			}
		}
		a.note("%s: model %s, like %s%s; texts of up to %d tokens", v.Out, m.Name, m.Like[0], head, limit)
	}
	return nil
}

// vectors reports whether a task gives vectors for texts, or the rows that they are made of.
func vectors(t ir.Task) bool { return t == ir.TaskVector || t == ir.TaskHidden }

// place says, before any work, why the spec could not be written.
func (v *importVerb) place() error {
	if v.Out == "-" {
		return nil
	}
	target, err := outPlace(v.Out)
	if err != nil {
		return err
	}
	there, err := disk.Exists(target)
	if err != nil {
		return err
	}
	if there && !v.Force {
		return inputFault(v.Out, "this file is there already").hint("--force overwrites it, -o names another one")
	}
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
