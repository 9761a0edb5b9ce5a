package hf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec"
)

// The largest sizes that are accepted. Larger sizes are mistakes; products of accepted sizes fit into 64 bits.
const (
	maxVocab  = 1 << 24
	maxHidden = 1 << 16
	maxLayers = 1 << 10
	maxSpan   = 1 << 20
)

// want holds what a config asks for, in the language's terms.
type want struct {
	name       string   // of the model
	candidates []string // zoo models to compare with, the most likely first
	origin     string   // for the comment at the top
	checkpoint string
	tokenizer  string

	vocab, hidden, heads, inner, layers, seq, pad int
	width                                         int
	absolute, from                                int // rows of absolute positions in the input; 0: no table
	segment                                       int // rows; 0: no table
	positions                                     int // max_position_embeddings: rows of the decoder's table
	eps, std                                      float64
	act                                           string
	dropout, attention                            float64

	relative bool // the model reads a table of offsets
	span     int
	log      bool
	exact    int
	reach    int
	norm     bool // a norm of that table
	shared   bool // the content projections are used for offsets too
	c2p, p2c bool
	factor   int // f in the scale 1/sqrt(d·f)
	talking  bool
	conv     *spec.Conv

	mask    string // of the attention; "": every key
	decoder bool   // the head reads the enhanced mask decoder
	head    *head
}

// encoder reads the config of an encoder of a known model type.
func (c *config) encoder(kind string, tensors map[string][]int, opts Options, withHead bool) (*want, error) {
	c.known["model_type"] = true
	w := &want{checkpoint: "hf." + strings.ReplaceAll(kind, "-", "_"), tokenizer: opts.Tokenizer}
	steps := []func(*want, string) error{c.sizes, c.numbers, c.input}
	switch kind {
	case "deberta", "deberta-v2":
		steps = append(steps, c.offsets, c.convolution)
	default:
		w.factor = 1
	}
	for _, step := range steps {
		if err := step(w, kind); err != nil {
			return nil, err
		}
	}
	switch kind {
	case "deberta":
		w.candidates = []string{"deberta_base", "deberta_large", "deberta_xlarge"}
	case "deberta-v2":
		w.candidates = []string{"deberta_v3_base", "deberta_v3_small", "deberta_v3_xsmall", "deberta_v3_large", "mdeberta_v3_base", "deberta_v2_xlarge",
			"deberta_v2_xxlarge"}
	default:
		w.candidates = []string{kind + "_base", kind + "_large"}
	}
	if opts.Seq > 0 {
		if w.absolute > 0 && opts.Seq > w.absolute-w.from {
			return nil, c.fault("max_position_embeddings", "= %d: absolute positions are in the input, so no sequence has %d tokens", w.absolute, opts.Seq)
		}
		w.seq = opts.Seq
	}
	if err := c.readHead(w, kind, tensors, opts, withHead); err != nil {
		return nil, err
	}
	if err := c.rest(); err != nil {
		return nil, err
	}
	if err := c.compare(w, tensors); err != nil {
		return nil, err
	}
	if err := c.tables(w, tensors); err != nil {
		return nil, err
	}
	if opts.Layer > w.layers {
		return nil, fmt.Errorf("there is no layer %d: num_hidden_layers = %d", opts.Layer, w.layers)
	}
	if opts.Layer > 0 {
		w.layers = opts.Layer
	}
	return w, nil
}

func (c *config) sizes(w *want, kind string) (err error) {
	for _, f := range []struct {
		name string
		most int
		to   *int
	}{
		{"vocab_size", maxVocab, &w.vocab}, {"hidden_size", maxHidden, &w.hidden}, {"num_attention_heads", maxHidden, &w.heads},
		{"intermediate_size", 1 << 20, &w.inner}, {"num_hidden_layers", maxLayers, &w.layers},
	} {
		if *f.to, err = c.size(f.name, f.most); err != nil {
			return err
		}
	}
	if w.hidden%w.heads != 0 {
		return c.fault("num_attention_heads", "= %d does not divide hidden_size = %d", w.heads, w.hidden)
	}
	if w.positions, err = c.integer("max_position_embeddings", 512, 1, maxSpan); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		only int
	}{{"attention_head_size", w.hidden / w.heads}, {"pooler_hidden_size", w.hidden}} {
		n, err := c.integer(f.name, f.only, 1, maxHidden)
		if err != nil {
			return err
		}
		if n != f.only {
			return c.fault(f.name, "= %d: published layouts have %d here, from hidden_size and num_attention_heads", n, f.only)
		}
	}
	pad := 0
	if kind == "roberta" {
		pad = 1
	}
	if w.pad, err = c.integer("pad_token_id", pad, 0, maxVocab); err != nil {
		return err
	}
	if w.pad >= w.vocab {
		return c.fault("pad_token_id", "= %d is not a row of the token table, vocab_size = %d", w.pad, w.vocab)
	}
	old, err := c.integer("padding_idx", w.pad, 0, maxVocab)
	if err == nil && old != w.pad {
		return c.fault("padding_idx", "= %d is not pad_token_id = %d", old, w.pad)
	}
	return err
}

// isRate reports whether a number is a rate. This and the functions below check the bounds of real numbers.
func isRate(v float64) bool { return v >= 0 && v < 1 }
func isEps(v float64) bool  { return v > 0 && v < 1 }
func isStd(v float64) bool  { return v >= 0 && v < 1e6 }

func (c *config) numbers(w *want, kind string) (err error) {
	eps := 1e-7
	switch kind {
	case "bert", "roberta":
		eps = 1e-12
	}
	if w.eps, err = c.real("layer_norm_eps", eps, "above 0 and below 1", isEps); err != nil {
		return err
	}
	if w.std, err = c.real("initializer_range", 0.02, "at least 0", isStd); err != nil {
		return err
	}
	if w.dropout, err = c.real("hidden_dropout_prob", 0.1, "a rate in [0, 1)", isRate); err != nil {
		return err
	}
	if w.attention, err = c.real("attention_probs_dropout_prob", 0.1, "a rate in [0, 1)", isRate); err != nil {
		return err
	}
	w.act, err = c.act("hidden_act", "gelu")
	return err
}

// input reads the tables that are summed to the input, and the bound on tokens that follows from them.
func (c *config) input(w *want, kind string) (err error) {
	deberta := strings.HasPrefix(kind, "deberta")
	types := 2
	if deberta {
		types = 0
	}
	if w.segment, err = c.integer("type_vocab_size", types, 0, 1<<16); err != nil {
		return err
	}
	w.width = w.hidden
	if deberta {
		if w.width, err = c.integer("embedding_size", w.hidden, 1, maxHidden); err != nil {
			return err
		}
	}
	biased := true
	if deberta {
		if biased, err = c.boolean("position_biased_input", true); err != nil {
			return err
		}
	}
	if !biased {
		return nil
	}
	w.absolute = w.positions
	if kind == "roberta" {
		w.from = w.pad + 1
	}
	w.seq = w.absolute - w.from
	if w.seq < 1 {
		return c.fault("max_position_embeddings", "= %d leaves no row: positions start at %d", w.positions, w.from)
	}
	return nil
}

// offsets reads the relative positions of DeBERTa.
func (c *config) offsets(w *want, kind string) error {
	on, err := c.boolean("relative_attention", false)
	if err != nil {
		return err
	}
	types, err := c.parts("pos_att_type")
	if err != nil {
		return err
	}
	for _, t := range types {
		switch t {
		case "c2p":
			w.c2p = true
		case "p2c":
			w.p2c = true
		case "", "none":
		case "p2p":
			c.note("pos_att_type has p2p, for which the published code has no term: the spec has none either")
		default:
			return c.fault("pos_att_type", "has the entry %q: c2p and p2c are known", t)
		}
	}
	// The factor counts the entries (v1) or the two known ones (v2), with or without relative_attention.
	w.factor = 1 + len(types)
	if kind == "deberta-v2" {
		w.factor = 1
		for _, on := range []bool{w.c2p, w.p2c} {
			if on {
				w.factor++
			}
		}
	}
	reach, err := c.integer("max_relative_positions", -1, -maxSpan, maxSpan)
	if err != nil {
		return err
	}
	if reach < 1 {
		reach = w.positions
	}
	w.span, w.reach = reach, reach
	if err := c.buckets(w, kind); err != nil {
		return err
	}
	w.relative = on && (w.c2p || w.p2c)
	switch {
	case !on && (w.c2p || w.p2c):
		c.note("relative_attention is false, so pos_att_type adds no term; it still sets the scale, which is written out")
		w.c2p, w.p2c = false, false
	case on && !w.relative:
		c.note("relative_attention is true, but pos_att_type names no term: the table of offsets has no effect")
	}
	w.talking, err = c.boolean("talking_head", false)
	if w.talking && kind != "deberta" {
		return c.fault("talking_head", "= true is known for model_type deberta only")
	}
	return err
}

// buckets reads the fields that only v2 has.
func (c *config) buckets(w *want, kind string) error {
	buckets, err := c.integer("position_buckets", -1, -maxSpan, maxSpan)
	if err != nil {
		return err
	}
	shared, err := c.boolean("share_att_key", false)
	if err != nil {
		return err
	}
	norms, err := c.parts("norm_rel_ebd")
	if err != nil {
		return err
	}
	for _, n := range norms {
		switch n {
		case "layer_norm":
			w.norm = true
		case "", "none":
		default:
			return c.fault("norm_rel_ebd", "has the entry %q: layer_norm and none are known", n)
		}
	}
	if kind == "deberta" {
		const message = "= %s has no effect with model_type deberta: it belongs to deberta-v2"
		switch {
		case buckets > 0:
			return c.fault("position_buckets", message, shown(c.fields["position_buckets"]))
		case shared:
			return c.fault("share_att_key", message, "true")
		case w.norm:
			return c.fault("norm_rel_ebd", message, shown(c.fields["norm_rel_ebd"]))
		}
		return nil
	}
	w.shared = shared
	if buckets < 1 {
		return nil
	}
	w.log, w.span, w.exact = true, buckets, buckets/2
	if w.exact < 1 {
		return c.fault("position_buckets", "= %d: the formula of the buckets divides by half of it, rounded down; at least 2", buckets)
	}
	if w.reach-1 <= w.exact {
		return c.fault("max_relative_positions", "= %d leaves no room for buckets beyond %d, the half of position_buckets", w.reach, w.exact)
	}
	return nil
}

func (c *config) convolution(w *want, kind string) error {
	kernel, err := c.integer("conv_kernel_size", 0, -1, 1<<10)
	if err != nil {
		return err
	}
	groups, err := c.integer("conv_groups", 1, 1, maxHidden)
	if err != nil {
		return err
	}
	act, err := c.act("conv_act", "tanh")
	if err != nil || kernel < 1 {
		return err
	}
	switch {
	case kind != "deberta-v2":
		return c.fault("conv_kernel_size", "= %d has no effect with model_type %s: it belongs to deberta-v2", kernel, kind)
	case kernel%2 == 0:
		return c.fault("conv_kernel_size", "= %d is even", kernel)
	case w.hidden%groups != 0:
		return c.fault("conv_groups", "= %d does not divide hidden_size = %d", groups, w.hidden)
	}
	w.conv = &spec.Conv{Kernel: kernel, Groups: groups, Act: act, Beside: 1}
	return nil
}

// architecture returns the only entry of architectures, or "" if the list is empty.
func (c *config) architecture() (string, error) {
	list, _, err := c.list("architectures")
	if err != nil {
		return "", err
	}
	slices.Sort(list)
	list = slices.Compact(list)
	switch len(list) {
	case 0:
		return "", nil
	case 1:
		return list[0], nil
	}
	return "", c.fault("architectures", "names several: %s", strings.Join(list, ", "))
}
