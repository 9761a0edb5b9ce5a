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

// Options are what the caller knows and wishes beside the config.
type Options struct {
	Model     string  // name of the model in the spec; "" is "model". The two models of a pair are always generator and discriminator
	Task      string  // the head that is wanted, one of Tasks; "" is the one that the config names
	HeadName  string  // name of the head; "" is one after its task
	Layer     int     // of Task embed: the layer whose rows are taken, from 1; 0 is the last
	Pool      string  // of Task embed: one of Pools; "" is what the folder says, else mean
	Mask      string  // of Tasks on a vocabulary: one of Masks; "" is what the config and the task say
	Seq       int     // the bound of a sequence in tokens; 0: the rows of absolute positions if they are read, else the zoo's
	Tokenizer string  // the word of the language for the tokenizer that the folder holds; "" keeps the zoo model's
	Beside    *Beside // what the files beside the config say; nil: nothing
	// Warn is told what contradicts itself in the config, and what was taken; nil: that is among the notes.
	Warn func(text string)

	// Equal reports whether two of the checkpoint's tensors hold equal numbers. nil: their numbers are not known, and copies are taken as equal.
	Equal func(a, b string) (bool, error)
}

// Spec writes the spec of a config. tensors are the shapes of the checkpoint's tensors by name and may be nil; what they contradict is an
// error. notes say what a user should know: fields with no effect, defaults that were taken. Every fault of the config is an error that names
// its field; so is a wish that the folder cannot grant, which names what it has.
func Spec(config []byte, tensors map[string][]int, opts Options) (text string, notes []string, err error) {
	if err := opts.Check(); err != nil {
		return "", nil, err
	}
	c, err := readConfig(config)
	if err != nil {
		return "", nil, err
	}
	wants, err := c.wants(tensors, opts)
	if err != nil {
		return "", nil, err
	}
	var b strings.Builder
	b.WriteString("dspec 1\n")
	for _, w := range wants {
		if err := w.write(&b, opts); err != nil {
			return "", nil, err
		}
	}
	f, faults := spec.Parse("model.dspec", []byte(b.String()))
	_, more := spec.Resolve(f)
	faults = append(faults, more...)
	if faults.HasErrors() {
		return "", nil, errors.New("the config describes a model that cannot be:\n" + diag.Render(faults, f.Sources(), diag.Style{}))
	}
	formatted, _ := spec.Format(f)
	if opts.Warn == nil {
		return string(formatted), append(c.notes, c.warned...), nil
	}
	for _, w := range c.warned {
		opts.Warn(w)
	}
	return string(formatted), c.notes, nil
}

// wants returns the models that a config describes: one, or the two of a pair.
func (c *config) wants(tensors map[string][]int, opts Options) ([]*want, error) {
	if c.isPair() {
		return c.pair(tensors, opts)
	}
	w, err := c.want(tensors, opts)
	if err != nil {
		return nil, err
	}
	if w.name = opts.Model; w.name == "" {
		w.name = "model"
	}
	return []*want{w}, nil
}

// write picks the zoo model with the fewest differing lines and writes these, and the head.
func (w *want) write(b *strings.Builder, opts Options) error {
	var best []string
	like := ""
	for _, candidate := range w.candidates {
		base := spec.ZooModel(candidate)
		if base == nil {
			return fmt.Errorf("the zoo has no model %s", candidate)
		}
		if lines := w.lines(base); like == "" || len(lines) < len(best) {
			best, like = lines, candidate
		}
	}
	fmt.Fprintf(b, "\n// %s\n\nmodel %s like %s {\n%s\n}\n", w.origin, w.name, like, strings.Join(best, "\n"))
	if w.head == nil {
		return nil
	}
	name, on := opts.HeadName, w.name
	if name == "" {
		name = w.head.name
	}
	if w.head.decoder {
		on += ".emd"
	}
	fmt.Fprintf(b, "\nhead %s on %s {\n%s\n}\n", name, on, strings.Join(w.head.lines, "\n"))
	return nil
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
		if kind == "" {
			return nil, errors.New("model_type is missing: it is one of " + strings.Join(ModelTypes, ", "))
		}
		return nil, fmt.Errorf("model_type = %q is no model that this language describes: those are %s", kind, strings.Join(ModelTypes, ", "))
	}
	return c.encoder(kind, tensors, opts, true)
}
