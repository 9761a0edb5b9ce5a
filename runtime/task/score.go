package task

import (
	"context"

	"github.com/debertac/debertac/runtime"
)

// Score is the result for one text or pair.
type Score struct {
	Score float64 `json:"score"` // what the head computed, as it is; over windows the mean
	runtime.Seen
}

// Scorer gives one number a text: similarity, quality, reward, relevance. It is safe for
// concurrent use.
type Scorer struct{ head }

// NewScorer serves the named head ("" is the first), which must give one number a
// sequence.
func NewScorer(core *runtime.Core, name string) (*Scorer, error) {
	h, err := newHead(core, name, "scoring", runtime.TaskScore, runtime.TaskLabels)
	if err != nil {
		return nil, err
	}
	if h.C != 1 {
		return nil, input("head %q of this model gives %d numbers a sequence; scoring needs one", h.Name, h.C)
	}
	return &Scorer{h}, nil
}

// Score scores texts; results come in input order.
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
	}
	return results, nil
}
