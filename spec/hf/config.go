package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec"
)

// maxConfig bounds the text of a config.
const maxConfig = 4 << 20

// config is a config.json, field by field.
type config struct {
	prefix string // of a nested config, for messages: "encoder_config."
	fields map[string]json.RawMessage
	order  []string
	known  map[string]bool // fields that were asked for, so understood
	ignore []string
	notes  []string
}

// readConfig splits the object into its fields. A field that stands twice is an error, so is anything that is not JSON.
func readConfig(text []byte) (*config, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("the config has %d bytes, more than %d", len(text), maxConfig)
	}
	c := &config{fields: map[string]json.RawMessage{}, known: map[string]bool{}}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("the config begins with a byte order mark, which JSON does not allow: save it as UTF-8 without one")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the config is not a JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("the config is not JSON behind %s: %w", last(c.order), syntax(err))
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%s has no JSON value: %w", key, syntax(err))
		}
		if _, twice := c.fields[key]; twice {
			return nil, fmt.Errorf("%s stands twice", key)
		}
		c.fields[key] = raw
		c.order = append(c.order, key)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the config is not JSON behind %s: %w", last(c.order), syntax(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text behind the config's object")
	}
	return c, nil
}

func syntax(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the text ends too early")
	}
	return err
}

// last names the last of the fields that were read.
func last(fields []string) string {
	if len(fields) == 0 {
		return "its first brace"
	}
	return fmt.Sprintf("the field %q", fields[len(fields)-1])
}

func (c *config) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// raw is a field's value; nil if it is absent or null, which mean the same.
func (c *config) raw(name string) json.RawMessage {
	c.known[name] = true
	if v := c.fields[name]; string(v) != "null" {
		return v
	}
	return nil
}

func (c *config) has(name string) bool { return c.raw(name) != nil }

func (c *config) fault(name, format string, args ...any) error {
	return fmt.Errorf("%s%s %s", c.prefix, name, fmt.Sprintf(format, args...))
}

// shown is a value in a message.
func shown(v json.RawMessage) string {
	s := strings.Join(strings.Fields(string(v)), " ")
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// integer reads a whole number in [least, most].
func (c *config) integer(name string, absent, least, most int) (int, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case err != nil:
		return 0, c.fault(name, "= %s is not a whole number", shown(v))
	case n < int64(least):
		return 0, c.fault(name, "= %d, it is at least %d", n, least)
	case n > int64(most):
		return 0, c.fault(name, "= %d is larger than %d", n, most)
	}
	return int(n), nil
}

// size reads a number that must be there.
func (c *config) size(name string, most int) (int, error) {
	if !c.has(name) {
		return 0, c.fault(name, "is missing")
	}
	return c.integer(name, 0, 1, most)
}

// real reads a number for which in holds; bounds says so in words.
func (c *config) real(name string, absent float64, bounds string, in func(float64) bool) (float64, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	var n json.Number
	if json.Unmarshal(v, &n) != nil || v[0] == '"' {
		return 0, c.fault(name, "= %s is not a number", shown(v))
	}
	x, err := n.Float64()
	if err != nil || math.IsInf(x, 0) || !in(x) {
		return 0, c.fault(name, "= %s is not %s", shown(v), bounds)
	}
	return x, nil
}

func (c *config) boolean(name string, absent bool) (bool, error) {
	v := c.raw(name)
	switch string(v) {
	case "":
		return absent, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, c.fault(name, "= %s is not true or false", shown(v))
}

func (c *config) text(name, absent string) (string, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return "", c.fault(name, "= %s is not a text", shown(v))
	}
	return s, nil
}

// parts reads a list of texts, or a text split at |, trimmed and in lower case; nil if the field is absent.
func (c *config) parts(name string) (list []string, err error) {
	v := c.raw(name)
	if v == nil {
		return nil, nil
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		list = strings.Split(s, "|")
	} else if json.Unmarshal(v, &list) != nil || strings.Contains(string(v), "null") {
		return nil, c.fault(name, "= %s is not a text or a list of texts", shown(v))
	}
	if len(list) > 100 {
		return nil, c.fault(name, "has %d entries", len(list))
	}
	for i := range list {
		list[i] = strings.ToLower(strings.TrimSpace(list[i]))
	}
	return list, nil
}

// act reads an activation and gives the language's word for it.
func (c *config) act(name, absent string) (string, error) {
	s, err := c.text(name, absent)
	if err != nil {
		return "", err
	}
	if word, ok := acts[s]; ok {
		return word, nil
	}
	return "", c.fault(name, "= %q is no activation that this language has: %s", s, strings.Join(spec.Acts, ", "))
}

// acts are the library's names of activations in the language's words. The fast and the pytorch tanh forms of gelu are the same function.
var acts = map[string]string{
	"gelu": "gelu", "gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh",
	"gelu_accurate": "gelu_tanh", "relu": "relu", "tanh": "tanh", "silu": "silu", "swish": "silu", "sigmoid": "sigmoid", "linear": "identity",
}

// UnknownFieldError says that nobody knows what a field of a config means. Options.Ignore with the field's name says that it means nothing.
type UnknownFieldError struct {
	Field string // its name, without the object that it lies in
	err   error
}

// Error names the field, and one that is nearly written so.
func (e *UnknownFieldError) Error() string { return e.err.Error() }

// rest reports the first field that nobody has asked for and that is not known to be harmless.
func (c *config) rest() error {
	for _, name := range c.order {
		if c.known[name] || string(c.fields[name]) == "null" {
			continue
		}
		if slices.Contains(c.ignore, name) {
			c.note("%s%s is ignored, as asked", c.prefix, name)
			continue
		}
		if slices.Contains(harmless, name) {
			continue
		}
		if allowed, ok := fixed[name]; ok {
			v := shown(c.fields[name])
			if len(allowed) == 0 {
				return c.fault(name, "= %s: no value of it is understood but null", v)
			}
			if !slices.Contains(allowed, v) {
				return c.fault(name, "= %s: only %s is understood", v, strings.Join(allowed, " or "))
			}
			continue
		}
		names := slices.Clone(harmless)
		for k := range c.known {
			names = append(names, k)
		}
		slices.Sort(names)
		fault := c.fault(name, "is not known: what it means for the model cannot be told")
		if near := spec.Nearest(name, names); near != "" {
			fault = c.fault(name, "is not known; %s is", near)
		}
		return &UnknownFieldError{Field: name, err: fault}
	}
	return nil
}

// harmless are fields that change nothing that a spec describes, whatever their value: bookkeeping, generation, what a call returns.
var harmless = []string{
	"_name_or_path", "_commit_hash", "_attn_implementation", "_attn_implementation_autoset", "_attn_implementation_internal", "_diffusers_version", "name_or_path", "transformers_version",
	"adapters", "finetuning_task", "task_specific_params", "language", "tags", "license", "model_name", "custom_pipelines", "gradient_checkpointing",
	"torch_dtype", "dtype", "use_bfloat16", "torchscript", "tf_legacy_loss", "tokenizer_class", "use_cache", "return_dict", "return_dict_in_generate",
	"output_attentions", "output_hidden_states", "output_scores", "output_past", "chunk_size_feed_forward", "sentence_transformers",
	"bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "mask_token_id", "unk_token_id", "decoder_start_token_id",
	"max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p",
	"typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids",
	"num_return_sequences", "begin_suppress_tokens", "suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values",
	"exponential_decay_length_penalty", "prefix", "directionality", "pooler_fc_size", "pooler_num_attention_heads", "pooler_num_fc_layers",
	"pooler_size_per_head", "pooler_type", "summary_activation", "summary_first_dropout", "summary_last_dropout", "summary_proj_to_labels",
	"summary_type", "summary_use_proj", "padding_side", "problem_types", "attn_implementation", "_experts_implementation", "experts_implementation",
	"xla_device", "use_return_dict", "transformers.js_config", "unsloth_version", "_num_labels", "max_seq_length", "do_lower_case",
	"min_new_tokens", "max_new_tokens", "renormalize_logits", "initializer_factor", "gradient_checkpointing_kwargs", "is_composition",
}

// fixed are fields with values under which the model is the one that is described.
var fixed = map[string][]string{
	"is_decoder": {"false"}, "is_encoder_decoder": {"false"}, "add_cross_attention": {"false"}, "tie_encoder_decoder": {"false"},
	"tie_word_embeddings": {"true"}, "pruned_heads": {"{}"}, "position_embedding_type": {`"absolute"`}, "z_steps": {"0"},
	"cross_attention_hidden_size": {}, "quantization_config": {}, "auto_map": {},
}
