package hf_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// FuzzSentences checks that for any sentence files of a folder the spec resolves, or the error states the reason.
func FuzzSentences(f *testing.F) {
	const (
		transformer = `{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}`
		pooling     = `{"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}`
		normalize   = `{"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}`
		dense       = `{"idx": 3, "name": "3", "path": "3_Dense", "type": "sentence_transformers.models.Dense"}`
	)
	for _, modules := range []string{"[" + transformer + "]", "[" + transformer + "," + pooling + "," + normalize + "]",
		"[" + transformer + "," + pooling + "," + dense + "]",
		`[{"type": "Transformer"}, {"path": "../x", "type": "Pooling"}]`, "[]", "{}", "[null]", `[{"type": 3}]`} {
		for _, text := range []string{`{"word_embedding_dimension": 32, "pooling_mode_mean_tokens": true}`,
			`{"pooling_mode_cls_token": true, "pooling_mode_max_tokens": true, "include_prompt": true}`,
			`{"pooling_mode": "cls"}`, `{"pooling_mode": ["mean", "max"]}`, `{"pooling_mode": 3}`, ""} {
			f.Add([]byte(modules), []byte(text))
		}
	}
	config := configs(f)["bert_model"]
	f.Fuzz(func(t *testing.T, modules, text []byte) {
		s, err := hf.ReadSentences(modules, func(string) ([]byte, error) {
			if len(text) == 0 {
				return nil, errors.New("absent")
			}
			return text, nil
		})
		if err != nil {
			require.NotEmpty(t, err.Error())
			return
		}
		require.True(t, s.Pool == "" || slices.Contains(hf.Pools, s.Pool), "%q", s.Pool)
		out, _, err := hf.Spec(config, nil, hf.Options{Task: "embed", Beside: &hf.Beside{Sentences: s}})
		if err != nil {
			require.ErrorContains(t, err, "modules.json", "nothing else is at fault")
			return
		}
		parsed, faults := spec.Parse("model.dspec", []byte(out))
		_, more := spec.Resolve(parsed)
		require.Empty(t, diag.Render(append(faults, more...), parsed.Sources(), diag.Style{}))
	})
}
