package program

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

var _ = examine(tasktable.Span, (*evalFlags).examineAnswers)

// answerEvaluator compares answers to questions.
type answerEvaluator struct {
	inChunks
	answerer *task.Answerer
	o        task.AnswerOptions
}

func (e *evalFlags) examineAnswers(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	a, err := task.NewAnswerer(core, h.Name)
	if err != nil {
		return nil, err
	}
	v := &answerEvaluator{answerer: a, o: task.AnswerOptions{MaxTokens: e.count("answer-tokens")}}
	// If some questions have no answer, "no answer" may win, as in the data.
	err = all.each(func(_ int, x *example.Example) error {
		v.o.NoAnswer = v.o.NoAnswer || len(x.Answers) == 0
		return nil
	})
	if err != nil {
		return nil, err
	}
	if e.given["no-answer-threshold"] {
		v.o.NoAnswer, v.o.Threshold = true, e.real("no-answer-threshold")
	}
	return v, nil
}

func (v *answerEvaluator) check(x *example.Example) error {
	switch {
	case x.Question == "":
		return errors.New(`it has no "question"`)
	case x.Context == "":
		return errors.New(`it has no "context", the text to answer from`)
	case !x.Answered && len(x.Answers) == 0:
		return errors.New(`it has no "answers", the right ones`)
	}
	return nil
}

func (v *answerEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	questions := make([]task.Question, len(examples))
	for i, x := range examples {
		questions[i] = task.Question{Question: x.Question, Context: x.Context}
	}
	o := v.o
	o.Right = make([][2]int, len(examples))
	for i, x := range examples {
		o.Right[i] = placeOf(x)
	}
	results, err := v.answerer.Answer(ctx, questions, o)
	if err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		r, p := &results[i], &list[i]
		p.Answers = &prediction.Answers{}
		for _, a := range x.Answers {
			*p.Answers = append(*p.Answers, a.Text)
		}
		best := r.Best()
		p.Answer = &best
		if v.o.NoAnswer {
			must := ""
			if len(r.Answers) > 0 {
				must = r.Answers[0].Text
			}
			p.Span, p.NoAnswer = &must, &r.NullDifference
		}
		if r.Terms > 0 && (len(x.Answers) == 0 || o.Right[i][0] < o.Right[i][1]) {
			sum(p, r.Loss, float64(r.Terms))
		}
		cut(p, r.Seen)
	}
	return list, nil
}

// placeOf returns the place of the first right answer in the context; it is empty if there is no answer, or if the answer is not in the context.
func placeOf(x *example.Example) [2]int {
	if len(x.Answers) == 0 {
		return [2]int{}
	}
	a := x.Answers[0]
	if a.Start < 0 {
		a.Start = strings.Index(x.Context, a.Text)
	}
	if a.Start < 0 || a.Start+len(a.Text) > len(x.Context) {
		return [2]int{}
	}
	return [2]int{a.Start, a.Start + len(a.Text)}
}

var _ = examine(tasktable.Choices, (*evalFlags).examineChoices)

// choiceEvaluator compares the options that are chosen.
type choiceEvaluator struct {
	inChunks
	chooser *task.Chooser
}

func (e *evalFlags) examineChoices(core *engine.Core, h *engine.Head, _ *examples) (evaluator, error) {
	c, err := task.NewChooser(core, h.Name)
	return &choiceEvaluator{chooser: c}, err
}

// question returns the question of an example with options.
func (v *choiceEvaluator) question(x *example.Example) task.ChoiceQuestion {
	q := task.ChoiceQuestion{Context: x.Context, Question: x.Question, Options: x.Options}
	if q.Context == "" && q.Question == "" {
		q.Question = x.Text
	}
	return q
}

func (v *choiceEvaluator) check(x *example.Example) error {
	q := v.question(x)
	right, err := strconv.Atoi(x.Label)
	switch n := len(x.Options); {
	case n < 2:
		return fmt.Errorf("it has %d options: there must be at least two to choose from", n)
	case q.Context == "" && q.Question == "":
		return errors.New(`it has no "question", "context" or "text"`)
	case x.Label == "":
		return errors.New(`it has no "label", the number of the right option`)
	case err != nil || right < 0 || right >= n:
		return fmt.Errorf("its label %q is not the number of an option, from 0 to %d", command.Shorten(x.Label, 40), n-1)
	}
	return nil
}

func (v *choiceEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	questions := make([]task.ChoiceQuestion, len(examples))
	for i, x := range examples {
		questions[i] = v.question(x)
	}
	results, err := v.chooser.Choose(ctx, questions)
	if err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		r, p := &results[i], &list[i]
		right, _ := strconv.Atoi(x.Label) // it was checked
		logits := make([]float32, len(r.Logits))
		for k, z := range r.Logits {
			logits[k] = float32(z)
		}
		p.Label, p.Gold, p.Scores = r.Index, right, r.Scores
		sum(p, crossEntropy(logits, right), 1)
		if len(x.Answers) > 0 {
			p.Answer, p.Answers = &r.Option, &prediction.Answers{}
			for _, a := range x.Answers {
				*p.Answers = append(*p.Answers, a.Text)
			}
		}
		cut(p, r.Seen...)
	}
	return list, nil
}
