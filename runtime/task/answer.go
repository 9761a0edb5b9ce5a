package task

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
)

// Question is a question about a context.
type Question struct {
	Question string `json:"question"`
	Context  string `json:"context"`
}

// AnswerRank says what answers from several windows are ordered by.
type AnswerRank string

// The two orders; of one window they are the same.
const (
	RankScore AnswerRank = "score" // Answer.Score, as the transformers library's pipeline
	RankLogit AnswerRank = "logit" // Answer.Logit, as the evaluation script of SQuAD
)

// AnswerOptions are the settings of Answerer.Answer. Zeros stand for the defaults.
type AnswerOptions struct {
	Best      int        // answers per question; 0: 1. More than there are stands for all
	MaxTokens int        // most tokens of an answer; 0: 30, as in the evaluation script of SQuAD
	Rank      AnswerRank // order of answers; "": RankScore
	// WholeWords widens answers to the words (as the tokenizer numbers them) that they begin
	// and end in.
	WholeWords bool
	// NoAnswer lets "there is no answer" win: if NullDifference is above Threshold.
	NoAnswer  bool
	Threshold float64
}

// Answer is a part of the context that may be the answer.
type Answer struct {
	Part
	// Score is p_start·p_end, softmaxes of a window's start and end logits over the first
	// token ([CLS], which stands for "no answer") and the context's tokens.
	Score float64 `json:"score"`
	// Logit is the sum of the start logit of the first token and the end logit of the
	// last.
	Logit float64 `json:"logit"`
	// Probability is the softmax of the logits of this question's answers and, with
	// NoAnswer, of the null answer, as in the n-best list of SQuAD's script.
	Probability float64 `json:"probability"`
}

// Answered is the result for one question.
type Answered struct {
	// Answers are the best ones in their order, each place at most once. There are none if
	// the context has no words.
	Answers []Answer `json:"answers"`
	// NoAnswer says that the options allow "no answer" and that it won, or that there are
	// no answers. Answers then are what would have come next.
	NoAnswer bool `json:"no_answer"`
	// NullLogit is the sum of start and end logit of the first token, NullScore the product
	// of their probabilities: the lowest of all windows, as only a question that no window
	// answers has no answer.
	NullLogit float64 `json:"null_logit"`
	NullScore float64 `json:"null_score"`
	// NullDifference is NullLogit minus the highest Logit of an answer (SQuAD 2.0's
	// "null score difference"); 0 without answers.
	NullDifference float64 `json:"null_difference"`
	runtime.Seen
}

// Best is the answer that counts: the first, or "" for none.
func (a *Answered) Best() string {
	if a.NoAnswer || len(a.Answers) == 0 {
		return ""
	}
	return a.Answers[0].Text
}

// Answerer finds answers to questions in texts (extractive question answering). It is safe
// for concurrent use.
type Answerer struct{ head }

// NewAnswerer serves the named head ("" is the first), which must give start and end
// logits a token.
func NewAnswerer(core *runtime.Core, name string) (*Answerer, error) {
	h, err := newHead(core, name, "question answering", runtime.TaskSpan)
	if err != nil {
		return nil, err
	}
	return &Answerer{h}, nil
}

// check sets the defaults and finds what no call takes.
func (o *AnswerOptions) check() error {
	switch {
	case o.Best < 0:
		return input("Best is %d: it must be 1 or more, or 0 for the default of 1", o.Best)
	case o.MaxTokens < 0:
		return input("MaxTokens is %d: it must be 1 or more, or 0 for the default of 30", o.MaxTokens)
	case o.Rank != "" && o.Rank != RankScore && o.Rank != RankLogit:
		return input("rank %q: it must be score or logit", o.Rank)
	case math.IsNaN(o.Threshold):
		return input("Threshold is NaN: it must be a number, the difference of logits that no answer needs")
	}
	if o.Best == 0 {
		o.Best = 1
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 30
	}
	return nil
}

// Answer answers questions; results come in input order. If question and context are too
// long together, the model's policy cuts the context, never the question, which is
// repeated in every window.
func (a *Answerer) Answer(ctx context.Context, questions []Question, o AnswerOptions) ([]Answered, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	texts := make([]runtime.Text, len(questions))
	for i, q := range questions {
		texts[i] = runtime.Text{First: q.Question, Second: q.Context, Pair: true}
	}
	results := make([]Answered, len(questions))
	var at places
	seen, err := a.run(ctx, texts, stream{
		spans: true, cutting: runtime.CutSecond,
		take: func(w *runtime.Window, e *runtime.Encoded, out []float32) error {
			r := &results[w.Text]
			if w.Index == 0 {
				at = places{text: questions[w.Text].Context}
				r.NullLogit, r.NullScore = math.Inf(1), math.Inf(1)
			}
			a.window(r, &at, w, e, out, &o)
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

// window adds the answers in one window to the best so far.
func (a *Answerer) window(r *Answered, at *places, w *runtime.Window, e *runtime.Encoded, out []float32, o *AnswerOptions) {
	n := w.Behind - w.Second
	// Place 0 is the first token, place 1+i the context's token Second+i.
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
	spans := e.Spans[w.Second:w.Behind]
	list := r.Answers
	place := map[[2]int]int{} // of the answers in list
	index := func() {
		clear(place)
		for i := range list {
			place[[2]int{list[i].Start, list[i].End}] = i
		}
	}
	index()
	floor := math.Inf(-1) // what an answer needs, as there are enough that have it
	for s := range n {
		for t := s; t < s+min(n-s, o.MaxTokens); t++ {
			c := Answer{Score: p[0][1+s] * p[1][1+t], Logit: logits[0][1+s] + logits[1][1+t]}
			if o.value(&c) < floor {
				continue
			}
			if len(list)/4 >= o.Best { // keep the list short
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

// value is what answers are ordered by.
func (o *AnswerOptions) value(a *Answer) float64 {
	if o.Rank == RankLogit {
		return a.Logit
	}
	return a.Score
}

// order compares answers: the better one first, of equals the one that begins earlier and
// is shorter.
func (o *AnswerOptions) order(x, y *Answer) int {
	return cmp.Or(cmp.Compare(o.value(y), o.value(x)), cmp.Compare(x.Start, y.Start), cmp.Compare(x.End, y.End))
}

// cut sorts a list and keeps the best.
func (o *AnswerOptions) cut(list []Answer) []Answer {
	slices.SortFunc(list, func(x, y Answer) int { return o.order(&x, &y) })
	return list[:min(len(list), o.Best)]
}

// finish completes a result whose windows are all there.
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
