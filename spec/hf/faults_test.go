package hf_test

import (
	"crypto/sha256"
	"encoding/json"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// with returns the case's config with some fields changed; nil removes a field.
func with(t testing.TB, name string, fields map[string]any) []byte {
	t.Helper()
	var all map[string]any
	dec := json.NewDecoder(strings.NewReader(string(configs(t)[name])))
	dec.UseNumber()
	require.NoError(t, dec.Decode(&all))
	for k, v := range fields {
		if v == nil {
			delete(all, k)
			continue
		}
		all[k] = v
	}
	text, err := json.Marshal(all)
	require.NoError(t, err)
	return text
}

type fields = map[string]any

// TestFaultsNameTheField checks that every malformed, contradictory or unknown field is an error that names it.
func TestFaultsNameTheField(t *testing.T) {
	for _, c := range []struct {
		base   string
		fields fields
		want   string // the start of the message
	}{
		{"v2_v3like", fields{"vocab_size": nil}, "vocab_size is missing"},
		{"v2_v3like", fields{"hidden_size": "32"}, `hidden_size = "32" is not a whole number`},
		{"v2_v3like", fields{"hidden_size": 32.5}, "hidden_size = 32.5 is not a whole number"},
		{"v2_v3like", fields{"hidden_size": -32}, "hidden_size = -32, it must be at least 1"},
		{"v2_v3like", fields{"hidden_size": 1 << 40}, "hidden_size = 1099511627776 is larger than"},
		{"v2_v3like", fields{"hidden_size": []int{32}}, "hidden_size = [32] is not a whole number"},
		{"v2_v3like", fields{"num_attention_heads": 5}, "num_attention_heads = 5 does not divide hidden_size = 32"},
		{"v2_v3like", fields{"num_hidden_layers": 0}, "num_hidden_layers = 0"},
		{"v2_v3like", fields{"attention_head_size": 4}, "attention_head_size = 4"},
		{"v2_v3like", fields{"pooler_hidden_size": 16}, "pooler_hidden_size = 16"},
		{"v2_v3like", fields{"pad_token_id": 101}, "pad_token_id = 101 is not a row"},
		{"v2_v3like", fields{"pad_token_id": -1}, "pad_token_id = -1"},
		{"v2_v3like", fields{"padding_idx": 3}, "padding_idx = 3 is not pad_token_id = 0"},
		{"v2_v3like", fields{"layer_norm_eps": 0}, "layer_norm_eps = 0 is not above 0"},
		{"v2_v3like", fields{"layer_norm_eps": "1e-7"}, `layer_norm_eps = "1e-7" is not a number`},
		{"v2_v3like", fields{"layer_norm_eps": json.Number("1e999")}, "layer_norm_eps = 1e999"},
		{"v2_v3like", fields{"hidden_dropout_prob": 1.5}, "hidden_dropout_prob = 1.5 is not a rate"},
		{"v2_v3like", fields{"attention_probs_dropout_prob": -0.1}, "attention_probs_dropout_prob = -0.1"},
		{"v2_v3like", fields{"initializer_range": -1}, "initializer_range = -1"},
		{"v2_v3like", fields{"hidden_act": "quick_gelu"}, `hidden_act = "quick_gelu" is not an activation`},
		{"v2_v3like", fields{"hidden_act": true}, "hidden_act = true is not a text"},
		{"v2_v3like", fields{"position_biased_input": "false"}, `position_biased_input = "false" is not true or false`},
		{"v2_v3like", fields{"relative_attention": 1}, "relative_attention = 1 is not true or false"},
		{"v2_v3like", fields{"pos_att_type": "c2p|p3c"}, `pos_att_type has the entry "p3c"`},
		{"v2_v3like", fields{"pos_att_type": []any{"c2p", 3}}, "pos_att_type = "},
		{"v2_v3like", fields{"norm_rel_ebd": "batch_norm"}, `norm_rel_ebd has the entry "batch_norm"`},
		{"v2_v3like", fields{"position_buckets": 1}, "position_buckets = 1"},
		{"v2_v3like", fields{"max_relative_positions": 5}, "max_relative_positions = 5 leaves no room"},
		{"v2_v3like", fields{"max_position_embeddings": 0}, "max_position_embeddings = 0"},
		{"v2_v3like", fields{"type_vocab_size": -2}, "type_vocab_size = -2"},
		{"v2_v3like", fields{"talking_head": true}, "talking_head = true"},
		{"v2_v3like", fields{"position_bucket": 256}, "position_bucket is not known; position_buckets is"},
		{"v2_v3like", fields{"rope_theta": 10000}, "rope_theta is not known"},
		{"v2_v3like", fields{"is_decoder": true}, "is_decoder = true: only false is understood"},
		{"v2_v3like", fields{"z_steps": 2}, "z_steps = 2"},
		{"v2_v3like", fields{"quantization_config": fields{"bits": 4}}, `quantization_config = {"bits":4}: no value of it is understood but null`},
		{"v2_v3like", fields{"conv_kernel_size": 4}, "conv_kernel_size = 4 is even"},
		{"v2_conv_gelu", fields{"conv_groups": 5}, "conv_groups = 5 does not divide"},
		{"v2_conv_gelu", fields{"conv_act": "swoosh"}, `conv_act = "swoosh"`},
		{"v2_v3like", fields{"model_type": "electra"}, `unsupported model_type "electra"`},
		{"v2_v3like", fields{"model_type": nil}, "model_type is missing"},
		{"rtd_gdes", fields{"embedding_sharing": "some"}, `embedding_sharing = "some" is not one of none, es, gdes`},
		{"rtd_gdes", fields{"generator": fields{"model_type": "bert"}}, `generator.model_type = "bert"`},
		{"rtd_gdes", fields{"generator": 3}, "generator = 3"},
		{"rtd_gdes", fields{"discriminator": fields{"model_type": "deberta"}}, "discriminator.vocab_size is missing"},
		{"rtd_gdes", fields{"lambda": 50}, "lambda is not known"},
		{"bert_mlm", fields{"is_decoder": 1}, "is_decoder = 1 is not true or false"},
		{"bert_mlm", fields{"add_cross_attention": true}, "add_cross_attention = true: only false"},
		{"bert_mlm", fields{"architectures": []string{"BertForNextSentencePrediction"}},
			`architectures = "BertForNextSentencePrediction": known are BertModel, BertForMaskedLM,`},
		{"roberta_mlm", fields{"architectures": []string{"RobertaLMHeadModel"}}, `architectures = "RobertaLMHeadModel"`},
		{"v2_v3like", fields{"architectures": []string{"DebertaModel"}}, `architectures = "DebertaModel" does not belong`},
		{"v2_v3like", fields{"architectures": []string{"DebertaV2ForPreTraining"}}, `architectures = "DebertaV2ForPreTraining"`},
		{"v2_v3like", fields{"architectures": []string{"DebertaV2Model", "DebertaV2ForMaskedLM"}}, "architectures names several"},
		{"v2_v3like", fields{"architectures": "DebertaV2Model"}, `architectures = "DebertaV2Model" is not a list`},
		{"v1_both", fields{"position_buckets": 256}, "position_buckets = 256 has no effect with model_type deberta"},
		{"v1_both", fields{"share_att_key": true}, "share_att_key = true has no effect"},
		{"v1_both", fields{"norm_rel_ebd": "layer_norm"}, "norm_rel_ebd = "},
		{"v1_both", fields{"conv_kernel_size": 3}, "conv_kernel_size = 3 has no effect"},
		{"v1_both", fields{"architectures": []string{"DebertaForMultipleChoice"}}, "architectures = "},
		{"v1_mlm_new", fields{"embedding_size": 24}, "legacy = false"},
		{"v2_seq_multi", fields{"problem_type": "ranking"}, `problem_type = "ranking"`},
		{"v2_seq_multi", fields{"id2label": fields{"0": "a", "2": "b"}, "label2id": nil}, "id2label has 2 entries, but none for 1"},
		{"v2_seq_multi", fields{"id2label": []string{"a"}}, "id2label = "},
		{"v2_seq_multi", fields{"id2label": fields{}, "label2id": nil}, "id2label has 0 names"},
		{"v2_seq_multi", fields{"id2label": fields{"0": "a", "1": []int{1}}}, "id2label has [1] for 1, which is not a text"},
		{"v2_seq_multi", fields{"classifier_dropout": 1.5}, "classifier_dropout = 1.5 is not a rate"},
		{"v2_seq_multi", fields{"prefix": "query: "}, `prefix = "query: ": no value of it is understood but null`},
		{"v2_seq_multi", fields{"task_specific_params": fields{"text-classification": fields{}}},
			`task_specific_params = {"text-classification":{}}: only {} is understood`},
		{"gliner_token_rnn", fields{"represent_spans": true}, "represent_spans = true: only false is understood"},
		{"gliner_span_plain", fields{"relations_layer": "dot"}, `relations_layer = "dot": no value of it is understood but null`},
		{"v2_qa", fields{"num_labels": 3}, "id2label has 3 labels"},
		{"v2_seq_multi", fields{"pooler_hidden_act": "quick_gelu"}, "pooler_hidden_act = "},
		{"v2_seq_multi", fields{"pooling": fields{"dropout": 0, "hidden_act": "tanh"}}, "pooling = "},
		{"v2_seq_multi", fields{"pooling": fields{"mode": "mean"}}, "pooling.mode is not known"},
		{"v2_seq_multi", fields{"pooling": 3}, "pooling = 3"},
		{"v2_seq_multi", fields{"cls_dropout": 2}, "cls_dropout = 2"},
		{"bert_model", fields{"position_embedding_type": "relative_key"}, `position_embedding_type = "relative_key"`},
		{"bert_model", fields{"embedding_size": 16}, "embedding_size is not known"},
		{"roberta_model", fields{"max_position_embeddings": 2}, "max_position_embeddings = 2 leaves no row"},
		{"gliner_span_plain", fields{"span_mode": "marker"}, `span_mode = "marker"`},
		{"gliner_span_plain", fields{"num_rnn_layers": 2}, "num_rnn_layers = 2"},
		{"gliner_span_plain", fields{"labels_encoder": "bert"}, "labels_encoder = "},
		{"gliner_span_plain", fields{"class_token_index": 99999}, "class_token_index = 99999"},
		{"gliner_span_plain", fields{"subtoken_pooling": "sum"}, `subtoken_pooling = "sum"`},
		{"gliner_span_plain", fields{"encoder_config": fields{"model_type": "bert"}}, "encoder_config.model_type = "},
		{"gliner_span_plain", fields{"encoder_config": nil}, "model_name = "},
		{"gliner_span_plain", fields{"hidden_size": 25, "num_rnn_layers": 1}, "hidden_size = 25 is odd"},
	} {
		_, _, err := hf.Spec(with(t, c.base, c.fields), nil, hf.Options{})
		require.Error(t, err, "%s %v", c.base, c.fields)
		require.True(t, strings.HasPrefix(err.Error(), c.want), "want %q, have %q", c.want, err)
	}
}

func TestMalformedText(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "not a JSON object",
		"[]":                        "not a JSON object",
		`{"hidden_size": NaN}`:      "hidden_size has no JSON value",
		`{"hidden_size": Infinity}`: "hidden_size has no JSON value",
		`{"hidden_size": 3`:         `after the field "hidden_size"`,
		`{`:                         "after its first brace",
		"\xef\xbb\xbf{}":            "byte order mark",
		`{"a": 1, "a": 2}`:          "a occurs twice",
		`{} {}`:                     "text after",
		`{"a": 1,}`:                 `after the field "a"`,
		"{\"a\": \"\x01\"}":         "a has no JSON value",
	} {
		_, _, err := hf.Spec([]byte(text), nil, hf.Options{})
		require.ErrorContains(t, err, want, text)
	}
	_, _, err := hf.Spec(make([]byte, 5<<20), nil, hf.Options{})
	require.ErrorContains(t, err, "more than")
}

// TestSpellings checks spellings that published configs have.
func TestSpellings(t *testing.T) {
	base, _, _ := resolve(t, configs(t)["v2_v3like"], hf.Options{})
	want := string(spec.Canonical(base.Models[0], nil))
	for _, f := range []fields{
		{"pos_att_type": "p2c|c2p"}, {"pos_att_type": " C2P | P2C "}, {"pos_att_type": []string{"c2p", "p2c"}}, {"norm_rel_ebd": "Layer_Norm"},
		{"norm_rel_ebd": "none|layer_norm"}, {"max_position_embeddings": 512}, {"type_vocab_size": nil}, {"pad_token_id": nil}, {"hidden_act": nil},
		{"attention_head_size": 8}, {"max_relative_positions": -1, "max_position_embeddings": 32}, {"embedding_size": 32}, {"conv_kernel_size": 0},
		{"architectures": nil}, {"_name_or_path": "x", "torch_dtype": "float16"}, {"hidden_act": "gelu_python"},
		{"pooling": fields{"dropout": 0, "hidden_act": "gelu"}},
		{"gradient_checkpointing": false, "position_biased_input": false}, {"pos_att_type": "c2p|p2c|p2p"},
	} {
		s, _, _ := resolve(t, with(t, "v2_v3like", f), hf.Options{})
		require.Equal(t, want, string(spec.Canonical(s.Models[0], nil)), "%v", f)
	}
	// v1 counts every entry of the list, also unknown ones.
	for value, factor := range map[any]int{"none": 2, "c2p": 2, "c2p|p2c": 3, "p2p|c2p|p2c": 4} {
		s, _, _ := resolve(t, with(t, "v1_both", fields{"pos_att_type": value}), hf.Options{})
		scale := s.Models[0].Encoder.Attention.Scale
		require.InDelta(t, 1, scale*scale*16*float64(factor), 1e-12, "%v", value)
	}
	// Without relative_attention the table has no effect, and absent fields take the library's defaults.
	s, _, _ := resolve(t, with(t, "v2_v3like", fields{"relative_attention": nil, "position_biased_input": nil, "layer_norm_eps": nil, "share_att_key": nil,
		"norm_rel_ebd": nil}), hf.Options{})
	m := s.Models[0]
	require.Nil(t, m.Relative)
	require.Equal(t, 64, m.Embed.Absolute.Rows)
	require.Equal(t, 1e-7, m.Defaults.Norm.Eps)
}

func TestPublishedConfig(t *testing.T) {
	const v3 = `{"model_type": "deberta-v2", "attention_probs_dropout_prob": 0.1, "hidden_act": "gelu", "hidden_dropout_prob": 0.1, "hidden_size": 768,
		"initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 512, "relative_attention": true, "position_buckets": 256,
		"norm_rel_ebd": "layer_norm", "share_att_key": true, "pos_att_type": "p2c|c2p", "layer_norm_eps": 1e-7, "max_relative_positions": -1,
		"position_biased_input": false, "num_attention_heads": 12, "num_hidden_layers": 12, "type_vocab_size": 0, "vocab_size": 128100}`
	s, text, notes := resolve(t, []byte(v3), hf.Options{Model: "nli", Tokenizer: "sentencepiece"})
	require.Empty(t, notes)
	require.Equal(t, int64(183_831_552), spec.Params(s.Models[0]))
	require.Contains(t, text, "model nli like deberta_v3_base { }", "nothing differs, so nothing is written")
	for name, changes := range map[string][]string{
		"deberta_v3_small":  {`"num_hidden_layers": 12`, `"num_hidden_layers": 6`},
		"mdeberta_v3_base":  {`"vocab_size": 128100`, `"vocab_size": 251000`},
		"deberta_v3_xsmall": {`"hidden_size": 768`, `"hidden_size": 384`, `heads": 12`, `heads": 6`, `3072`, `1536`},
		"deberta_v3_large":  {`"hidden_size": 768`, `"hidden_size": 1024`, `heads": 12`, `heads": 16`, `3072`, `4096`, `layers": 12`, `layers": 24`},
		"deberta_v2_xxlarge": {`"hidden_size": 768`, `"hidden_size": 1536`, `heads": 12`, `heads": 24`, `3072`, `6144`,
			`"num_hidden_layers": 12`, `"num_hidden_layers": 48, "conv_kernel_size": 3, "conv_act": "gelu"`},
	} {
		_, text, _ := resolve(t, []byte(strings.NewReplacer(changes...).Replace(v3)), hf.Options{})
		require.Contains(t, text, "like "+name+" { }", name)
	}
	s, _, _ = resolve(t, []byte(v3), hf.Options{Seq: 2048})
	require.Equal(t, 2048, s.Models[0].Seq)
}

func TestTensors(t *testing.T) {
	config := configs(t)["v2_seq_multi"]
	right := map[string][]int{
		"deberta.embeddings.word_embeddings.weight": {101, 32}, "deberta.embeddings.LayerNorm.weight": {32}, "deberta.encoder.rel_embeddings.weight": {16, 32},
		"deberta.encoder.layer.0.intermediate.dense.weight": {40, 32}, "deberta.encoder.layer.1.intermediate.dense.weight": {40, 32},
		"classifier.weight": {3, 32},
	}
	_, _, err := hf.Spec(config, right, hf.Options{})
	require.NoError(t, err)
	for _, c := range []struct {
		tensor string
		shape  []int
		want   string
	}{
		{"deberta.embeddings.word_embeddings.weight", []int{100, 32}, "vocab_size asks for 101"},
		{"deberta.embeddings.word_embeddings.weight", []int{101, 24}, "hidden_size asks for 32"},
		{"deberta.embeddings.word_embeddings.weight", []int{101}, "hidden_size asks for 32"},
		{"deberta.encoder.rel_embeddings.weight", []int{64, 32}, "position_buckets asks for 16"},
		{"deberta.encoder.layer.1.intermediate.dense.weight", []int{44, 32}, "intermediate_size asks for 40"},
		{"deberta.encoder.layer.2.intermediate.dense.weight", []int{40, 32}, "num_hidden_layers = 2, but the checkpoint has tensors of 3 layers"},
		{"classifier.weight", []int{2, 32}, "id2label asks for 3"},
	} {
		wrong := maps.Clone(right)
		wrong[c.tensor] = c.shape
		_, _, err := hf.Spec(config, wrong, hf.Options{})
		require.ErrorContains(t, err, c.want)
	}
	_, notes, err := hf.Spec(configs(t)["v2_v3like"], map[string][]int{"classifier.weight": {3, 32}}, hf.Options{})
	require.NoError(t, err)
	require.True(t, slices.ContainsFunc(notes, func(n string) bool { return strings.Contains(n, "classifier.weight") }))
}

func TestOptions(t *testing.T) {
	s, text, _ := resolve(t, configs(t)["v2_seq_multi"], hf.Options{Model: "spam", HeadName: "kind", Seq: 99, Tokenizer: "wordpiece"})
	require.Equal(t, "spam.kind", s.Heads[0].FullName())
	require.Equal(t, 99, s.Models[0].Seq)
	require.Equal(t, "wordpiece", s.Models[0].Tokenizer)
	require.Contains(t, text, `linear 3 as labels("LABEL_0", "LABEL_1", "LABEL_2")`)
	_, _, err := hf.Spec(configs(t)["v2_posbias_types2"], nil, hf.Options{Seq: 65})
	require.ErrorContains(t, err, "max_position_embeddings = 64")
	_, _, err = hf.Spec(configs(t)["v2_v3like"], nil, hf.Options{Model: "not a name"})
	require.ErrorContains(t, err, "cannot be")
}

// TestLabels checks that labels may be any texts.
func TestLabels(t *testing.T) {
	names := []string{"a \"b\"", "süß", "日本", "tab\there", "back\\slash", "// no comment", "{ ; }", "\u200b", "\u2028"}
	ids := fields{}
	for i, n := range names {
		ids[string(rune('0'+i))] = n
	}
	s, _, _ := resolve(t, with(t, "v2_seq_multi", fields{"id2label": ids, "label2id": nil}), hf.Options{})
	require.Equal(t, names, s.Heads[0].Labels)
}

// FuzzConfig checks that for any config, the spec resolves or the error states the reason.
func FuzzConfig(f *testing.F) {
	for _, text := range configs(f) {
		for i := range len(hf.Tasks) + 1 {
			f.Add(text, uint8(i), i%2 == 0)
		}
	}
	var held sync.Map // hashes of the specs that were found to hold: many configs are the same one for most tasks
	f.Fuzz(func(t *testing.T, config []byte, task uint8, weights bool) {
		var opts hf.Options
		if task > 0 {
			opts.Task = hf.Tasks[int(task)%len(hf.Tasks)]
		}
		var tensors map[string][]int
		if weights {
			tensors = published
		}
		text, _, err := hf.Spec(config, tensors, opts)
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		sum := sha256.Sum256([]byte(text))
		if _, ok := held.Load(sum); ok {
			return
		}
		parsed, faults := spec.Parse("model.dspec", []byte(text))
		s, more := spec.Resolve(parsed)
		require.Empty(t, diag.Render(append(faults, more...), parsed.Sources(), diag.Style{}))
		require.NotEmpty(t, s.Models)
		again, ok := spec.Format(parsed)
		require.True(t, ok)
		require.Equal(t, text, string(again), "the spec has the canonical layout")
		held.Store(sum, true)
	})
}

// TestGLiNERByName checks a GLiNER config without encoder_config, which names its encoder. The vocabulary includes the added tokens.
func TestGLiNERByName(t *testing.T) {
	s, text, _ := resolve(t, with(t, "gliner_span_plain", fields{"encoder_config": nil, "model_name": "microsoft/deberta-v3-small", "vocab_size": 128003,
		"class_token_index": 128001, "hidden_size": 512}), hf.Options{Seq: 384})
	m := s.Models[0]
	require.Equal(t, []int{128003, 768, 6, 384}, []int{m.Vocab, m.Hidden, m.Layers, m.Seq})
	require.Equal(t, "hf.gliner", m.Checkpoint)
	require.Contains(t, text, "like deberta_v3_small {")
	require.Equal(t, 512, s.Heads[0].Steps[0].Out)
	_, _, err := hf.Spec(with(t, "gliner_span_plain", fields{}), map[string][]int{
		"token_rep_layer.bert_layer.model.embeddings.word_embeddings.weight": {2004, 47}}, hf.Options{})
	require.ErrorContains(t, err, "hidden_size asks for 48")
}

// TestDropout checks that the four rates of dropout reach the head.
func TestDropout(t *testing.T) {
	s, _, _ := resolve(t, with(t, "v2_seq_multi", fields{"hidden_dropout_prob": 0.2, "pooler_dropout": 0.3, "cls_dropout": 0.4}), hf.Options{})
	var rates []float64
	for _, step := range s.Heads[0].Steps {
		if step.Kind == spec.StepDropout {
			rates = append(rates, step.Rate)
		}
	}
	require.Equal(t, []float64{0.3, 0.4}, rates)
	require.Equal(t, spec.SequenceLayout, s.Heads[0].Layout())
	s, _, _ = resolve(t, with(t, "v2_tokcls", fields{"hidden_dropout_prob": 0.2}), hf.Options{})
	require.Equal(t, 0.2, s.Heads[0].Steps[0].Rate, "without cls_dropout it is the hidden one")
}
