package pack_test

import (
	"hash/fnv"
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec/spectest"
)

// drawn is an adapter of random tensors: products of the rank for matrices, and other numbers for some vectors.
type drawn struct {
	pack.Random
	shapes map[string][]int
	low    map[string]int // rank by tensor
	other  map[string]bool
}

func (d drawn) Rank(name string) int      { return d.low[name] }
func (d drawn) Replaced(name string) bool { return d.other[name] }

func (d drawn) Matrices(name string) (a, b []float64, err error) {
	h := fnv.New64a()
	h.Write([]byte(name))
	r := rand.New(rand.NewPCG(d.Seed, h.Sum64()))
	draw := func(n int) []float64 {
		v := make([]float64, n)
		for i := range v {
			v[i] = 0.3 * r.NormFloat64()
		}
		return v
	}
	return draw(d.low[name] * d.shapes[name][1]), draw(d.shapes[name][0] * d.low[name]), nil
}

func (d drawn) Tensor(name string, shape []int) ([]float32, error) {
	v, err := d.Random.Tensor(name, shape)
	if err != nil {
		return nil, err
	}
	if d.other[name] {
		for i := range v {
			v[i] += 0.25
		}
	}
	if rank := d.low[name]; rank > 0 {
		a, b, err := d.Matrices(name)
		if err != nil {
			return nil, err
		}
		for i := range v {
			sum := 0.0
			for k := range rank {
				sum += b[i/shape[1]*rank+k] * a[k*shape[1]+i%shape[1]]
			}
			v[i] += float32(sum)
		}
	}
	return v, nil
}

// drawAdapter draws which tensors of a program an adapter changes. Tables of ids stay.
func drawAdapter(r *rand.Rand, p, plain *ir.Program, rank int) drawn {
	d := drawn{Random: pack.Random{Seed: 4, Std: 0.3}, shapes: ir.ShapesOf(plain.Run), low: map[string]int{}, other: map[string]bool{}}
	for _, name := range slices.Sorted(maps.Keys(ir.ShapesOf(p.Adapt))) {
		if stem, ok := strings.CutSuffix(name, ".lora_A.weight"); ok && r.IntN(2) == 0 {
			d.low[stem+".weight"] = 1 + r.IntN(rank)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(d.shapes)) {
		d.other[name] = d.low[name] == 0 && len(d.shapes[name]) == 1 && r.IntN(3) == 0
	}
	return d
}

// stored returns the tensors of a packed file as the oracle takes them. Those of an adapter have the names that they stand for.
func stored(t *testing.T, path, adapter string, p *ir.Program) eval.Store {
	t.Helper()
	shapes := map[string]ir.Type{}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if v.Kind == ir.Packed || v.Kind == ir.Adapter {
				shapes[ir.At(v.Name, l)] = v.Type
			}
		}
	}
	w, err := engine.OpenWeights(path, engine.Want{SpecHash: p.Meta.SpecHash, Layout: ir.PackedLayout, Rank: p.Meta.Rank, Tensors: wants(p, shapes)})
	require.NoError(t, err)
	defer w.Close()
	s, pairs := eval.Store{}, pairsOf(p)
	for name, typ := range shapes {
		from := name
		if adapter != "" && w.Has(engine.AdapterTensor(adapter, name)) {
			from = engine.AdapterTensor(adapter, name)
		}
		a := &ir.Array{}
		for _, d := range typ.Shape {
			a.Shape = append(a.Shape, d.N)
		}
		switch {
		case !w.Has(from):
			continue
		case pairs[name]:
			a.I = w.Pairs(from)
		case typ.DType == ir.I32:
			a.I = w.I32(from)
		default:
			a.F32 = w.F32(from)
		}
		s[name] = a
	}
	require.NoError(t, w.Err())
	return s
}

// pairsOf returns the packed tensors that hold pairs of bfloat16.
func pairsOf(p *ir.Program) map[string]bool {
	pairs := map[string]bool{}
	for r, l := range ir.Steps(p.Pack) {
		for _, v := range r.Out {
			pairs[ir.At(v.Name, l)] = p.HoldsPairs(v.Name, v.Type)
		}
	}
	return pairs
}

// wants lists the tensors that a program reads.
func wants(p *ir.Program, shapes map[string]ir.Type) []engine.TensorWant {
	list := []engine.TensorWant{{Name: engine.SelfTestTensor, DType: safetensors.F32, Len: -1, Optional: true}}
	adapters, pairs := map[string]bool{}, pairsOf(p)
	for r, l := range ir.Steps(p.Adapt) {
		for _, v := range r.Out {
			adapters[ir.At(v.Name, l)] = true
		}
	}
	for r, l := range ir.Steps(p.Pack) {
		for _, v := range r.Out {
			if name := ir.At(v.Name, l); slices.Contains(p.Keep, name) {
				shapes[name] = v.Type
			}
		}
	}
	for name, t := range shapes {
		w := engine.TensorWant{Name: name, DType: safetensors.F32, Len: int64(ir.Sizes{}.Elements(t.Shape)), Adapter: adapters[name]}
		if pairs[name] {
			w.DType, w.Len = safetensors.BF16, 2*w.Len
		} else if t.DType == ir.I32 {
			w.DType = safetensors.I32
		}
		list = append(list, w)
	}
	return list
}

// TestAdapters packs random models with two random adapters. Without an adapter the packed tensors are those of a file without adapters, number by number;
// with one the oracle computes what the merged model does. With weights in bfloat16, it does so up to their rounding.
func TestAdapters(t *testing.T) {
	r := rand.New(rand.NewPCG(41, 43))
	for i := range 24 {
		text, _ := spectest.Random(r)
		words, tolerance := "target t { adapters rank <= 3; ", 1e-5
		if i%2 > 0 {
			words, tolerance = words+"weights bf16; ", 0.05
		}
		text = strings.Replace(text, "target t {", words, 1)
		p, plain := compiled(t, text, ""), compiled(t, text, "build")
		dir := t.TempDir()
		base := pack.Random{Seed: 4, Std: 0.3}
		adapters := map[string]drawn{"a": drawAdapter(r, p, plain, 3), "b": drawAdapter(r, p, plain, 2)}
		options := pack.Options{Adapters: []pack.Adapter{{Name: "a", Base: "m", Tensors: adapters["a"]}, {Name: "b", Tensors: adapters["b"]}}}
		bare, both := filepath.Join(dir, "bare"), filepath.Join(dir, "both")
		require.NoError(t, pack.Write(bare, p, base, pack.Options{}), text)
		require.NoError(t, pack.Write(both, p, base, options), text)
		require.NoError(t, pack.Check(both, p))
		require.Equal(t, stored(t, bare, "", p), stored(t, both, "", p))

		l := p.Limits()
		batch := raggedtest.Batch([]int{1, 9, 5}, l, true, r.IntN)
		result := func(of *ir.Program, store eval.Store, opts ...eval.Option) []float64 {
			maps.Copy(store, eval.StoreOf(batch, l.Delta))
			require.NoError(t, eval.Run(of, store, opts...), text)
			return store[of.Outputs[0]].Floats()
		}
		without := result(p, stored(t, both, "", p), eval.OnlyRun())
		for name, a := range adapters {
			want := result(plain, eval.Store{}, eval.From(source{a, a.shapes}))
			got := result(p, stored(t, both, name, p), eval.OnlyRun())
			require.Len(t, got, len(want))
			differs, top := 0.0, 1.0
			for _, x := range want {
				top = max(top, math.Abs(x))
			}
			for i := range want {
				if !(math.Abs(got[i]-want[i]) <= tolerance*top) {
					t.Fatalf("adapter %s: output %d is %v, that of the merged model is %v\n%s", name, i, got[i], want[i], text)
				}
				differs = max(differs, math.Abs(got[i]-without[i]))
			}
			require.Greater(t, differs, 1e-3, "the adapter changes nothing")
		}
	}
}
