package prediction

import (
	"errors"
	"slices"

	"github.com/debertac/debertac/runtime/metrics"
)

// questions are answers to questions, compared by the rules of SQuAD: those of version 2 if a question has no answer, else those of version 1. Shares are in
// percent.
type questions struct {
	v1, v2  bool // the version is fixed
	list    []question
	ranked  int // questions that tell how sure it is that there is no answer
	lacking int // questions without an answer
}

type question struct {
	gold         []string
	answer, span string
	noAnswer     float64

	exact, f1         float64 // of the answer
	spanExact, spanF1 float64 // of the answer that there must be
}

func (q *questions) add(p *Prediction) error {
	switch {
	case p.Answers == nil:
		return errors.New(`"answers" must be the list of right answers, empty if there is no answer`)
	case p.Answer == nil:
		return errors.New(`"answer" must be the answer that was predicted, "" for no answer`)
	case q.v1 && len(*p.Answers) == 0:
		return errors.New(`"answers" is empty: in SQuAD 1.1 and ReCoRD every question has an answer; --task squad_v2 takes questions without one`)
	}
	x := question{gold: *p.Answers, answer: *p.Answer, span: *p.Answer}
	if p.Span != nil {
		x.span = *p.Span
	}
	if len(x.gold) == 0 {
		q.lacking++
	}
	if p.NoAnswer != nil {
		x.noAnswer = *p.NoAnswer
		q.ranked++
	}
	q.list = append(q.list, x)
	return nil
}

func (q *questions) units() int { return len(q.list) }

// second reports whether the rules of SQuAD 2 hold.
func (q *questions) second() bool { return !q.v1 && (q.v2 || q.lacking > 0) }

// judge compares all answers, once all are there.
func (q *questions) judge() {
	best := metrics.BestAnswer
	if q.second() {
		best = metrics.BestAnswerV2
	}
	for i := range q.list {
		x := &q.list[i]
		x.exact, x.f1 = best(x.gold, x.answer)
		x.spanExact, x.spanF1 = best(x.gold, x.span)
	}
}

func (q *questions) names() (list []string, intervals int) {
	q.judge()
	list = []string{"exact", "f1"}
	if q.second() {
		if q.lacking < len(q.list) {
			list = append(list, "has_answer_exact", "has_answer_f1")
		}
		if q.lacking > 0 {
			list = append(list, "no_answer_exact", "no_answer_f1")
		}
	}
	intervals = len(list)
	if q.second() && q.ranked == len(q.list) {
		list = append(list, "best_exact", "best_exact_thresh", "best_f1", "best_f1_thresh")
	}
	return list, intervals
}

func (q *questions) measure(sample []int, out []float64) {
	var sums [3][2]float64 // of all, of those with an answer, of those without
	var counts [3]float64
	for _, i := range sample {
		x := &q.list[i]
		kind := 1
		if len(x.gold) == 0 {
			kind = 2
		}
		for _, k := range []int{0, kind} {
			sums[k][0], sums[k][1] = sums[k][0]+x.exact, sums[k][1]+x.f1
			counts[k]++
		}
	}
	at := 0
	put := func(x ...float64) { at += copy(out[at:], x) }
	put(100*sums[0][0]/counts[0], 100*sums[0][1]/counts[0])
	if !q.second() {
		return
	}
	if q.lacking < len(q.list) {
		put(100*sums[1][0]/counts[1], 100*sums[1][1]/counts[1])
	}
	if q.lacking > 0 {
		put(100*sums[2][0]/counts[2], 100*sums[2][1]/counts[2])
	}
	if at == len(out) || q.ranked < len(q.list) {
		return
	}
	put(q.threshold(sample, func(x *question) float64 { return x.spanExact }))
	put(q.threshold(sample, func(x *question) float64 { return x.spanF1 }))
}

// threshold returns the best share, in percent, and the threshold that reaches it.
func (q *questions) threshold(sample []int, score func(*question) float64) (share, threshold float64) {
	var list []metrics.Asked
	for _, i := range sample {
		x := &q.list[i]
		list = append(list, metrics.Asked{Answerable: len(x.gold) > 0, Answered: x.span != "", Score: score(x), NoAnswer: x.noAnswer})
	}
	sum, threshold := metrics.BestThreshold(list)
	return 100 * sum / float64(len(list)), threshold
}

func (q *questions) finish(*Report) {}

// tokens are texts whose tokens were predicted, or that were generated.
type tokens struct {
	logs, counts, right []float64
	written, same       []bool
}

func (t *tokens) add(p *Prediction) error {
	gold, asked := className(p.Gold)
	label, wrote := className(p.Label)
	if asked != wrote {
		return errors.New(`"label", the text that was generated, and "gold", the right one, need each other`)
	}
	switch {
	case p.LogProbability == nil && p.Counted == nil && wrote:
		t.logs, t.counts = append(t.logs, 0), append(t.counts, 0)
	case p.LogProbability == nil || p.Counted == nil:
		return errors.New(`"log_probability", a sum over tokens, and "counted", their number, are missing`)
	case nan(*p.LogProbability, *p.Counted) || *p.Counted < 0:
		return errors.New(`"counted" must be a number of tokens`)
	default:
		t.logs, t.counts = append(t.logs, *p.LogProbability), append(t.counts, *p.Counted)
	}
	if p.Right != nil {
		t.right = append(t.right, *p.Right)
	}
	t.written, t.same = append(t.written, wrote), append(t.same, wrote && gold == label)
	return nil
}

func (t *tokens) units() int { return len(t.logs) }

func (t *tokens) names() (list []string, intervals int) {
	if len(t.right) == len(t.logs) {
		list = append(list, "accuracy")
	}
	if slices.Contains(t.written, true) {
		list = append(list, "exact")
	}
	if slices.Max(t.counts) > 0 {
		list = append(list, "perplexity")
	}
	return list, len(list)
}

func (t *tokens) measure(sample []int, out []float64) {
	var logs, counts, right, written, same float64
	for _, i := range sample {
		logs, counts = logs+t.logs[i], counts+t.counts[i]
		if len(t.right) == len(t.logs) {
			right += t.right[i]
		}
		if t.written[i] {
			written++
		}
		if t.same[i] {
			same++
		}
	}
	names, _ := t.names()
	for k, name := range names {
		switch name {
		case "accuracy":
			out[k] = right / counts
		case "exact":
			out[k] = same / written
		default:
			out[k] = metrics.Perplexity(logs, counts)
		}
	}
}

func (t *tokens) finish(*Report) {}
