package golden_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/runtime/safetensors"
)

// kind is a case of the test data, with properties of its model.
type kind struct {
	name   string
	loss   string // of the head; "" without one
	layers int
	left   []string // tensors that are left out
	other  []string // tensors that follow from the inputs alone
}

var kinds = []kind{
	{name: "v2_v3like", layers: 2},
	{name: "roberta_model", layers: 2},
	{name: "v2_seq_single", loss: "cross_entropy", layers: 2},
	{name: "v2_seq_multi", loss: "binary_cross_entropy", layers: 2},
	{name: "v2_choice", loss: "cross_entropy", layers: 2},
	{name: "v2_qa", loss: "cross_entropy", layers: 2, left: []string{"loss"}},
	{name: "v1_seq2seq_lm", loss: "cross_entropy", layers: 2},
	{name: "emd_v2", loss: "cross_entropy", layers: 3, other: []string{"positions"}},
	{name: "rtd_gdes", loss: "cross_entropy", layers: 2, other: []string{"new_input_ids", "rtd_labels"}},
	{name: "sift_v2_regression", loss: "mean_squared_error", layers: 2},
}

// passes maps recorded tensors to the pass that they come from, in cases with several passes.
var passes = map[string]string{
	"pooler_output": "pooler", "normed": "clean", "clean_logits": "clean", "probe_logits": "probe", "pert_logits": "perturbed",
	"mlm_logits": "generator", "rtd_logits": "discriminator",
}

// spoil is a change of the number at index i of a tensor; nil means no change.
type spoil struct {
	tensor string
	i      int
	by     float32
}

// perfect writes the output of a model without rounding errors: the recorded numbers as ragged batches, in one file per pass.
func perfect(t *testing.T, c *golden.Case, k kind, s *spoil) golden.Produced {
	t.Helper()
	want, err := safetensors.Open(c.Outputs())
	require.NoError(t, err)
	defer want.Close()
	files := map[string]tensors{}
	list, err := c.Passes(c.Outputs())
	require.NoError(t, err)
	for _, p := range list {
		files[p.Name] = tensors{}
	}
	for _, name := range want.Names() {
		info, err := want.Info(name)
		require.NoError(t, err)
		if info.DType != safetensors.F32 || strings.HasPrefix(name, "grad.") || strings.Contains(name, "loss") || name == "rtd_labels" ||
			strings.HasPrefix(name, "delta") {
			continue
		}
		data := make([]float32, info.Elements())
		require.NoError(t, want.Floats(name, data))
		if s != nil && s.tensor == name {
			data[s.i] += s.by
		}
		pass := passes[name]
		out := files[pass]
		require.NotNil(t, out, "%s is of the pass %q", name, pass)
		put := func(as string, data []float32, columns int) { out.set(as, data, len(data)/columns, columns) }
		rows := func(columns int) []float32 {
			return hiddenRows(c, data, columns, func(_, _ int, v float32) float32 { return v })
		}
		switch {
		case strings.HasPrefix(name, "attentions."):
			pairs, n := pairRows(c, data, info.Shape[1])
			put(name, pairs, n)
		case strings.HasPrefix(name, "hidden_states."), name == "normed":
			put(name, rows(info.Shape[2]), info.Shape[2])
		case strings.HasPrefix(name, "steps."):
			step, err := strconv.Atoi(name[len("steps."):])
			require.NoError(t, err)
			put("decoder."+strconv.Itoa(step+1), rows(info.Shape[2]), info.Shape[2])
		case name == "last_hidden_state":
		case name == "end_logits": // start_logits and end_logits are two columns of one tensor
			var both []float32
			start := make([]float32, len(data))
			require.NoError(t, want.Floats("start_logits", start))
			if s != nil && s.tensor == "start_logits" {
				start[s.i] += s.by
			}
			for i, m := range c.Mask {
				if m == 1 {
					both = append(both, start[i], data[i])
				}
			}
			put("output", both, 2)
		case name == "start_logits":
		case name == "rtd_logits":
			put("output", rows(1), 1)
		case len(info.Shape) == 3 && info.Shape[1] == c.Length:
			put("output", rows(info.Shape[2]), info.Shape[2])
		case c.Choices > 1 || len(info.Shape) == 1 || info.Shape[0] == 1:
			put("output", data, 1)
		default:
			put("output", data, info.Shape[1])
		}
	}
	p := golden.Produced{Files: map[string]string{}, Layers: k.layers, Head: k.loss != "", Loss: k.loss}
	for pass, ts := range files {
		p.Files[pass] = filepath.Join(t.TempDir(), "out.safetensors")
		ts.write(t, p.Files[pass])
	}
	return p
}

// TestEveryKindAcceptsTheRecordedNumbers checks that all recorded numbers of a forward pass are accepted, and that the losses computed from them are
// the reference's.
func TestEveryKindAcceptsTheRecordedNumbers(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c := open(t, k.name)
			results, err := c.Compare(c.Outputs(), perfect(t, c, k, nil), golden.Scope{Forward: true})
			require.NoError(t, err)
			require.NotEmpty(t, results)
			for _, r := range results {
				require.True(t, r.OK, "%s: error %v, %s", r.Tensor, r.Error, r.Reason)
				require.Equal(t, slices.Contains(k.left, r.Tensor), r.Left != "", r.Tensor)
				if r.Left == "" {
					require.Positive(t, r.Compared, r.Tensor)
				}
			}
		})
	}
}

// follow maps a tensor to the tensors in which a wrong number of it shows too.
var follow = map[string][]string{
	"logits": {"loss", "loss_per_token"}, "last_hidden_state": {"loss"}, "hidden_states.2": {"last_hidden_state", "loss"}, "mlm_logits": {"mlm_loss", "loss"},
	"rtd_logits": {"rtd_loss", "loss"}, "clean_logits": {"task_loss", "inner_loss", "adv_loss", "loss"}, "probe_logits": {"inner_loss"},
	"pert_logits": {"adv_loss", "loss"},
}

// TestEveryKindFindsOneWrongNumber checks that one wrong number in any tensor is found, in this tensor and only in those that follow from it.
func TestEveryKindFindsOneWrongNumber(t *testing.T) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			c := open(t, k.name)
			names, err := golden.Recorded(c.Outputs(), golden.Scope{Forward: true})
			require.NoError(t, err)
			for _, name := range names {
				if golden.Group(name) == "loss" || slices.Contains(k.other, name) || name == "last_hidden_state" {
					continue
				}
				results, err := c.Compare(c.Outputs(), perfect(t, c, k, &spoil{name, 1, 0.5}), golden.Scope{Forward: true})
				require.NoError(t, err)
				wrong := map[string]bool{}
				for _, r := range results {
					if !r.OK {
						wrong[r.Tensor] = true
					}
				}
				require.True(t, wrong[name], "%s: not found", name)
				for n := range maps.Keys(wrong) {
					require.True(t, n == name || slices.Contains(follow[name], n), "%s: %s is said to be wrong", name, n)
				}
			}
		})
	}
}

// TestBatchesOfPasses checks what passes read of a case: noise, replaced tokens, rows that are predicted, positions after padding.
func TestBatchesOfPasses(t *testing.T) {
	need := golden.Needs{Pad: -1}
	c := open(t, "rtd_gdes")
	list, err := c.Passes(c.Outputs())
	require.NoError(t, err)
	require.Len(t, list, 2)
	need.Rows = true
	generator, err := c.Batch(list[0], need)
	require.NoError(t, err)
	require.Less(t, len(generator.Rows), generator.Tokens())
	require.NotEmpty(t, generator.Rows)
	need.Rows = false
	discriminator, err := c.Batch(list[1], need)
	require.NoError(t, err)
	require.Empty(t, discriminator.Rows)
	changed := 0
	for i := range generator.IDs {
		if generator.IDs[i] != discriminator.IDs[i] {
			require.Contains(t, generator.Rows, int32(i), "only predicted tokens are replaced")
			changed++
		}
	}
	require.Positive(t, changed)

	c = open(t, "sift_v2_regression")
	list, err = c.Passes(c.Outputs())
	require.NoError(t, err)
	require.Len(t, list, 3)
	need.Hidden = 32
	var deltas [][]float32
	for _, p := range list {
		b, err := c.Batch(p, need)
		require.NoError(t, err)
		require.Len(t, b.Delta, 32*b.Tokens())
		deltas = append(deltas, b.Delta)
	}
	require.Equal(t, make([]float32, len(deltas[0])), deltas[0])
	require.NotEqual(t, deltas[1], deltas[2])
	need.Hidden = 16
	_, err = c.Batch(list[1], need)
	require.ErrorContains(t, err, "delta0 has the shape")

	c = open(t, "roberta_model")
	b, err := c.Batch(golden.Pass{}, golden.Needs{Pad: 1})
	require.NoError(t, err)
	require.Nil(t, b.Positions, "padding after the tokens leaves positions as they are")
	c.IDs[2] = 1
	_, err = c.Batch(golden.Pass{}, golden.Needs{Pad: 1})
	require.ErrorContains(t, err, "padding token")
	c.Mask[2] = 0 // RoBERTa does not count padding, wherever it is
	b, err = c.Batch(golden.Pass{}, golden.Needs{Pad: 1})
	require.NoError(t, err)
	require.Nil(t, b.Positions)
}

// TestLayersOnly checks that the comparison can be limited to the hidden states of some layers.
func TestLayersOnly(t *testing.T) {
	names, err := golden.Recorded(open(t, "emd_v2").Outputs(), golden.Scope{Forward: true, Layers: []int{0, 3}})
	require.NoError(t, err)
	require.Equal(t, []string{"hidden_states.0", "hidden_states.3", "steps.0", "steps.1", "positions", "logits", "loss_per_token", "loss"}, names)
}
