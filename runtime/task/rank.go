package task

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// RankOptions holds the settings of Ranker.Rank.
type RankOptions struct {
	// Sigmoid turns the logit of a head with one output into a number from 0 to 1. It changes no
	// order. Heads with labels return a probability in any case. If Sigmoid is not set and the
	// model's folder names a function for scores (see ActivationKey), this function is applied to
	// the logit.
	Sigmoid bool
	// Top is the number of results, best first; 0: all.
	Top int
	// Positive is, for heads with several labels, the name or index of the label that means that a
	// document fits. "" stands for the second of two labels, else for the one whose name begins
	// with "relevant", "positive", "entail", "true" or "yes".
	Positive string
}

// Ranked is one document with its score.
type Ranked struct {
	Index int     `json:"index"` // index of the document in the caller's list
	Text  string  `json:"text"`  // the document
	Score float64 `json:"score"` // higher fits better
	runtime.Seen
}

// Ranker orders documents by how well they fit a query. The model reads each document together with
// the query, as a pair (a cross-encoder; Nogueira and Cho 2019). It is safe for concurrent use.
type Ranker struct {
	head
	labels     []string              // nil: the head has one logit
	activation func(float64) float64 // named by the model's folder; nil: no function
}

// NewRanker returns a Ranker for the named head; "" means the first head. The head must have one
// number per sequence, or labels.
func NewRanker(core *engine.Core, name string) (*Ranker, error) {
	h, err := newHead(core, name, "Ranker")
	if err != nil {
		return nil, err
	}
	r := &Ranker{head: h}
	if r.activation, err = activation(core); err != nil {
		return nil, err
	}
	if h.C > 1 {
		r.labels, err = core.HeadLabels(h.index)
	}
	return r, err
}

// positive returns the index of the label that means that a document fits.
func (r *Ranker) positive(named string) (int, error) {
	if r.C == 1 && named != "" {
		return 0, input("positive label %q: the head has one number per document and no labels", named)
	}
	if named == "" && r.C <= 2 {
		return r.C - 1, nil
	}
	return labelNumber(r.labels, "positive label", named, "relevant", "positive", "entail", "true", "yes")
}

// Rank returns the documents in the order of their scores, best first; ties: in the order of the
// input. If a pair is too long, only the document is cut. If a document has several windows, its
// score is the mean of their scores (for a single logit, of the logits), or with runtime.JoinMax
// the best.
func (r *Ranker) Rank(ctx context.Context, query string, documents []string, o RankOptions) ([]Ranked, error) {
	positive, err := r.positive(o.Positive)
	switch {
	case err != nil:
		return nil, err
	case o.Top < 0:
		return nil, input("Top is %d: it must be 1 or more, or 0 for all documents", o.Top)
	case strings.TrimSpace(query) == "":
		return nil, input("the query is empty")
	}
	if err := engine.CheckUTF8("the query", query); err != nil {
		return nil, err
	}
	inputs := make([]runtime.Text, len(documents))
	for i, d := range documents {
		inputs[i] = runtime.Text{First: query, Second: d, Pair: true}
	}
	scores, seen, err := r.joined(ctx, inputs, cutting{engine.CutSecond, "query", "document"}, r.value(positive))
	if err != nil {
		return nil, ofQuery(err)
	}
	results := make([]Ranked, len(documents))
	for i := range results {
		switch {
		case r.C == 1 && r.activation != nil && !o.Sigmoid:
			scores[i] = r.activation(scores[i])
		case r.C == 1 && (o.Sigmoid || r.Independent):
			scores[i] = sigmoid(scores[i])
		}
		results[i] = Ranked{i, documents[i], scores[i], seen[i]}
	}
	slices.SortStableFunc(results, func(a, b Ranked) int { return cmp.Compare(b.Score, a.Score) })
	if o.Top > 0 && o.Top < len(results) {
		results = results[:o.Top]
	}
	return results, nil
}

// ofQuery turns the error of a document that is in truth the query's into an error of the query.
func ofQuery(err error) error {
	var kept *engine.KeptError
	if errors.As(err, &kept) {
		return kept
	}
	return err
}

// value returns the function that computes a window's value from its outputs: the logit of a head
// with one output, else the label's probability.
func (r *Ranker) value(positive int) func(out []float32) float64 {
	logits, p := make([]float64, r.C), make([]float64, r.C)
	return func(out []float32) float64 {
		for j, v := range out {
			logits[j] = float64(v)
		}
		if r.C == 1 {
			return logits[positive]
		}
		probabilities(p, logits, r.Independent)
		return p[positive]
	}
}
