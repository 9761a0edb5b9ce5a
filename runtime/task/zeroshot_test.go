package task

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// nli returns a model of natural language inference with these labels.
func nli(labels []string, f func(ids []int32, column int) float64) fake {
	return fake{
		heads:   []engine.Head{{Name: "nli", Task: tasktable.Labels, C: len(labels), Labels: labels}},
		forward: perSequence(len(labels), f), token: lex,
	}
}

var nliLabels = []string{"Entailment", "neutral", "CONTRADICTION"}

// nliLogit returns a logit that changes with every token.
func nliLogit(ids []int32, column int) float64 {
	args := []int{column}
	for _, id := range ids {
		args = append(args, int(id))
	}
	return 4 * noise(args...)
}

// pairIDs returns the ids of a pair as the model sees it. With cut, the first text has only the
// tokens [lo, hi).
func pairIDs(t testing.TB, first, second string, cut ...int) []int32 {
	t.Helper()
	a := spansIn(t, first)
	if len(cut) == 2 {
		a = a[cut[0]:cut[1]]
	}
	ids := []int32{fakeCLS}
	for _, s := range a {
		ids = append(ids, s.ID)
	}
	ids = append(ids, fakeSEP)
	for _, s := range spansIn(t, second) {
		ids = append(ids, s.ID)
	}
	return append(ids, fakeSEP)
}

// TestZeroShot computes the scores over all labels from their definition.
func TestZeroShot(t *testing.T) {
	for _, order := range [][]string{nliLabels, {"contradiction", "entailment"}, {"x", "Contradiction_2", "y", "ENTAILS"}, {"entailment", "not_entailment"},
		{"Non-Entailment", "Entailment"}} {
		entail := slices.IndexFunc(order, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), "entail") })
		contradict := slices.IndexFunc(order, func(l string) bool {
			l = strings.ToLower(l)
			return strings.HasPrefix(l, "contra") || strings.HasPrefix(l, "no")
		})
		z, err := NewZeroShot(nli(order, nliLogit).open(t), "", NLIOptions{})
		require.NoError(t, err)
		texts, labels := []string{"paris is the capital", "", "one two three"}, []string{"france", "rome", "a b", "three", "one"}
		for _, o := range []ZeroShotOptions{{}, {Multi: true}, {Template: "{} is the {} of"}, {Template: "a {}", Multi: true}} {
			got, err := z.Classify(background, texts, labels, o)
			require.NoError(t, err)
			for n, text := range texts {
				want := make([]float64, len(labels))
				sum := 0.0
				for i, l := range labels {
					template := o.Template
					if template == "" {
						template = "This example is {}."
					}
					ids := pairIDs(t, text, strings.ReplaceAll(template, "{}", l))
					e, c := math.Exp(float64(float32(nliLogit(ids, entail)))), math.Exp(float64(float32(nliLogit(ids, contradict))))
					if want[i] = e; o.Multi {
						want[i] = e / (e + c)
					}
					sum += e
				}
				require.Len(t, got[n].Labels, len(labels))
				last := math.Inf(1)
				for _, x := range got[n].Labels {
					require.Equal(t, labels[x.Index], x.Label)
					w := want[x.Index]
					if !o.Multi {
						w /= sum
					}
					require.InDelta(t, w, x.Score, 1e-12)
					require.LessOrEqual(t, x.Score, last)
					last = x.Score
				}
			}
			alone, err := z.Classify(background, texts[2:], labels, o)
			require.NoError(t, err)
			require.Equal(t, got[2], alone[0])
		}
		one, err := z.Classify(background, texts[:1], []string{"rome"}, ZeroShotOptions{Template: "{}"})
		require.NoError(t, err)
		ids := pairIDs(t, texts[0], "rome")
		d := float64(float32(nliLogit(ids, entail))) - float64(float32(nliLogit(ids, contradict)))
		require.InDelta(t, 1/(1+math.Exp(-d)), one[0].Labels[0].Score, 1e-12, "a single label is judged by itself")
	}
}

// TestZeroShotWindows checks that only the text is cut, and that windows are joined by the mean of
// logits or by the best.
func TestZeroShotWindows(t *testing.T) {
	text, template := strings.TrimSpace(strings.Repeat("one two three a ", 3)), "is the {}" // 12 tokens, 3 tokens
	labels := []string{"france", "rome"}
	for _, join := range []runtime.Join{runtime.JoinMean, runtime.JoinMax} {
		core := nli(nliLabels, nliLogit).open(t, runtime.MaxTokens(11), runtime.Long(runtime.Windows(2)), runtime.JoinWindows(join))
		z, err := NewZeroShot(core, "nli", NLIOptions{})
		require.NoError(t, err)
		for _, multi := range []bool{false, true} {
			got, err := z.Classify(background, []string{text}, labels, ZeroShotOptions{Template: template, Multi: multi})
			require.NoError(t, err)
			require.Equal(t, runtime.Seen{Tokens: 18, Windows: 4}, got[0].Seen)
			v := make([]float64, 2)
			for i, l := range labels {
				v[i] = math.Inf(-1)
				sum := 0.0
				for lo := 0; lo+2 < 12; lo += 3 {
					ids := pairIDs(t, text, strings.ReplaceAll(template, "{}", l), lo, min(lo+5, 12))
					x := float64(float32(nliLogit(ids, 0)))
					if multi {
						x -= float64(float32(nliLogit(ids, 2)))
					}
					v[i], sum = max(v[i], x), sum+x
				}
				if join == runtime.JoinMean {
					v[i] = sum / 4
				}
			}
			for _, x := range got[0].Labels {
				want := 1 / (1 + math.Exp(v[1-x.Index]-v[x.Index]))
				if multi {
					want = 1 / (1 + math.Exp(-v[x.Index]))
				}
				require.InDelta(t, want, x.Score, 1e-12)
			}
		}
	}
	z, err := NewZeroShot(nli(nliLabels, nliLogit).open(t, runtime.MaxTokens(8), runtime.Long(runtime.Truncate)), "", NLIOptions{})
	require.NoError(t, err)
	got, err := z.Classify(background, []string{"a"}, []string{"one two three"}, ZeroShotOptions{Template: "{}"})
	require.NoError(t, err)
	require.Equal(t, 7, got[0].Tokens)
	_, err = z.Classify(background, []string{"a", "a b one two"}, []string{"one", strings.Repeat("one ", 6)}, ZeroShotOptions{Template: "{}"})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, `label "one one one one one one ": 6 tokens of the hypothesis and 3 special tokens leave no room`)
	z, err = NewZeroShot(nli(nliLabels, nliLogit).open(t, runtime.MaxTokens(8)), "", NLIOptions{})
	require.NoError(t, err)
	_, err = z.Classify(background, []string{"a", "a b one two three a b"}, []string{"one", "two"}, ZeroShotOptions{Template: "{}"})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "text 1: ", "texts are numbered as they were given")
}

func TestZeroShotFaults(t *testing.T) {
	z, err := NewZeroShot(nli(nliLabels, nliLogit).open(t), "", NLIOptions{})
	require.NoError(t, err)
	for want, c := range map[string]struct {
		labels []string
		o      ZeroShotOptions
	}{
		`"a {x}" has no {}`:        {[]string{"a"}, ZeroShotOptions{Template: "a {x}"}},
		"no labels to choose from": {nil, ZeroShotOptions{}},
		`label "a" is given twice`: {[]string{"a", "b", "a"}, ZeroShotOptions{}},
		"label 2 is empty":         {[]string{"a", " "}, ZeroShotOptions{}},
	} {
		_, err := z.Classify(background, []string{"a"}, c.labels, c.o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	for i, c := range []struct {
		labels []string
		o      NLIOptions
		want   string
	}{
		{[]string{"ham", "spam"}, NLIOptions{}, "entailment: none of the head's labels (ham, spam) has such a name"},
		{[]string{"LABEL_0", "LABEL_1", "LABEL_2"}, NLIOptions{"LABEL_2", "LABEL_3"}, `contradiction: the head has no label "LABEL_3"`},
		{[]string{"entailment", "entails", "contradiction"}, NLIOptions{}, `entailment: both "entailment" and "entails" may be meant`},
		{[]string{"ham", "spam"}, NLIOptions{"yes", "0"}, `entailment: the head has no label "yes"; it has ham, spam`},
		{[]string{"ham", "spam"}, NLIOptions{"1", "2"}, `contradiction: the head has no label "2"`},
		{[]string{"ham", "spam"}, NLIOptions{"1", "SPAM"}, `both label "spam"`},
	} {
		_, err := NewZeroShot(nli(c.labels, nliLogit).open(t), "", c.o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, c.want, fmt.Sprint(i))
	}
	named, err := NewZeroShot(nli([]string{"ham", "spam"}, nliLogit).open(t), "", NLIOptions{"Spam", "0"})
	require.NoError(t, err)
	require.Equal(t, []int{1, 0}, []int{named.entail, named.contradict})
	other, err := NewZeroShot(nli([]string{"LABEL_0", "LABEL_1"}, nliLogit).open(t), "", NLIOptions{Entailment: "LABEL_0"})
	require.NoError(t, err)
	require.Equal(t, 1, other.contradict, "of two labels it is the other one")
}

// TestZeroShotWithoutContradiction checks that labels that share one probability need only the
// label for entailment.
func TestZeroShotWithoutContradiction(t *testing.T) {
	labels := []string{"LABEL_0", "LABEL_1", "LABEL_2"}
	alone, err := NewZeroShot(nli(labels, nliLogit).open(t), "", NLIOptions{Entailment: "LABEL_2"})
	require.NoError(t, err)
	both, err := NewZeroShot(nli(labels, nliLogit).open(t), "", NLIOptions{Entailment: "2", Contradiction: "0"})
	require.NoError(t, err)
	texts, candidates := []string{"paris is the capital", "one"}, []string{"france", "rome"}
	got, err := alone.Classify(background, texts, candidates, ZeroShotOptions{})
	require.NoError(t, err)
	want, err := both.Classify(background, texts, candidates, ZeroShotOptions{})
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, c := range []struct {
		candidates []string
		o          ZeroShotOptions
	}{{candidates, ZeroShotOptions{Multi: true}}, {candidates[:1], ZeroShotOptions{}}} {
		_, err := alone.Classify(background, texts, c.candidates, c.o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "contradiction: none of the head's labels (LABEL_0, LABEL_1, LABEL_2)")
	}
}

// TestZeroShotByCall checks that a call can select the labels. It must if the head's names do not tell what they mean; otherwise it overrides the labels that
// the ZeroShot was made with.
func TestZeroShotByCall(t *testing.T) {
	labels := []string{"LABEL_0", "LABEL_1", "LABEL_2"}
	texts, candidates := []string{"paris is the capital", "one"}, []string{"france", "rome"}
	both, err := NewZeroShot(nli(labels, nliLogit).open(t), "", NLIOptions{Entailment: "2", Contradiction: "0"})
	require.NoError(t, err)
	z, err := NewZeroShotByCall(nli(labels, nliLogit).open(t), "")
	require.NoError(t, err)
	for _, multi := range []bool{false, true} {
		want, err := both.Classify(background, texts, candidates, ZeroShotOptions{Multi: multi})
		require.NoError(t, err)
		got, err := z.Classify(background, texts, candidates, ZeroShotOptions{Multi: multi, Entailment: "label_2", Contradiction: "0"})
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	other, err := NewZeroShot(nli(labels, nliLogit).open(t), "", NLIOptions{Entailment: "1", Contradiction: "0"})
	require.NoError(t, err)
	want, err := both.Classify(background, texts, candidates, ZeroShotOptions{Multi: true})
	require.NoError(t, err)
	got, err := other.Classify(background, texts, candidates, ZeroShotOptions{Multi: true, Entailment: "2"})
	require.NoError(t, err)
	require.Equal(t, want, got, "the call changes only the label for entailment")
	for want, o := range map[string]ZeroShotOptions{
		"entailment: none of the head's labels (LABEL_0, LABEL_1, LABEL_2) has such a name": {},
		`entailment: the head has no label "3"`:                                             {Entailment: "3"},
		"contradiction: none of the head's labels":                                          {Entailment: "2", Multi: true},
		`both label "LABEL_1"`:                                                              {Entailment: "1", Contradiction: "1"},
		"is not valid UTF-8":                                                                {Entailment: "\xff"},
	} {
		_, err := z.Classify(background, texts, candidates, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	named, err := NewZeroShotByCall(nli(nliLabels, nliLogit).open(t), "")
	require.NoError(t, err)
	_, err = named.Classify(background, texts, candidates, ZeroShotOptions{})
	require.NoError(t, err, "if the names tell what they mean, a call does not have to")
}
