package hf

import (
	"encoding/json"
	"fmt"
	"strings"
)

// EncoderFile is the configuration of the encoder of a GLiNER2 model, beside the model's config.json.
const EncoderFile = "encoder_config/config.json"

// gliner2Type is the model_type of GLiNER2.
const gliner2Type = "extractor"

// isGLiNER2 recognises the config.json of GLiNER2.
func (c *config) isGLiNER2() bool {
	var kind string
	return json.Unmarshal(c.fields["model_type"], &kind) == nil && kind == gliner2Type
}

// gliner2Tokens is the bound on the tokens of a sequence. The library has no bound.
const gliner2Tokens = 4096

// gliner2Counts is the number of counts and of steps in the library.
const gliner2Counts = 20

// gliner2 reads the config.json of GLiNER2: an encoder, whose config is a file of its own, and a head that reads a schema.
func (c *config) gliner2(tensors map[string][]int, opts Options) (*want, error) {
	if opts.Task != "" && opts.Task != "extract" {
		return nil, fmt.Errorf("the head %s is asked for, but a GLiNER2 model serves extract alone", opts.Task)
	}
	opts.Task = ""
	c.allow("model_type")
	c.table = gliner2Table
	architecture, err := c.text("architecture", "span")
	if err != nil {
		return nil, err
	}
	switch architecture {
	case "span":
	case "boundary":
		return c.boundary(tensors, opts)
	default:
		return nil, c.fault("architecture", "= %q is not one of boundary, span", architecture)
	}
	w, err := c.gliner2Encoder(tensors, opts)
	if err != nil {
		return nil, err
	}
	w.candidates = append([]string{"gliner2_base", "gliner2_large", "gliner2_multi"}, w.candidates...)
	w.checkpoint, w.origin = "hf.gliner2", "From the config.json of a GLiNER2 model."
	if opts.Seq == 0 && w.absolute == 0 {
		w.seq = max(w.positions, gliner2Tokens)
	}
	if err := c.gliner2Head(w); err != nil {
		return nil, err
	}
	if err := c.gliner2Tensors(w, tensors); err != nil {
		return nil, err
	}
	return w, c.rest()
}

// gliner2Encoder reads the config of the encoder. The library makes the token table as long as the tokenizer's vocabulary, so the table decides the number of
// its rows.
func (c *config) gliner2Encoder(tensors map[string][]int, opts Options) (*want, error) {
	if opts.Encoder == nil {
		return nil, &FieldError{File: EncoderFile, Reason: "is missing: it describes the encoder of a GLiNER2 model"}
	}
	sub, err := readConfig(opts.Encoder)
	if err != nil {
		return nil, &FieldError{File: EncoderFile, Reason: err.Error()}
	}
	sub.file = EncoderFile
	inner := encoderTensors(tensors)
	rows := -1
	if table := inner["embeddings.word_embeddings.weight"]; len(table) == 2 {
		rows = table[0]
	}
	return c.innerEncoder(sub, rows, true, inner, opts)
}

// gliner2Poolings lists the published names of poolings, which are those of the language.
var gliner2Poolings = []string{"first", "mean", "max"}

// gliner2Layers maps the published names of what makes the rows of fields to statements, and to a tensor that a checkpoint then has.
var gliner2Layers = map[string]struct{ statement, tensor string }{
	"count_lstm":     {"fields layers 4 * hidden", "count_embed.projector.0.weight"},
	"count_lstm_moe": {"fields experts(count: 4) 2 * hidden", "count_embed.w1"},
	"count_lstm_v2": {"fields attend(repeat: 2, heads: 4, width: 128, ffn: 256) hidden, hidden",
		"count_embed.transformer.in_projector.weight"},
}

// gliner2Head reads how words and the fields of a schema are read and scored.
func (c *config) gliner2Head(w *want) error {
	pooling, err := c.gliner2Pooling()
	if err != nil {
		return err
	}
	layer, err := c.gliner2Counting()
	if err != nil {
		return err
	}
	width, err := c.integer("max_width", 8, 1, 1<<12)
	if err != nil {
		return err
	}
	if v := c.raw("span_head"); v != nil {
		sub, err := readConfig(v)
		if err != nil {
			return c.fault("span_head", "= %s: %v", shown(v), err)
		}
		sub.prefix, sub.table = "span_head.", gliner2SpanTable
		if width, err = sub.integer("max_width", width, 1, 1<<12); err != nil {
			return err
		}
		if err := sub.rest(); err != nil {
			return err
		}
	}
	h := &head{name: "extract"}
	h.add("take words("+pooling+")", "prompt schema", "classes layers 2 * hidden", fmt.Sprintf("counts %d layers 2 * hidden", gliner2Counts),
		fmt.Sprintf("gru %d steps", gliner2Counts), gliner2Layers[layer].statement, fmt.Sprintf("spans <= %d markers", width), "loss binary_cross_entropy")
	w.head = h
	return nil
}

// gliner2Counting returns the published name of what makes the rows of fields.
func (c *config) gliner2Counting() (string, error) {
	layer, err := c.text("counting_layer", "count_lstm")
	if err != nil {
		return "", err
	}
	if _, ok := gliner2Layers[layer]; !ok {
		return "", c.fault("counting_layer", "= %q is not one of %s", layer, strings.Join(sortedKeys(gliner2Layers), ", "))
	}
	return layer, nil
}

// gliner2Tensors compares the fields of the head with the tensors that the checkpoint has.
func (c *config) gliner2Tensors(w *want, tensors map[string][]int) error {
	if !whole(tensors) {
		return nil
	}
	layer, err := c.gliner2Counting()
	if err != nil {
		return err
	}
	for _, t := range []struct{ field, tensor string }{
		{"counting_layer", gliner2Layers[layer].tensor}, {"architecture", "span_rep.span_rep_layer.project_start.0.weight"},
	} {
		if tensors[t.tensor] == nil {
			return c.fault(t.field, "asks for the tensor %s, which the checkpoint lacks", t.tensor)
		}
	}
	return nil
}
