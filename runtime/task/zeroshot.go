package task

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
)

// DefaultTemplate is the hypothesis that a label is put into.
const DefaultTemplate = "This example is {}."

// ZeroShotOptions are the settings of ZeroShot.Classify.
type ZeroShotOptions struct {
	// Template is the hypothesis; each {} in it is a label's place. "" stands for
	// DefaultTemplate.
	Template string
	// Multi says that several labels may hold: each gets a probability of its own, of
	// entailment against contradiction. Otherwise they share one: a softmax over the labels'
	// entailment logits. A single label is always judged by itself. Multi and a single label
	// need a head with a known label for contradiction.
	Multi bool
}

// LabelScore is one label with its score.
type LabelScore struct {
	Label string  `json:"label"`
	Index int     `json:"index"` // of the label, as the caller gave them
	Score float64 `json:"score"` // probability
}

// ZeroShotResult is the result for one text.
type ZeroShotResult struct {
	Labels []LabelScore `json:"labels"` // the best first, and of equals the one that was given first
	// Tokens, Truncated and Windows are those of the text with its longest hypothesis.
	runtime.Seen
}

// NLIOptions name the two labels of a head that matter, by name or number, where their
// names do not tell.
type NLIOptions struct{ Entailment, Contradiction string }

// ZeroShot labels texts with labels that the model never saw (Yin et al. 2019): a model of
// natural language inference reads each text as premise and each label, in a sentence, as
// hypothesis. It computes what the transformers library's zero-shot classification
// computes. It is safe for concurrent use.
type ZeroShot struct {
	head
	entail, contradict int   // contradict is -1 if it is not known …
	unknown            error // … and this says why
}

// NewZeroShot serves the named head ("" is the first), which must have a label for
// entailment. It is found by its name, which begins with "entail", in any case. The label
// for contradiction begins with "contra" or is "not_entailment"; of two labels it is the
// other one. Where it is not known, only several labels that share one probability can be
// judged (see ZeroShotOptions.Multi).
func NewZeroShot(core *runtime.Core, name string, o NLIOptions) (*ZeroShot, error) {
	h, err := newHead(core, name, "zero-shot classification", runtime.TaskLabels)
	if err != nil {
		return nil, err
	}
	labels, err := core.HeadLabels(h.index)
	if err != nil {
		return nil, err
	}
	z := &ZeroShot{head: h}
	if z.entail, err = labelNumber(labels, "entailment", o.Entailment, "entail"); err != nil {
		return nil, err
	}
	z.contradict, err = labelNumber(labels, "contradiction", o.Contradiction, "contra", "not entail", "non entail", "notentail", "nonentail")
	switch {
	case err != nil && o.Contradiction == "" && len(labels) == 2:
		z.contradict = 1 - z.entail
	case err != nil && o.Contradiction == "":
		z.contradict, z.unknown = -1, err
	case err != nil:
		return nil, err
	case z.entail == z.contradict:
		return nil, input("entailment and contradiction are both label %q", labels[z.entail])
	}
	return z, nil
}

// labelNumber finds a label: the one that the caller names, or the only one whose name,
// in lower case with spaces for - and _, begins with one of the prefixes.
func labelNumber(labels []string, what, named string, prefixes ...string) (int, error) {
	if err := runtime.CheckUTF8(what, named); err != nil {
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
	for _, p := range prefixes { // those in front are the surer sign
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
	return 0, input("%s: none of the head's labels (%s) is called so: if this is a model of natural language inference, name one by its name or number (--%[1]s on the command line, NLIOptions in Go)", what, strings.Join(labels, ", "))
}

// hypotheses puts each label into the template.
func hypotheses(template string, labels []string) ([]string, error) {
	if template == "" {
		template = DefaultTemplate
	}
	if err := runtime.CheckUTF8("the template", template); err != nil {
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

// Classify labels texts; results come in input order. Of a text that is too long only the
// text is cut, never the hypothesis. Over windows a label has the mean of its logits, or
// with runtime.JoinMax its best window.
func (z *ZeroShot) Classify(ctx context.Context, texts, labels []string, o ZeroShotOptions) ([]ZeroShotResult, error) {
	list, err := hypotheses(o.Template, labels)
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
	if multi && z.unknown != nil {
		return nil, z.unknown
	}
	logits, seen, err := z.joined(ctx, inputs, runtime.CutFirst, func(out []float32) float64 {
		if multi {
			return float64(out[z.entail]) - float64(out[z.contradict])
		}
		return float64(out[z.entail])
	})
	if err != nil {
		return nil, renumbered(err, c)
	}
	results := make([]ZeroShotResult, len(texts))
	scores := make([]float64, c)
	for n := range results {
		r := &results[n]
		// Of two logits, the softmax's first part is the sigmoid of their difference.
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

// renumbered is a fault of input i where each of the caller's texts became several inputs
// in a row, as one of the caller's text.
func renumbered(err error, each int) error {
	var t *runtime.TextError
	if errors.As(err, &t) {
		return &runtime.TextError{Text: t.Text / each, What: t.What, Err: t.Err}
	}
	return err
}
