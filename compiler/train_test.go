package compiler_test

import (
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// TestTrain compares the loss and the gradients of the training step of each head of the small model with those of the plain program.
func TestTrain(t *testing.T) {
	for _, head := range []string{"nli", "mlm", "bio", "qa", "many", "amount", "choice"} {
		t.Run(head, func(t *testing.T) {
			plain := unitOf(t, head, compiler.Options{Train: true})
			names := compiler.Parameters(plain.Program)
			of, _ := differentiated(t, plain, names)
			step := unitOf(t, head, compiler.Options{Train: true})
			faults, err := step.Train(compiler.Training{})
			require.NoError(t, err)
			require.Empty(t, faults)
			s := drawn(rand.New(rand.NewPCG(3, 5)), plain.Program, of)
			want := s.run(t, nil)
			s.prog = step.Program
			got := s.run(t, nil)
			require.InDelta(t, want["loss"].Floats()[0], got["loss"].Floats()[0], 1e-12)
			compared := 0
			for _, p := range step.Program.Training.Params {
				if p.Grad == "" {
					continue
				}
				require.InDeltaSlice(t, want[p.Grad].Floats(), got[p.Grad].Floats(), 1e-10, p.Name)
				compared++
			}
			require.Greater(t, compared, len(names)-3)
			require.NotNil(t, step.Program.Plan)
		})
	}
}

// TestArena follows the schedule of training steps through the slots of the arena, and checks that every value is still in its slot when it is read.
func TestArena(t *testing.T) {
	for _, head := range []string{"nli", "mlm", "bio", "qa", "choice"} {
		t.Run(head, func(t *testing.T) {
			u := unitOf(t, head, compiler.Options{Train: true, Dropout: true})
			faults, err := u.Train(compiler.Training{})
			require.NoError(t, err)
			require.Empty(t, faults)
			p := u.Program
			slot := map[string]int{}
			for _, b := range p.Plan.Buffers {
				slot[b.Region+" "+b.Value] = b.Slot
			}
			owner := map[int]string{} // of each slot: the value that was written last
			read := 0
			for r, l := range ir.Steps(p.Run) {
				place := func(v *ir.Value) (at int, name string, ok bool) {
					v = r.Home(v)
					name = " " + ir.At(v.Name, l)
					if at, ok = slot[name]; !ok {
						name = r.Name + " " + v.Name
						at, ok = slot[name]
					}
					return at, name, ok
				}
				for _, n := range r.Nodes {
					for _, v := range n.In {
						if v == nil {
							continue
						}
						if at, name, ok := place(v); ok {
							require.Equal(t, name, owner[at], "region %s, layer %d: op %s reads %s", r.Name, l, n.Op, v.Name)
							read++
						}
					}
					for _, v := range n.Out {
						if at, name, ok := place(v); ok {
							for _, in := range n.In {
								if in != nil && v.Replaces() != in && v.Type.DType == ir.F32 {
									if other, _, ok := place(in); ok {
										require.NotEqual(t, other, at, "region %s: op %s writes where %s lies, which it reads", r.Name, n.Op, in.Name)
									}
								}
							}
							owner[at] = name
						}
					}
				}
			}
			require.Greater(t, read, 400)
		})
	}
}
