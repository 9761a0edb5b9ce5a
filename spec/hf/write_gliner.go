package hf

import (
	"encoding/json"
	"fmt"

	"github.com/debertac/debertac/spec"
)

// wordLimit is the limit on the words of a text that the library's configurations have.
const wordLimit = 384

// GLiNER returns the gliner_config.json of a model with a head whose labels stand in front of a text, as the library gliner writes it for a new model. mark is
// the number of the token in front of each label. What the file cannot express is an error.
func GLiNER(m *spec.Model, h *spec.Head, mark int) (*Object, error) {
	if h.Prompt == nil {
		return nil, fmt.Errorf("the head %s has no prompt, which every head in gliner_config.json has", h.FullName())
	}
	encoder := &writer{m: m, kind: "deberta-v2", o: NewObject(), out: &Written{}}
	if encoder.model(); encoder.err != nil {
		return nil, encoder.err
	}
	w := &writer{m: m, h: h, kind: "gliner", o: NewObject(), out: &Written{}}
	width, layers, mode, spans := m.Hidden, 0, "token_level", 0
	for _, s := range h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			width = s.Out
		case spec.StepLSTM:
			width, layers = s.Out, layers+1
		case spec.StepSpans:
			mode, spans = "markerV0", s.Width
		}
	}
	pooling := h.Take.Pick
	w.set("name", m.Name)
	w.set("model_name", m.Name)
	w.set("encoder_config", json.RawMessage(encoder.o.Bytes()))
	w.set("vocab_size", m.Vocab)
	w.set("class_token_index", mark)
	w.set("ent_token", h.Prompt.Mark)
	w.set("sep_token", h.Prompt.End)
	w.set("embed_ent_token", !h.Prompt.After)
	w.set("hidden_size", width)
	w.set("num_rnn_layers", layers)
	w.set("span_mode", mode)
	w.set("max_width", max(spans, 1))
	w.set("subtoken_pooling", pooling)
	w.set("max_len", wordLimit)
	w.set("dropout", m.Defaults.Dropout.Hidden)
	w.set("fine_tune", true)
	w.set("fuse_layers", false)
	w.set("words_splitter_type", "whitespace")
	if w.err != nil {
		return nil, w.err
	}
	if _, err := glinerConfigOf(m, h, w.o); err != nil {
		return nil, err
	}
	return w.o, nil
}
