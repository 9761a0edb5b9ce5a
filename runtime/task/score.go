package task

import (
	"context"
	"math"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// Score is the result for one text or pair.
type Score struct {
	// Score is the number that the head computes; for several windows their mean. If the model's
	// folder names a function for scores (see ActivationKey), this function is applied to it.
	Score float64 `json:"score"`
	runtime.Seen
}

// ActivationKey is the key in engine.Meta.Extra for the function that a folder applies to the
// output of its head: "sigmoid" or "tanh". Without this key no function is applied.
const ActivationKey = "activation"

// activation returns the function that the weights name for scores, or nil if they name none.
func activation(core *engine.Core) (func(float64) float64, error) {
	switch name := core.Meta().Extra[ActivationKey]; name {
	case "":
		return nil, nil
	case "sigmoid":
		return sigmoid, nil
	case "tanh":
		return math.Tanh, nil
	default:
		return nil, core.MetaError("%s is %q, which this version does not know", ActivationKey, name)
	}
}

// ScoreActivation returns the function that the model's folder applies to the output of its head,
// or the identity if it names none.
func ScoreActivation(core *engine.Core) (func(logit float64) float64, error) {
	f, err := activation(core)
	if f == nil {
		f = func(logit float64) float64 { return logit }
	}
	return f, err
}

// Scorer computes one number per text: similarity, quality, reward, relevance. It is safe for
// concurrent use.
type Scorer struct {
	head
	activation func(float64) float64 // nil: no function
}

// NewScorer returns a Scorer for the named head; "" means the first head. The head must have one
// number per sequence.
func NewScorer(core *engine.Core, name string) (*Scorer, error) {
	h, err := newHead(core, name, "Scorer")
	if err != nil {
		return nil, err
	}
	if h.C != 1 {
		return nil, input("head %q of this model has %d numbers per sequence; scoring needs one", h.Name, h.C)
	}
	s := &Scorer{head: h}
	s.activation, err = activation(core)
	return s, err
}

// Score scores texts. Results come in input order.
func (s *Scorer) Score(ctx context.Context, texts []string) ([]Score, error) {
	return s.score(ctx, singles(texts))
}

// ScorePairs scores pairs of texts, such as a prompt and an answer.
func (s *Scorer) ScorePairs(ctx context.Context, texts [][2]string) ([]Score, error) {
	return s.score(ctx, pairs(texts))
}

func (s *Scorer) score(ctx context.Context, texts []runtime.Text) ([]Score, error) {
	values, seen, err := s.means(ctx, texts)
	if err != nil {
		return nil, err
	}
	results := make([]Score, len(texts))
	for i := range results {
		results[i] = Score{values[i][0], seen[i]}
		if s.activation != nil {
			results[i].Score = s.activation(values[i][0])
		}
	}
	return results, nil
}
