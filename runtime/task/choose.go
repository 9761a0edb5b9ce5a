package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// ChoiceQuestion is a question about a context, with options to choose from.
type ChoiceQuestion struct {
	Context  string   `json:"context"`
	Question string   `json:"question"`
	Options  []string `json:"options"`
}

// Pair returns the pair of texts that the model reads for an option: the context, and the question
// with the option. As in the usual preparation of RACE, "_" in the question is replaced by the
// option; otherwise the option follows the question. Without a context, the first text is the
// question and the second the option.
func (q *ChoiceQuestion) Pair(option string) runtime.Text {
	t := runtime.Text{First: q.Context, Second: option, Pair: true}
	switch {
	case q.Context == "":
		t.First = q.Question
	case strings.Contains(q.Question, "_"):
		t.Second = strings.ReplaceAll(q.Question, "_", option)
	case q.Question != "":
		t.Second = q.Question + " " + option
	}
	return t
}

// Choice is the result for one question.
type Choice struct {
	Index  int            `json:"index"`  // index of the option that was chosen
	Option string         `json:"option"` // text of the chosen option
	Score  float64        `json:"score"`  // score of the chosen option
	Scores []float64      `json:"scores"` // softmax of Logits over the options
	Logits []float64      `json:"logits"` // logit of each option, the mean over its windows
	Seen   []runtime.Seen `json:"seen"`   // how much the model saw of each option's pair of texts
}

// Chooser chooses among options (multiple choice). It is safe for concurrent use.
type Chooser struct{ head }

// NewChooser returns a Chooser for the named head; "" means the first head. The head must have one
// logit per sequence.
func NewChooser(core *engine.Core, name string) (*Chooser, error) {
	h, err := newHead(core, name, "Chooser")
	if err != nil {
		return nil, err
	}
	return &Chooser{h}, nil
}

// Choose answers questions. Results come in input order. The model reads each option separately, as
// a pair of texts: the context, and the question with the option. "_" in the question is replaced
// by the option.
func (c *Chooser) Choose(ctx context.Context, questions []ChoiceQuestion) ([]Choice, error) {
	var texts []runtime.Text
	for i := range questions {
		q := &questions[i]
		if len(q.Options) == 0 {
			return nil, engine.TextFault(i, "the question has no options")
		}
		for j, o := range q.Options {
			if slices.Contains(q.Options[:j], o) {
				return nil, engine.TextFault(i, "option %q is given twice", o)
			}
			texts = append(texts, q.Pair(o))
		}
	}
	logits, seen, err := c.means(ctx, texts)
	if err != nil {
		return nil, ofOption(err, questions)
	}
	results := make([]Choice, len(questions))
	at := 0
	for i := range questions {
		options := questions[i].Options
		r := Choice{Scores: make([]float64, len(options)), Seen: seen[at : at+len(options)]}
		for range options {
			r.Logits = append(r.Logits, logits[at][0])
			at++
		}
		probabilities(r.Scores, r.Logits, false)
		r.Index = largest(r.Logits)
		r.Option, r.Score = options[r.Index], r.Scores[r.Index]
		results[i] = r
	}
	return results, nil
}

// ofOption turns an error of a pair of texts into an error of an option of a question.
func ofOption(err error, questions []ChoiceQuestion) error {
	var t *runtime.TextError
	if !errors.As(err, &t) {
		return err
	}
	pair := t.Text
	for i := range questions {
		if n := len(questions[i].Options); pair >= n {
			pair -= n
			continue
		}
		return &runtime.TextError{Text: i, What: fmt.Sprintf("with option %d: %s", pair+1, t.What), Err: t.Err}
	}
	return err
}

// means computes the outputs of a head that has one row per sequence for each text: the mean over
// its windows.
func (h *head) means(ctx context.Context, texts []runtime.Text) ([][]float64, []runtime.Seen, error) {
	sums := make([][]float64, len(texts))
	seen, err := h.run(ctx, texts, stream{
		take: func(w *engine.Window, _ *engine.Encoded, out []float32) error {
			if w.Index == 0 {
				sums[w.Text] = make([]float64, h.C)
			}
			for j, v := range out {
				sums[w.Text][j] += float64(v) / float64(w.Count)
			}
			return nil
		},
	})
	return sums, seen, err
}
