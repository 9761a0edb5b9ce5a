package task

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// Question is a question about a context.
type Question struct {
	Question string `json:"question"`
	Context  string `json:"context"`
}

// AnswerRank is the value that answers are ordered by.
type AnswerRank string

// The two orders. Within one window they are the same.
const (
	RankScore AnswerRank = "score" // Answer.Score, as in the transformers library's pipeline
	RankLogit AnswerRank = "logit" // Answer.Logit, as in the evaluation script of SQuAD
)

// AnswerOptions holds the settings of Answerer.Answer. Zero values stand for the defaults.
type AnswerOptions struct {
	Best      int        // answers per question; 0: 1. If there are fewer, all are returned
	MaxTokens int        // most tokens of an answer; 0: 30, as in the evaluation script of SQuAD
	Rank      AnswerRank // order of answers; "": RankScore
	// WholeWords widens answers to whole words, as the tokenizer numbers them.
	WholeWords bool
	// NoAnswer allows the result "there is no answer", which wins if NullDifference is above
	// Threshold.
	NoAnswer  bool
	Threshold float64
	// Right holds the place of the right answer to each question in its context, for Answered.Loss:
	// the first byte and the byte after the last. An empty place stands for "no answer". nil: no
	// loss is computed.
	Right [][2]int
}

// Answer is a part of the context that may be the answer.
type Answer struct {
	Part
	// Score is p_start·p_end. Both are softmaxes of a window's logits over the context's tokens and
	// the first token ([CLS], which stands for "no answer").
	Score float64 `json:"score"`
	// Logit is the sum of the start logit of the answer's first token and the end logit of its last
	// token.
	Logit float64 `json:"logit"`
	// Probability is the softmax of the logits of this question's answers and, with the option
	// NoAnswer, of the null answer, as in the n-best list of SQuAD's script.
	Probability float64 `json:"probability"`
}

// Answered is the result for one question.
type Answered struct {
	// Answers holds the best answers in their order. No two have the same place. It is empty if the
	// context has no words.
	Answers []Answer `json:"answers"`
	// NoAnswer reports that the option NoAnswer was set and "no answer" won, or that there are no
	// answers. If it won, Answers holds the answers that follow it.
	NoAnswer bool `json:"no_answer"`
	// NullLogit is the sum of the start and end logit of the first token, and NullScore the product
	// of their probabilities. Both are the lowest of all windows, because a question has no answer
	// only if no window answers it.
	NullLogit float64 `json:"null_logit"`
	NullScore float64 `json:"null_score"`
	// NullDifference is NullLogit minus the highest Logit of an answer (the "null score difference"
	// of SQuAD 2.0); 0 if there are no answers.
	NullDifference float64 `json:"null_difference"`
	// Loss is, with the option Right, the sum over the windows of half the cross entropies of the
	// start and the end of the right answer, among all tokens of the window. In a window that does
	// not hold the whole answer the first token is right, as in trainings. Terms is the number of
	// windows; 0 if the answer has no tokens.
	Loss  float64 `json:"-"`
	Terms int     `json:"-"`
	runtime.Seen
}

// Best returns the text of the best answer, or "" if NoAnswer is set.
func (a *Answered) Best() string {
	if a.NoAnswer || len(a.Answers) == 0 {
		return ""
	}
	return a.Answers[0].Text
}

// Answerer finds answers to questions in texts (extractive question answering). It is safe for
// concurrent use.
type Answerer struct{ head }

// NewAnswerer returns an Answerer for the named head; "" means the first head. The head must have
// start and end logits for each token.
func NewAnswerer(core *engine.Core, name string) (*Answerer, error) {
	h, err := newHead(core, name, "Answerer")
	if err != nil {
		return nil, err
	}
	return &Answerer{h}, nil
}

// check fills in the defaults and returns an error for invalid settings.
func (o *AnswerOptions) check() error {
	switch {
	case o.Best < 0:
		return input("Best is %d: it must be 1 or more, or 0 for the default of 1", o.Best)
	case o.MaxTokens < 0:
		return input("MaxTokens is %d: it must be 1 or more, or 0 for the default of 30", o.MaxTokens)
	case o.Rank != "" && o.Rank != RankScore && o.Rank != RankLogit:
		return input("rank %q: it must be score or logit", o.Rank)
	case math.IsNaN(o.Threshold):
		return input("Threshold is NaN: it must be a number, the difference above which there is no answer")
	}
	if o.Best == 0 {
		o.Best = 1
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 30
	}
	return nil
}

// Answer answers questions. Results come in input order. If question and context together are too
// long, the model's policy cuts the context. The question is never cut and is repeated in every
// window.
func (a *Answerer) Answer(ctx context.Context, questions []Question, o AnswerOptions) ([]Answered, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	if o.Right != nil && len(o.Right) != len(questions) {
		return nil, input("%d right answers for %d questions: give one for each", len(o.Right), len(questions))
	}
	texts := make([]runtime.Text, len(questions))
	for i, q := range questions {
		texts[i] = runtime.Text{First: q.Question, Second: q.Context, Pair: true}
	}
	results := make([]Answered, len(questions))
	var at places
	seen, err := a.run(ctx, texts, stream{
		spans: true, cutting: cutting{engine.CutSecond, "question", "context"},
		take: func(w *engine.Window, e *engine.Encoded, out []float32) error {
			r := &results[w.Text]
			if w.Index == 0 {
				at = places{text: questions[w.Text].Context}
				r.NullLogit, r.NullScore = math.Inf(1), math.Inf(1)
			}
			a.window(r, &at, w, e, out, &o)
			if o.Right != nil {
				r.judge(o.Right[w.Text], w, e, out)
			}
			if w.Index == w.Count-1 {
				r.finish(&o)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}

// window adds the answers in one window to the best answers so far.
func (a *Answerer) window(r *Answered, at *places, w *engine.Window, e *engine.Encoded, out []float32, o *AnswerOptions) {
	n := w.SecondEnd - w.Second
	// Index 0 is the first token, index 1+i is the context's token Second+i.
	var logits, p [2][]float64
	for side := range 2 {
		z := make([]float64, 1+n)
		z[0] = float64(out[side])
		for i := range n {
			z[1+i] = float64(out[2*(w.SecondRow+i)+side])
		}
		logits[side], p[side] = z, make([]float64, 1+n)
		probabilities(p[side], z, false)
	}
	r.NullLogit = min(r.NullLogit, logits[0][0]+logits[1][0])
	r.NullScore = min(r.NullScore, p[0][0]*p[1][0])
	spans := e.Spans[w.Second:w.SecondEnd]
	list := r.Answers
	place := map[[2]int]int{} // indices into list
	index := func() {
		clear(place)
		for i := range list {
			place[[2]int{list[i].Start, list[i].End}] = i
		}
	}
	index()
	floor := math.Inf(-1) // once there are enough answers, the value that a further one needs
	for s := range n {
		for t := s; t < s+min(n-s, o.MaxTokens); t++ {
			c := Answer{Score: p[0][1+s] * p[1][1+t], Logit: logits[0][1+s] + logits[1][1+t]}
			if o.value(&c) < floor {
				continue
			}
			if len(list)/4 >= o.Best { // keeps the list short
				list = o.cut(list)
				index()
				floor = o.value(&list[len(list)-1])
			}
			first, last := s, t
			for o.WholeWords && first > 0 && spans[first-1].Word == spans[first].Word {
				first--
			}
			for o.WholeWords && last+1 < n && spans[last+1].Word == spans[last].Word {
				last++
			}
			c.Part = at.part(int(spans[first].Start), int(spans[last].End))
			if c.Text == "" {
				continue // white space, or a token that stands for nothing
			}
			key := [2]int{c.Start, c.End}
			if i, ok := place[key]; !ok {
				place[key] = len(list)
				list = append(list, c)
			} else if o.order(&c, &list[i]) < 0 {
				list[i] = c
			}
		}
	}
	r.Answers = o.cut(list)
}

// value returns the value that answers are ordered by.
func (o *AnswerOptions) value(a *Answer) float64 {
	if o.Rank == RankLogit {
		return a.Logit
	}
	return a.Score
}

// order compares answers: the better one comes first; ties: the one that begins earlier, then the
// shorter one.
func (o *AnswerOptions) order(x, y *Answer) int {
	return cmp.Or(cmp.Compare(o.value(y), o.value(x)), cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End))
}

// cut sorts a list and keeps the best answers.
func (o *AnswerOptions) cut(list []Answer) []Answer {
	slices.SortFunc(list, func(x, y Answer) int { return o.order(&x, &y) })
	return list[:min(len(list), o.Best)]
}

// finish completes a result after its last window.
func (r *Answered) finish(o *AnswerOptions) {
	if len(r.Answers) == 0 {
		r.Answers, r.NoAnswer = []Answer{}, true
		return
	}
	top := math.Inf(-1)
	var z []float64
	for _, x := range r.Answers {
		top = max(top, x.Logit)
		z = append(z, x.Logit)
	}
	r.NullDifference = r.NullLogit - top
	r.NoAnswer = o.NoAnswer && r.NullDifference > o.Threshold
	if o.NoAnswer {
		z = append(z, r.NullLogit)
	}
	p := make([]float64, len(z))
	probabilities(p, z, false)
	for i := range r.Answers {
		r.Answers[i].Probability = p[i]
	}
}
