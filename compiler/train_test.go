package compiler_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// TestTrain compares the loss and the gradients of the training step of each head of the small model with those of the plain program.
func TestTrain(t *testing.T) {
	for _, head := range []string{"nli", "mlm", "bio", "qa", "many", "amount", "choice", "ner", "hot", "ents", "near", "alike", "better", "ranked"} {
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

// TestArena follows the schedule of training steps through the slots of the arena and the memory of gradients, and checks that every value is still in its
// place when it is read.
func TestArena(t *testing.T) {
	for _, name := range []string{"nli", "mlm", "bio", "qa", "choice", "ner", "ents", "near", "alike", "better", "nli sift", "mlm sift"} {
		t.Run(name, func(t *testing.T) {
			var o compiler.Training
			head, sift := strings.CutSuffix(name, " sift")
			if sift {
				o.Sift = &spec.Sift{Step: 1e-4, Ascend: 2, Loss: "kl", Weight: 1}
			}
			u := unitOf(t, head, compiler.Options{Train: true, Dropout: true, Perturb: sift})
			faults, err := u.Train(o)
			require.NoError(t, err)
			require.Empty(t, faults)
			p := u.Program
			slot := map[string]int{}
			for _, b := range p.Plan.Buffers {
				slot[b.Region+" "+b.Value] = b.Slot
			}
			const held = 1 << 20 // places from here on are those of gradients
			for i, q := range p.Training.Params {
				slot[" "+q.Grad] = held + i
			}
			for sum, of := range p.Training.Sums {
				slot[" "+sum] = slot[" "+of]
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
									if other, _, ok := place(in); ok && (n.Op != "add" || other < held) { // a share is added in place
										require.NotEqual(t, other, at, "region %s: op %s writes where %s lies, which it reads", r.Name, n.Op, in.Name)
									}
								}
							}
							if owner[at] = name; slices.Contains(r.Out, v) { // of what lies in the memory of an input
								owner[at] = " " + ir.At(v.Name, l)
							}
						}
					}
				}
			}
			require.Greater(t, read, 400)
		})
	}
}

// TestLora checks the gradients of adapters and of the head against those of the whole model, that nothing else is trained, and that an adapter whose second
// matrix is 0 changes nothing.
func TestLora(t *testing.T) {
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+`train tune on m.nli {
    batch 4 sequences
    steps 10 steps
    optimizer adamw
    rate 1e-3
    lora q, v rank 3 alpha 6 dropout 0.1
}
target t { emit infer m.nli as package "p" }
`))
	require.Empty(t, faults)
	compiled := func(o compiler.Options) *compiler.Unit {
		o.After, o.Train = "build", true
		units, faults, err := compiler.Compile(s, o)
		require.NoError(t, err)
		require.False(t, faults.HasErrors(), faults)
		return units[0]
	}
	tune := s.Train("tune")
	plain := compiled(compiler.Options{Lora: tune.Lora})
	all := compiler.Parameters(plain.Program)
	of, _ := differentiated(t, plain, all)
	step := compiled(compiler.Options{Lora: tune.Lora})
	with := compiler.Trained(tune, step)
	require.Len(t, with, 4*2*2+4, "%v", with)
	none, err := step.Train(compiler.Training{With: with})
	require.NoError(t, err)
	require.Empty(t, none)
	d := drawn(rand.New(rand.NewPCG(3, 5)), plain.Program, of)
	want := d.run(t, nil)
	d.prog = step.Program
	got := d.run(t, nil)
	for _, name := range with {
		require.InDeltaSlice(t, want[compiler.GradOf(name)].Floats(), got[compiler.GradOf(name)].Floats(), 1e-10, name)
	}
	zeros := eval.Store{}
	for _, p := range step.Program.Training.Params {
		require.Equal(t, slices.Contains(with, p.Name), p.Grad != "", p.Name)
		require.Equal(t, slices.Contains(with, p.Name), p.New, p.Name)
		if strings.HasSuffix(p.Name, "lora_B.weight") {
			zeros[p.Name] = ir.NewArray(p.Shape...)
		}
	}
	zero := d.run(t, zeros)["loss"].Floats()[0]
	base := compiled(compiler.Options{})
	differentiated(t, base, nil)
	d.prog = base.Program
	require.InDelta(t, d.run(t, nil)["loss"].Floats()[0], zero, 1e-12)
	require.NotEqual(t, zero, want["loss"].Floats()[0])
}

// tuned compiles the training tune of the small model, whose statements follow those of a batch, and returns the tensors that it changes.
func tuned(t *testing.T, head, statements string) (with []string, faults diag.List) {
	t.Helper()
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+`
model late like m { absolute pos { rows 24 }; decoder emd { repeat 2 of encoder.last; query encoder[-2] + pos; memory encoder[-2] } }
head filled on late.emd { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
train tune on `+head+" { batch 8 sequences; length 24 tokens; steps 10 steps; optimizer adamw; rate 1e-3\n"+statements+`
}
target t { emit train tune as package "p" }
`))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	for _, u := range units {
		for _, p := range u.Program.Training.Params {
			if p.Grad != "" {
				with = append(with, p.Name)
			}
		}
	}
	return with, faults
}

// TestFrozen checks which tensors do not change when a part is frozen.
func TestFrozen(t *testing.T) {
	for _, c := range []struct{ head, freeze, frozen string }{
		{"m.nli", "embed", `^embed\.`},
		{"m.nli", "embed; sift { }", `^embed\.`},
		{"m.nli", "relative", `^relative`},
		{"m.nli", "encoder[1]", `^(encoder\.0|conv)\.`},
		{"m.nli", "encoder[2 .. 4]", `^encoder\.[123]\.`},
		{"m.nli", "head", `^head\.`},
		{"m.bio", "head", `^head\.`},
		{"late.filled", "encoder[4]", `^encoder\.3\.`},
		{"late.filled", "encoder[1 .. 2]", `^(encoder\.[01]|conv)\.`},
		{"late.filled", "absolute.pos", `^absolute\.`},
	} {
		all, faults := tuned(t, c.head, "")
		require.False(t, faults.HasErrors(), faults)
		with, faults := tuned(t, c.head, "freeze "+c.freeze)
		require.False(t, faults.HasErrors(), faults)
		require.Less(t, len(with), len(all), c.freeze)
		for _, name := range all {
			require.Equal(t, regexp.MustCompile(c.frozen).MatchString(name), !slices.Contains(with, name), "freeze %s: %s", c.freeze, name)
		}
	}
}

// TestKept checks that what a step keeps is counted with the zeros after the rows of its tensors, and with the noise of a batch.
func TestKept(t *testing.T) {
	kept := func(statements string) []compiler.Kept {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences in parts of 4\n"+
			"length 24 tokens; steps 10 steps; rate 1e-3\n"+statements+"\n}\ntarget t { emit train tune as package \"p\" }\n"))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		p := units[0].Program
		list := compiler.KeptBy(p, p.Bounds)
		want := int64(0)
		for _, q := range p.Training.Params {
			rows := 1
			if len(q.Shape) == 2 {
				rows = q.Shape[0]
			}
			want += int64(rows * ir.RowFloats(ir.NewArray(q.Shape...).Len()/rows))
		}
		require.Equal(t, want, list[0].Room)
		require.Equal(t, want, list[1].Room)
		require.Equal(t, 3*want, list[2].Room, "two moments and the sums of the parts")
		require.Less(t, list[0].Floats, want)
		p.Training.Noise = 0
		more := list[3].Room - compiler.KeptBy(p, p.Bounds)[3].Room
		list[3].Room = more
		return list
	}
	require.Zero(t, kept("")[3].Room)
	require.Equal(t, int64(4*24*12), kept("sift { noise 1e-2; step 1e-3; ascend 1; weight 4 }")[3].Room)
}

// TestRecompute checks that a step which computes layers again has the bits of one that keeps their activations, and that each such layer needs less memory.
func TestRecompute(t *testing.T) {
	var want eval.Store
	var floats []int64
	for layers := range 5 {
		plain := unitOf(t, "nli", compiler.Options{Train: true})
		of, _ := differentiated(t, plain, compiler.Parameters(plain.Program))
		step := unitOf(t, "nli", compiler.Options{Train: true})
		faults, err := step.Train(compiler.Training{Again: layers})
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Equal(t, min(layers, 3), compiler.Again(step.Program), "the last layer is read at once")
		kept := compiler.KeptBy(step.Program, step.Program.Bounds)
		floats = append(floats, kept[3].Floats)
		s := drawn(rand.New(rand.NewPCG(3, 5)), plain.Program, of)
		s.prog = step.Program
		got := s.run(t, nil)
		if want == nil {
			want = got
		}
		for _, p := range step.Program.Training.Params {
			require.Equal(t, want[p.Grad].Floats(), got[p.Grad].Floats(), "%d layers: %s", layers, p.Name)
		}
	}
	again := func(bound string) (int, int64) {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences; length 24 tokens; steps 10 steps\n"+
			"optimizer adamw; rate 1e-3\n"+bound+"\n}\ntarget t { emit train tune as package \"p\" }\n"))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.False(t, faults.HasErrors(), faults)
		need := int64(0)
		for _, k := range compiler.KeptBy(units[0].Program, units[0].Program.Bounds) {
			need += 4 * k.Room
		}
		return compiler.Again(units[0].Program), need
	}
	layers, need := again("")
	for more := range 3 {
		require.Equal(t, more, layers)
		layers, need = again(fmt.Sprintf("memory <= %.7f MiB", float64(need-1)/(1<<20)))
	}
	require.Less(t, floats[1], floats[0])
	require.Less(t, floats[2], floats[1])
	require.Less(t, floats[3], floats[2])
	require.LessOrEqual(t, floats[4], floats[3])
}

// TestTouched checks that only tables in which tokens are looked up are updated by rows, and by the optimizers that can.
func TestTouched(t *testing.T) {
	for optimizer, want := range map[string][]string{"adamw": nil, "adamw(rows: touched)": {"embed.token"}, "radam(rows: touched)": {"embed.token"},
		"sgd(rows: touched)": {"embed.token"}, "sgd(momentum: 0.5, rows: touched)": {"embed.token"}} {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences; length 24 tokens; steps 10 steps\n"+
			"rate 1e-3; optimizer "+optimizer+"\n}\ntarget t { emit train tune as package \"p\" }\n"))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		var got []string
		for _, r := range units[0].Program.Regions {
			for _, n := range r.Nodes {
				if n.Flag("touched") {
					got = append(got, n.In[0].Name)
				}
			}
		}
		require.Equal(t, want, got, optimizer)
	}
}

// TestTrainingPackageName checks that a training's package has the training's name, beside that of the model, and the hint for two packages of one name.
func TestTrainingPackageName(t *testing.T) {
	compile := func(emits string) ([]*compiler.Unit, diag.List) {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences; steps 10 steps; rate 1e-3 }\ntarget t { "+
			emits+" }\n"))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		return units, faults
	}
	units, faults := compile("emit infer m.nli; emit train tune")
	require.Empty(t, faults)
	require.Equal(t, []string{"mnli", "tune"}, []string{units[0].Program.Name, units[1].Program.Name})
	_, faults = compile(`emit infer m.nli as package "tune"; emit train tune`)
	require.Equal(t, `emit train tune as package "tune2"`, faults[0].Hint)
}

// TestHashOfAdapters checks that checkpoints of adapters with another scale have another hash, and that those with another dropout have not.
func TestHashOfAdapters(t *testing.T) {
	hash := func(lora string) string {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 4 sequences; steps 10 steps; rate 1e-3; "+lora+` }
target t { emit train tune as package "p" }
`))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		return units[0].Program.Meta.SpecHash
	}
	want := hash("lora q rank 4 alpha 8")
	require.Equal(t, want, hash("lora q rank 4 alpha 8 dropout 0.1"))
	for _, other := range []string{"", "lora q rank 4", "lora q rank 4 alpha 7", "lora v rank 4 alpha 8"} {
		require.NotEqual(t, want, hash(other), other)
	}
}

// TestBoundOfTarget checks that the memory bound of a target holds for its calls and not for its trainings, which have a bound of their own.
func TestBoundOfTarget(t *testing.T) {
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences; length 24 tokens; steps 10 steps; rate 1e-3 }\n"+
		"target t { tokens <= 24; memory <= 0.01 MiB; emit infer m.nli; emit train tune as package \"p\" }\n"))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{Emit: "tune"})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	_, faults, err = compiler.Compile(s, compiler.Options{Emit: "m.nli"})
	require.NoError(t, err)
	require.Len(t, faults, 1)
	require.Equal(t, diag.Code("memory-bound"), faults[0].Code)
}
