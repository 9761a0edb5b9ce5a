package hf_test

import (
	"errors"
	"io/fs"
	"maps"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// shapes returns a checkpoint's tensors. Each has one row, unless its shape follows the name after a space: "classifier.weight 3x32".
func shapes(names ...string) map[string][]int {
	all := map[string][]int{}
	for _, n := range names {
		name, rest, _ := strings.Cut(n, " ")
		all[name] = []int{}
		for _, d := range strings.Split(rest, "x") {
			v := 0
			for _, digit := range d {
				v = 10*v + int(digit-'0')
			}
			all[name] = append(all[name], v)
		}
	}
	return all
}

// The tensors of published base checkpoints of DeBERTa.
var (
	published = shapes("deberta.embeddings.word_embeddings.weight 101x32", "deberta.embeddings.position_embeddings.weight 64x32",
		"lm_predictions.lm_head.dense.weight 32x32",
		"lm_predictions.lm_head.bias 101", "mask_predictions.dense.weight 32x32")
	bare = shapes("embeddings.word_embeddings.weight 101x32")
)

// statements returns a head's steps, one per line.
func statements(h *spec.Head) string {
	lines := []string{h.Take.Text}
	for _, s := range h.Steps {
		lines = append(lines, s.Text)
	}
	return strings.Join(lines, "; ")
}

// TestTasks checks the head that is written for each task that a folder can serve.
func TestTasks(t *testing.T) {
	const lm = `take masked; linear hidden; act; norm; linear vocab tied embed.token`
	pooled := shapes("deberta.embeddings.word_embeddings.weight 101x32", "pooler.dense.weight 32x32", "classifier.weight 3x32")
	one := maps.Clone(pooled)
	one["classifier.weight"] = []int{1, 32}
	entail := fields{"id2label": fields{"0": "ENTAILMENT", "1": "neutral", "2": "contradiction"}, "label2id": nil}
	bio := fields{"id2label": fields{"0": "O", "1": "B-X", "2": "I-X"}, "label2id": nil}
	single := fields{"id2label": fields{"0": "LABEL_0"}, "label2id": nil}
	for _, c := range []struct {
		base    string
		fields  fields
		tensors map[string][]int
		opts    hf.Options
		head    string // its full name; "": no head
		want    string
	}{
		{"emd_v2", nil, published, hf.Options{Task: "emd"}, "model.emd.mlm", lm},
		{"emd_v2", nil, published, hf.Options{Task: "fill-mask"}, "model.emd.mlm", lm},
		{"emd_v2", nil, published, hf.Options{Task: "perplexity"}, "model.emd.perplexity", lm},
		{"emd_v2", nil, published, hf.Options{Task: "generate"}, "model.generate", lm},
		{"emd_v1", nil, published, hf.Options{Task: "fill-mask"}, "model.emd.mlm", lm},
		{"emd_v2", fields{"architectures": []string{"DebertaV2ForMaskedLM"}, "legacy": true}, published, hf.Options{}, "model.emd.mlm", lm},
		{"emd_v2", nil, published, hf.Options{Task: "rtd"}, "model.rtd", "take each + first; norm; linear hidden; act; linear 1"},
		{"emd_v2", nil, published, hf.Options{Task: "embed"}, "model.embed", "take mean"},
		{"emd_v2", nil, published, hf.Options{Task: "embed", Pool: "first"}, "model.embed", "take first"},
		{"emd_v2", nil, published, hf.Options{Task: "embed", Pool: "none"}, "", ""},
		{"emd_v2", nil, published, hf.Options{}, "", ""},
		{"emd_v2_posbias", nil, nil, hf.Options{Task: "fill-mask"}, "model.mlm", lm},
		{"v2_mlm_new", nil, nil, hf.Options{Task: "generate", Mask: "prefix"}, "model.generate", lm},
		{"v2_seq_multi", nil, pooled, hf.Options{Task: "classify"}, "model.classify",
			"take first; linear hidden; act; linear 3 as labels(\"LABEL_0\", \"LABEL_1\", \"LABEL_2\")"},
		{"v2_seq_multi", entail, pooled, hf.Options{Task: "zero-shot"}, "model.zero_shot",
			"take first; linear hidden; act; linear 3 as labels(\"ENTAILMENT\", \"neutral\", \"contradiction\")"},
		{"v2_seq_multi", nil, pooled, hf.Options{Task: "zero-shot"}, "model.zero_shot",
			"take first; linear hidden; act; linear 3 as labels(\"LABEL_0\", \"LABEL_1\", \"LABEL_2\")"},
		{"v2_seq_regression", single, one, hf.Options{Task: "score"}, "model.score", "take first; linear hidden; act; linear 1 as score"},
		{"v2_seq_regression3", nil, pooled, hf.Options{Task: "score"}, "model.score", "take first; linear hidden; act; linear 3"},
		{"v2_seq_regression", single, one, hf.Options{Task: "rank"}, "model.rank", "take first; linear hidden; act; linear 1 as score"},
		{"v2_choice", single, one, hf.Options{Task: "choose"}, "model.choose", "take first; linear hidden; act; linear 1 as choices"},
		{"v2_tokcls", nil, nil, hf.Options{Task: "tag"}, "model.tag", ""},
		{"v2_tokcls", bio, shapes("crf.transitions 3x3", "crf.start_transitions 3", "crf.end_transitions 3"), hf.Options{}, "model.tag",
			`take each; linear 3 as labels("O", "B-X", "I-X"); crf`},
		{"v2_tokcls", bio, shapes("crf.transitions 5x5", "crf.start_transitions 5", "crf.end_transitions 5"), hf.Options{}, "model.tag",
			`take each; linear 3 as labels("O", "B-X", "I-X")`},
		{"v2_tokcls", bio, shapes("crf.transitions 3x3"), hf.Options{}, "model.tag", `take each; linear 3 as labels("O", "B-X", "I-X")`},
		{"v2_qa", nil, nil, hf.Options{Task: "answer"}, "model.answer", "take each; linear 2 as span"},
		{"bert_model", nil, shapes("embeddings.word_embeddings.weight 101x32", "pooler.dense.weight 32x32"), hf.Options{Task: "embed", Pool: "pooler"},
			"model.embed", "take first; linear hidden; act tanh"},
		{"bert_model", nil, bare, hf.Options{Beside: &hf.Beside{Sentences: &hf.Sentences{Pool: "first", Normalize: true}}}, "model.embed", "take first"},
		{"bert_seqcls", fields{"architectures": []string{"BertForMultipleChoice"}}, nil, hf.Options{}, "model.choose",
			"take first; linear hidden; act tanh; linear 1 as choices"},
		{"roberta_seqcls", fields{"architectures": []string{"RobertaForMultipleChoice"}}, nil, hf.Options{}, "model.choose",
			"take first; linear hidden; act tanh; linear 1 as choices"},
		{"bert_mlm", fields{"architectures": []string{"BertForPreTraining"}}, nil, hf.Options{}, "model.mlm", lm},
		{"bert_mlm", fields{"architectures": []string{"BertLMHeadModel"}, "is_decoder": true}, nil, hf.Options{}, "model.mlm", lm},
		{"roberta_mlm", fields{"architectures": []string{"RobertaForCausalLM"}, "is_decoder": true}, nil, hf.Options{Task: "generate"}, "model.generate", lm},
		{"rtd_gdes", nil, nil, hf.Options{Task: "fill-mask"}, "generator.mlm", lm},
		{"rtd_gdes", nil, nil, hf.Options{Task: "emd"}, "generator.emd.mlm", lm},
		{"rtd_gdes", nil, nil, hf.Options{Task: "rtd"}, "discriminator.rtd", "take each + first; norm; linear hidden; act; linear 1"},
		{"gliner_span_plain", nil, nil, hf.Options{Task: "entities"}, "model.entities", ""},
	} {
		text, _, err := hf.Spec(with(t, c.base, c.fields), c.tensors, c.opts)
		require.NoError(t, err, "%s %+v", c.base, c.opts)
		f, _ := spec.Parse("model.dspec", []byte(text))
		s, faults := spec.Resolve(f)
		require.Empty(t, faults, text)
		if c.head == "" {
			require.Empty(t, s.Heads, text)
			continue
		}
		require.Len(t, s.Heads, 1, text)
		h := s.Heads[0]
		on := h.Model.Name
		if h.Decoder != nil {
			on += "." + h.Decoder.Name
		}
		require.Equal(t, c.head, on+"."+h.Name, text)
		if c.want != "" {
			require.Equal(t, c.want, statements(h), text)
		}
		mask := spec.MaskLive
		switch {
		case c.opts.Mask == "prefix":
			mask = spec.MaskPrefix
		case c.opts.Task == "generate" || c.fields["is_decoder"] == true:
			mask = spec.MaskCausal
		}
		require.Equal(t, mask, h.Model.Encoder.Attention.Mask, text)
	}
}

// TestTaskFaults checks that the error for a task that the folder cannot serve lists the heads that the folder serves.
func TestTaskFaults(t *testing.T) {
	pooled := shapes("pooler.dense.weight 32x32", "classifier.weight 3x32")
	for _, c := range []struct {
		base    string
		tensors map[string][]int
		opts    hf.Options
		want    string
	}{
		{"emd_v2", published, hf.Options{Task: "classify"}, "no tensors for the head classify; the folder serves emd, fill-mask, perplexity, generate, rtd, " +
			"embed"},
		{"v2_seq_multi", pooled, hf.Options{Task: "tag"}, "no tensors for the head tag; the folder serves classify, embed"},
		{"v2_seq_multi", pooled, hf.Options{Task: "score"}, "no tensors for the head score"},
		{"v2_seq_multi", nil, hf.Options{Task: "rank"}, "id2label has the 3 labels LABEL_0, LABEL_1, LABEL_2: the head rank is one number per text"},
		{"v2_seq_multi", nil, hf.Options{Task: "answer"}, "the head answer is asked for, but the architecture has the head classify"},
		{"bert_model", bare, hf.Options{Task: "emd"}, "the head emd belongs to DeBERTa, the model is of model_type bert; the folder serves embed"},
		{"bert_model", nil, hf.Options{Task: "rtd"}, "the head rtd belongs to DeBERTa"},
		{"emd_v2", shapes("lm_predictions.lm_head.dense.weight 32x32"), hf.Options{Task: "emd"},
			"position_biased_input = false and the file has no embeddings.position_embeddings.weight"},
		{"emd_v2", published, hf.Options{Task: "emd", Seq: 65}, "max_position_embeddings = 64: the mask decoder"},
		{"emd_v2", published, hf.Options{Task: "entities"}, "need a GLiNER model"},
		{"emd_v2", published, hf.Options{Task: "embed", Layer: 4}, "there is no layer 4: num_hidden_layers = 3"},
		{"emd_v2", published, hf.Options{Task: "embed", Layer: -1}, "there is no layer -1"},
		{"emd_v2", published, hf.Options{Task: "rtd", Layer: 2}, "layer 2 is asked for"},
		{"emd_v2", published, hf.Options{Task: "rtd", Pool: "mean"}, "belongs to the head embed"},
		{"emd_v2", published, hf.Options{Task: "embed", Pool: "pooler"}, "the file has no pooler.dense.weight"},
		{"emd_v2", published, hf.Options{Task: "embed", Pool: "max"}, `unknown pooling "max" (known: mean, first, pooler, none)`},
		{"emd_v2", published, hf.Options{Task: "rtd", Mask: "causal"}, "the mask causal belongs to the heads fill-mask, perplexity, generate"},
		{"emd_v2", published, hf.Options{Task: "translate"}, `unknown head "translate" (known: classify,`},
		{"rtd_gdes", nil, hf.Options{Task: "classify"}, "the folder is a generator and a discriminator: it serves fill-mask, perplexity, generate, emd, rtd"},
		{"rtd_gdes", nil, hf.Options{HeadName: "x"}, "two models have one"},
		{"gliner_span_plain", nil, hf.Options{Task: "tag"}, "a GLiNER model serves entities alone"},
		{"bert_model", nil, hf.Options{Task: "embed", Beside: &hf.Beside{Sentences: &hf.Sentences{Other: []string{"the module Dense"}}}},
			"the folder's modules.json has the module Dense, which a spec cannot describe"},
	} {
		_, _, err := hf.Spec(with(t, c.base, nil), c.tensors, c.opts)
		require.ErrorContains(t, err, c.want, "%s %+v", c.base, c.opts)
	}
	topics := fields{"id2label": fields{"0": "ham", "1": "LABEL_1", "2": "spam"}, "label2id": nil}
	_, _, err := hf.Spec(with(t, "v2_seq_multi", topics), pooled, hf.Options{Task: "zero-shot"})
	require.ErrorContains(t, err, "id2label = ham, LABEL_1, spam: zero-shot classification needs a model of entailment")
	one := fields{"id2label": fields{"0": "LABEL_0"}, "label2id": nil}
	_, _, err = hf.Spec(with(t, "v2_seq_regression", one), nil, hf.Options{Task: "zero-shot"})
	require.ErrorContains(t, err, "id2label = LABEL_0: zero-shot classification needs")
}

// TestUnnamedLabels checks that a classifier whose labels are named by numbers only can serve zero-shot: the user names the label of entailment when the
// model runs.
func TestUnnamedLabels(t *testing.T) {
	_, notes, err := hf.Spec(with(t, "v2_seq_multi", nil), shapes("pooler.dense.weight 32x32", "classifier.weight 3x32"), hf.Options{Task: "zero-shot"})
	require.NoError(t, err)
	require.Contains(t, strings.Join(notes, "\n"), "id2label = LABEL_0, LABEL_1, LABEL_2: no name tells which label means entailment")
}

// TestFirstGLiNER checks the first GLiNER configs, which have little more than the encoder's name. The token table's size tells how many tokens were added.
func TestFirstGLiNER(t *testing.T) {
	tensors := shapes("token_rep_layer.bert_layer.model.embeddings.word_embeddings.weight 250105x768")
	for text, steps := range map[string]string{
		`{"max_width": 12, "max_len": 384, "hidden_size": 512, "model_name": "microsoft/mdeberta-v3-base", "span_mode": "markerV0", "subtoken_pooling": ` +
			`"first"}`: "take words(first); linear 512; lstm 256 both; spans <= 12 markers",
		`{"hidden_size": 768, "model_name": "microsoft/mdeberta-v3-base", "span_mode": "token-level", "gpu": "ohy@a100", "run_time": "05:30:00", ` +
			`"has_rnn": false, "label_smoothing": 0}`: "take words(first); tokens start end inside",
		`{"hidden_size": 768, "model_name": "microsoft/mdeberta-v3-base", "span_mode": "markerV0", "num_rnn_layers": -1, "vocab_size": -1, ` +
			`"class_token_index": -1, "max_width": 3}`: "take words(first); spans <= 3 markers",
	} {
		out, _, err := hf.Spec([]byte(text), tensors, hf.Options{})
		require.NoError(t, err)
		f, _ := spec.Parse("model.dspec", []byte(out))
		s, faults := spec.Resolve(f)
		require.Empty(t, faults, out)
		require.Equal(t, 250105, s.Models[0].Vocab)
		require.Equal(t, steps, statements(s.Heads[0]), out)
	}
}

// TestResizedGLiNER checks a token table that the library has made smaller than that of the encoder: it does so unless both indices are set.
func TestResizedGLiNER(t *testing.T) {
	const table = "token_rep_layer.bert_layer.model.embeddings.word_embeddings.weight"
	for _, c := range []struct {
		rows         int
		vocab, class any
		want         string
	}{
		{1900, nil, nil, ""}, {1900, -1, -1, ""}, {1900, 1900, nil, ""}, {1900, nil, 1898, ""}, {2010, nil, nil, ""},
		{1900, 1900, 1898, "vocab_size asks for 2004"}, {1900, 1901, nil, "vocab_size asks for 1901"},
	} {
		text := with(t, "gliner_span_plain", fields{"vocab_size": c.vocab, "class_token_index": c.class})
		out, _, err := hf.Spec(text, map[string][]int{table: {c.rows, 48}}, hf.Options{})
		if c.want != "" {
			require.ErrorContains(t, err, c.want)
			continue
		}
		require.NoError(t, err)
		f, _ := spec.Parse("model.dspec", []byte(out))
		s, faults := spec.Resolve(f)
		require.Empty(t, faults, out)
		require.Equal(t, c.rows, s.Models[0].Vocab)
	}
}

// TestLayer checks that a layer below the last makes a model with fewer layers.
func TestLayer(t *testing.T) {
	text, _, err := hf.Spec(configs(t)["emd_v1"], published, hf.Options{Task: "embed", Layer: 1})
	require.NoError(t, err)
	require.Contains(t, text, "dim layers = 1")
	require.Contains(t, text, "drop decoder.emd", "it has no layer below the last")
}

// TestSentences checks folders of sentence-transformers.
func TestSentences(t *testing.T) {
	const transformer, pooling, normalize = `{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}`,
		`{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}`,
		`{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}`
	const dense = `{"idx": 2, "name": "2", "path": "2_Dense", "type": "sentence_transformers.models.Dense"}`
	read := func(text string) func(string) ([]byte, error) {
		return func(path string) ([]byte, error) {
			if path != "1_Pooling/config.json" {
				return nil, fs.ErrNotExist
			}
			return []byte(text), nil
		}
	}
	for _, c := range []struct {
		modules, pooling string
		want             hf.Sentences
	}{
		{transformer + "," + pooling + "," + normalize, `{"word_embedding_dimension": 384, "pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true,
			"pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false}`, hf.Sentences{Pool: "mean", Normalize: true}},
		{transformer + "," + pooling, `{"pooling_mode_cls_token": true, "include_prompt": true}`, hf.Sentences{Pool: "first"}},
		{transformer + "," + pooling, `{"pooling_mode": "cls", "embedding_dimension": 3}`, hf.Sentences{Pool: "first"}},
		{transformer + "," + pooling, `{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true}`,
			hf.Sentences{Other: []string{"the pooling first beside max"}}},
		{transformer + "," + pooling + "," + dense, `{"pooling_mode_mean_tokens": true}`, hf.Sentences{Pool: "mean", Other: []string{"the module Dense"}}},
		{transformer, "", hf.Sentences{}},
	} {
		s, err := hf.ReadSentences([]byte("["+c.modules+"]"), read(c.pooling))
		require.NoError(t, err)
		require.Equal(t, &c.want, s)
	}
	for _, c := range []struct{ modules, pooling, want string }{
		{"", "", "lists 0 modules"},
		{"3", "", "an entry is not a module"},
		{pooling, `{"pooling_mode_mean_token": true}`, "1_Pooling/config.json: pooling_mode_mean_token is not known; pooling_mode_mean_tokens is"},
		{pooling, `{"pooling_mode_mean_tokens": 1}`, "is not true or false"},
		{strings.Replace(pooling, "1_Pooling", "../x", 1), `{}`, "is outside the folder"},
	} {
		_, err := hf.ReadSentences([]byte("["+c.modules+"]"), read(c.pooling))
		require.ErrorContains(t, err, c.want)
	}
	_, err := hf.ReadSentences([]byte("["+strings.Replace(pooling, "1_Pooling", "9_Pooling", 1)+"]"), read(""))
	require.True(t, errors.Is(err, fs.ErrNotExist))
}

// TestPairTensors checks that the tensors of a pair are compared with the model that they belong to.
func TestPairTensors(t *testing.T) {
	right := shapes("generator.deberta.embeddings.word_embeddings.weight 101x32", "generator.deberta.embeddings.position_embeddings.weight 64x32",
		"generator.lm_predictions.lm_head.dense.weight 32x32", "discriminator.deberta.embeddings.word_embeddings._weight 101x32",
		"discriminator.mask_predictions.dense.weight 32x32")
	text, _, err := hf.Spec(configs(t)["rtd_gdes"], right, hf.Options{})
	require.NoError(t, err)
	require.Contains(t, text, "head mlm on generator.emd {")
	require.Contains(t, text, "head rtd on discriminator {")
	wrong := maps.Clone(right)
	wrong["discriminator.deberta.embeddings.word_embeddings._weight"] = []int{100, 32}
	_, _, err = hf.Spec(configs(t)["rtd_gdes"], wrong, hf.Options{})
	require.ErrorContains(t, err, "discriminator.vocab_size asks for 101")
	delete(wrong, "discriminator.deberta.embeddings.word_embeddings._weight") // the discriminator uses the generator's table
	_, _, err = hf.Spec(configs(t)["rtd_es"], wrong, hf.Options{})
	require.NoError(t, err)
	delete(wrong, "generator.deberta.embeddings.position_embeddings.weight") // no decoder
	text, _, err = hf.Spec(configs(t)["rtd_es"], wrong, hf.Options{})
	require.NoError(t, err)
	require.Contains(t, text, "head mlm on generator {")
}
