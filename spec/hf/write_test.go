package hf_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// imported returns the canonical text of what import makes of a written config.
func imported(t *testing.T, w *hf.Written) (*spec.Model, *spec.Head) {
	t.Helper()
	s, _, _ := resolve(t, w.Config.Bytes(), w.Wish)
	if len(s.Heads) == 0 {
		return s.Models[0], nil
	}
	return s.Models[0], s.Heads[0]
}

// kinds lists heads of every kind, with the class that has them.
var kinds = []struct{ name, lines, class string }{
	{"labels", `take first; dropout 0.2; linear hidden; act; dropout 0.3; linear 3 as labels("no", "a \"b\" <c>", "ä"); loss cross_entropy`,
		"ForSequenceClassification"},
	{"several", `take first; linear hidden; act; linear 2 as labels("x", "y"); loss binary_cross_entropy`, "ForSequenceClassification"},
	{"score", `take first; linear hidden; act; linear 1 as score; loss pairwise`, "ForSequenceClassification"},
	{"numbers", `take first; linear hidden; act; linear 3; loss mean_squared_error`, "ForSequenceClassification"},
	{"tags", `take each; dropout 0.1; linear 3 as labels("O", "B-X", "I-X"); loss cross_entropy`, "ForTokenClassification"},
	{"crf", `take each; linear 3 as labels("O", "B-X", "I-X"); crf; loss cross_entropy`, "ForTokenClassification"},
	{"decode", `take each; linear 3 as labels("O", "B-X", "I-X"); decode bio; loss cross_entropy`, "ForTokenClassification"},
	{"span", `take each; linear 2 as span; loss cross_entropy`, "ForQuestionAnswering"},
	{"choices", `take first; linear hidden; act; linear 1 as choices; loss cross_entropy`, "ForMultipleChoice"},
	{"mlm", `take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`, "ForMaskedLM"},
	{"mlm3", `take masked; from "lm_predictions.lm_head"; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`, "ForMaskedLM"},
	{"untied", `take masked; linear hidden; act; norm; linear vocab; loss cross_entropy`, "ForMaskedLM"},
	{"rtd", `take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy`, ""},
	{"vector", `take mean`, "Model"},
	{"pooled", `take first; linear hidden; act; loss contrastive`, "Model"},
	{"rows", `take each`, "Model"},
	{"no head", "", "Model"},
	{"unlike tags", `take each; linear 2 as labels("x", "y"); loss binary_cross_entropy`, ""},
}

// small is a model whose sizes and defaults differ from the zoo's.
const small = `model small like deberta_v3_base {
	dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 3; dim span = 5; dim reach = 16
	defaults { norm layernorm(eps: 1e-5); act gelu_tanh; dropout 0.2 attention 0.3 }
	relative.rel { bucket log(exact: floor(span / 2), reach: reach) }
	embed { token vocab pad 3; width 8 }
}
`

// TestConfigOfEveryZooModel writes the config of every model of the zoo with every kind of head. What import makes of it has the same canonical text, or
// the spec is refused with what a config cannot express.
func TestConfigOfEveryZooModel(t *testing.T) {
	shown := []string{"bert_base", "roberta_base", "deberta_base", "deberta_v3_base", "talking_heads", "small", "with_p2p", "paper_sign", "t5_bias"}
	var table strings.Builder
	for _, zoo := range append(spec.Zoo(), "small") {
		for _, h := range kinds {
			line := written(t, zoo, h.name, h.lines, h.class)
			if at := slices.Index(shown, zoo); at >= 0 && at < 6 || at >= 6 && h.name == "labels" {
				fmt.Fprintf(&table, "%-15s %-13s %s\n", zoo, h.name, line)
			}
		}
	}
	golden := filepath.Join("testdata", "written.txt")
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile(golden, []byte(table.String()), 0o666))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), table.String())
}

// written writes the config of a model of the zoo with a head, compares what import makes of it with the spec, and returns a line for the table.
func written(t *testing.T, zoo, name, lines, class string) string {
	t.Helper()
	if strings.HasPrefix(zoo, "bert") || strings.HasPrefix(zoo, "roberta") { // their poolers; their heads on the vocabulary have no tanh
		if lines = strings.Replace(lines, "dropout 0.2; ", "", 1); !strings.Contains(lines, "take masked") {
			lines = strings.Replace(lines, "act", "act tanh", 1)
		}
	}
	text := "dspec 1\n" + small + "model m like " + zoo + " { }\n"
	if lines != "" {
		text += "head h on m { " + lines + " }\n"
	}
	s, faults := spec.ParseAndResolve("m.dspec", []byte(text))
	if faults.HasErrors() {
		return "is no spec"
	}
	var on *spec.Head
	if lines != "" {
		on = s.Heads[0]
	}
	model := s.Models[1]
	w, err := hf.Config(model, on, nil)
	if err != nil {
		return "refused: " + err.Error()
	}
	m, got := imported(t, w)
	require.Equal(t, canonical(model, nil), canonical(m, nil), "%s %s", zoo, name)
	if got != nil && name != "crf" && name != "decode" {
		require.Equal(t, canonical(model, on), canonical(m, got), "%s %s", zoo, name)
		require.Equal(t, on.Task(), got.Task())
		if on.Task() == tasktable.Labels {
			require.Equal(t, on.Loss, got.Loss, "it decides whether labels exclude each other")
		}
		require.Equal(t, rates(on), rates(got), "%s %s", zoo, name)
	} else {
		require.Contains(t, []string{"rows", "no head", "crf", "decode"}, name)
	}
	if w.Class == "" {
		require.NotEmpty(t, w.Notes)
		require.NotContains(t, w.Config.Names(), "architectures")
	} else {
		require.True(t, strings.HasSuffix(w.Class, class), "%s %s: %s", zoo, name, w.Class)
	}
	if len(w.Notes) == 0 {
		return w.Class
	}
	return w.Class + " (" + strings.Join(w.Notes, "; ") + ")"
}

// TestConfigOfMasks writes the configs of models that do not see all tokens, and of a head on the mask decoder.
func TestConfigOfMasks(t *testing.T) {
	const lm = "take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy"
	const newer = `take masked; from "lm_predictions.lm_head"; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`
	decoder := func(name, table, repeat string) string {
		return "absolute " + table + " { rows 512 }; decoder " + name + " { repeat " + repeat + " of encoder.last; query encoder[-2] + " + table +
			"; memory encoder[-2] }"
	}
	for _, c := range []struct{ model, body, on, head, class, note, err string }{
		{"bert_base", "encoder.attention.mask j <= i", "m", lm, "BertLMHeadModel", "", ""},
		{"roberta_base", "encoder.attention.mask j <= i", "m", lm, "RobertaForCausalLM", "", ""},
		{"deberta_v3_base", "encoder.attention.mask j <= i", "m", lm, "", "--mask causal", ""},
		{"deberta_v3_base", "encoder.attention.mask j <= i or prefix[j]", "m", lm, "", "--mask prefix", ""},
		{"bert_base", "encoder.attention.mask j <= i or prefix[j]", "m", lm, "", "--mask prefix", ""},
		{"deberta_v3_base", "encoder.attention.mask j <= i", "m", "take mean", "", "", "mask j <= i"},
		{"deberta_base", "", "m.emd", newer, "", "--head emd", ""},
		{"deberta_v3_base", decoder("emd", "pos", "2"), "m.emd", newer, "", "--head emd", ""},
		{"deberta_v3_base", decoder("d", "where", "2"), "m.d", newer, "", "--head emd", ""},
		{"deberta_v3_base", decoder("emd", "pos", "3"), "m.emd", newer, "", "", "repeat 3"},
	} {
		s := resolved(t, "dspec 1\nmodel m like "+c.model+" { "+c.body+" }\nhead h on "+c.on+" { "+c.head+" }\n")
		w, err := hf.Config(s.Models[0], s.Heads[0], nil)
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.class, w.Class)
		require.Contains(t, strings.Join(w.Notes, "\n"), c.note)
		require.Equal(t, c.note == "", len(w.Notes) == 0)
		_, h := imported(t, w)
		require.Equal(t, s.Heads[0].Task(), h.Task())
		require.Equal(t, s.Heads[0].Decoder == nil, h.Decoder == nil)
	}
}

// TestConfigOfAFolder checks that the config of a folder stays as it is but for what the training has changed.
func TestConfigOfAFolder(t *testing.T) {
	const folder = `{
  "architectures": [
    "DebertaV2ForMaskedLM"
  ],
  "hidden_size": 12,
  "id2label": {
    "0": "old"
  },
  "intermediate_size": 10,
  "max_position_embeddings": 512,
  "max_relative_positions": -1,
  "model_type": "deberta-v2",
  "num_attention_heads": 2,
  "num_hidden_layers": 3,
  "pos_att_type": "c2p|p2c",
  "position_biased_input": false,
  "position_buckets": 256,
  "norm_rel_ebd": "layer_norm",
  "relative_attention": true,
  "share_att_key": true,
  "transformers_version": "4.1",
  "vocab_size": 40
}
`
	base, err := hf.ReadObject([]byte(folder))
	require.NoError(t, err)
	const of = "model m like deberta_v3_base { dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = "
	const head = "\nhead h on m { take first; linear hidden; act; dropout 0.1; linear 2 as labels(\"no\", \"yes\"); loss cross_entropy }\n"
	s := resolved(t, "dspec 1\n"+of+"3 }"+head)
	w, err := hf.Config(s.Models[0], s.Heads[0], base)
	require.NoError(t, err)
	got := string(w.Config.Bytes())
	want := strings.Replace(folder, "MaskedLM", "SequenceClassification", 1)
	want = strings.Replace(want, "\"0\": \"old\"", "\"0\": \"no\",\n    \"1\": \"yes\"", 1)
	want = strings.Replace(want, "{\n  \"arch", "{\n  \"arch", 1)
	want = strings.Replace(want, "  \"hidden_size\"", "  \"cls_dropout\": 0.1,\n  \"hidden_size\"", 1)
	want = strings.Replace(want, "  \"max_position_embeddings\"", "  \"label2id\": {\n    \"no\": 0,\n    \"yes\": 1\n  },\n  \"max_position_embeddings\"", 1)
	want = strings.Replace(want, "  \"pos_att_type\"", "  \"pooler_dropout\": 0,\n  \"pooler_hidden_act\": \"gelu\",\n  \"pos_att_type\"", 1)
	want = strings.Replace(want, "  \"relative_attention\"", "  \"problem_type\": \"single_label_classification\",\n  \"relative_attention\"", 1)
	require.Equal(t, want, got)
	require.Equal(t, folder, string(base.Bytes()), "the folder's own config does not change")

	s = resolved(t, "dspec 1\n"+of+"2 }"+head) // another model than the folder's
	w, err = hf.Config(s.Models[0], s.Heads[0], base)
	require.NoError(t, err)
	require.Contains(t, string(w.Config.Bytes()), "\"num_hidden_layers\": 2")
	require.Contains(t, string(w.Config.Bytes()), "\"transformers_version\": \"4.1\"")

	strange, err := hf.ReadObject([]byte(strings.Replace(folder, "\"transformers_version\"", "\"talking_head\": true,\n  \"transformers_version\"", 1)))
	require.NoError(t, err)
	w, err = hf.Config(s.Models[0], s.Heads[0], strange)
	require.NoError(t, err)
	require.Len(t, w.Notes, 1)
	require.Contains(t, w.Notes[0], "written anew")
	require.Contains(t, w.Notes[0], "talking_head")
	require.NotContains(t, string(w.Config.Bytes()), "talking_head")
	require.NotContains(t, string(w.Config.Bytes()), "transformers_version")
	require.Contains(t, string(w.Config.Bytes()), "\"vocab_size\": 40")
}

// canonical returns the canonical text without dropout.
func canonical(m *spec.Model, h *spec.Head) string {
	lines := strings.Split(string(spec.Canonical(m, h)), "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, " dropout ") }), "\n")
}

// rates lists the rates of dropout of a head, without zeros.
func rates(h *spec.Head) (list []float64) {
	for _, s := range h.Steps {
		if s.Kind == spec.StepDropout && s.Rate > 0 {
			list = append(list, s.Rate)
		}
	}
	return list
}
