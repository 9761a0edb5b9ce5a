package compiler_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/runtime/sampler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// pairSpec is a small generator with a mask decoder, and a detector of another depth. Both models have tables of positions in the input.
const pairSpec = `dspec 1
model g like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 12
    dim heads = 2
    dim inner = 10
    dim layers = 3
    dim span = 4
    dim reach = 9
    dim seq <= 24
    embed { absolute 24 }
    absolute pos { rows 30 }
    decoder emd { repeat 2 of encoder.last; query encoder[-2] + pos; memory encoder[-2] }
    defaults { dropout 0 }
}
model d like g {
    dim layers = 2
    drop absolute.pos
    drop decoder.emd
}
head mlm on g.emd { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on d { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
train pre on d.rtd {
    batch     4 sequences
    length    24 tokens
    steps     100 steps
    optimizer sgd
    rate      0.1
    clip      0.5
    weight    7
    replace   from g.mlm WORDS
}
target t { emit TARGET as package "p" }
`

// compiledPair compiles one emit of the pair.
func compiledPair(t *testing.T, target, words string, o compiler.Options) *compiler.Unit {
	t.Helper()
	s, faults := spec.ParseAndResolve("pair.dspec", []byte(strings.NewReplacer("TARGET", target, "WORDS", words).Replace(pairSpec)))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, o)
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	return units[0]
}

// pairStep is a step of a pair in the oracle, with its batch and its tensors.
type pairStep struct {
	prog    *ir.Program
	store   eval.Store
	tensors eval.Store // as they are now
	between eval.Store // as they were after the first phase
}

// newPairStep draws a batch and tensors.
func newPairStep(t *testing.T, p *ir.Program, seed uint64) *pairStep {
	r := rand.New(rand.NewPCG(seed, 5))
	b := raggedtest.Batch([]int{3, 9, 17}, p.Limits(), true, r.IntN)
	s := &pairStep{prog: p, store: eval.StoreOf(b, 0), tensors: eval.Store{}}
	rows := len(b.Rows)
	require.Greater(t, rows, 4)
	target, sampled := ir.NewInts(rows), ir.NewInts(rows)
	for i := range rows {
		target.I[i], sampled.I[i] = int32(r.IntN(40)), -1
		switch i % 4 {
		case 1:
			target.I[i] = -1 // it counts in no loss, and nothing replaces it
		case 2:
			sampled.I[i] = target.I[i] // a right guess is no replaced token
		case 3:
			sampled.I[i] = int32(r.IntN(40))
		}
	}
	s.store["target"], s.store[compiler.StoreSampled] = target, sampled
	for region, l := range ir.Steps(p.Run) {
		for _, v := range region.In {
			name := ir.At(v.Name, l)
			switch {
			case v.Kind == ir.Batch && strings.HasPrefix(name, ir.KeyPrefix):
				s.store[name] = &ir.Array{Shape: []int{2}, I: []int32{int32(r.Uint32()), int32(r.Uint32())}}
			case v.Kind == ir.Batch && strings.HasSuffix(name, ".rate"):
				s.store[name] = &ir.Array{Shape: []int{1}, F: []float64{0.1}}
			case v.Kind == ir.Tensor && s.twin(name) == "":
				a, err := shapesOf(p).Tensor(name)
				require.NoError(t, err)
				s.tensors[name] = a
			}
		}
	}
	return s
}

// twin returns the name of the tensor that a name is another one of, or "".
func (s *pairStep) twin(name string) string {
	for _, w := range s.prog.Training.Twins {
		if w.Name == name {
			return w.Of
		}
	}
	return ""
}

// run runs the phases of the step. Between them the tensors change.
func (s *pairStep) run(t *testing.T) {
	phases := s.prog.Phases()
	for phase := range phases[len(phases)-1] + 1 {
		some, i := *s.prog, 0
		some.Run = nil
		if phase > 0 {
			some.Pack = nil
		}
		for r, l := range ir.Steps(s.prog.Run) {
			if phases[i] == phase {
				some.Run = append(some.Run, ir.Call{Region: r, First: l, Count: 1})
			}
			i++
		}
		for name, a := range s.tensors {
			s.store[name] = a
		}
		for _, w := range s.prog.Training.Twins {
			s.store[w.Name] = s.tensors[w.Of]
		}
		require.NoError(t, eval.Run(&some, s.store))
		for i, u := range s.prog.Training.Updates {
			for next, name := range u.InPlace {
				if of := s.twin(name); of != "" {
					name = of
				}
				if a := s.store[next]; a != nil && s.tensors[name] != nil && i == phase {
					s.tensors[name] = a
				}
			}
		}
		if phase == 0 {
			s.between = maps.Clone(s.tensors)
		}
	}
}

// alone computes the loss and the gradients of one model by itself. ids replaces the tokens of the batch, target is that of the loss.
func (s *pairStep) alone(t *testing.T, emit, prefix string, with eval.Store, tensors func(name string) *ir.Array) (float64, map[string][]float64, eval.Store) {
	u := compiledPair(t, "infer "+emit, "", compiler.Options{Train: true, After: "build"})
	names := compiler.Parameters(u.Program)
	of, flat := differentiated(t, u, nil)
	require.Empty(t, flat)
	store := eval.Store{}
	for name, a := range s.store {
		store[name] = a
	}
	for name, a := range with {
		store[name] = a
	}
	for _, name := range names {
		store[name] = tensors(prefix + name)
	}
	require.NoError(t, eval.Run(u.Program, store))
	grads := map[string][]float64{}
	for _, name := range names {
		grads[prefix+name] = store[compiler.GradOf(name)].Floats()
	}
	return store[of].F[0], grads, store
}

// sum returns the sum of arrays.
func sum(list ...*ir.Array) *ir.Array {
	out := ir.NewArray(list[0].Shape...)
	for _, a := range list {
		for i, v := range a.Floats() {
			out.F[i] += v
		}
	}
	return out
}

// pairCases are the ways to share tables and to order updates. shared is how the detector's tables follow from the generator's.
var pairCases = map[string]struct {
	words       string
	same, delta bool // the detector reads the generator's tables, or their sum with its own
	apart       bool
}{
	"separate tables":           {words: ""},
	"separate tables, apart":    {words: "\n updates apart", apart: true},
	"shared tables":             {words: "share embed.token, embed.absolute", same: true},
	"shared tables, apart":      {words: "share embed.token, embed.absolute\n updates apart", same: true, apart: true},
	"differences":               {words: "share embed.token, embed.absolute stopping gradient\n updates together", delta: true},
	"differences, apart":        {words: "share embed.token, embed.absolute stopping gradient", delta: true, apart: true},
	"a difference of one table": {words: "share embed.token stopping gradient\n updates together", delta: true},
}

// TestPair compares a step of replaced-token detection with two programs, of the generator and of the detector: the tokens that are drawn, both losses, the
// gradients of all tensors, the norms and the updated tensors.
func TestPair(t *testing.T) {
	for name, c := range pairCases {
		t.Run(name, func(t *testing.T) {
			u := compiledPair(t, "train pre", c.words, compiler.Options{})
			s := newPairStep(t, u.Program, 3)
			before := eval.Store{}
			for name, a := range s.tensors {
				before[name] = a
			}
			s.run(t)
			own := func(name string) *ir.Array {
				require.NotNil(t, before[name], name)
				return before[name]
			}
			loss, grads, of := s.alone(t, "g.mlm", "generator.", nil, own)
			require.InDelta(t, loss, s.store["generator.loss"].F[0], 1e-12)
			s.compareDrawn(t, of["logits"])

			tables := map[string]bool{}
			dloss, detector, _ := s.alone(t, "d.rtd", "discriminator.", s.written(), func(name string) *ir.Array {
				general := "generator." + strings.TrimPrefix(name, "discriminator.")
				generator := before[general]
				if c.apart {
					generator = s.between[general]
				}
				switch delta := before[name+"._weight"]; {
				case before[name] != nil:
					return before[name]
				case c.delta:
					tables[name] = true
					return sum(generator, delta)
				}
				require.True(t, c.same, name)
				tables[name] = !c.apart // the gradients of both models are apart too
				return generator
			})
			require.InDelta(t, dloss, s.store["discriminator.loss"].F[0], 1e-11)
			require.Equal(t, []ir.Loss{{Name: "generator.loss", Weight: 1}, {Name: "discriminator.loss", Weight: 7}}, u.Program.Training.Losses)
			for name, g := range detector {
				to := name
				switch {
				case tables[name] && c.delta:
					to += "._weight"
				case tables[name]:
					to = "generator." + strings.TrimPrefix(name, "discriminator.")
				}
				if grads[to] == nil {
					grads[to] = make([]float64, len(g))
				}
				for i, v := range g {
					grads[to][i] += 7 * v
				}
			}
			s.compareUpdate(t, before, grads)
			if !c.apart {
				require.InDelta(t, loss+7*dloss, s.store["loss"].F[0], 1e-11)
			}
		})
	}
}

// compareDrawn checks the generator's tokens against the logits.
func (s *pairStep) compareDrawn(t *testing.T, logits *ir.Array) {
	key := s.store["dropout.generator.loss.sample"].I
	drawn, given := 0, s.store[compiler.StoreSampled].I
	for i, got := range s.store["generator.drawn"].I {
		want := given[i]
		if want < 0 {
			w := logits.Shape[1]
			want = int32(sampler.Pick(logits.Floats()[i*w:][:w], sampler.Uniform(dropout.Key{uint32(key[0]), uint32(key[1])}, i)))
			drawn++
		}
		require.Equal(t, want, got)
	}
	require.NotZero(t, drawn)
}

// written returns what the detector reads and what it is compared with.
func (s *pairStep) written() eval.Store {
	ids, rows, target := s.store["ids"].I, s.store["rows"].I, s.store["target"].I
	next, replaced := ir.NewInts(len(ids)), ir.NewArray(len(ids), 1)
	copy(next.I, ids)
	for k, row := range rows {
		if target[k] < 0 {
			continue
		}
		if next.I[row] = s.store["generator.drawn"].I[k]; next.I[row] != target[k] {
			replaced.F[row] = 1
		}
	}
	return eval.Store{"ids": next, "target": replaced}
}

// compareUpdate compares gradients, norms and tensors after the update.
func (s *pairStep) compareUpdate(t *testing.T, before eval.Store, grads map[string][]float64) {
	updates := s.prog.Training.Updates
	squares := make([]float64, len(updates))
	of := func(name string) int {
		if len(updates) > 1 && strings.HasPrefix(name, "discriminator.") {
			return 1
		}
		return 0
	}
	require.Len(t, grads, len(s.prog.Training.Params)+len(s.prog.Training.Twins))
	for _, w := range s.prog.Training.Twins {
		require.InDeltaSlice(t, grads[w.Name], s.store[w.Grad].Floats(), 1e-10, w.Name)
		squares[of(w.Name)] += math.Pow(length(grads[w.Name]), 2)
	}
	for _, p := range s.prog.Training.Params {
		require.Equal(t, "grad."+p.Name, p.Grad)
		require.InDeltaSlice(t, grads[p.Name], s.store[p.Grad].Floats(), 1e-10, p.Name)
		squares[of(p.Name)] += math.Pow(length(grads[p.Name]), 2)
	}
	for i, u := range updates {
		require.InDelta(t, math.Sqrt(squares[i]), s.store[u.Name+".norm"].F[0], 1e-9)
	}
	moved := func(name string, i int) float64 {
		return 0.1 * min(1, 0.5/(math.Sqrt(squares[of(name)])+1e-6)) * grads[name][i]
	}
	for name, a := range s.tensors {
		for i, want := range before[name].Floats() {
			want -= moved(name, i)
			for _, w := range s.prog.Training.Twins {
				if w.Of == name {
					require.InDelta(t, want, s.between[name].Floats()[i], 1e-10, "%s[%d] after the first update", name, i)
					want -= moved(w.Name, i)
				}
			}
			require.InDelta(t, want, a.Floats()[i], 1e-10, "%s[%d]", name, i)
		}
	}
}

// TestPairPad checks that the row of the padding token has no difference from the generator's, and that differences begin at 0.
func TestPairPad(t *testing.T) {
	u := compiledPair(t, "train pre", "share embed.token stopping gradient", compiler.Options{})
	s := newPairStep(t, u.Program, 5)
	s.store["ids"].I[4] = 0 // the padding token, which no row replaces
	for i, row := range s.store["rows"].I {
		if row == 4 {
			s.store["target"].I[i] = -1
		}
	}
	s.run(t)
	g := s.store["grad.discriminator.embed.token._weight"]
	width := g.Shape[1]
	require.Equal(t, make([]float64, width), g.Floats()[:width])
	require.NotEqual(t, make([]float64, width), s.store["grad.generator.embed.token"].Floats()[:width], "the tied head trains it")
	begins := map[string]ir.Param{}
	for _, p := range u.Program.Training.Params {
		begins[p.Name] = p
	}
	for name, want := range map[string]ir.Param{
		"discriminator.embed.token._weight":     {New: true},
		"discriminator.embed.absolute":          {Init: ir.Init{Normal: 0.02}},
		"generator.embed.token":                 {Init: ir.Init{Normal: 0.02}},
		"generator.head.mlm.linear1.weight":     {Init: ir.Init{Normal: 0.02}, New: true},
		"discriminator.head.rtd.linear2.weight": {Init: ir.Init{Normal: 0.02}, New: true},
	} {
		require.Equal(t, want.Init, begins[name].Init, name)
		require.Equal(t, want.New, begins[name].New, name)
	}
}

// TestPairMemory checks that layers of a generator which has more of them than the detector are computed again too.
func TestPairMemory(t *testing.T) {
	compile := func(memory string) (*compiler.Unit, diag.List) {
		s, faults := spec.ParseAndResolve("pair.dspec", []byte(`dspec 1
model d like deberta_v3_base {
    checkpoint own; dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 1; dim span = 4; dim reach = 9; dim seq <= 24
}
model g like d { dim layers = 5 }
head mlm on g { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on d { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
train a on d.rtd { batch 8 sequences; length 24 tokens; steps 10 steps; rate 1e-3; replace from g.mlm; memory <= `+memory+` MiB }
target t { emit train a as package "p" }
`))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		if len(faults) > 0 {
			return nil, faults
		}
		return units[0], nil
	}
	_, faults := compile("0.01")
	require.Len(t, faults, 1)
	needs := regexp.MustCompile(`needs ([0-9.]+) MiB`).FindStringSubmatch(faults[0].Message)
	require.NotNil(t, needs, faults[0].Message)
	least, err := strconv.ParseFloat(needs[1], 64)
	require.NoError(t, err)
	u, faults := compile(fmt.Sprintf("%.2f", least+0.05)) // the figure is rounded
	require.Empty(t, faults)
	require.Greater(t, compiler.Again(u.Program), 1, "the detector has one layer")
}

// TestPairKept checks that the memory of a step counts both gradients of a table that two optimizers change: it has as many as two separate tables.
func TestPairKept(t *testing.T) {
	kept := func(words string) []compiler.Kept {
		p := compiledPair(t, "train pre", words, compiler.Options{}).Program
		return compiler.KeptBy(p, p.Bounds)
	}
	separate, shared := kept("\n updates apart"), kept("share embed.token\n updates apart")
	require.Less(t, shared[0].Floats, separate[0].Floats)
	require.Equal(t, separate[1], shared[1])
}

// TestPairModels checks of which tensors of the program those of both models are made.
func TestPairModels(t *testing.T) {
	const g, d = "generator.embed.token", "discriminator.embed.token"
	for words, want := range map[string][]string{
		"":                                    {d},
		"share embed.token":                   {g},
		"share embed.token\n updates apart":   {g},
		"share embed.token stopping gradient": {g, d + "._weight"},
	} {
		p := compiledPair(t, "train pre", words, compiler.Options{}).Program.Training
		for i, emit := range []string{"infer g.mlm", "infer d.rtd"} {
			var saved, packed []string
			for _, s := range p.Models[i].Tensors {
				saved = append(saved, s.Name)
			}
			for name := range ir.ShapesOf(compiledPair(t, emit, words, compiler.Options{}).Program.Pack) {
				packed = append(packed, name)
			}
			require.ElementsMatch(t, packed, saved, "what is packed for %s", emit)
		}
		params := map[string]bool{}
		for _, q := range p.Params {
			params[q.Name] = true
		}
		of := map[string][]string{}
		require.Len(t, p.Models, 2)
		for _, m := range p.Models {
			for _, s := range m.Tensors {
				of[m.Name+"."+s.Name] = s.Of
				for _, name := range s.Of {
					require.True(t, params[name], name)
				}
			}
		}
		for name := range params {
			require.Contains(t, of, strings.TrimSuffix(name, "._weight"), "words %q", words)
		}
		require.Equal(t, []string{g}, of[g])
		require.Equal(t, want, of[d], "words %q", words)
	}
}
