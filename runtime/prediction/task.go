package prediction

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/metrics"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Options holds the settings of a Scorer. The zero value computes no intervals.
type Options struct {
	Resamples int    // how often examples are drawn for intervals; 0: no intervals
	Seed      uint64 // decides what is drawn
	Positive  string // the class of two for which precision, recall and F1 are computed; "": that of the predictions, or the second in their order
}

// Level is the share of draws that lies in an interval.
const Level = 0.95

// Resamples is how often examples are usually drawn for intervals.
const Resamples = 1000

// Task describes the predictions of a task.
type Task struct {
	Task  tasktable.Task // "": a measure that is not a task of heads
	Name  string         // how --task names it
	Also  []string       // other names
	Doc   string         // what a line holds
	Line  string         // an example of a line
	make  func(o Options) form
	lists func(o Options) form // if gold is a list; nil: make
	spans func(o Options) form // if gold is a list of entities or empty; nil: lists
}

// form computes the metrics of predictions of one kind.
type form interface {
	// add reads a prediction. Its error tells which field is wrong.
	add(p *Prediction) error
	// units returns the number of units that intervals draw: predictions, or the groups that they belong to.
	units() int
	// names returns the metrics, and how many of them have intervals: the first ones.
	names() (names []string, intervals int)
	// measure computes the first len(out) metrics of a sample of units.
	measure(sample []int, out []float64)
	// finish adds to the report what is not a metric.
	finish(r *Report)
}

// Tasks lists the tasks, in the order of help.
var Tasks = []Task{
	{
		Task: tasktable.Labels, Name: "labels", Also: []string{"classify", "classification", "multilabel"},
		Doc: "label and gold: a class each, or a list of classes each for texts with several; score or scores (probabilities) for ece, group for " +
			"questions whose answers are judged one by one",
		Line: `{"label": "spam", "gold": "ham", "score": 0.71}`,
		make: func(o Options) form { return &classes{positive: o.Positive} }, lists: func(Options) form { return &sets{} },
	},
	{
		Task: tasktable.Tags, Name: "tags", Also: []string{"tag", "tagging", "ner", "token-classification"},
		Doc:  "label and gold: a list of tags each (B-, I-, E-, S-, O), of one length; or lists of entities",
		Line: `{"label": ["B-PER", "O"], "gold": ["B-PER", "I-PER"]}`,
		make: func(Options) form { return &tags{} }, spans: func(Options) form { return &spans{} },
	},
	{
		Task: tasktable.Span, Name: "span", Also: []string{"answer", "qa", "question-answering", "squad", "squad_v1", "squad_v2", "record"},
		Doc: "answer, the text that was predicted (empty: no answer), and answers, the list of right ones (empty: there is no answer); no_answer, a number " +
			"that is higher the surer the model is that there is no answer, and span, the answer if there must be one, for the best threshold",
		Line: `{"answer": "in Rome", "answers": ["Rome", "in Rome"]}`,
		make: func(Options) form { return &questions{} },
	},
	{
		Task: tasktable.Choices, Name: "choices", Also: []string{"choose", "choice", "multiple-choice", "race", "swag", "copa"},
		Doc:  "label and gold: the option that was chosen and the right one, as numbers or texts; score or scores (probabilities) for ece",
		Line: `{"label": 2, "gold": 0, "scores": [0.2, 0.1, 0.7]}`,
		make: func(Options) form { return &classes{chosen: true} },
	},
	{
		Task: tasktable.Score, Name: "score", Also: []string{"regression", "number", "numbers", "rank", "ranking", "reward", "stsb", "sts-b"},
		Doc:  "score (or label) and gold: a number each; or scores and gold: a list of numbers each, one per document of a query or answer to a prompt",
		Line: `{"score": 3.1, "gold": 2.8}`,
		make: func(Options) form { return &numbers{} }, lists: func(Options) form { return &lists{} },
	},
	{
		Task: tasktable.MLM, Name: "mlm", Also: []string{"fill-mask", "emd", "perplexity", "generate", "language-model"},
		Doc: "log_probability, the sum over the tokens that were predicted, and counted, their number; right, for how many the likeliest token was right; " +
			"label and gold: the text that was generated and the right one",
		Line: `{"log_probability": -41.2, "counted": 17}`,
		make: func(Options) form { return &tokens{} },
	},
	{
		Task: tasktable.Entities, Name: "entities", Also: []string{"gliner"},
		Doc:  "label and gold: a list of entities each, with label, start and end; or lists of tags",
		Line: `{"label": [{"label": "place", "start": 0, "end": 4}], "gold": []}`,
		make: func(Options) form { return &tags{} }, spans: func(Options) form { return &spans{} },
	},
	{
		Task: tasktable.Vector, Name: "vector", Also: []string{"embed", "similarity", "sts"},
		Doc:  "score (or label) and gold: the similarity of a pair and the right one; or scores and gold: a list each, one number per text that is compared",
		Line: `{"score": 0.87, "gold": 4.5}`,
		make: func(Options) form { return &numbers{} }, lists: func(Options) form { return &lists{retrieved: true} },
	},
	{
		Task: tasktable.Hidden, Name: "hidden", Also: nil,
		Doc:  "as of vector",
		Line: `{"score": 0.87, "gold": 4.5}`,
		make: func(Options) form { return &numbers{} }, lists: func(Options) form { return &lists{retrieved: true} },
	},
	{
		Name: "multirc",
		Doc: "label and gold, true or false each, or 1 or 0, and group, the question: f1 is F1a, exact the share of questions whose answers are " +
			"all judged rightly",
		Line: `{"label": 1, "gold": 0, "group": "12"}`,
		make: func(o Options) form { return &classes{positive: o.Positive, grouped: true} },
	},
}

// Named returns the task of a name, or nil.
func Named(name string) *Task {
	for i := range Tasks {
		if t := &Tasks[i]; t.Name == name || slices.Contains(t.Also, name) {
			return t
		}
	}
	return nil
}

// Names returns the names of all tasks, without their other names.
func Names() (names []string) {
	for _, t := range Tasks {
		names = append(names, t.Name)
	}
	return names
}

// Scorer computes the metrics of predictions of a task.
type Scorer struct {
	o     Options
	task  *Task
	rules string        // the name by which the task was asked for
	form  form          // nil: not known yet
	open  []*Prediction // predictions that do not decide the form
	n     int

	loss, terms float64
	truncated   int
	cutLabels   int
}

// NewScorer returns a Scorer for a task, see Tasks. The error lists the tasks.
func NewScorer(task string, o Options) (*Scorer, error) {
	t := Named(task)
	if t == nil {
		return nil, fmt.Errorf("unknown task %q: it must be one of %s", shorten(task), strings.Join(Names(), ", "))
	}
	return &Scorer{o: o, task: t, rules: task}, nil
}

// Add adds a prediction. Its error tells which field is missing or wrong, and does not name the prediction.
func (s *Scorer) Add(p *Prediction) error {
	if s.form == nil {
		form, ok := s.task.formOf(p, s.o)
		if !ok {
			s.open = append(s.open, p)
			return nil
		}
		if err := s.begin(form); err != nil {
			return err
		}
	}
	return s.add(p)
}

// begin takes the form of the predictions, and adds those that did not decide it.
func (s *Scorer) begin(f form) error {
	if q, ok := f.(*questions); ok {
		q.v1, q.v2 = s.rules == "squad_v1" || s.rules == "record", s.rules == "squad_v2"
	}
	s.form = f
	for _, p := range s.open {
		if err := s.add(p); err != nil {
			return err
		}
	}
	s.open = nil
	return nil
}

func (s *Scorer) add(p *Prediction) error {
	if err := s.form.add(p); err != nil {
		return err
	}
	s.n++
	if p.Truncated > 0 {
		s.truncated++
	}
	s.cutLabels += p.CutLabels
	if p.Loss != nil {
		terms := 1.0
		if p.Terms != nil {
			terms = *p.Terms
		}
		s.loss, s.terms = s.loss+*p.Loss, s.terms+terms
	}
	return nil
}

// formOf returns the form of predictions by one of them. ok is false if it does not decide: empty lists can be of tags or of entities.
func (t *Task) formOf(p *Prediction, o Options) (f form, ok bool) {
	gold, isList := p.Gold.([]any)
	predicted, _ := p.Label.([]any)
	all := slices.Concat(gold, predicted)
	texts := slices.ContainsFunc(all, func(x any) bool { _, ok := className(x); return ok })
	switch {
	case isList && t.spans != nil && !texts:
		return t.spans(o), len(all) > 0
	case isList && t.lists != nil:
		return t.lists(o), true
	}
	return t.make(o), true
}

// errEmpty is the error for no predictions.
var errEmpty = errors.New("there are no predictions to score")

// Report computes the metrics of all predictions that were added.
func (s *Scorer) Report() (*Report, error) {
	if len(s.open) > 0 {
		f, _ := s.task.formOf(s.open[0], s.o)
		if err := s.begin(f); err != nil {
			return nil, err
		}
	}
	if s.n == 0 {
		return nil, errEmpty
	}
	if c, ok := s.form.(*classes); ok && s.o.Positive != "" && !c.knows(s.o.Positive) {
		return nil, fmt.Errorf("no prediction has the class %q, which is to be the positive one", s.o.Positive)
	}
	r := &Report{N: s.n, Truncated: s.truncated, CutLabels: s.cutLabels}
	names, intervals := s.form.names()
	units := s.form.units()
	whole := make([]int, units)
	for i := range whole {
		whole[i] = i
	}
	values := make([]float64, len(names))
	s.form.measure(whole, values)
	var ends []metrics.Interval
	if s.o.Resamples > 0 && intervals > 0 {
		ends = metrics.Bootstrap(units, intervals, metrics.Resampling{Times: s.o.Resamples, Level: Level, Seed: s.o.Seed}, s.form.measure)
	}
	for i, name := range names {
		v := Value{Name: name, Value: values[i]}
		if i < len(ends) && !math.IsNaN(ends[i].Low) {
			v.Interval = &ends[i]
		}
		r.Values = append(r.Values, v)
	}
	if s.terms > 0 {
		r.Values = append(r.Values, Value{Name: "loss", Value: s.loss / s.terms})
	}
	s.form.finish(r)
	return r, nil
}
