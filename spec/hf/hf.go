// Package hf writes the spec of a published model: it reads the config.json of a Hugging Face model folder, finds the nearest model of the
// zoo and writes the lines that differ.
package hf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Options are what the caller knows beside the config.
type Options struct {
	Model     string   // name of the model in the spec; "" is "model"
	Head      string   // name of the head; "" is one after its task: classify, tag, answer, choose, mlm, entities
	Seq       int      // the bound of a sequence in tokens; 0: the rows of absolute positions if they are in the input, else the zoo's
	Tokenizer string   // the word of the language for the tokenizer that the folder holds; "" keeps the zoo model's
	Ignore    []string // fields of the config that are known to have no meaning
}

// Spec writes the spec of a config. tensors are the shapes of the checkpoint's tensors by name and may be nil; what they contradict is an
// error. notes say what a user should know: fields with no effect, defaults that were taken. Every fault of the config is an error that names
// its field.
func Spec(config []byte, tensors map[string][]int, opts Options) (text string, notes []string, err error) {
	c, err := readConfig(config)
	if err != nil {
		return "", nil, err
	}
	c.ignore = opts.Ignore
	w, err := c.want(tensors, opts)
	if err != nil {
		return "", nil, err
	}
	text, err = w.write(opts)
	if err != nil {
		return "", nil, err
	}
	return text, c.notes, nil
}

// write picks the zoo model with the fewest differing lines and holds the result to the language.
func (w *want) write(opts Options) (string, error) {
	name := opts.Model
	if name == "" {
		name = "model"
	}
	var best []string
	like := ""
	for _, candidate := range w.candidates {
		base := spec.ZooModel(candidate)
		if base == nil {
			return "", fmt.Errorf("the zoo has no model %s", candidate)
		}
		if lines := w.lines(base); like == "" || len(lines) < len(best) {
			best, like = lines, candidate
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "dspec 1\n\n// %s\n\nmodel %s like %s {\n%s\n}\n", w.origin, name, like, strings.Join(best, "\n"))
	if w.head != nil {
		head := opts.Head
		if head == "" {
			head = w.head.name
		}
		fmt.Fprintf(&b, "\nhead %s on %s {\n%s\n}\n", head, name, strings.Join(w.head.lines, "\n"))
	}
	f, faults := spec.Parse("model.dspec", []byte(b.String()))
	_, more := spec.Resolve(f)
	faults = append(faults, more...)
	if faults.HasErrors() {
		return "", errors.New("the config describes a model that cannot be:\n" + diag.Render(faults, f.Sources(), diag.Style{}))
	}
	text, _ := spec.Format(f)
	return string(text), nil
}

// ModelTypes are the values of model_type that are known.
var ModelTypes = []string{"deberta-v2", "deberta", "bert", "roberta"}

// want reads the fields that the model type has.
func (c *config) want(tensors map[string][]int, opts Options) (*want, error) {
	if c.isGLiNER() {
		return c.gliner(tensors, opts)
	}
	kind, err := c.text("model_type", "")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ModelTypes, kind) {
		switch {
		case kind == "":
			return nil, errors.New("model_type is missing: it is one of " + strings.Join(ModelTypes, ", "))
		case c.has("generator") && c.has("discriminator"):
			return nil, fmt.Errorf("model_type = %q is a generator and a discriminator: give the config of one of them", kind)
		}
		return nil, fmt.Errorf("model_type = %q is no model that this language describes: those are %s", kind, strings.Join(ModelTypes, ", "))
	}
	return c.encoder(kind, tensors, opts, true)
}
