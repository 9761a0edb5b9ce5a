package golden_test

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

// tensors is a small safetensors file: name → shape and numbers.
type tensors map[string]struct {
	shape []int
	data  []float32
}

func (ts tensors) set(name string, data []float32, shape ...int) {
	ts[name] = struct {
		shape []int
		data  []float32
	}{shape, data}
}

func (ts tensors) write(t *testing.T, path string) {
	t.Helper()
	var list []safetensors.Tensor
	for _, n := range slices.Sorted(maps.Keys(ts)) {
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: ts[n].shape})
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(f, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, w.WriteFloats(n, ts[n].data))
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
}

// open opens a recorded case.
func open(t *testing.T, name string) *golden.Case {
	t.Helper()
	c, err := golden.Open(filepath.Join("..", "testdata", "cases", name))
	require.NoError(t, err)
	return c
}

// holes opens a recorded case whose masks have holes and padding on the left.
func holes(t *testing.T) *golden.Case { return open(t, "v2_holes") }

func TestBatchDropsDeadRows(t *testing.T) {
	c := holes(t)
	b, err := c.Batch(golden.Pass{}, golden.Needs{Pad: -1})
	require.NoError(t, err)
	require.NoError(t, b.Validate(engine.Limits{Vocab: 101, SequenceTokens: 64, BatchSequences: 8, BatchTokens: 512}))
	live := 0
	for _, m := range c.Mask {
		live += int(m)
	}
	require.Equal(t, live, b.Tokens())
	require.Less(t, live, c.Sequences*c.Length, "the case has dead rows")
	require.Len(t, b.Positions, live)
	for s := range b.Sequences() {
		for r := b.Starts[s]; r < b.Starts[s+1]; r++ {
			at := s*c.Length + int(b.Positions[r])
			require.EqualValues(t, 1, c.Mask[at])
			require.EqualValues(t, c.IDs[at], b.IDs[r])
		}
	}
	path := filepath.Join(t.TempDir(), "batch.safetensors")
	require.NoError(t, golden.WriteBatch(path, b, nil))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	ids := make([]int64, live)
	require.NoError(t, f.Ints("ids", ids))
	require.EqualValues(t, b.IDs[live-1], ids[live-1])
}

func TestFirstTokenMustLive(t *testing.T) {
	c := holes(t)
	_, err := c.Batch(golden.Pass{}, golden.Needs{First: true, Pad: -1})
	require.ErrorContains(t, err, "first token")
}

// one returns the files of a case with one pass.
func one(file string) map[string]string { return map[string]string{"": file} }

// produce writes the output of a perfect model for a case of hidden states: the recorded numbers as a ragged batch.
func produce(t *testing.T, c *golden.Case, change func(name string, row, column int, v float32) float32) string {
	t.Helper()
	want, err := safetensors.Open(c.Outputs())
	require.NoError(t, err)
	defer want.Close()
	b, err := c.Batch(golden.Pass{}, golden.Needs{Pad: -1})
	require.NoError(t, err)
	out := tensors{}
	for _, name := range want.Names() {
		if golden.Group(name) != "hidden_states" && golden.Group(name) != "attentions" {
			continue
		}
		info, err := want.Info(name)
		require.NoError(t, err)
		size := 1
		for _, d := range info.Shape {
			size *= d
		}
		data := make([]float32, size)
		require.NoError(t, want.Floats(name, data))
		if len(info.Shape) == 3 {
			out.set(name, hiddenRows(c, data, info.Shape[2], func(r, k int, v float32) float32 { return change(name, r, k, v) }), b.Tokens(), info.Shape[2])
			continue
		}
		rows, pairs := pairRows(c, data, info.Shape[1])
		out.set(name, rows, info.Shape[1], pairs)
	}
	path := filepath.Join(t.TempDir(), "out.safetensors")
	out.write(t, path)
	return path
}

func hiddenRows(c *golden.Case, data []float32, width int, change func(row, column int, v float32) float32) []float32 {
	var rows []float32
	for i, m := range c.Mask {
		if m == 1 {
			row := len(rows) / width
			for k := range width {
				rows = append(rows, change(row, k, data[i*width+k]))
			}
		}
	}
	return rows
}

// pairRows drops dead queries and keys: [A, P].
func pairRows(c *golden.Case, data []float32, heads int) (rows []float32, pairs int) {
	n := c.Length
	for h := range heads {
		for s := range c.Sequences {
			for i := range n {
				for j := range n {
					if c.Mask[s*n+i] == 1 && c.Mask[s*n+j] == 1 {
						rows = append(rows, data[((s*heads+h)*n+i)*n+j])
					}
				}
			}
		}
	}
	return rows, len(rows) / heads
}

func TestCompareAcceptsTheRecordedNumbers(t *testing.T) {
	c := holes(t)
	same := func(_ string, _, _ int, v float32) float32 { return v }
	results, err := c.Compare(c.Outputs(), golden.Produced{Files: one(produce(t, c, same)), Layers: 2}, golden.Scope{Forward: true})
	require.NoError(t, err)
	var names []string
	for _, r := range results {
		require.True(t, r.OK, "%s: %s", r.Tensor, r.Reason)
		if r.Group == "loss" { // a loss is a sum of all numbers, recorded as float32
			require.Less(t, r.Error, 1e-5)
		} else {
			require.Zero(t, r.Error, r.Tensor)
		}
		require.Positive(t, r.Compared, r.Tensor)
		names = append(names, r.Tensor)
	}
	require.Equal(t, []string{"hidden_states.0", "attentions.0", "hidden_states.1", "attentions.1", "hidden_states.2", "last_hidden_state", "loss"}, names)
}

func TestCompareFindsOneWrongNumber(t *testing.T) {
	c := holes(t)
	for _, by := range []float32{1e-3, float32(math.NaN())} {
		change := func(name string, row, column int, v float32) float32 {
			if name == "hidden_states.1" && row == 5 && column == 3 {
				return v + by
			}
			return v
		}
		results, err := c.Compare(c.Outputs(), golden.Produced{Files: one(produce(t, c, change)), Layers: 2}, golden.Scope{Forward: true})
		require.NoError(t, err)
		for _, r := range results {
			require.Equal(t, r.Tensor != "hidden_states.1", r.OK, r.Tensor)
			if !r.OK {
				require.Equal(t, 3, r.At[2])
				require.Greater(t, r.Error, 9e-4)
			}
		}
	}
}

func TestCompareNamesWhatIsNotProduced(t *testing.T) {
	c := holes(t)
	out := tensors{}
	b, err := c.Batch(golden.Pass{}, golden.Needs{Pad: -1})
	require.NoError(t, err)
	out.set("hidden_states.0", make([]float32, b.Tokens()*8), b.Tokens(), 8) // of the wrong width
	path := filepath.Join(t.TempDir(), "out.safetensors")
	out.write(t, path)
	results, err := c.Compare(c.Outputs(), golden.Produced{Files: one(path), Layers: 2}, golden.Scope{Forward: false})
	require.NoError(t, err)
	grads := 0
	for _, r := range results {
		require.False(t, r.OK, r.Tensor)
		require.NotEmpty(t, r.Reason)
		if r.Group == "grad" {
			grads++
		}
	}
	require.Positive(t, grads, "gradients are compared unless only the forward pass is asked for")
}

func TestAttentionMask(t *testing.T) {
	mask := func(prefix int, spoil bool) []float32 {
		out := make([]float32, 2*4*4)
		for s := range 2 {
			for i := range 4 {
				for j := range 4 {
					if j <= i || j < prefix {
						out[(s*4+i)*4+j] = 1
					}
				}
			}
		}
		if spoil {
			out[4*4+3] = 1 - out[4*4+3]
		}
		return out
	}
	for _, x := range []struct {
		name   string
		prefix int
		spoil  bool
		kind   golden.MaskKind
	}{{"causal", 0, false, golden.MaskCausal}, {"prefix", 2, false, golden.MaskPrefix}, {"other", 2, true, 0}} {
		t.Run(x.name, func(t *testing.T) {
			dir := t.TempDir()
			writeInts(t, filepath.Join(dir, "inputs.safetensors"),
				map[string][]float32{"input_ids": make([]float32, 8), "attention_mask_3d": mask(x.prefix, x.spoil)})
			require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte(`{"kind": "library", "head": "Model", "tolerance": {}}`), 0o666))
			c, err := golden.Open(dir)
			require.NoError(t, err)
			kind, prefix, err := c.AttentionMask()
			if x.spoil {
				require.ErrorContains(t, err, "sequence 1")
				return
			}
			require.NoError(t, err)
			require.Equal(t, x.kind, kind)
			if x.prefix > 0 {
				require.Equal(t, []int32{int32(x.prefix), int32(x.prefix)}, prefix)
			}
		})
	}
}

// writeInts writes I64 tensors of two sequences of four tokens.
func writeInts(t *testing.T, path string, data map[string][]float32) {
	t.Helper()
	shapes := map[string][]int{"input_ids": {2, 4}, "attention_mask_3d": {2, 4, 4}}
	var list []safetensors.Tensor
	for _, n := range slices.Sorted(maps.Keys(data)) {
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.I64, Shape: shapes[n]})
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(f, nil, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		bytes := make([]byte, 8*len(data[n]))
		for i, v := range data[n] {
			bytes[8*i] = byte(v)
		}
		require.NoError(t, w.Write(n, bytes))
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
}

func TestBadCases(t *testing.T) {
	dir := t.TempDir()
	_, err := golden.Open(dir)
	require.ErrorContains(t, err, "case.json")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "case.json"), []byte(`{"head": 3}`), 0o666))
	_, err = golden.Open(dir)
	require.ErrorContains(t, err, "case.json")
}

// TestToleranceOfTheLargest checks that the tolerance of a tensor scales with its own largest live number.
func TestToleranceOfTheLargest(t *testing.T) {
	c := holes(t)
	results, err := c.Compare(c.Outputs(), golden.Produced{Files: one(produce(t, c, func(_ string, _, _ int, v float32) float32 { return v })),
		Layers: 2}, golden.Scope{Forward: true})
	require.NoError(t, err)
	largest := 0.0
	for _, r := range results {
		if r.Tensor == "hidden_states.1" {
			largest = r.Largest
		}
	}
	require.Greater(t, largest, 1.0)
	change := func(name string, row, column int, v float32) float32 {
		if name == "hidden_states.1" && row == 5 && column == 3 {
			return v + float32(1e-3*largest)
		}
		return v
	}
	file := produce(t, c, change)
	for _, x := range []struct {
		share float64
		ok    bool
	}{{0.9e-3, false}, {1.1e-3, true}} {
		for g := range c.Tolerance {
			c.Tolerance[g] = golden.Tolerance{OfLargest: x.share}
		}
		results, err := c.Compare(c.Outputs(), golden.Produced{Files: one(file), Layers: 2}, golden.Scope{Forward: true})
		require.NoError(t, err)
		for _, r := range results {
			require.Equal(t, x.ok || r.Tensor != "hidden_states.1", r.OK, r.Tensor)
		}
	}
}
