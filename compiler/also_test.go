package compiler_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/spec"
)

// alsoSpec is a model that predicts masked tokens, and the same one with a causal mask that predicts the next token, or masked ones.
const alsoSpec = `dspec 1
model base like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 12
    dim heads = 2
    dim inner = 10
    dim layers = 3
    dim span = 4
    dim reach = 9
    dim seq <= 24
    defaults { dropout 0 }
}
model ar like base { encoder.attention.mask j <= i }
head mlm on base { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head lm on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head cloze on ar { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head first on base { take first; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head tags on base { take each; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head chain on base { take each; linear 3 as labels("a", "b", "c"); crf; loss cross_entropy }
head chain_ar on ar { take each; linear 3 as labels("a", "b", "c"); crf; loss cross_entropy }
train both on HEAD {
    batch     4 sequences PARTS
    length    24 tokens
    steps     100 steps
    optimizer sgd
    rate      0.1
    WORDS
}
target t { emit EMIT as package "p" }
`

// compiledAlso compiles one emit of alsoSpec.
func compiledAlso(t *testing.T, emit, head, parts, words string, o compiler.Options) *compiler.Unit {
	t.Helper()
	text := strings.NewReplacer("EMIT", emit, "HEAD", head, "PARTS", parts, "WORDS", words).Replace(alsoSpec)
	s, faults := spec.ParseAndResolve("also.dspec", []byte(text))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, o)
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	return units[0]
}

// alsoCases are trainings with several losses. others are the heads of the further losses with their weights.
var alsoCases = map[string]struct {
	head, words string
	others      map[string]float64
}{
	"masked and next tokens": {"base.mlm", "also ar.lm share all weight 0.5", map[string]float64{"ar.lm": 0.5}},
	"next and masked tokens": {"ar.lm", "also base.mlm share all weight 3", map[string]float64{"base.mlm": 3}},
	"three":                  {"base.mlm", "also ar.lm share all; also ar.cloze share all weight 0.25", map[string]float64{"ar.lm": 1, "ar.cloze": 0.25}},
	"labels":                 {"base.first", "also base.tags share all weight 2; smooth 0.1", map[string]float64{"base.tags": 2}},
	"chains":                 {"base.chain", "also ar.chain_ar share all weight 2", map[string]float64{"ar.chain_ar": 2}},
	"frozen":                 {"base.mlm", "also ar.lm share all; freeze embed, encoder[1 .. 2]", map[string]float64{"ar.lm": 1}},
	"adapters":               {"base.tags", "also base.first share all; lora q, v rank 2", map[string]float64{"base.first": 1}},
}

// TestAlso compares the losses and the gradients of a step with several losses with those of each head by itself.
func TestAlso(t *testing.T) {
	for name, c := range alsoCases {
		t.Run(name, func(t *testing.T) {
			u := compiledAlso(t, "train both", c.head, "", c.words, compiler.Options{})
			p := u.Program
			require.Len(t, p.Training.Losses, len(c.others)+1)
			tensors := shapesOf(p)
			store := alsoBatch(p, 3, 9, 17)
			s := eval.Store{}
			for name, a := range store {
				s[name] = a
			}
			require.NoError(t, eval.Run(p, s, eval.From(tensors)))

			grads, sum := map[string][]float64{}, 0.0
			add := func(head string, weight float64, index int) {
				h := u.Head
				if index > 0 {
					h = u.Training.Also[index-1].Head
				}
				require.Equal(t, head, h.FullName())
				one := alone(t, c.words, c.head, head, index > 0)
				run := eval.Store{}
				for name, a := range store {
					if rest, ok := strings.CutPrefix(name, "target."+head); ok && index > 0 {
						run["target"+rest] = a
					} else if index == 0 || name != "target" {
						run[name] = a
					}
				}
				run["ids"] = original(store, u, h)
				own := eval.From(renamed{tensors, h.Name, u.Head.Name})
				require.NoError(t, eval.Run(one.Program, run, own))
				loss := run[compiler.StoreLoss].F[0]
				require.InDelta(t, loss, s[p.Training.Losses[index].Name].F[0], 1e-11)
				require.Equal(t, weight, p.Training.Losses[index].Weight)
				sum += weight * loss
				for _, q := range one.Program.Training.Params {
					to := renamed{nil, h.Name, u.Head.Name}.name(q.Name)
					if q.Grad == "" {
						continue
					}
					if grads[to] == nil {
						grads[to] = make([]float64, len(run[q.Grad].Floats()))
					}
					for i, v := range run[q.Grad].Floats() {
						grads[to][i] += weight * v
					}
				}
			}
			add(c.head, 1, 0)
			for i, a := range u.Training.Also {
				add(a.Head.FullName(), c.others[a.Head.FullName()], i+1)
			}
			require.InDelta(t, sum, s[compiler.StoreLoss].F[0], 1e-11)
			compared := 0
			for _, q := range p.Training.Params {
				if q.Grad != "" {
					require.InDeltaSlice(t, grads[q.Name], s[q.Grad].Floats(), 1e-10, q.Name)
					compared++
				}
			}
			require.Equal(t, len(grads), compared)
			require.NotZero(t, compared)
		})
	}
}

// alone compiles the training of one of the heads by itself, with the words that hold for it.
func alone(t *testing.T, words, of, head string, further bool) *compiler.Unit {
	var own []string
	for _, w := range strings.Split(words, "; ") {
		if !strings.HasPrefix(w, "also") && !(further && strings.HasPrefix(w, "smooth")) {
			own = append(own, w)
		}
	}
	return compiledAlso(t, "train both", head, "", strings.Join(own, "; "), compiler.Options{})
}

// renamed finds the tensors of a head under the name of another head.
type renamed struct {
	drawnTensors
	from, to string
}

func (r renamed) name(tensor string) string {
	if rest, ok := strings.CutPrefix(tensor, "head."+r.from+"."); ok {
		return "head." + r.to + "." + rest
	}
	return tensor
}

func (r renamed) Tensor(name string) (*ir.Array, error) { return r.drawnTensors.Tensor(r.name(name)) }

// alsoBatch draws what a program reads of a batch, besides numbers of the optimizer that do not decide a gradient.
func alsoBatch(p *ir.Program, lens ...int) eval.Store {
	r := rand.New(rand.NewPCG(11, 5))
	l := p.Limits()
	b := raggedtest.Batch(lens, l, true, r.IntN)
	store := eval.StoreOf(b, l.Delta)
	for _, c := range p.Run {
		for _, v := range c.Region.In {
			if v.Kind != ir.Batch || store[v.Name] != nil {
				continue
			}
			if v.Type.DType == ir.F32 {
				store[v.Name] = &ir.Array{Shape: []int{v.Type.Shape[0].N}, F: make([]float64, v.Type.Shape[0].N)}
				continue
			}
			below := 40
			for _, t := range p.Training.Targets {
				if t.Name == v.Name {
					below = t.Below
				}
			}
			a := ir.NewInts(ir.Sizes(b.Sizes()).Dim(v.Type.Shape[0]))
			for i := range a.I {
				if a.I[i] = int32(r.IntN(below)); i%4 == 3 {
					a.I[i] = -1
				}
			}
			store[v.Name] = a
		}
	}
	return store
}

// original returns the tokens that a head reads: those of the batch, or, if the head does not predict masked tokens and another one does, those before the
// masking.
func original(store eval.Store, u *compiler.Unit, h *spec.Head) *ir.Array {
	target := ""
	all := []*spec.Head{u.Head}
	for _, a := range u.Training.Also {
		all = append(all, a.Head)
	}
	for i, o := range all {
		if o.Take.Rows == spec.Masked && target == "" {
			if target = compiler.StoreTarget; i > 0 {
				target = "target." + o.FullName()
			}
		}
	}
	ids := store["ids"]
	if target == "" || h.Take.Rows == spec.Masked {
		return ids
	}
	next := ir.NewInts(len(ids.I))
	copy(next.I, ids.I)
	for k, row := range store["rows"].I {
		if n := store[target].I[k]; n >= 0 {
			next.I[row] = n
		}
	}
	return next
}

// TestExamples checks what a program tells the trainer about masked tokens and labels of other texts, and that a batch has room for the rows that it masks.
func TestExamples(t *testing.T) {
	training := func(words string) *ir.Training {
		text := strings.NewReplacer("HEAD", "mlm", "WORDS", words).Replace(trainings)
		if strings.HasPrefix(words, "negatives") {
			text = strings.NewReplacer("HEAD", "names", "WORDS", words).Replace(trainings)
		}
		units, faults, err := compiler.Compile(resolved(t, text+"target t { emit train t }\n"), compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		tr, b := units[0].Program.Training, units[0].Program.Bounds
		if m := tr.Masking; m != nil {
			require.LessOrEqual(t, m.Most(b.Tokens, b.Sequences), b.Rows)
		}
		return tr
	}
	rule := masking.Rule{Share: 0.15, Runs: 1, Keep: 0.1, Random: 0.1}
	require.Equal(t, &ir.Masking{Rule: rule, Targets: []string{"target"}}, training("").Masking)
	rule.Words, rule.Runs, rule.Share, rule.Random = true, 3, 0.2, 0
	require.Equal(t, &ir.Masking{Rule: rule, Targets: []string{"target"}}, training("mask 20 % of words runs <= 3 random 0 %").Masking)
	rule = masking.Rule{Share: 0.15, Runs: 1, Keep: 0.1, Random: 0.1}
	require.Equal(t, &ir.Masking{Rule: rule, Targets: []string{"target"}}, training("also ar.next share all").Masking)
	asked := training("negatives 1.5 from batch")
	require.Nil(t, asked.Masking)
	require.Equal(t, 1.5, asked.Negatives)

	u := compiledAlso(t, "train both", "ar.lm", "", "also ar.cloze share all; also base.mlm share all", compiler.Options{})
	require.Equal(t, []string{"target.ar.cloze", "target.base.mlm"}, u.Program.Training.Masking.Targets)
	p := compiledPair(t, "train pre", "", compiler.Options{}).Program
	require.Equal(t, &ir.Masking{Rule: masking.Rule{Share: 0.15, Runs: 1}, Targets: []string{"target"}}, p.Training.Masking)
	require.LessOrEqual(t, p.Training.Masking.Most(p.Bounds.Tokens, p.Bounds.Sequences), p.Bounds.Rows)
}

// TestAlsoHash checks that checkpoints of trainings with other weights of the losses have one hash, and that further heads have another.
func TestAlsoHash(t *testing.T) {
	hash := func(words string) string {
		return compiledAlso(t, "train both", "base.mlm", "", words, compiler.Options{}).Program.Meta.SpecHash
	}
	want := hash("also ar.lm share all weight 0.5")
	require.Equal(t, want, hash("also ar.lm share all weight 2"))
	for _, other := range []string{"", "also ar.cloze share all weight 0.5", "also ar.lm share all; also ar.cloze share all"} {
		require.NotEqual(t, want, hash(other), other)
	}
}
