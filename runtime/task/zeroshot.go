package task

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// DefaultTemplate is the default of ZeroShotOptions.Template.
const DefaultTemplate = "This example is {}."

// ZeroShotOptions holds the settings of ZeroShot.Classify.
type ZeroShotOptions struct {
	// Template is the hypothesis; each {} in it is replaced by a label. "" stands for
	// DefaultTemplate.
	Template string
	// Multi allows several labels to hold. Each label then has its own probability: that of
	// entailment against contradiction. Otherwise the labels share one probability: a softmax over
	// their entailment logits. A single label is always judged as with Multi. Multi and a single
	// label need a head whose label for contradiction is known.
	Multi bool
	// Entailment and Contradiction select the labels of the head that mean entailment and
	// contradiction, by name or number, such as "LABEL_2" or "2". "" stands for the label that
	// the ZeroShot was made with.
	Entailment, Contradiction string
}

// LabelScore is one label with its score.
type LabelScore struct {
	Label string  `json:"label"`
	Index int     `json:"index"` // index of the label in the caller's list
	Score float64 `json:"score"` // probability
}

// ZeroShotResult is the result for one text.
type ZeroShotResult struct {
	Labels []LabelScore `json:"labels"` // best first; ties: in the order of the caller's labels
	// Tokens, Truncated and Windows are those of the text with its longest hypothesis.
	runtime.Seen
}

// NLIOptions selects the labels for entailment and contradiction, by name or index. It is needed if
// their names do not tell what they mean.
type NLIOptions struct{ Entailment, Contradiction string }

// ZeroShot labels texts with labels that the model was not trained on (Yin et al. 2019). A model of
// natural language inference reads each text as premise and each label, in a sentence, as
// hypothesis. ZeroShot computes what the transformers library's zero-shot classification computes.
// It is safe for concurrent use.
type ZeroShot struct {
	head
	labels []string
	given  NLIOptions
	meaning
	missing error // why the label for entailment is not known; only a call can name it
}

// meaning holds the indices of the labels of a head that mean entailment and contradiction.
type meaning struct {
	entail, contradict int   // contradict is -1 if its label is not known
	unknown            error // the reason why contradict is not known
}

// NewZeroShot returns a ZeroShot for the named head; "" means the first head. The head must have a
// label for entailment. Unless o names it, this is the label whose name begins with "entail", in
// upper or lower case. The label for contradiction begins with "contra" or is "not_entailment"; of
// two labels it is the other one. If it is not known, only several labels that share one
// probability can be judged (see ZeroShotOptions.Multi).
func NewZeroShot(core *engine.Core, name string, o NLIOptions) (*ZeroShot, error) {
	z, err := NewZeroShotByCall(core, name)
	if err != nil {
		return nil, err
	}
	z.given = o
	if z.meaning, err = meaningOf(z.labels, o); err != nil {
		return nil, err
	}
	z.missing = nil
	return z, nil
}

// NewZeroShotByCall is NewZeroShot for a head whose names may not tell which label means
// entailment: each call has to name it then (see ZeroShotOptions.Entailment).
func NewZeroShotByCall(core *engine.Core, name string) (*ZeroShot, error) {
	h, err := newHead(core, name, "ZeroShot")
	if err != nil {
		return nil, err
	}
	z := &ZeroShot{head: h}
	if z.labels, err = core.HeadLabels(h.index); err != nil {
		return nil, err
	}
	z.meaning, z.missing = meaningOf(z.labels, NLIOptions{})
	return z, nil
}

// meaningOf finds the labels that o names, or whose names tell what they mean.
func meaningOf(labels []string, o NLIOptions) (m meaning, err error) {
	if m.entail, err = labelNumber(labels, "entailment", o.Entailment, "entail"); err != nil {
		return m, err
	}
	m.contradict, err = labelNumber(labels, "contradiction", o.Contradiction, "contra", "not entail", "non entail", "notentail", "nonentail")
	switch {
	case err != nil && o.Contradiction == "" && len(labels) == 2:
		m.contradict = 1 - m.entail
	case err != nil && o.Contradiction == "":
		m.contradict, m.unknown = -1, err
	case err != nil:
		return m, err
	case m.entail == m.contradict:
		return m, input("entailment and contradiction are both label %q", labels[m.entail])
	}
	return m, nil
}

// meant returns the meaning of the labels for one call.
func (z *ZeroShot) meant(o ZeroShotOptions) (meaning, error) {
	if o.Entailment == "" && o.Contradiction == "" {
		return z.meaning, z.missing
	}
	return meaningOf(z.labels, NLIOptions{cmp.Or(o.Entailment, z.given.Entailment), cmp.Or(o.Contradiction, z.given.Contradiction)})
}

// labelNumber returns the index of a label: the one that the caller names, or the only one whose
// name begins with one of the prefixes. Names are compared in lower case, with spaces for - and _.
func labelNumber(labels []string, what, named string, prefixes ...string) (int, error) {
	if err := engine.CheckUTF8(what, named); err != nil {
		return 0, err
	}
	if named != "" {
		if i := slices.IndexFunc(labels, func(l string) bool { return strings.EqualFold(l, named) }); i >= 0 {
			return i, nil
		}
		if i, err := strconv.Atoi(named); err == nil && 0 <= i && i < len(labels) {
			return i, nil
		}
		return 0, input("%s: the head has no label %q; it has %s", what, named, strings.Join(labels, ", "))
	}
	for _, p := range prefixes { // earlier prefixes are more reliable
		found := -1
		for i, l := range labels {
			if !strings.HasPrefix(strings.NewReplacer("-", " ", "_", " ").Replace(strings.ToLower(l)), p) {
				continue
			}
			if found >= 0 {
				return 0, input("%s: both %q and %q may be meant: name one", what, labels[found], l)
			}
			found = i
		}
		if found >= 0 {
			return found, nil
		}
	}
	return 0, input("%s: none of the head's labels (%s) has such a name: if this is a model of natural language inference, name one by its name or number "+
		"(--%[1]s on the command line, ZeroShotOptions or NLIOptions in Go)", what, strings.Join(labels, ", "))
}

// hypotheses puts each label into the template.
func hypotheses(template string, labels []string) ([]string, error) {
	if template == "" {
		template = DefaultTemplate
	}
	if err := engine.CheckUTF8("the template", template); err != nil {
		return nil, err
	}
	if !strings.Contains(template, "{}") {
		return nil, input("the template %q has no {}, where a label's place is", template)
	}
	if err := distinct(labels, "choose from"); err != nil {
		return nil, err
	}
	var list []string
	for _, l := range labels {
		list = append(list, strings.ReplaceAll(template, "{}", l))
	}
	return list, nil
}

// Classify labels texts. Results come in input order. If text and hypothesis are too long, only the
// text is cut, never the hypothesis. For several windows, a label's score is computed from the mean
// of its logits, or with runtime.JoinMax it is that of its best window.
func (z *ZeroShot) Classify(ctx context.Context, texts, labels []string, o ZeroShotOptions) ([]ZeroShotResult, error) {
	list, err := hypotheses(o.Template, labels)
	if err != nil {
		return nil, err
	}
	m, err := z.meant(o)
	if err != nil {
		return nil, err
	}
	c := len(list)
	inputs := make([]runtime.Text, 0, len(texts)*c)
	for _, t := range texts {
		for _, h := range list {
			inputs = append(inputs, runtime.Text{First: t, Second: h, Pair: true})
		}
	}
	multi := o.Multi || c == 1
	if multi && m.unknown != nil {
		return nil, m.unknown
	}
	logits, seen, err := z.joined(ctx, inputs, cutting{engine.CutFirst, "hypothesis", "text"}, func(out []float32) float64 {
		if multi {
			return float64(out[m.entail]) - float64(out[m.contradict])
		}
		return float64(out[m.entail])
	})
	if err != nil {
		return nil, renumbered(err, labels)
	}
	results := make([]ZeroShotResult, len(texts))
	scores := make([]float64, c)
	for n := range results {
		r := &results[n]
		// For two logits, the first element of the softmax is the sigmoid of their difference.
		probabilities(scores, logits[n*c:(n+1)*c], multi)
		for i, l := range labels {
			r.Labels = append(r.Labels, LabelScore{l, i, scores[i]})
			if s := seen[n*c+i]; i == 0 || s.Tokens > r.Tokens {
				r.Seen = s
			}
		}
		slices.SortStableFunc(r.Labels, func(a, b LabelScore) int { return cmp.Compare(b.Score, a.Score) })
	}
	return results, nil
}

// renumbered turns an error of input i into an error of the caller's text, where each text became
// one input for each label. If the hypothesis is too long, it becomes an error of its label.
func renumbered(err error, labels []string) error {
	var t *runtime.TextError
	if each := len(labels); errors.As(err, &t) {
		var kept *engine.KeptError
		if errors.As(err, &kept) {
			return inputOf(kept, "label %q: %v", labels[t.Text%each], kept)
		}
		return &runtime.TextError{Text: t.Text / each, What: t.What, Err: t.Err}
	}
	return err
}
