package published_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/published"
)

// TestFind checks the names of tensors in the files that are published.
func TestFind(t *testing.T) {
	for _, c := range []struct {
		name string
		file []string
		want string
		ok   bool
	}{
		{"deberta.a.weight", []string{"a.weight", "deberta.a.weight"}, "deberta.a.weight", true},
		{"deberta.a.weight", []string{"a.weight"}, "a.weight", true},
		{"bert.x.LayerNorm.weight", []string{"x.LayerNorm.gamma"}, "x.LayerNorm.gamma", true},
		{"deberta.x.LayerNorm.bias", []string{"deberta.x.LayerNorm.beta"}, "deberta.x.LayerNorm.beta", true},
		{"cls.predictions.bias", []string{"cls.predictions.bias", "cls.predictions.decoder.bias"}, "cls.predictions.decoder.bias", true},
		{"token_rep_layer.bert_layer.model.x.LayerNorm.weight", []string{"deberta.x.LayerNorm.weight"}, "deberta.x.LayerNorm.weight", true},
		{"token_rep_layer.bert_layer.model.x.LayerNorm.weight", []string{"x.LayerNorm.gamma"}, "x.LayerNorm.gamma", true},
		{"other.a.weight", []string{"a.weight"}, "other.a.weight", false},
	} {
		got, ok := published.Find(func(n string) bool { return slices.Contains(c.file, n) }, c.name)
		require.Equal(t, c.want, got)
		require.Equal(t, c.ok, ok, c.name)
	}
}

// TestAdapter checks which names are those of adapters.
func TestAdapter(t *testing.T) {
	for name, want := range map[string]bool{
		"deberta.encoder.layer.0.attention.self.query_proj.lora_A.weight":     true,
		"base_model.model.deberta.attention.self.in_proj.query.lora_B.weight": true,
		"q.lora_B.default.weight":   true,
		"q.lora_B.some.more.weight": false,
		"q.lora_A.bias":             false,
		"lora_A.weight":             false,
		"q.weight":                  false,
	} {
		require.Equal(t, want, published.Adapter(name), name)
	}
}
