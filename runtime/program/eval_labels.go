package program

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
)

var _ = examine(tasktable.Labels, (*evalFlags).examineLabels)

// labelEvaluator compares labels of texts.
type labelEvaluator struct {
	inChunks
	classifier *engine.Classifier
	labels     []string
	several    bool // labels do not exclude each other
	thresholds []float32
}

func (e *evalFlags) examineLabels(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	switch {
	case e.given["labels"]:
		return nil, usage("--labels: zero-shot classification is not evaluated; debertac eval --from scores its predictions")
	case h.C == 1 && !h.Independent && len(h.Labels) == 0:
		return e.examineScores(core, h, all)
	}
	k, err := engine.NewClassifier(core, h.Name)
	if err != nil {
		return nil, err
	}
	v := &labelEvaluator{classifier: k, labels: k.Labels(), several: h.Independent}
	switch {
	case e.given["threshold"] && !v.several:
		return nil, usage("--threshold chooses among labels that do not exclude each other; those of head %q do exclude each other: the best one is compared",
			h.Name)
	case v.several:
		v.thresholds, err = e.threshold.of(v.labels, 0.5)
	}
	if e.positive != "" && !slices.Contains(v.labels, e.positive) {
		return nil, usage("--positive %q: the model's labels are %s", e.positive, command.Shorten(strings.Join(v.labels, ", "), 200))
	}
	return v, err
}

// gold returns the numbers of the labels that hold for an example.
func (v *labelEvaluator) gold(x *example.Example) ([]int, error) {
	names := []string{x.Label}
	switch {
	case v.several && x.Labels != nil:
		names = *x.Labels
	case v.several && x.Label == "":
		return nil, errors.New(`it has no "labels", the classes that hold for its text`)
	case x.Label == "" && x.Labels != nil && len(*x.Labels) == 1:
		names = *x.Labels
	case x.Label == "" && x.Labels != nil:
		return nil, fmt.Errorf("it has %d labels, and this model chooses one label of a text", len(*x.Labels))
	case x.Label == "":
		return nil, errors.New(`it has no "label", the class of its text`)
	}
	list := []int{}
	for _, name := range names {
		i := labelIndex(v.labels, name)
		if i < 0 {
			return nil, fmt.Errorf("the model has no label %q (it has: %s)", command.Shorten(name, 40), command.Shorten(strings.Join(v.labels, ", "), 200))
		}
		list = append(list, i)
	}
	return list, nil
}

func (v *labelEvaluator) check(x *example.Example) error {
	if err := hasText(x); err != nil {
		return err
	}
	_, err := v.gold(x)
	return err
}

// hasText returns an error for an example that has something else in place of a text. An empty text is a text.
func hasText(x *example.Example) error {
	if x.Text != "" || x.Pair != nil {
		return nil
	}
	for _, other := range []struct {
		name string
		has  bool
	}{{"words", x.Words != nil}, {"question", x.Question != ""}, {"context", x.Context != ""}, {"query", x.Query != ""}, {"documents", x.Documents != nil},
		{"options", x.Options != nil}, {"target", x.Target != ""}} {
		if other.has {
			return fmt.Errorf("it has no \"text\", which this head reads; it has %q", other.name)
		}
	}
	return nil
}

func (v *labelEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	results := make([]runtime.Classification, len(examples))
	if err := byPairs(examples, func(at []int, texts []string, pairs [][2]string) error {
		dst := make([]runtime.Classification, len(at))
		var err error
		if pairs != nil {
			err = v.classifier.ClassifyPairsInto(ctx, dst, pairs)
		} else {
			err = v.classifier.ClassifyInto(ctx, dst, texts)
		}
		for k, i := range at {
			results[i] = dst[k]
		}
		return err
	}); err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		gold, err := v.gold(x)
		if err != nil {
			return nil, err
		}
		p, r := &list[i], &results[i]
		cut(p, r.Seen)
		p.Group = x.Group
		if v.several {
			v.judgeSeveral(p, r, gold)
			continue
		}
		score := float64(r.Score)
		p.Label, p.Gold, p.Score = r.Label, v.labels[gold[0]], &score
		if len(v.labels) == 2 {
			p.Positive = v.labels[1]
		}
		if x.Candidate != "" && len(x.Answers) > 0 { // ReCoRD: the candidate that is most probably right is the answer
			p.Answer, p.Answers = &x.Candidate, &prediction.Answers{}
			for _, a := range x.Answers {
				*p.Answers = append(*p.Answers, a.Text)
			}
		}
		sum(p, crossEntropy(r.Logits, gold[0]), 1)
	}
	return list, nil
}

// judgeSeveral fills the prediction of a text that may have several labels. The loss has a term for each label: log(1 + exp z) - y·z.
func (v *labelEvaluator) judgeSeveral(p *prediction.Prediction, r *runtime.Classification, gold []int) {
	chosen, _ := r.Above(v.thresholds...) // the thresholds were checked, and are as many as labels
	slices.Sort(chosen)
	predicted, right := []string{}, []string{}
	loss := 0.0
	for i, label := range v.labels {
		z := float64(r.Logits[i])
		loss += softplus(z)
		if slices.Contains(chosen, i) {
			predicted = append(predicted, label)
		}
		if slices.Contains(gold, i) {
			right = append(right, label)
			loss -= z
		}
	}
	p.Label, p.Gold = predicted, right
	sum(p, loss, float64(len(v.labels)))
}

// crossEntropy returns -log of the share of a class in the softmax of logits.
func crossEntropy(logits []float32, class int) float64 {
	most, total := math.Inf(-1), 0.0
	for _, z := range logits {
		most = math.Max(most, float64(z))
	}
	for _, z := range logits {
		total += math.Exp(float64(z) - most)
	}
	return most + math.Log(total) - float64(logits[class])
}

// byPairs calls f with the examples that are single texts, and then with those that are pairs, if there are any. at holds their indices.
func byPairs(examples []*example.Example, f func(at []int, texts []string, pairs [][2]string) error) error {
	var single, double []int
	var texts []string
	var pairs [][2]string
	for i, x := range examples {
		if x.Pair != nil {
			double, pairs = append(double, i), append(pairs, [2]string{x.Text, *x.Pair})
		} else {
			single, texts = append(single, i), append(texts, x.Text)
		}
	}
	if len(single) > 0 {
		if err := f(single, texts, nil); err != nil {
			return err
		}
	}
	if len(double) > 0 {
		return f(double, nil, pairs)
	}
	return nil
}
