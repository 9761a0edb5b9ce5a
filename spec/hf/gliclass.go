package hf

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// gliclassType is the model_type of GLiClass.
const gliclassType = "GLiClass"

// isGLiClass recognises the config.json of GLiClass.
func (c *config) isGLiClass() bool {
	var kind string
	return json.Unmarshal(c.fields["model_type"], &kind) == nil && kind == gliclassType
}

// gliclassTokens is the limit on the tokens of a text in the published pipeline.
const gliclassTokens = 1024

// gliclass reads the config.json of GLiClass: an encoder, and a head that scores a text against labels that are chosen at run time.
func (c *config) gliclass(tensors map[string][]int, opts Options) (*want, error) {
	if opts.Task != "" && opts.Task != "own-labels" {
		return nil, fmt.Errorf("the head %s is asked for, but a GLiClass model serves own-labels alone", opts.Task)
	}
	opts.Task = ""
	c.allow("model_type")
	c.table = gliclassTable
	v := c.raw("encoder_config")
	if v == nil {
		return nil, c.fault("encoder_config", "is missing")
	}
	rows, err := c.integer("vocab_size", -1, -1, maxVocab)
	if err != nil {
		return nil, err
	}
	w, err := c.nestedEncoder(v, rows, false, encoderTensors(tensors), opts)
	if err != nil {
		return nil, err
	}
	w.candidates = append([]string{"gliclass_base", "gliclass_small", "gliclass_large"}, w.candidates...)
	w.checkpoint, w.origin = "hf.gliclass", "From the config.json of a GLiClass model."
	if opts.Seq == 0 && w.absolute == 0 {
		w.seq = max(w.positions, gliclassTokens)
	}
	if n, err := c.integer("hidden_size", w.hidden, 1, maxHidden); err != nil || n != w.hidden {
		if err == nil {
			err = c.fault("hidden_size", "= %d, that of encoder_config is %d", n, w.hidden)
		}
		return nil, err
	}
	segments, err := c.boolean("use_segment_embeddings", false)
	if err != nil {
		return nil, err
	}
	if segments {
		if w.segment > 0 {
			return nil, c.fault("use_segment_embeddings", "= true, and encoder_config.type_vocab_size = %d: one of both is the table of token types", w.segment)
		}
		w.segment = 3 // the labels, the text, the examples
	}
	if err := c.gliclassHead(w); err != nil {
		return nil, err
	}
	if err := c.gliclassTensors(w, tensors); err != nil {
		return nil, err
	}
	return w, c.rest()
}

// gliclassPoolings maps the published names of poolings to words of the language.
var gliclassPoolings = map[string]string{
	"first": "first", "last": "last", "avg": "mean", "sum": "sum", "max": "max", "rms": "rms", "abs_max": "abs_max", "abs_avg": "abs_mean", "pass": "each",
}

// gliclassScorers maps the published names of scorers to the statements that they become, and to a tensor that a checkpoint then has. INNER stands for two
// widths that the config sets.
var gliclassScorers = map[string]struct{ statement, tensor string }{
	"simple":       {"score dot", "model.text_projector.linear_1.weight"},
	"weighted-dot": {"score weighted 4 * hidden", "model.scorer.out_mlp.0.weight"},
	"mlp":          {"score layers 256, 128", "model.scorer.mlp.0.weight"},
	"hopfield":     {"score hopfield 256, 128", "model.scorer.q_proj.weight"},
	"cross-attn":   {"score attend(heads: HEADS) INNER", "model.scorer.score_mlp.0.weight"},
}

// gliclassHead reads how texts and labels are read and compared.
func (c *config) gliclassHead(w *want) error {
	h := &head{name: "classes"}
	take, after, err := c.gliclassLabels()
	if err != nil {
		return err
	}
	first, err := c.boolean("prompt_first", false)
	if err != nil {
		return err
	}
	for _, f := range []string{"class_token_index", "text_token_index", "example_token_index"} {
		id, err := c.integer(f, -1, -1, maxVocab)
		if err == nil && id >= w.vocab {
			err = c.fault(f, "= %d is not a row of the token table, which has %d rows", id, w.vocab)
		}
		if err != nil {
			return err
		}
	}
	last := ""
	if !first {
		last = "last "
	}
	h.add(take, "prompt labels "+after+last+`mark "<<LABEL>>" end "<<SEP>>" example "<<EXAMPLE>>"`)
	text, err := c.gliclassText(w)
	if err != nil {
		return err
	}
	act, err := c.act("projector_hidden_act", "gelu")
	if err != nil {
		return err
	}
	h.add(text, "linear hidden\nact "+act+"\nlinear hidden")
	unit, err := c.boolean("normalize_features", false)
	if err != nil {
		return err
	}
	if unit {
		h.add("unit scaled")
	}
	score, err := c.gliclassScore(w)
	if err != nil {
		return err
	}
	loss, err := c.gliclassLoss()
	h.add(score, loss)
	w.head = h
	return err
}

// gliclassLabels returns the statement that takes the rows of labels, and the word for labels that are read after their mark.
func (c *config) gliclassLabels() (take, after string, err error) {
	pooling, err := c.text("class_token_pooling", "first")
	if err != nil {
		return "", "", err
	}
	at, err := c.boolean("embed_class_token", true)
	if err != nil {
		return "", "", err
	}
	if !at {
		after = "after "
	}
	if pooling == "average" {
		return "take labels(mean)", after, nil
	}
	if pooling != "first" {
		c.note("class_token_pooling is %q: a label is read at its mark, as the library does for every word but average", pooling)
	}
	return "take labels(first)", after, nil
}

// gliclassText returns the statements that make the row of a text.
func (c *config) gliclassText(w *want) (string, error) {
	pooling, err := c.text("pooling_strategy", "first")
	if err != nil {
		return "", err
	}
	word := gliclassPoolings[pooling]
	if word == "" {
		return "", c.fault("pooling_strategy", "= %q is not one of %s", pooling, strings.Join(sortedKeys(gliclassPoolings), ", "))
	}
	extract, err := c.boolean("extract_text_features", false)
	if err != nil {
		return "", err
	}
	lstm, err := c.boolean("use_lstm", false)
	if err != nil {
		return "", err
	}
	text := "text " + word
	if extract {
		text += " from end"
	}
	switch {
	case !lstm:
		return text, nil
	case word == "each" && extract:
		return "", c.fault("use_lstm", "= true with pooling_strategy pass and extract_text_features: the library cannot run such a model")
	case w.hidden%2 != 0:
		return "", c.fault("use_lstm", "= true, and hidden_size = %d is odd: the LSTM has half of it each way", w.hidden)
	}
	return fmt.Sprintf("lstm %d both\n%s", w.hidden/2, text), nil
}

// gliclassScore returns the statement that scores labels.
func (c *config) gliclassScore(w *want) (string, error) {
	scorer, err := c.text("scorer_type", "simple")
	if err != nil {
		return "", err
	}
	known, ok := gliclassScorers[scorer]
	if !ok {
		return "", c.fault("scorer_type", "= %q is not one of %s", scorer, strings.Join(sortedKeys(gliclassScorers), ", "))
	}
	pooling, err := c.text("pooling_strategy", "first")
	if err == nil && (pooling == "pass") != (scorer == "cross-attn") {
		err = c.fault("pooling_strategy", "= %q with scorer_type %s: the library cannot run such a model, cross-attn goes with pass", pooling, scorer)
	}
	if err != nil {
		return "", err
	}
	inner, err := c.integer("scorer_mlp_hidden_size", 1024, 1, maxHidden)
	if err != nil {
		return "", err
	}
	heads, err := c.integer("scorer_num_heads", 16, 1, maxHidden)
	if err != nil {
		return "", err
	}
	if scorer == "cross-attn" && (inner < 2 || w.hidden%heads != 0) {
		return "", c.fault("scorer_num_heads", "= %d, scorer_mlp_hidden_size = %d: heads must divide hidden_size = %d, and half of the inner size is the "+
			"next one", heads, inner, w.hidden)
	}
	return strings.NewReplacer("HEADS", strconv.Itoa(heads), "INNER", fmt.Sprintf("%d, %d", inner, inner/2)).Replace(known.statement), nil
}

// gliclassLoss returns the loss: the library's focal loss, which is a binary cross entropy if both settings are off.
func (c *config) gliclassLoss() (string, error) {
	alpha, err := c.real("focal_loss_alpha", 0.5, "from -1 to 1", func(v float64) bool { return v >= -1 && v <= 1 })
	if err != nil {
		return "", err
	}
	gamma, err := c.real("focal_loss_gamma", 2, "from -1 to 100", func(v float64) bool { return v >= -1 && v <= 100 })
	if err != nil {
		return "", err
	}
	problem, err := c.text("problem_type", "single_label_classification")
	if err != nil {
		return "", err
	}
	if problem != "multi_label_classification" || alpha <= 0 || alpha >= 1 || gamma < 0 {
		return "loss binary_cross_entropy", nil
	}
	return fmt.Sprintf("loss focal(alpha: %s, gamma: %s)", number(alpha), number(gamma)), nil
}

// gliclassTensors compares the fields of the head with the tensors that the checkpoint has.
func (c *config) gliclassTensors(w *want, tensors map[string][]int) error {
	if !whole(tensors) {
		return nil
	}
	lines := strings.Join(w.head.lines, "\n")
	scorer, _ := c.text("scorer_type", "simple")
	for _, t := range []struct {
		asked         bool
		field, tensor string
	}{
		{true, "scorer_type", gliclassScorers[scorer].tensor},
		{strings.Contains(lines, "lstm "), "use_lstm", "model.lstm.lstm.weight_ih_l0"},
		{strings.Contains(lines, "unit scaled"), "normalize_features", "model.logit_scale"},
		{w.segment == 3, "use_segment_embeddings", "model.segment_embeddings.weight"},
	} {
		if t.asked && tensors[t.tensor] == nil {
			return c.fault(t.field, "asks for the tensor %s, which the checkpoint lacks", t.tensor)
		}
	}
	return nil
}

// encoderTensors returns the tensors of an encoder that stands under a prefix, by their names without it.
func encoderTensors(tensors map[string][]int) map[string][]int {
	inner := map[string][]int{}
	for n, s := range tensors {
		if i := strings.Index(n, "embeddings."); i >= 0 {
			inner[n[i:]] = s
		} else if i := strings.Index(n, "encoder.layer."); i >= 0 {
			inner[n[i:]] = s
		}
	}
	return inner
}

// nestedEncoder reads an encoder_config. rows is the number of rows of the token table with the added tokens. It counts if it is above that of the encoder,
// or if the library resizes the table, which can also make it smaller.
func (c *config) nestedEncoder(v json.RawMessage, rows int, resized bool, inner map[string][]int, opts Options) (*want, error) {
	sub, err := readConfig(v)
	if err != nil {
		return nil, c.fault("encoder_config", "= %s: %v", shown(v), err)
	}
	sub.prefix = "encoder_config."
	return c.innerEncoder(sub, rows, resized, inner, opts)
}

// innerEncoder is nestedEncoder for a config that is already split into its fields.
func (c *config) innerEncoder(sub *config, rows int, resized bool, inner map[string][]int, opts Options) (*want, error) {
	kind, err := sub.text("model_type", "deberta-v2") // the library's default
	if err != nil {
		return nil, err
	}
	if kind != "deberta-v2" {
		return nil, sub.fault("model_type", "= %q: encoders of model_type deberta-v2 are known", kind)
	}
	w, err := sub.encoder(kind, nil, opts, false)
	if err != nil {
		return nil, err
	}
	c.notes, c.warned = append(c.notes, sub.notes...), append(c.warned, sub.warned...)
	if rows > w.vocab || resized && rows > 0 {
		w.vocab = rows // the added tokens follow the encoder's vocabulary
	}
	return w, c.compare(w, inner)
}
