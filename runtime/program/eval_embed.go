package program

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

var (
	_ = examine(tasktable.Vector, (*evalFlags).examineVectors)
	_ = examine(tasktable.Hidden, (*evalFlags).examineVectors)
)

// vectorEvaluator compares vectors: the cosine of pairs with their scores, or texts with the one that means the same among others.
type vectorEvaluator struct {
	embedder *task.Embedder
	o        task.EmbedOptions
	size     int  // examples whose texts are compared with each other
	scored   bool // the examples are pairs with scores

	temperature float64 // of the contrastive loss; 0: it is not known, so there is no loss
}

func (e *evalFlags) examineVectors(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	m, o, err := e.embedder(core, h)
	if err != nil {
		return nil, err
	}
	v := &vectorEvaluator{embedder: m, o: o, size: evenly(all.n, e.candidates), scored: all.first.Score != nil, temperature: h.Temperature}
	if !v.scored && all.n == 1 && len(all.first.Negatives) == 0 {
		return nil, usage("there is one example, and no other text to compare its positive with: give more, or negatives")
	}
	return v, nil
}

// evenly returns the size of parts of n examples, of about the wanted size, so that no part has a single example.
func evenly(n, size int) int {
	parts := (n + size - 1) / size
	size = (n + parts - 1) / parts
	for n > 1 && n%size == 1 {
		size++
	}
	return size
}

func (v *vectorEvaluator) chunk() int {
	if v.scored {
		return chunkSize
	}
	return v.size
}

// right returns the text that means the same, or that the score is about.
func (v *vectorEvaluator) right(x *example.Example) string {
	if x.Positive == "" && x.Pair != nil {
		return *x.Pair
	}
	return x.Positive
}

func (v *vectorEvaluator) check(x *example.Example) error {
	switch {
	case x.Positive == "" && x.Pair == nil:
		return errors.New(`it has no "positive", a text that means the same, and no "pair" with a "score"`)
	case v.scored != (x.Score != nil):
		return errors.New("some examples have a score, and others have none: evaluate them separately")
	}
	return hasText(x)
}

func (v *vectorEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	var texts []string
	for _, x := range examples {
		texts = append(texts, x.Text, v.right(x))
	}
	for _, x := range examples {
		texts = append(texts, x.Negatives...)
	}
	vectors, err := v.embedder.Embed(ctx, texts, v.o)
	if err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	negatives := 2 * len(examples) // the first one of the example
	for i, x := range examples {
		p, own := &list[i], vectors[2*i].Vector
		cut(p, vectors[2*i].Seen, vectors[2*i+1].Seen)
		if v.scored {
			similar := cosine(own, vectors[2*i+1].Vector)
			p.Score, p.Gold = &similar, *x.Score
			if v.temperature == 0 { // contrastive does not know scores
				sum(p, (similar-*x.Score)*(similar-*x.Score), 1)
			}
			continue
		}
		gold := []float64{}
		for k, other := range examples {
			if k != i && v.right(other) == v.right(x) {
				continue // it is right here too
			}
			p.Scores = append(p.Scores, cosine(own, vectors[2*k+1].Vector))
			gold = append(gold, map[bool]float64{true: 1}[k == i])
		}
		for range x.Negatives {
			p.Scores, gold = append(p.Scores, cosine(own, vectors[negatives].Vector)), append(gold, 0)
			negatives++
		}
		p.Gold = gold
		if len(gold) == 1 {
			return nil, errors.New("there is no other text to compare its positive with")
		}
		if v.temperature > 0 {
			sum(p, v.loss(i, len(examples), vectors), 1)
		}
	}
	return list, nil
}

// loss returns the contrastive loss of an example beside n-1 others, as in a batch of a training: the cross entropy of its cosine with the right text among
// those with the right texts and the negatives of all of them. vectors has the text and the right text of each, then all negatives.
func (v *vectorEvaluator) loss(i, n int, vectors []task.Embedding) float64 {
	var z []float64
	for k := 1; k < len(vectors); k++ {
		if k >= 2*n || k%2 == 1 { // not the text of an example
			z = append(z, cosine(vectors[2*i].Vector, vectors[k].Vector)/v.temperature)
		}
	}
	top, rest := slices.Max(z), 0.0
	for _, x := range z {
		rest += math.Exp(x - top)
	}
	return top + math.Log(rest) - z[i]
}

// cosine returns the cosine of the angle between two vectors; 0 if one of them has no direction.
func cosine(a, b []float32) float64 {
	var ab, aa, bb float64
	for i := range a {
		x, y := float64(a[i]), float64(b[i])
		ab, aa, bb = ab+x*y, aa+x*x, bb+y*y
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return ab / math.Sqrt(aa*bb)
}
