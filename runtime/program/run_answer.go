package program

import (
	"context"
	"fmt"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// questions is the common part of services of questions: it knows where question and context come from.
type questions struct {
	texts
	question, context           string
	givenQuestion, givenContext bool
	need                        bool // a context is needed
}

func (f *taskFlags) questions(need bool) questions {
	return questions{question: f.word("question"), context: f.word("context"), givenQuestion: f.given["question"], givenContext: f.given["context"], need: need}
}

// prepare turns the record into a pair of question and context. Each of the two comes from the record's field of that name, or from the flag, which
// sets it for all records. If only one of them is there, the record's text is the other one; if both are missing, the text is the question. A record
// that is a pair already is a question and its context.
func (q questions) prepare(r *record) error {
	question, hasQuestion, err := r.field("question")
	if err != nil {
		return err
	}
	context, hasContext, err := r.field("context")
	if err != nil {
		return err
	}
	switch {
	case q.givenQuestion && hasQuestion || q.givenContext && hasContext:
		return faulty(r.where(), "the input has a question or context of its own, and --question or --context sets another: leave out one of the two")
	case r.text.Pair && (q.givenQuestion || q.givenContext || hasQuestion || hasContext):
		return faulty(r.where(), "a pair is a question and its context already: leave out the other question or context")
	case r.text.Pair:
		return nil
	}
	if q.givenQuestion {
		question, hasQuestion = q.question, true
	}
	if q.givenContext {
		context, hasContext = q.context, true
	}
	if !r.noText {
		switch {
		case q.givenQuestion && q.givenContext: // the text is the question itself
		case hasQuestion && hasContext:
			return faulty(r.where(), "it has a text beside its question and context: which is meant?")
		case hasQuestion:
			context, hasContext = r.text.First, true
		default:
			question, hasQuestion = r.text.First, true
		}
	}
	switch {
	case !hasQuestion:
		return faultOf(kindMissing, r.where(), "there is no question: write --question, or an --input with a field \"question\"")
	case !hasContext && q.need:
		return r.lacks("there is no context to answer from", "context")
	}
	r.text = runtime.Text{First: question, Second: context, Pair: true}
	return nil
}

// answerService answers questions with parts of a context.
type answerService struct {
	questions
	answerer *task.Answerer
	o        task.AnswerOptions
}

var _ = serve(tasktable.Span, (*taskFlags).answering)

func (f *taskFlags) answering(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	a, err := task.NewAnswerer(core, h.Name)
	return &answerService{f.questions(true), a, task.AnswerOptions{
		Best: f.best(1), MaxTokens: f.count("answer-tokens"), NoAnswer: f.given["no-answer-threshold"], Threshold: f.real("no-answer-threshold"),
	}}, err
}

func (s *answerService) compute(ctx context.Context, records []record) ([]outcome, error) {
	list := make([]task.Question, len(records))
	for i, r := range records {
		list[i] = task.Question{Question: r.text.First, Context: r.text.Second}
	}
	results, err := s.answerer.Answer(ctx, list, s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &answered{&results[i]}
	}
	return outcomes, nil
}

// answered is the result of one question.
type answered struct{ *task.Answered }

func (a *answered) seen() runtime.Seen { return a.Seen }
func (a *answered) object() any        { return a.Answered }

func (a *answered) show(p *page, r *record) {
	fmt.Fprintf(p, "%s%s\n", printable(command.Shorten(r.text.First, excerptSize)), tail(a.Tokens, a.Truncated))
	if a.NoAnswer {
		fmt.Fprintln(p, "  no answer")
		if len(a.Answers) > 0 {
			fmt.Fprintln(p, "  what comes next:")
		}
	}
	for _, x := range a.Answers {
		p.rows([]row{{x.Text, x.Score, ""}})
		p.around(r.text.Second, x.Part, "    ")
	}
}

// choiceService chooses among options.
type choiceService struct {
	questions
	chooser *task.Chooser
	options []string
	top     int
}

var _ = serve(tasktable.Choices, (*taskFlags).choosing)

func (f *taskFlags) choosing(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	c, err := task.NewChooser(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &choiceService{questions: f.questions(false), chooser: c, top: f.best(defaultTop)}
	s.options, err = f.words("options")
	return s, err
}

func (s *choiceService) prepare(r *record) error {
	own, err := r.list("options")
	if err != nil {
		return err
	}
	switch {
	case own != nil && s.options != nil:
		return faulty(r.where(), "the input has options of its own, and --options sets others: leave out one of the two")
	case own == nil && s.options == nil:
		return r.lacks("there are no options to choose from", "options")
	case own != nil && len(own) == 0:
		return faulty(r.where(), "\"options\" is empty")
	}
	if r.options = own; own == nil {
		r.options = s.options
	}
	return s.questions.prepare(r)
}

func (s *choiceService) compute(ctx context.Context, records []record) ([]outcome, error) {
	list := make([]task.ChoiceQuestion, len(records))
	for i, r := range records {
		list[i] = task.ChoiceQuestion{Question: r.text.First, Context: r.text.Second, Options: r.options}
	}
	results, err := s.chooser.Choose(ctx, list)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		c := &chosen{Choice: &results[i], options: list[i].Options, top: s.top}
		for _, seen := range results[i].Seen {
			c.Tokens, c.Truncated = c.Tokens+seen.Tokens, c.Truncated+seen.Truncated
		}
		outcomes[i] = c
	}
	return outcomes, nil
}

// chosen is the result of one question. Its tokens are counted over the pairs of all options.
type chosen struct {
	*task.Choice
	Tokens    int `json:"tokens"`
	Truncated int `json:"truncated"`
	options   []string
	top       int
}

func (c *chosen) seen() runtime.Seen { return runtime.Seen{Tokens: c.Tokens, Truncated: c.Truncated} }
func (c *chosen) object() any        { return c }

func (c *chosen) show(p *page, r *record) {
	fmt.Fprintf(p, "%s%s\n", printable(command.Shorten(r.text.First, excerptSize)), tail(c.Tokens, c.Truncated))
	var list []row
	for i, o := range c.options {
		list = append(list, row{o, c.Scores[i], ""})
	}
	p.rows(bestRows(list, c.top))
}
