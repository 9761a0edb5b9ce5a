package task

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
)

// RankOptions are the settings of Ranker.Rank.
type RankOptions struct {
	// Sigmoid turns the logit of a head with one output into a number from 0 to 1. It
	// changes no order. Heads with labels always give a probability.
	Sigmoid bool
	// Top is the number of results, the best ones; 0: all.
	Top int
	// Positive is, for heads with several labels, the name or number of the one that says
	// that a document fits. "" stands for the second of two labels, else for the one whose
	// name begins with "relevant", "positive", "entail", "true" or "yes".
	Positive string
}

// Ranked is one document with its score.
type Ranked struct {
	Index int     `json:"index"` // of the document, as the caller gave them
	Text  string  `json:"text"`  // the document
	Score float64 `json:"score"` // higher fits better
	runtime.Seen
}

// Ranker orders documents by how well they fit a query: the model reads each with the
// query, as a pair (a cross-encoder; Nogueira and Cho 2019). It is safe for concurrent
// use.
type Ranker struct {
	head
	labels []string // nil: one logit
}

// NewRanker serves the named head ("" is the first), which must give one number a
// sequence, or labels.
func NewRanker(core *runtime.Core, name string) (*Ranker, error) {
	h, err := newHead(core, name, "ranking", []runtime.Task{runtime.TaskScore, runtime.TaskLabels, runtime.TaskChoices}, []runtime.Rows{runtime.PerSequence}, 0)
	if err != nil {
		return nil, err
	}
	r := &Ranker{head: h}
	if h.C > 1 {
		r.labels, err = core.HeadLabels(h.index)
	}
	return r, err
}

// positive is the number of the label that counts.
func (r *Ranker) positive(named string) (int, error) {
	if r.C == 1 && named != "" {
		return 0, input("positive label %q: the head gives one number and has no labels", named)
	}
	if named == "" && r.C <= 2 {
		return r.C - 1, nil
	}
	return labelNumber(r.labels, "positive label", named, "relevant", "positive", "entail", "true", "yes")
}

// Rank gives the documents in the order of their scores, the best first, and of equals the
// one that was given first. Of a pair that is too long only the document is cut. Over its
// windows a document has the mean of their scores (of a single logit, of the logits), or
// with runtime.JoinMax the best.
func (r *Ranker) Rank(ctx context.Context, query string, documents []string, o RankOptions) ([]Ranked, error) {
	positive, err := r.positive(o.Positive)
	switch {
	case err != nil:
		return nil, err
	case o.Top < 0:
		return nil, input("the %d best documents: it must not be negative", o.Top)
	case strings.TrimSpace(query) == "":
		return nil, input("the query is empty")
	}
	inputs := make([]runtime.Text, len(documents))
	for i, d := range documents {
		inputs[i] = runtime.Text{First: query, Second: d, Pair: true}
	}
	scores, seen, err := r.scores(ctx, inputs, positive)
	if err != nil {
		return nil, err
	}
	results := make([]Ranked, len(documents))
	for i := range results {
		if r.C == 1 && (o.Sigmoid || r.Independent) {
			scores[i] = sigmoid(scores[i])
		}
		results[i] = Ranked{i, documents[i], scores[i], seen[i]}
	}
	slices.SortStableFunc(results, func(a, b Ranked) int { return descending(a.Score, b.Score) })
	if o.Top > 0 && o.Top < len(results) {
		results = results[:o.Top]
	}
	return results, nil
}

// scores computes the pairs: the logit of a head with one output, else the label's
// probability.
func (r *Ranker) scores(ctx context.Context, inputs []runtime.Text, positive int) ([]float64, []runtime.Seen, error) {
	best := r.core.Options().Join == runtime.JoinMax
	scores := make([]float64, len(inputs))
	logits, p := make([]float64, r.C), make([]float64, r.C)
	_, seen, err := r.run(ctx, inputs, stream{cutting: runtime.CutSecond, take: func(w *runtime.Window, _ *runtime.Encoded, out []float32) error {
		for j, v := range out {
			logits[j] = float64(v)
		}
		v := logits[positive]
		if r.C > 1 {
			probabilities(p, logits, r.Independent)
			v = p[positive]
		}
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return input("text %d: the model's outputs are no numbers: the weights may be damaged, see debertac doctor", w.Text)
		}
		x := &scores[w.Text]
		if w.Index == 0 {
			*x = v
		} else if best {
			*x = max(*x, v)
		} else {
			*x += v
		}
		if !best && w.Index == w.Count-1 {
			*x /= float64(w.Count)
		}
		return nil
	}})
	return scores, seen, err
}
