package hf

import (
	"slices"
	"strconv"
	"strings"
)

// compare compares the config's sizes with the shapes of the checkpoint's tensors. It does not report missing tensors.
func (c *config) compare(w *want, tensors map[string][]int) error {
	names := make([]string, 0, len(tensors))
	for n := range tensors {
		names = append(names, n)
	}
	slices.Sort(names)
	layers := 0
	for _, name := range names {
		if i, ok := layerOf(name); ok {
			layers = max(layers, i+1)
		}
		for _, r := range w.rules() {
			if !strings.HasSuffix("."+name, "."+r.suffix) || r.whole && name != r.suffix {
				continue
			}
			shape := tensors[name]
			if r.axis >= len(shape) || shape[r.axis] != r.want {
				return c.misfit(r, name, shape)
			}
		}
	}
	if layers > 0 && layers != w.layers {
		return c.fault("num_hidden_layers", "= %d, but the checkpoint has tensors of %d layers", w.layers, layers)
	}
	return nil
}

// misfit returns the error for a field that sets another size than a tensor has. A field that is absent, or left out on request, has its default.
func (c *config) misfit(r rule, tensor string, shape []int) error {
	field := r.field
	if !c.has(field) && field == "id2label" && c.has("num_labels") {
		field = "num_labels"
	}
	if !c.has(field) {
		return c.fault(field, "is absent, which means %d, but %s has the shape %v", r.want, tensor, shape)
	}
	return c.fault(field, "asks for %d, but %s has the shape %v", r.want, tensor, shape)
}

// tables compares the fields that ask for tensors of their own with the tensors of a whole checkpoint.
func (c *config) tables(w *want, tensors map[string][]int) error {
	if !whole(tensors) {
		return nil
	}
	const projections = "encoder.layer.0.attention.self."
	v2 := w.relative && !w.shared && w.checkpoint != "hf.deberta"
	for _, t := range []struct {
		asked  bool
		field  string
		suffix string
	}{
		{w.segment > 0, "type_vocab_size", "embeddings.token_type_embeddings.weight"},
		{w.absolute > 0, "position_biased_input", positionTable},
		{w.relative, "relative_attention", "encoder.rel_embeddings.weight"},
		{w.norm && w.relative, "norm_rel_ebd", "encoder.LayerNorm.weight"},
		{w.conv != nil, "conv_kernel_size", "encoder.conv.conv.weight"},
		{v2 && w.c2p, "share_att_key", projections + "pos_key_proj.weight"},
		{v2 && w.p2c, "share_att_key", projections + "pos_query_proj.weight"},
	} {
		if t.asked && !ends(tensors, t.suffix) {
			value := "is absent, which"
			if v := c.fields[t.field]; v != nil {
				value = "= " + shown(v)
			}
			return c.fault(t.field, "%s asks for the tensor %s, which the checkpoint lacks", value, t.suffix)
		}
	}
	return nil
}

// whole reports whether these are all tensors of a checkpoint, and not only some of them.
func whole(tensors map[string][]int) bool {
	return ends(tensors, tokenTable) && ends(tensors, "encoder.layer.0.attention.output.dense.weight")
}

// ends reports whether a tensor's name ends in suffix.
func ends(tensors map[string][]int, suffix string) bool {
	for n := range tensors {
		if strings.HasSuffix("."+n, "."+suffix) {
			return true
		}
	}
	return false
}

// rule describes which extent of a tensor a field sets.
type rule struct {
	field, suffix string
	whole         bool // the suffix is the whole name
	axis, want    int
}

func (w *want) rules() []rule {
	rules := []rule{
		{"vocab_size", "embeddings.word_embeddings.weight", false, 0, w.vocab},
		{"embedding_size", "embeddings.word_embeddings.weight", false, 1, w.width},
		{"hidden_size", "embeddings.LayerNorm.weight", false, 0, w.hidden},
		{"intermediate_size", "intermediate.dense.weight", false, 0, w.inner},
	}
	if w.width == w.hidden {
		rules[1].field = "hidden_size"
	}
	if w.absolute > 0 || w.decoder {
		rules = append(rules, rule{"max_position_embeddings", positionTable, false, 0, w.positions})
	}
	prompted := slices.Contains([]string{"hf.gliner", "hf.gliner2", "hf.gliclass"}, w.checkpoint)
	if w.segment > 0 || !strings.HasPrefix(w.checkpoint, "hf.deberta") && !prompted { // DeBERTa without types ignores the table
		rules = append(rules, rule{"type_vocab_size", "embeddings.token_type_embeddings.weight", false, 0, w.segment})
	}
	if w.relative {
		field := "max_relative_positions (without position_buckets)"
		if w.log {
			field = "position_buckets"
		}
		rules = append(rules, rule{field, "encoder.rel_embeddings.weight", false, 0, 2 * w.span})
	}
	if w.conv != nil {
		rules = append(rules, rule{"conv_kernel_size", "encoder.conv.conv.weight", false, 2, w.conv.Kernel})
	}
	if w.head != nil && w.head.rows > 0 {
		rules = append(rules,
			rule{"id2label", "classifier.weight", true, 0, w.head.rows}, rule{"id2label", "qa_outputs.weight", true, 0, w.head.rows},
			rule{"id2label", "classifier.out_proj.weight", true, 0, w.head.rows})
	}
	return rules
}

// layerOf returns the number of the layer that a tensor belongs to.
func layerOf(name string) (int, bool) {
	_, rest, ok := strings.Cut("."+name, ".encoder.layer.")
	if !ok {
		return 0, false
	}
	digits, _, _ := strings.Cut(rest, ".")
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && n < 1<<20
}
