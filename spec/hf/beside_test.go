package hf_test

import (
	"encoding/json"
	"maps"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// files maps the names of a folder's files to their texts.
type files map[string]string

// beside reads a folder with a config and other files.
func beside(t *testing.T, config []byte, more files, ignore ...string) (*hf.Beside, error) {
	t.Helper()
	folder := fstest.MapFS{"config.json": {Data: config}}
	for name, text := range more {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	v, err := hf.NewView(folder, ignore)
	require.NoError(t, err)
	return hf.ReadBeside(v)
}

const (
	transformerModule = `{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}`
	poolingModule     = `{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}`
	normalizeModule   = `{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.sentence_transformer.modules.Normalize"}`
)

// TestBeside reads the files beside the config as several versions of the libraries write them.
func TestBeside(t *testing.T) {
	config := configs(t)["v2_v3like"]
	for _, c := range []struct {
		name  string
		files files
		want  hf.Beside
	}{
		{"nothing", nil, hf.Beside{}},
		{"leftovers of training", files{"README.md": "", "training_args.bin": "", "trainer_state.json": "3", "eval_results.json": "", ".gitattributes": "",
			"optimizer.pt": "", "model.onnx": "",
			"events.out.tfevents.1": "", "vocab.txt": "", "handler.py": "", "LICENSE": "", "all_results.json": "", "unknown.xyz": ""}, hf.Beside{}},
		{"limits", files{"sentence_bert_config.json": `{"max_seq_length": 64, "do_lower_case": false}`,
			"tokenizer_config.json": `{"model_max_length": 128, "padding_side": "left"}`},
			hf.Beside{MaxSeq: 64, MaxTokens: 128}},
		{"no limits", files{"sentence_bert_config.json": `{"max_seq_length": null}`,
			"tokenizer_config.json": `{"model_max_length": 1000000000000000019884624838656}`}, hf.Beside{}},
		{"an old name", files{"sentence_roberta_config.json": `{"max_seq_length": 64, "do_lower_case": true}`, "tokenizer_config.json": `{"max_len": 32}`},
			hf.Beside{MaxSeq: 64, LowerCase: true, MaxTokens: 32}},
		{"the usual name first", files{"sentence_roberta_config.json": `{"max_seq_length": 64}`, "sentence_bert_config.json": `{"max_seq_length": 32}`},
			hf.Beside{MaxSeq: 32}},
		{"version 6", files{"sentence_bert_config.json": `{"transformer_task": "feature-extraction", "modality_config": {"text": {"method": "forward", ` +
			`"method_output_name": "last_hidden_state"}}, "module_output_name": "token_embeddings"}`,
			"config_sentence_transformers.json": `{"__version__": {"sentence_transformers": "6.2.0"}, "model_type": "SentenceTransformer", "prompts": ` +
				`{"query": "query: ", "document": ""}, "default_prompt_name": "query", "similarity_fn_name": "cosine"}`},
			hf.Beside{Prompts: []hf.Prompt{{"query", "query: "}, {"document", ""}}, Default: "query"}},
		{"truncation", files{"tokenizer_config.json": `{"truncation_side": "left", "tokenizer_class": "BertTokenizer", "mask_token": {"__type": ` +
			`"AddedToken", "content": "[MASK]"}, "added_tokens_decoder": {}}`}, hf.Beside{TruncateLeft: true}},
		{"a cross-encoder of version 6", files{"config_sentence_transformers.json": `{"activation_fn": "torch.nn.modules.activation.Sigmoid", "model_type": ` +
			`"CrossEncoder", "prompts": {}, "default_prompt_name": null}`}, hf.Beside{Activation: "sigmoid"}},
		{"tokens", files{"special_tokens_map.json": `{"cls_token": "[CLS]", "additional_special_tokens": []}`, "added_tokens.json": `{"[MASK]": 400}`,
			"generation_config.json": `{"transformers_version": "4.57.1", "do_sample": true}`}, hf.Beside{}},
	} {
		got, err := beside(t, config, c.files)
		require.NoError(t, err, c.name)
		have, err := json.Marshal(got)
		require.NoError(t, err)
		want, err := json.Marshal(&c.want)
		require.NoError(t, err)
		require.JSONEq(t, string(want), string(have), c.name)
	}
	for value, want := range map[string]string{"torch.nn.modules.linear.Identity": "identity", "torch.nn.modules.activation.Sigmoid": "sigmoid",
		"torch.nn.Sigmoid": "sigmoid"} {
		for _, f := range []fields{{"sbert_ce_default_activation_function": value}, {"activation_fn": value},
			{"sentence_transformers": fields{"activation_fn": value, "version": "5.1.0"}}} {
			got, err := beside(t, with(t, "v2_v3like", f), nil)
			require.NoError(t, err)
			require.Equal(t, want, got.Activation, "%v", f)
		}
	}
}

// TestBesideRefused checks that the error for a file or field that is unknown, or known but not understood, names it, and that it can be ignored by that
// name.
func TestBesideRefused(t *testing.T) {
	modules := files{"modules.json": "[" + transformerModule + "," + poolingModule + "]", "1_Pooling/config.json": `{"pooling_mode_mean_tokens": true}`}
	with := func(more files) files {
		all := maps.Clone(modules)
		maps.Copy(all, more)
		return all
	}
	config := configs(t)["v2_v3like"]
	for _, c := range []struct {
		files files
		name  string // as --ignore takes it
		want  string
	}{
		{files{"notes.json": "{}"}, "notes.json", "notes.json: is not understood: it is not known, and may be a configuration"},
		{files{"preprocessor_config.json": "{}"}, "preprocessor_config.json", "a processor of images, sound or texts"},
		{files{"adapter_config.json": "{}"}, "adapter_config.json", "merge it into them first"},
		{files{"tokenizer_config.json": `{"tokenizer_clas": "x"}`}, "tokenizer_config.json:tokenizer_clas",
			"tokenizer_config.json: tokenizer_clas is not known; tokenizer_class is"},
		{files{"tokenizer_config.json": `{"truncation_side": "both"}`}, "tokenizer_config.json:truncation_side",
			`truncation_side = "both" is neither right nor left`},
		{files{"tokenizer_config.json": `{"auto_map": {"AutoTokenizer": "x.py"}}`}, "tokenizer_config.json:auto_map", "the tokenizer is code in the folder"},
		{files{"tokenizer_config.json": `{"sp_model_kwargs": {"enable_sampling": true}}`}, "tokenizer_config.json:sp_model_kwargs", "only {} is understood"},
		{files{"tokenizer_config.json": `[]`}, "tokenizer_config.json", "is not a JSON object"},
		{files{"special_tokens_map.json": `{"image_token": "<image>"}`}, "special_tokens_map.json:image_token", "image_token is not known"},
		{files{"sentence_bert_config.json": `{"do_lowercase": true}`}, "sentence_bert_config.json:do_lowercase", "do_lower_case is"},
		{files{"sentence_bert_config.json": `{"modality_config": {"text": {}, "image": {}}}`}, "sentence_bert_config.json:modality_config",
			"only text is understood"},
		{files{"sentence_bert_config.json": `{"query_length": 32}`}, "sentence_bert_config.json:query_length", "no value of it is understood but null"},
		{files{"config_sentence_transformers.json": `{"prompts": {"query": 3}}`}, "config_sentence_transformers.json:prompts",
			`has 3 for "query", which is not a text`},
		{files{"config_sentence_transformers.json": `{"default_prompt_name": "query"}`}, "config_sentence_transformers.json:default_prompt_name",
			"is not one of the prompts"},
		{files{"config_sentence_transformers.json": `{"truncate": 3}`}, "config_sentence_transformers.json:truncate", "is not known"},
		{with(files{"1_Pooling/config.json": `{"pooling_mode_mean_tokens": true, "attention": 1}`}), "1_Pooling/config.json:attention", "is not known"},
		{with(files{"modules.json": `[{"idx": 0, "path": "", "type": "Transformer", "kwargs": ["task"]}]`}), "modules.json:kwargs",
			"only [] or {} is understood"},
		{with(files{"modules.json": `[{"idx": 0, "path": "0_BERT", "type": "Transformer"}]`}), "modules.json",
			"the encoder's files are in the folder 0_BERT: that is the model folder"},
		{with(files{"modules.json": "[" + transformerModule + "," + normalizeModule + "]",
			"2_Normalize/config.json": `{"module_input_name": "token_embeddings"}`}), "2_Normalize/config.json:module_input_name",
			"other numbers would be divided"},
	} {
		_, err := beside(t, config, c.files)
		var field *hf.FieldError
		require.ErrorAs(t, err, &field, "%v", c.files)
		require.Equal(t, c.name, field.Name())
		require.ErrorContains(t, err, c.want)
		require.True(t, field.CanIgnore)
		if file := field.File; file != "modules.json" && file != "1_Pooling/config.json" { // entries of a list have no name of their own
			_, err = beside(t, config, c.files, c.name)
			require.NoError(t, err, c.name)
		}
	}
}

// TestBesideHeads checks that a fault that concerns some heads does not stop the other heads.
func TestBesideHeads(t *testing.T) {
	one := fields{"id2label": fields{"0": "LABEL_0"}, "label2id": nil}
	bert := func(activation string) []byte {
		f := maps.Clone(one)
		f["sentence_transformers"] = fields{"activation_fn": activation}
		return with(t, "bert_seqcls", f)
	}
	prompts := files{"config_sentence_transformers.json": `{"prompts": {"query": "query: "}, "default_prompt_name": "query"}`}
	sparse := files{"config_sentence_transformers.json": `{"model_type": "SparseEncoder"}`}
	skip := files{"modules.json": "[" + transformerModule + "," + poolingModule + "]",
		"1_Pooling/config.json": `{"pooling_mode_mean_tokens": true, "include_prompt": false}`}
	skipped := maps.Clone(skip)
	maps.Copy(skipped, prompts)
	first := maps.Clone(skipped)
	first["1_Pooling/config.json"] = `{"pooling_mode_cls_token": true, "include_prompt": false}`
	causal := with(t, "bert_mlm", fields{"architectures": []string{"BertLMHeadModel"}, "is_decoder": true})
	beams := files{"generation_config.json": `{"num_beams": 4}`}
	for _, c := range []struct {
		config []byte
		files  files
		task   string
		want   string // "": the head is served
	}{
		{bert("torch.nn.modules.activation.Sigmoid"), nil, "", ""},
		{bert("torch.nn.modules.activation.ReLU"), nil, "", `config.json: sentence_transformers.activation_fn = "torch.nn.modules.activation.ReLU": of the ` +
			`functions after a score`},
		{bert("torch.nn.modules.activation.Tanh"), nil, "", ""},
		{bert("torch.nn.modules.activation.ReLU"), nil, "embed", ""},
		{with(t, "bert_seqcls", one), prompts, "", `config_sentence_transformers.json: default_prompt_name = "query": a prompt in front of texts is ` +
			`understood for the head embed alone`},
		{with(t, "bert_seqcls", one), prompts, "embed", ""},
		{configs(t)["bert_model"], sparse, "embed", `config_sentence_transformers.json: model_type = "SparseEncoder"`},
		{configs(t)["bert_model"], skip, "", ""},
		{configs(t)["bert_model"], skipped, "", "1_Pooling/config.json: include_prompt = false"},
		{configs(t)["bert_model"], first, "", ""},
		{causal, beams, "generate", "generation_config.json: num_beams = 4: only 1 is understood"},
		{causal, beams, "fill-mask", ""},
		{with(t, "bert_mlm", fields{"is_decoder": true, "do_sample": true}), nil, "generate", "do_sample = true: only false is understood"},
		{with(t, "bert_mlm", fields{"is_decoder": true, "do_sample": true}), files{"generation_config.json": "{}"}, "generate", ""},
	} {
		b, err := beside(t, c.config, c.files)
		require.NoError(t, err)
		_, _, err = hf.Spec(c.config, nil, hf.Options{Task: c.task, Beside: b})
		if c.want == "" {
			require.NoError(t, err, "%s %v", c.task, c.files)
			continue
		}
		require.ErrorContains(t, err, c.want)
		var field *hf.FieldError
		require.ErrorAs(t, err, &field)
	}
}
