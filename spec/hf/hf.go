// Package hf writes the spec of a published model. It reads the config.json of a Hugging Face model folder, finds the nearest model of the zoo and writes the
// lines that differ.
package hf

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Options holds what the caller knows and asks for besides the config.
type Options struct {
	Model     string  // name of the model in the spec; "" is "model". The models of a pair are always named generator and discriminator
	Task      string  // the head to write, one of Tasks; "" is the head that the config names
	HeadName  string  // name of the head; "" makes a name from its task
	Layer     int     // for Task embed: the layer whose rows are taken, from 1; 0 is the last
	Pool      string  // for Task embed: one of Pools; "" is the folder's pooling, or mean
	Mask      string  // for Tasks on a vocabulary: one of Masks; "" follows the config and the task
	Seq       int     // greatest length of a sequence in tokens; 0: the rows of absolute positions if they are read, else the zoo's bound
	Tokenizer string  // the language's word for the tokenizer in the folder; "" keeps the zoo model's word
	Encoder   []byte  // EncoderFile of a GLiNER2 model; nil: there is no such file
	Beside    *Beside // what the files beside the config decide; nil: there are no such files
	// Warn is called for each contradiction in the config, with the value that is used. If it is nil, contradictions are among the notes.
	Warn func(text string)

	// Equal reports whether two tensors of the checkpoint hold equal numbers. If it is nil, the numbers are not known and copies are assumed to be equal.
	Equal func(a, b string) (bool, error)
}

// Spec writes the spec of a config. tensors maps the checkpoint's tensor names to shapes and may be nil; a tensor that contradicts the config is an error.
// notes holds what a user should know: fields without effect, and defaults that were used. An error of the config names its field. If the folder cannot serve
// what opts asks for, the error lists what the folder has.
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

// wants returns the models that a config describes: one model, or the two of a pair.
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

// write writes the lines that differ from the nearest zoo model, and the head. The nearest model is the one with the fewest differing lines.
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

// ModelTypes lists the known values of model_type.
var ModelTypes = []string{"deberta-v2", "deberta", "bert", "roberta"}

// want reads the fields that belong to the model type.
func (c *config) want(tensors map[string][]int, opts Options) (*want, error) {
	if c.isGLiNER2() {
		return c.gliner2(tensors, opts)
	}
	if c.isGLiNER() {
		return c.gliner(tensors, opts)
	}
	if c.isGLiClass() {
		return c.gliclass(tensors, opts)
	}
	kind, err := c.text("model_type", "")
	if err != nil {
		return nil, err
	}
	if !slices.Contains(ModelTypes, kind) {
		if kind == "" {
			return nil, errors.New("model_type is missing (supported: " + strings.Join(ModelTypes, ", ") + ")")
		}
		return nil, fmt.Errorf("unsupported model_type %q (supported: %s)", kind, strings.Join(ModelTypes, ", "))
	}
	return c.encoder(kind, tensors, opts, true)
}
