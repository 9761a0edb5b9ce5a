package hf

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec"
)

// isGLiNER recognises gliner_config.json.
func (c *config) isGLiNER() bool {
	return (c.fields["span_mode"] != nil || c.fields["max_width"] != nil) &&
		(c.fields["class_token_index"] != nil || c.fields["encoder_config"] != nil || c.fields["model_name"] != nil)
}

// encoders maps the published encoders that a GLiNER config without encoder_config names to models of the zoo.
var encoders = map[string]string{
	"microsoft/deberta-v3-xsmall": "deberta_v3_xsmall", "microsoft/deberta-v3-small": "deberta_v3_small", "microsoft/deberta-v3-base": "deberta_v3_base",
	"microsoft/deberta-v3-large": "deberta_v3_large", "microsoft/mdeberta-v3-base": "mdeberta_v3_base",
}

// gliner reads gliner_config.json: an encoder, and a head whose labels are chosen at run time.
func (c *config) gliner(tensors map[string][]int, opts Options) (*want, error) {
	if opts.Task != "" && opts.Task != "entities" {
		return nil, fmt.Errorf("the head %s is asked for, but a GLiNER model serves entities alone", opts.Task)
	}
	opts.Task = ""
	w, err := c.glinerEncoder(tensors, opts)
	if err != nil {
		return nil, err
	}
	w.checkpoint, w.origin = "hf.gliner", "From a gliner_config.json."
	if err := c.glinerLength(w, opts); err != nil {
		return nil, err
	}
	if err := c.glinerHead(w); err != nil {
		return nil, err
	}
	if err := c.glinerTables(w, tensors); err != nil {
		return nil, err
	}
	c.table = glinerTable
	return w, c.rest()
}

// glinerTables compares the fields of the head with the tensors that the checkpoint has.
func (c *config) glinerTables(w *want, tensors map[string][]int) error {
	if !whole(tensors) {
		return nil
	}
	lines := strings.Join(w.head.lines, "\n")
	for _, t := range []struct {
		statement, field, tensor string
	}{
		{"\nspans ", "span_mode", "span_rep_layer.span_rep_layer.project_start.0.weight"},
		{"\ntokens ", "span_mode", "scorer.out_mlp.0.weight"},
		{"\nlstm ", "num_rnn_layers", "rnn.lstm.weight_ih_l0"},
		{"\nlinear ", "hidden_size", "token_rep_layer.projection.weight"},
	} {
		_, rest, asked := strings.Cut(lines, t.statement)
		shape := tensors[t.tensor]
		if asked && shape == nil {
			return c.fault(t.field, "asks for the tensor %s, which the checkpoint lacks", t.tensor)
		}
		if !asked || t.field != "hidden_size" {
			continue
		}
		if columns, _, _ := strings.Cut(rest, "\n"); len(shape) != 2 || columns != strconv.Itoa(shape[0]) {
			return c.fault(t.field, "asks for %s, but %s has the shape %v", columns, t.tensor, shape)
		}
	}
	return nil
}

// tokensOfWord is the greatest number of tokens per word of a text, on average: twice the usual number, because the labels stand in front of the text.
const tokensOfWord = 3

// glinerLength sets the bound on sequences. A model's texts have at most max_len words. Relative positions work beyond the length in the encoder's config.
func (c *config) glinerLength(w *want, opts Options) error {
	words, err := c.integer("max_len", 384, 1, 1<<20)
	if err != nil {
		return err
	}
	if opts.Seq == 0 && w.absolute == 0 {
		w.seq = max(w.positions, (tokensOfWord*words+127)/128*128)
	}
	return nil
}

// allow marks fields as understood.
func (c *config) allow(names ...string) {
	for _, n := range names {
		c.known[n] = true
	}
}

// glinerEncoder reads encoder_config, or takes the published encoder that model_name names.
func (c *config) glinerEncoder(tensors map[string][]int, opts Options) (*want, error) {
	inner := encoderTensors(tensors)
	rows, err := c.integer("vocab_size", -1, -1, maxVocab)
	if err != nil {
		return nil, err
	}
	class, err := c.integer("class_token_index", -1, -1, maxVocab)
	if err != nil {
		return nil, err
	}
	resized := rows < 1 || class < 0                                                      // to the tokens of the tokenizer and the added ones
	if table := inner["embeddings.word_embeddings.weight"]; rows < 1 && len(table) == 2 { // the first configs do not have the number of rows
		rows = table[0]
	}
	if v := c.raw("encoder_config"); v != nil {
		c.allow("model_name") // the encoder's name is all that it tells
		return c.nestedEncoder(v, rows, resized, inner, opts)
	}
	name, err := c.text("model_name", "")
	if err != nil {
		return nil, err
	}
	base := spec.ZooModel(encoders[name])
	if base == nil {
		return nil, c.fault("model_name", "= %q: without encoder_config it is one of %s", name, strings.Join(sortedKeys(encoders), ", "))
	}
	w := wantOf(base)
	w.candidates = []string{encoders[name]}
	if rows > 0 {
		w.vocab = rows
	}
	if opts.Seq > 0 {
		w.seq = opts.Seq
	}
	return w, c.compare(w, inner)
}

// sortedKeys returns the keys of a map, sorted.
func sortedKeys[V any](m map[string]V) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// wantOf returns the description of a DeBERTa v3 of the zoo.
func wantOf(m *spec.Model) *want {
	return &want{
		checkpoint: m.Checkpoint, vocab: m.Vocab, hidden: m.Hidden, heads: m.Heads, inner: m.Inner, layers: m.Layers, width: m.Embed.Width, positions: m.Seq,
		eps: m.Defaults.Norm.Eps, std: m.Defaults.Init.Std, act: m.Defaults.Act, dropout: m.Defaults.Dropout.Hidden, attention: m.Defaults.Dropout.Attention,
		relative: true, span: -m.Relative.Lo, log: true, exact: m.Relative.Bucket.Exact, reach: m.Relative.Bucket.Reach, norm: m.Relative.Norm != nil,
		shared: true, c2p: true, p2c: true, factor: 3,
	}
}

// glinerRNN returns the number of layers of the LSTM over words. The first configs have has_rnn instead, for one layer or no layer.
func (c *config) glinerRNN() (int, error) {
	has, err := c.boolean("has_rnn", true)
	if err != nil {
		return 0, err
	}
	absent := 1
	if !has {
		absent = 0
	}
	return c.integer("num_rnn_layers", absent, -1<<20, 1)
}

// glinerHead reads how words are read, labelled and scored.
func (c *config) glinerHead(w *want) error {
	pooling, err := c.text("subtoken_pooling", "first")
	if err != nil {
		return err
	}
	if !slices.Contains([]string{"first", "last", "mean", "max"}, pooling) {
		return c.fault("subtoken_pooling", "= %q is not one of first, last, mean, max", pooling)
	}
	hidden, err := c.integer("hidden_size", 512, 1, maxHidden)
	if err != nil {
		return err
	}
	rnn, err := c.glinerRNN()
	if err != nil {
		return err
	}
	mode, err := c.text("span_mode", "markerV0")
	if err != nil {
		return err
	}
	width, err := c.integer("max_width", 12, 1, 1<<12)
	if err != nil {
		return err
	}
	mark, err := c.text("ent_token", "<<ENT>>")
	if err != nil {
		return err
	}
	end, err := c.text("sep_token", "<<SEP>>")
	if err != nil {
		return err
	}
	class, err := c.integer("class_token_index", -1, -1, maxVocab)
	if err != nil {
		return err
	}
	if class >= w.vocab {
		return c.fault("class_token_index", "= %d is not a row of the token table, which has %d rows", class, w.vocab)
	}
	after, err := c.boolean("embed_ent_token", true)
	if err != nil {
		return err
	}
	if !after {
		c.note("embed_ent_token is false: a label is read at the token after %s", mark)
	}
	h := &head{name: "entities"}
	h.add("take words(" + pooling + ")")
	if hidden != w.hidden {
		h.add("linear " + strconv.Itoa(hidden))
	}
	if rnn == 1 {
		if hidden%2 != 0 {
			return c.fault("hidden_size", "= %d is odd: the LSTM has half of it each way", hidden)
		}
		h.add(fmt.Sprintf("lstm %d both", hidden/2))
	}
	prompt := fmt.Sprintf("prompt labels mark %s end %s", strconv.Quote(mark), strconv.Quote(end))
	if !after {
		prompt = fmt.Sprintf("prompt labels after mark %s end %s", strconv.Quote(mark), strconv.Quote(end))
	}
	h.add(prompt)
	switch strings.ReplaceAll(mode, "-", "_") {
	case "markerV0":
		h.add(fmt.Sprintf("spans <= %d markers", width))
	case "token_level":
		h.add("tokens start end inside")
	default:
		return c.fault("span_mode", "= %q: markerV0 and token_level are known", mode)
	}
	h.add("loss binary_cross_entropy")
	w.head = h
	return nil
}
