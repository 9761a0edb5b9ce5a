package program

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

var _ = examine(tasktable.Score, (*evalFlags).examineScores)

// scoreEvaluator compares numbers of texts, or the order of documents by their numbers.
type scoreEvaluator struct {
	inChunks
	classifier *engine.Classifier // its task may be that of labels with a single number
	activation func(float64) float64
	lists      bool // the examples are lists of documents
	queried    bool // and the lists have a query
}

func (e *evalFlags) examineScores(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	k, err := engine.NewClassifier(core, h.Name)
	if err != nil {
		return nil, err
	}
	v := &scoreEvaluator{classifier: k, lists: len(all.first.Documents) > 0, queried: first(all.first.Query, all.first.Text) != ""}
	v.activation, err = task.ScoreActivation(core)
	return v, err
}

func (v *scoreEvaluator) check(x *example.Example) error {
	switch {
	case !v.lists && len(x.Documents) > 0:
		return errors.New("it has documents, and the first example is one text: evaluate lists and texts separately")
	case !v.lists:
		if _, err := scoreOf(x); err != nil {
			return err
		}
		return hasText(x)
	case v.queried != (first(x.Query, x.Text) != ""):
		return errors.New("some lists of documents have a query, and others have none: evaluate them separately")
	case len(x.Documents) < 2:
		return fmt.Errorf("it has %d documents: there must be at least two to compare", len(x.Documents))
	case x.Scores != nil && len(x.Scores) != len(x.Documents):
		return fmt.Errorf("it has %d scores for %d documents: there must be one for each", len(x.Scores), len(x.Documents))
	}
	return nil
}

func (v *scoreEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	if v.lists {
		return v.rank(ctx, examples)
	}
	list := make([]prediction.Prediction, len(examples))
	return list, byPairs(examples, func(at []int, texts []string, pairs [][2]string) error {
		scores, seen, err := v.numbers(ctx, texts, pairs)
		if err != nil {
			return err
		}
		for k, i := range at {
			p := &list[i]
			want, _ := scoreOf(examples[i]) // it was checked
			p.Score, p.Gold, p.Group = &scores[k], want, examples[i].Group
			cut(p, seen[k])
			sum(p, (scores[k]-want)*(scores[k]-want), 1)
		}
		return nil
	})
}

// scoreOf returns the right number for an example: its score, or its label if that is a number.
func scoreOf(x *example.Example) (float64, error) {
	if x.Score != nil {
		return *x.Score, nil
	}
	n, err := strconv.ParseFloat(x.Label, 64)
	switch {
	case x.Label == "":
		return 0, errors.New(`it has no "score", the number that is right for its text`)
	case err != nil || math.IsNaN(n) || math.IsInf(n, 0):
		return 0, fmt.Errorf("its label %q is not a number", command.Shorten(x.Label, 40))
	}
	return n, nil
}

// numbers returns the numbers of texts, or of pairs.
func (v *scoreEvaluator) numbers(ctx context.Context, texts []string, pairs [][2]string) ([]float64, []runtime.Seen, error) {
	dst := make([]runtime.Classification, len(texts)+len(pairs))
	var err error
	if pairs != nil {
		err = v.classifier.ClassifyPairsInto(ctx, dst, pairs)
	} else {
		err = v.classifier.ClassifyInto(ctx, dst, texts)
	}
	scores, seen := make([]float64, len(dst)), make([]runtime.Seen, len(dst))
	for i := range dst {
		if err == nil {
			scores[i], seen[i] = v.activation(float64(dst[i].Logits[0])), dst[i].Seen
		}
	}
	return scores, seen, err
}

// rank scores the documents of each example: beside its query, or beside its text, or alone. The loss is that of pairs: log(1 + exp(z' - z)) for each pair of
// which z is to be the higher one.
func (v *scoreEvaluator) rank(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	var texts []string
	var pairs [][2]string
	for _, x := range examples {
		for _, d := range x.Documents {
			if before := first(x.Query, x.Text); before != "" {
				pairs = append(pairs, [2]string{before, d})
			} else {
				texts = append(texts, d)
			}
		}
	}
	scores, seen, err := v.numbers(ctx, texts, pairs)
	if err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		n := len(x.Documents)
		p := &list[i]
		p.Scores = scores[:n:n]
		cut(p, seen[:n]...)
		scores, seen = scores[n:], seen[n:]
		gold := relevance(x)
		p.Gold = gold
		loss, terms := 0.0, 0.0
		for a := range n {
			for b := range n {
				if gold[a] > gold[b] {
					loss += softplus(p.Scores[b] - p.Scores[a])
					terms++
				}
			}
		}
		if terms > 0 {
			sum(p, loss, terms)
		}
	}
	return list, nil
}

// first returns the first text that is not empty.
func first(texts ...string) string {
	for _, t := range texts {
		if t != "" {
			return t
		}
	}
	return ""
}

// relevance returns the scores of an example's documents. Without scores they count down to 0, because the better ones come first.
func relevance(x *example.Example) []float64 {
	if x.Scores != nil {
		return x.Scores
	}
	gold := make([]float64, len(x.Documents))
	for i := range gold {
		gold[i] = float64(len(gold) - 1 - i)
	}
	return gold
}

// softplus returns log(1 + exp z).
func softplus(z float64) float64 { return math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z))) }
