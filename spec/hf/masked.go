package hf

import (
	"strconv"
	"strings"
)

// positionTable ends the name of the table of absolute positions, which DeBERTa's decoder reads although the input does not.
const positionTable = "embeddings.position_embeddings.weight"

// masked is the prediction of tokens. The legacy head works at the width of the tables, the new one at hidden; with the enhanced mask decoder
// (He et al. 2020, section 3.3) the new one reads that.
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
	w.head.add("linear "+columns, "act", "norm", "linear vocab tied embed.token", "loss cross_entropy")
	return nil
}

// newStyle decides between the two heads of DeBERTa: by the tensors if they tell, else by the field legacy. The decoder is only ever read by
// the new one.
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

// decoder adds the enhanced mask decoder where the checkpoint was trained with it, which its table of positions tells.
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

// mask sets what a query sees. BERT and RoBERTa that were trained from left to right say so in the field is_decoder; DeBERTa has no such field.
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

// replaced is the discriminator's head (He, Gao, Chen 2021): the first token's row is added to every row.
func (h *heads) replaced() error {
	h.w.head = &head{name: "rtd"}
	h.w.head.add("take each + first", "norm", "linear hidden", "act", "linear 1", "loss binary_cross_entropy")
	return nil
}
