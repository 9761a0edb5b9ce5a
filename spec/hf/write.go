package hf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Written is the config of a model and its head.
type Written struct {
	Config *Object
	Class  string   // the library's class that computes what the spec does; "": it has no such class
	Notes  []string // what a user of the folder should know
	Wish   Options  // with which import makes the same spec of the config
}

// Config returns the config.json of a model with a head, or of a model alone if h is nil. It is the inverse of Spec: what import makes of the config means
// the same as the spec. What the config cannot express is an error that names it. base is the config of the folder that a training began from, or nil: its
// other fields stay as they are, unless the spec excludes them.
//
// The library has no class for some heads: those on a mask decoder, those that judge replaced tokens, and those of a DeBERTa that does not see later
// tokens. The config then names no architecture; import makes the spec of it with the options Wish.
func Config(m *spec.Model, h *spec.Head, base *Object) (*Written, error) {
	if m.Checkpoint == "hf.gliner" {
		return glinerConfigOf(m, h, base)
	}
	if m.Checkpoint == "hf.gliner2" {
		return nil, fmt.Errorf("checkpoint hf.gliner2: the config.json of GLiNER2 models is read, and not yet written")
	}
	if m.Checkpoint == "hf.gliclass" {
		return nil, fmt.Errorf("checkpoint hf.gliclass: the config.json of GLiClass models is read, and not yet written")
	}
	kind := kindOf(m)
	if kind == "" {
		return nil, fmt.Errorf("checkpoint %s: a config.json describes the layouts hf.deberta, hf.deberta_v2, hf.bert and hf.roberta", m.Checkpoint)
	}
	w := &writer{m: m, h: h, kind: kind, o: NewObject(), out: &Written{Wish: Options{Tokenizer: m.Tokenizer}}}
	if err := w.head(); err != nil {
		return nil, err
	}
	if base != nil {
		o := base.clone()
		if err := w.setAll(o, w.o.Names()); err != nil {
			return nil, err
		}
		for _, gone := range w.gone {
			o.Delete(gone)
		}
		if w.check(o) == nil {
			w.out.Config = o
			return w.out, nil
		}
		base = o
	}
	w.model()
	if w.err != nil {
		return nil, w.err
	}
	if base != nil { // the training has another model than the folder
		if err := w.setAll(base, w.o.Names()); err != nil {
			return nil, err
		}
		err := w.check(base)
		if err == nil {
			w.out.Config = base
			return w.out, nil
		}
		w.out.Notes = append(w.out.Notes, fmt.Sprintf("config.json is written anew, without other fields of that in which the training began: %v", err))
	}
	if err := w.check(w.o); err != nil {
		return nil, err
	}
	w.out.Config = w.o
	return w.out, nil
}

// glinerConfigOf returns the gliner_config.json of a model: that of the folder in which its training began, if it means the same as the spec.
func glinerConfigOf(m *spec.Model, h *spec.Head, base *Object) (*Written, error) {
	if base == nil {
		return nil, fmt.Errorf("checkpoint hf.gliner: gliner_config.json has fields that a spec lacks, so a training must begin in a folder that has the file")
	}
	w := &writer{m: m, h: h, kind: "gliner", out: &Written{Wish: Options{Task: "entities", Tokenizer: m.Tokenizer}}}
	if err := w.check(base); err != nil {
		return nil, err
	}
	w.out.Config = base
	w.out.Notes = []string{"the library gliner reads the folder, transformers does not"}
	return w.out, nil
}

// kindOf returns the model_type of a model; "": it has none.
func kindOf(m *spec.Model) string {
	word, ok := strings.CutPrefix(m.Checkpoint, "hf.")
	kind := strings.ReplaceAll(word, "_", "-")
	if !ok || !slices.Contains(ModelTypes, kind) {
		return ""
	}
	return kind
}

// writer makes a config.
type writer struct {
	m    *spec.Model
	h    *spec.Head
	kind string
	o    *Object
	gone []string // fields that a folder's config must not have
	out  *Written
	err  error
}

// set sets a field; the first error stays.
func (w *writer) set(name string, value any) {
	if err := w.o.Set(name, value); err != nil && w.err == nil {
		w.err = err
	}
}

// setAll sets fields of o as they are here.
func (w *writer) setAll(o *Object, names []string) error {
	for _, name := range names {
		if err := o.Set(name, w.o.c.fields[name]); err != nil {
			return err
		}
	}
	return w.err
}

// deberta reports whether the model is a DeBERTa of either version.
func (w *writer) deberta() bool { return strings.HasPrefix(w.kind, "deberta") }

// actName returns the library's name of an activation.
func actName(act string) string {
	switch act {
	case "gelu_tanh":
		return "gelu_pytorch_tanh"
	case "identity":
		return "linear"
	}
	return act
}

// model sets the fields of the encoder.
func (w *writer) model() {
	m := w.m
	w.set("model_type", w.kind)
	w.set("vocab_size", m.Vocab)
	w.set("hidden_size", m.Hidden)
	w.set("num_hidden_layers", m.Layers)
	w.set("num_attention_heads", m.Heads)
	w.set("intermediate_size", m.Inner)
	w.set("hidden_act", actName(m.Encoder.FFN.Act))
	w.set("layer_norm_eps", m.Defaults.Norm.Eps)
	w.set("hidden_dropout_prob", m.Defaults.Dropout.Hidden)
	w.set("attention_probs_dropout_prob", m.Defaults.Dropout.Attention)
	w.set("initializer_range", m.Defaults.Init.Std)
	w.set("pad_token_id", max(m.Embed.Pad, 0))
	segment := 0
	if m.Embed.Segment != nil {
		segment = m.Embed.Segment.Rows
	}
	w.set("type_vocab_size", segment)
	w.set("max_position_embeddings", w.positions())
	if !w.deberta() {
		w.set("is_decoder", m.Encoder.Attention.Mask == spec.MaskCausal)
		return
	}
	w.set("position_biased_input", m.Embed.Absolute != nil)
	if m.Embed.Width != m.Hidden {
		w.set("embedding_size", m.Embed.Width)
	}
	w.set("pooler_hidden_size", m.Hidden)
	w.offsets()
	if c := m.Encoder.Conv; c != nil {
		w.set("conv_kernel_size", c.Kernel)
		w.set("conv_groups", c.Groups)
		w.set("conv_act", actName(c.Act))
	}
}

// positions returns max_position_embeddings: the rows of a table of absolute positions, or a bound on offsets.
func (w *writer) positions() int {
	m := w.m
	switch {
	case m.Embed.Absolute != nil:
		return m.Embed.Absolute.Rows
	case len(m.Absolutes) > 0:
		return m.Absolutes[0].Rows
	}
	return max(m.Seq, 1)
}

// offsets sets the fields of relative positions.
func (w *writer) offsets() {
	m := w.m
	terms := []string{}
	for _, t := range m.Encoder.Attention.Score {
		if t.Kind != spec.ContentOffset {
			continue
		}
		if t.Content().Index == spec.I {
			terms = append(terms, "c2p")
		} else {
			terms = append(terms, "p2c")
		}
	}
	r := m.Relative
	w.set("relative_attention", r != nil && len(terms) > 0)
	if r == nil || len(terms) == 0 {
		return
	}
	w.set("pos_att_type", terms)
	reach := -r.Lo
	if r.Bucket.Kind == spec.Log {
		w.set("position_buckets", -r.Lo)
		reach = r.Bucket.Reach
	}
	if reach == w.positions() {
		reach = -1 // as published configs have it
	}
	w.set("max_relative_positions", reach)
	if w.kind == "deberta" {
		if m.Encoder.Attention.MixScore != nil || m.Encoder.Attention.MixWeight != nil {
			w.set("talking_head", true)
		}
		return
	}
	norm := "none"
	if r.Norm != nil {
		norm = "layer_norm"
	}
	w.set("norm_rel_ebd", norm)
	shared := false
	for _, p := range m.Encoder.Attention.Projections {
		shared = shared || p.Of == spec.Rel && p.Reuse != nil
	}
	w.set("share_att_key", shared)
}

// nameOfTable matches the names of tables of positions and of decoders in the canonical text of a spec.
var nameOfTable = regexp.MustCompile(`(?m)(^    absolute|^    decoder|query layer \d+ \+) [^\s\d]\S*`)

// check compares what import makes of a config with the spec.
func (w *writer) check(o *Object) error {
	text, _, err := Spec(o.Bytes(), nil, w.out.Wish)
	if err != nil {
		return fmt.Errorf("a config.json cannot express the spec: %w", err)
	}
	f, faults := spec.Parse("config", []byte(text))
	s, more := spec.Resolve(f)
	if faults = append(faults, more...); faults.HasErrors() {
		return fmt.Errorf("a config.json cannot express the spec:\n%s", diag.Render(faults, f.Sources(), diag.Style{}))
	}
	var h *spec.Head
	if len(s.Heads) > 0 { // rows of tokens need no head
		h = s.Heads[0]
	}
	want, have := canonical(w.m, w.plain(h)), canonical(s.Models[0], h)
	if want == have {
		return nil
	}
	lack, extra := lines(want, have), lines(have, want)
	switch {
	case len(lack) == 0:
		return fmt.Errorf("a config.json of model_type %s cannot express a model without `%s`", w.kind, extra[0])
	case len(extra) == 0:
		return fmt.Errorf("a config.json of model_type %s cannot express `%s`", w.kind, lack[0])
	}
	return fmt.Errorf("a config.json of model_type %s cannot express `%s`; what it expresses has `%s`", w.kind, strings.Join(lack, "; "),
		strings.Join(extra, "; "))
}

// lines lists the lines of a text that another one does not have.
func lines(text, other string) (list []string) {
	has := strings.Split(other, "\n")
	for _, l := range strings.Split(text, "\n") {
		if !slices.Contains(has, l) {
			list = append(list, strings.TrimSpace(l))
		}
	}
	if len(list) == 0 && text != other && len(text) >= len(other) { // the order differs
		return strings.Split(text, "\n")[:1]
	}
	return list
}

// canonical returns the canonical text without the names of tables of positions, and without dropout, which is no part of what weights mean.
func canonical(m *spec.Model, h *spec.Head) string {
	var lines []string
	for _, l := range strings.Split(nameOfTable.ReplaceAllString(string(spec.Canonical(m, h)), "$1"), "\n") {
		if !strings.HasPrefix(strings.TrimSpace(l), "dropout ") {
			lines = append(lines, l)
		}
	}
	return strings.Join(lines, "\n")
}

// plain returns the head as import writes it: heads on the vocabulary read the tokens to predict, and the config of a sequence of tags has no transitions. It
// returns nil if imported is nil.
func (w *writer) plain(imported *spec.Head) *spec.Head {
	if imported == nil {
		return nil
	}
	h := *w.h
	if h.Task() == tasktable.MLM {
		h.Take = imported.Take
	}
	h.Steps = slices.DeleteFunc(slices.Clone(h.Steps), func(s *spec.Step) bool { return s.Kind == spec.StepCRF || s.Kind == spec.StepDecode })
	return &h
}
