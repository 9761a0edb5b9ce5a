package compiler_test

import (
	"maps"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
)

// partsOf cuts a batch with its targets into its sequences. A target has rows of an extent of the batch.
func partsOf(t *testing.T, p *ir.Program, b *ragged.Batch, targets eval.Store) (parts []eval.Store) {
	t.Helper()
	given := map[string]ir.Dim{}
	for r := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if v.Kind == ir.Batch && targets[v.Name] != nil {
				given[v.Name] = v.Type.Shape[0]
			}
		}
	}
	at := ragged.Sizes{}
	for s := range b.Sequences() {
		one := b.Alone(s)
		part := eval.StoreOf(one, 0)
		sizes := one.Sizes()
		for name, d := range given {
			a, e := targets[name], ragged.B
			if x, ok := d.Extent(); ok {
				e = x
			}
			from, n := *at.At(e), *sizes.At(e)
			cut := &ir.Array{Shape: append([]int{n}, a.Shape[1:]...)}
			width := a.Len() / max(1, a.Shape[0])
			if a.I != nil {
				cut.I = a.I[from*width : (from+n)*width]
			} else {
				cut.F = a.F[from*width : (from+n)*width]
			}
			part[name] = cut
		}
		at.Add(sizes)
		parts = append(parts, part)
	}
	return parts
}

// onlyTargets returns the values of a batch that are not parts of every batch.
func onlyTargets(all eval.Store) eval.Store {
	out := maps.Clone(all)
	for part := range ragged.Part(ragged.Parts) {
		delete(out, part.Row().Operand)
	}
	return out
}

// countOf returns a number of the whole batch. rows are those of its extent.
func countOf(t *testing.T, c ir.Count, targets eval.Store, rows int) *ir.Array {
	t.Helper()
	n, list := 0.0, targets[c.Target]
	switch c.Of {
	case ir.RowCount:
		if c.Target != "" {
			rows = 0
			for _, target := range list.I {
				if target >= 0 {
					rows++
				}
			}
		}
		return &ir.Array{Shape: []int{1}, I: []int32{int32(rows)}}
	case ir.WeightCount:
		for _, class := range list.I {
			if class >= 0 {
				n += c.Weights[class]
			}
		}
	case ir.JudgedCount:
		require.Equal(t, 0, len(list.F)%max(c.Widths, 1))
		n = float64(len(list.F)) // of tokens; all count
		if c.Widths > 0 {
			words, labels := targets["word_starts"].I, targets["mark_starts"].I
			n = 0
			for s := range len(words) - 1 {
				for w := words[s]; w < words[s+1]; w++ {
					n += float64(min(int(words[s+1]-w), c.Widths) * int(labels[s+1]-labels[s]))
				}
			}
		}
	default:
		t.Fatalf("no test counts %s", c.Of)
	}
	return &ir.Array{Shape: []int{1}, F: []float64{n}}
}

// TestParts checks that the losses and the gradients of the parts of a batch add up to those of the batch. The sequences have different lengths, and different
// shares of their rows count; some have none.
func TestParts(t *testing.T) {
	smooth, weigh := compiler.Targets{Smooth: 0.1}, compiler.Targets{Smooth: 0.1, Weigh: []float64{1, 0.5, 5}}
	for name, of := range map[string]compiler.Targets{"nli": {}, "mlm": {}, "bio": {}, "qa": {}, "many": {}, "amount": {}, "ner": {}, "ents smooth": smooth,
		"hot": {}, "nli weighed": weigh, "mlm smooth": smooth} {
		t.Run(name, func(t *testing.T) {
			head, _, _ := strings.Cut(name, " ")
			whole := unitOf(t, head, compiler.Options{Train: true})
			faults, err := whole.Train(compiler.Training{Targets: of})
			require.NoError(t, err)
			require.Empty(t, faults)
			s := drawn(rand.New(rand.NewPCG(7, 5)), whole.Program, compiler.StoreLoss)
			want := s.run(t, nil)

			u := unitOf(t, head, compiler.Options{Train: true})
			faults, err = u.Train(compiler.Training{Targets: of, Parts: true, Update: func(p *ir.Program, with []string) error {
				return compiler.Update(p, compiler.Optimizer{Kind: compiler.SGD, Parts: true, With: with})
			}})
			require.NoError(t, err)
			require.Empty(t, faults)
			p := u.Program
			l := p.Limits()
			b := raggedtest.Batch([]int{1, 9, 17}, l, true, rand.New(rand.NewPCG(7, 5)).IntN)
			targets := eval.Store{}
			for name, a := range s.batch {
				targets[name] = a
			}
			parts := partsOf(t, p, b, onlyTargets(targets))
			require.NotEmpty(t, p.Training.Counts)
			update := p.Training.Updates[0]
			pass := *p
			pass.Run = append(p.Training.Gradients(p), update.Calls(p, ir.Accumulate)...)
			kept, loss := eval.Store{}, 0.0
			for _, k := range update.Kept {
				kept[k.Name] = ir.NewArray(k.Shape...)
			}
			for i, store := range parts {
				for _, c := range p.Training.Counts {
					store[c.Name] = countOf(t, c, targets, ir.Sizes(b.Sizes()).Dim(c.Rows))
				}
				store["update."+compiler.StoreKeep] = &ir.Array{Shape: []int{1}, F: []float64{float64(min(i, 1))}}
				for name, a := range kept {
					store[name] = a
				}
				require.NoError(t, eval.Run(&pass, store, eval.From(s.tensors)))
				loss += store[compiler.StoreLoss].F[0]
				for next, name := range update.InPlace {
					if a := store[next]; a != nil {
						kept[name] = a
					}
				}
			}
			require.InDelta(t, want[compiler.StoreLoss].F[0], loss, 1e-12)
			compared := 0
			for _, q := range p.Training.Params {
				if q.Grad != "" {
					require.InDeltaSlice(t, want[q.Grad].Floats(), kept["sum."+q.Name].Floats(), 1e-11, q.Name)
					compared++
				}
			}
			require.NotZero(t, compared)
		})
	}
}
