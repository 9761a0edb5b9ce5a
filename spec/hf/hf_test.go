package hf_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// configs returns the configs of the tiny models, by case.
func configs(t testing.TB) map[string][]byte {
	t.Helper()
	a, err := txtar.ParseFile("testdata/configs.txtar")
	require.NoError(t, err)
	all := map[string][]byte{}
	for _, f := range a.Files {
		all[strings.TrimSuffix(f.Name, ".json")] = f.Data
	}
	return all
}

// encoder returns the config of the encoder of a GLiNER2 model.
func encoder(t testing.TB) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/encoder.json")
	require.NoError(t, err)
	return text
}

// resolve writes the spec of a config and resolves it.
func resolve(t *testing.T, config []byte, opts hf.Options) (*spec.Spec, string, []string) {
	t.Helper()
	text, notes, err := hf.Spec(config, nil, opts)
	require.NoError(t, err)
	return resolved(t, text), text, notes
}

// resolved resolves the text of a spec and fails on any fault.
func resolved(t *testing.T, text string) *spec.Spec {
	t.Helper()
	f, faults := spec.Parse("model.dspec", []byte(text))
	s, more := spec.Resolve(f)
	require.Empty(t, diag.Render(append(faults, more...), f.Sources(), diag.Style{}))
	return s
}

// TestTexts checks that every case's spec compiles. The text of the spec is stored beside the config so that people can read it; UPDATE=1 rewrites it.
func TestTexts(t *testing.T) {
	const golden = "testdata/specs.txtar"
	a, err := txtar.ParseFile("testdata/configs.txtar")
	require.NoError(t, err)
	out := txtar.Archive{Comment: []byte("What hf.Spec writes for the configs of configs.txtar.\n")}
	for _, f := range a.Files {
		name := strings.TrimSuffix(f.Name, ".json")
		opts := hf.Options{}
		if strings.Contains(name, "emd") { // such a config names no architecture
			opts.Task = "emd"
		}
		if strings.HasPrefix(name, "gliner2_") {
			opts.Encoder = encoder(t)
		}
		text, notes, err := hf.Spec(f.Data, nil, opts)
		if err == nil {
			tree, faults := spec.Parse("model.dspec", []byte(text))
			s, more := spec.Resolve(tree)
			require.Empty(t, append(faults, more...), name)
			for _, d := range compiler.NotYet(s) { // a part that runs in portable Go is a warning
				require.Equal(t, "portable", string(d.Code), "%s: %s", name, d)
			}
		}
		for _, n := range notes {
			text += "note: " + n + "\n"
		}
		if err != nil {
			text += "error: " + err.Error() + "\n"
		}
		out.Files = append(out.Files, txtar.File{Name: name, Data: []byte(text)})
	}
	if os.Getenv("UPDATE") == "1" {
		require.NoError(t, os.WriteFile(golden, txtar.Format(&out), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), string(txtar.Format(&out)))
}

// plain is a config, read in the simplest way.
type plain struct {
	ModelType     string  `json:"model_type"`
	Vocab         int     `json:"vocab_size"`
	Hidden        int     `json:"hidden_size"`
	Layers        int     `json:"num_hidden_layers"`
	Heads         int     `json:"num_attention_heads"`
	Inner         int     `json:"intermediate_size"`
	Positions     int     `json:"max_position_embeddings"`
	MaxRelative   int     `json:"max_relative_positions"`
	Buckets       int     `json:"position_buckets"`
	Types         int     `json:"type_vocab_size"`
	Pad           int     `json:"pad_token_id"`
	Eps           float64 `json:"layer_norm_eps"`
	Width         int     `json:"embedding_size"`
	Biased        bool    `json:"position_biased_input"`
	Relative      bool    `json:"relative_attention"`
	Shared        bool    `json:"share_att_key"`
	Talking       bool    `json:"talking_head"`
	Kernel        int     `json:"conv_kernel_size"`
	Groups        int     `json:"conv_groups"`
	ConvAct       string  `json:"conv_act"`
	Act           string  `json:"hidden_act"`
	NormRel       string  `json:"norm_rel_ebd"`
	PosAtt        any     `json:"pos_att_type"`
	Dropout       float64 `json:"hidden_dropout_prob"`
	AttentionDrop float64 `json:"attention_probs_dropout_prob"`
}

// TestValues checks that every config resolves to a model with the values of the config, by the rules of the published code.
func TestValues(t *testing.T) {
	for name, text := range configs(t) {
		if strings.HasPrefix(name, "rtd_") || name == "train_v2_rtd" || strings.HasPrefix(name, "gliner_") || strings.HasPrefix(name, "gliclass_") ||
			strings.HasPrefix(name, "gliner2_") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			p := plain{MaxRelative: -1, Buckets: -1, Groups: 1, ConvAct: "tanh", NormRel: "none"}
			require.NoError(t, json.Unmarshal(text, &p))
			s, _, _ := resolve(t, text, hf.Options{})
			require.Len(t, s.Models, 1)
			m := s.Models[0]
			require.Equal(t, []int{p.Vocab, p.Hidden, p.Layers, p.Heads, p.Hidden / p.Heads, p.Inner, p.Pad},
				[]int{m.Vocab, m.Hidden, m.Layers, m.Heads, m.Head, m.Inner, m.Embed.Pad})
			require.Equal(t, []float64{p.Eps, p.Dropout, p.AttentionDrop},
				[]float64{m.Defaults.Norm.Eps, m.Defaults.Dropout.Hidden, m.Defaults.Dropout.Attention})
			if p.Width == 0 {
				p.Width = p.Hidden
			}
			require.Equal(t, p.Width, m.Embed.Width)
			require.Equal(t, map[string]string{"gelu": "gelu", "relu": "relu", "gelu_new": "gelu_tanh"}[p.Act], m.Encoder.FFN.Act)
			if p.Types == 0 {
				require.Nil(t, m.Embed.Segment)
			} else {
				require.Equal(t, p.Types, m.Embed.Segment.Rows)
			}
			checkPositions(t, p, m)
			checkOffsets(t, p, m)
			if p.Kernel > 0 {
				c := m.Encoder.Conv
				require.Equal(t, []any{p.Kernel, p.Groups, p.ConvAct, 1}, []any{c.Kernel, c.Groups, c.Act, c.Beside})
			} else {
				require.Nil(t, m.Encoder.Conv)
			}
			require.Equal(t, p.Talking, m.Encoder.Attention.MixScore != nil && m.Encoder.Attention.MixWeight != nil)
		})
	}
}

func checkPositions(t *testing.T, p plain, m *spec.Model) {
	t.Helper()
	switch {
	case p.ModelType == "roberta":
		require.Equal(t, []int{p.Positions, p.Pad + 1, p.Positions - p.Pad - 1}, []int{m.Embed.Absolute.Rows, m.Embed.Absolute.From, m.Seq})
	case p.ModelType == "bert", p.Biased:
		require.Equal(t, []int{p.Positions, 0, p.Positions}, []int{m.Embed.Absolute.Rows, m.Embed.Absolute.From, m.Seq})
	default:
		require.Nil(t, m.Embed.Absolute)
		require.Equal(t, 512, m.Seq)
	}
}

func checkOffsets(t *testing.T, p plain, m *spec.Model) {
	t.Helper()
	types, _ := p.PosAtt.([]any)
	factor, terms := 1+len(types), map[string]bool{"q[i]·k[j]": true}
	for _, x := range types {
		if p.Relative {
			terms[map[string]string{"c2p": "q[i]·kr[i-j]", "p2c": "qr[i-j]·k[j]"}[x.(string)]] = true
		}
	}
	att := m.Encoder.Attention
	require.Len(t, att.Score, len(terms))
	for _, s := range att.Score {
		require.True(t, terms[s.Text], s.Text)
	}
	require.InDelta(t, 1, att.Scale*att.Scale*float64(m.Head*factor), 1e-12)
	if len(terms) == 1 {
		require.Nil(t, m.Relative)
		return
	}
	reach := p.MaxRelative
	if reach < 1 {
		reach = p.Positions
	}
	span := reach
	if p.Buckets > 0 {
		span = p.Buckets
		require.Equal(t, []int{int(spec.Log), p.Buckets / 2, reach}, []int{int(m.Relative.Bucket.Kind), m.Relative.Bucket.Exact, m.Relative.Bucket.Reach})
	} else {
		require.Equal(t, spec.Clamp, m.Relative.Bucket.Kind)
	}
	require.Equal(t, []int{-span, span - 1, 2 * span}, []int{m.Relative.Lo, m.Relative.Hi, m.Relative.Rows})
	require.Equal(t, p.NormRel == "layer_norm", m.Relative.Norm != nil)
	for _, name := range []string{"kr", "qr"} {
		if pr := att.Proj(name); pr != nil {
			require.Equal(t, p.Shared, pr.Reuse != nil)
			require.Equal(t, p.ModelType == "deberta-v2" || name == "qr", pr.Bias)
		}
	}
}
