package hf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// tokenTable is the end of the name of the token embeddings.
const tokenTable = "embeddings.word_embeddings.weight"

// positionTable is the end of the name of the table of absolute positions. DeBERTa's decoder reads it even if the input does not.
const positionTable = "embeddings.position_embeddings.weight"

// masked adds the prediction of tokens. The legacy head has the width of the tables, the new head the width hidden. With the enhanced mask decoder (He et al.
// 2020, section 3.3) the new head reads the decoder.
func (h *heads) masked(task string) error {
	w, c := h.w, h.c
	w.head = &head{name: "mlm"}
	if task == "perplexity" || task == "generate" {
		w.head.name = task
	}
	h.mask()
	w.head.add("take masked")
	width := w.width
	if h.newStyle(task) {
		if w.width != w.hidden {
			field := "legacy"
			if h.f.legacy {
				field = "embedding_size"
			}
			return c.fault(field, "= %s: the new head needs embedding_size = hidden_size, not %d and %d", shown(c.fields[field]), w.width, w.hidden)
		}
		w.head.add(`from "lm_predictions.lm_head"`)
		if err := h.decoder(task); err != nil {
			return err
		}
	}
	columns := "hidden"
	if width != w.hidden {
		columns = strconv.Itoa(width)
	}
	act := "act"
	if h.kind == "roberta" && w.act != "gelu" { // its head ignores hidden_act
		act = "act gelu"
	}
	own, err := h.ownDecoder()
	if err != nil {
		return err
	}
	last := "linear vocab tied embed.token"
	if own {
		last = "linear vocab"
	}
	w.head.add("linear "+columns, act, "norm", last, "loss cross_entropy")
	return nil
}

// ownDecoder reports whether the head's last product has a weight of its own. It has one if the checkpoint holds a decoder that differs from the token table,
// or if tie_word_embeddings = false asks for one. This is the rule of transformers 5; earlier versions used the token table unless tie_word_embeddings was
// false.
func (h *heads) ownDecoder() (bool, error) {
	c := h.c
	stem := "cls.predictions.decoder."
	switch {
	case h.kind == "roberta":
		stem = "lm_head.decoder."
	case h.w.head.from():
		stem = "lm_predictions.lm_head.decoder."
	}
	tied := h.f.tied
	if h.w.head.from() { // the head has no decoder and always reads the token table
		tied = true
	}
	decoder := h.tensors[stem+"weight"] != nil
	if !tied && h.tensors != nil {
		for _, n := range []string{"weight", "bias"} {
			if h.tensors[stem+n] == nil {
				return false, c.fault("tie_word_embeddings", "= false, so the head for masked tokens needs %s%s, which the checkpoint lacks: set it to true "+
					"if the decoder is the token table", stem, n)
			}
		}
	}
	if !decoder {
		return !tied, nil
	}
	table := ""
	for n := range h.tensors {
		if strings.HasSuffix("."+n, "."+tokenTable) {
			table = n
		}
	}
	same := true
	if table != "" && h.opts.Equal != nil {
		var err error
		if same, err = h.opts.Equal(stem+"weight", table); err != nil {
			return false, err
		}
	}
	if same {
		return false, nil
	}
	if h.w.head.from() {
		return false, fmt.Errorf("the checkpoint has %sweight with other values than %s: published code of this head reads no decoder, so what it is for "+
			"cannot be told; remove the tensor", stem, table)
	}
	if tied {
		c.note("%sweight has other values than the token table, so the head uses it, as transformers 5 does; set tie_word_embeddings to false to say so", stem)
	}
	return true, nil
}

// from reports whether the head names its tensors itself. DeBERTa's new head for masked tokens does.
func (h *head) from() bool {
	return slices.ContainsFunc(h.lines, func(l string) bool { return strings.HasPrefix(l, "from ") })
}

// newStyle decides between the two heads of DeBERTa: by the tensors if they tell, else by the field legacy. Only the new head reads the decoder.
func (h *heads) newStyle(task string) bool {
	if !h.deberta() {
		return false
	}
	older, newer := h.tensors[legacyHead] != nil, h.tensors[newHead] != nil
	switch {
	case task == "emd":
		return true
	case older != newer:
		if newer && h.f.legacy && h.c.has("legacy") {
			h.c.note("legacy is true, but the file holds the new head for masked tokens (%s): that is taken", newHead)
		}
		return newer
	}
	return !h.f.legacy
}

// decoder adds the enhanced mask decoder if the checkpoint was trained with it. A table of positions in the checkpoint is the sign of that.
func (h *heads) decoder(task string) error {
	w, c := h.w, h.c
	table := false
	for name := range h.tensors {
		table = table || strings.HasSuffix("."+name, "."+positionTable)
	}
	asked := task == "emd"
	switch {
	case w.absolute > 0:
		if asked {
			c.note("position_biased_input is true, which switches the mask decoder off: the head reads the last layer")
		}
		return nil
	case h.tensors != nil && !table:
		if asked {
			return c.fault("position_biased_input", "= false and the file has no %s: the mask decoder needs the table of positions", positionTable)
		}
		return nil
	case h.tensors == nil && !asked:
		return nil
	case w.mask != "":
		c.note("with the mask %s the head reads the last layer, and not the mask decoder", w.mask)
		return nil
	case w.layers < 2:
		return c.fault("num_hidden_layers", "= %d: the mask decoder starts from the last layer but one", w.layers)
	case h.opts.Seq > w.positions:
		return c.fault("max_position_embeddings", "= %d: the mask decoder reads absolute positions, so no sequence has %d tokens", w.positions, h.opts.Seq)
	}
	w.decoder, w.head.decoder = true, true
	if w.seq == 0 {
		w.seq = w.positions
	}
	return nil
}

// mask sets which keys a query sees. BERT and RoBERTa that were trained from left to right have the field is_decoder; DeBERTa has no such field.
func (h *heads) mask() {
	switch kind := h.opts.Mask; {
	case kind == "causal", kind == "" && h.opts.Task == "generate":
		h.w.mask = "j <= i"
	case kind == "prefix":
		h.w.mask = "j <= i or prefix[j]"
	case kind == "all":
		h.w.mask = ""
	}
}

// replaced adds the discriminator's head (He, Gao, Chen 2021): the first token's row is added to every row.
func (h *heads) replaced() error {
	h.w.head = &head{name: "rtd"}
	h.w.head.add("take each + first", "norm", "linear hidden", "act", "linear 1", "loss binary_cross_entropy")
	return nil
}
