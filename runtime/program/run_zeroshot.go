package program

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
)

// zeroShotService labels texts with the labels of the command line or of the record.
type zeroShotService struct {
	texts
	zero   *task.ZeroShot
	labels []string
	o      task.ZeroShotOptions
	top    int
}

func (f *taskFlags) zeroShot(core *engine.Core, h *engine.Head) (service, error) {
	labels, err := f.words("labels")
	if err != nil {
		return nil, err
	}
	if f.given["threshold"] {
		return nil, usage("--threshold chooses among the labels of a model; --labels are judged by the scores that are printed")
	}
	z, err := task.NewZeroShot(core, h.Name, task.NLIOptions{Entailment: f.word("entailment"), Contradiction: f.word("contradiction")})
	if err != nil {
		return nil, zeroShotFault(err)
	}
	s := &zeroShotService{labels: labels, zero: z, o: task.ZeroShotOptions{Template: f.word("template"), Multi: f.on("multi")}, top: f.best(len(labels))}
	if _, err := z.Classify(context.Background(), nil, labels, s.o); err != nil { // finds wrong settings before any text is read
		return nil, zeroShotFault(err)
	}
	return s, nil
}

// zeroShotFault returns the usage error for a setting that the service refuses. If the message begins with the name of a setting, the name of the flag replaces
// it.
func zeroShotFault(err error) error {
	for _, name := range []string{"entailment", "contradiction", "template"} {
		if strings.HasPrefix(err.Error(), name+": ") {
			return usage("--%v", err)
		}
	}
	return usage("--labels, --template: %v", err)
}

func (s *zeroShotService) prepare(r *record) error {
	if r.text.Pair {
		return faulty(r.where(), "it is a pair, and --labels takes single texts")
	}
	return nil
}

func (s *zeroShotService) compute(ctx context.Context, records []record) ([]outcome, error) {
	results, err := s.zero.Classify(ctx, firsts(records), s.labels, s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		best := results[i].Labels[0]
		outcomes[i] = &zeroShot{best.Label, best.Score, results[i], s.top}
	}
	return outcomes, nil
}

// zeroShot is the result of one text: the best label and all of them.
type zeroShot struct {
	Label string  `json:"label"`
	Score float64 `json:"score"`
	task.ZeroShotResult
	top int
}

func (z *zeroShot) seen() runtime.Seen { return z.Seen }
func (z *zeroShot) object() any        { return z }

func (z *zeroShot) show(p *page, r *record) {
	p.title(r, z.Tokens, z.Truncated)
	var list []row
	for _, l := range z.Labels[:min(z.top, len(z.Labels))] {
		list = append(list, row{l.Label, l.Score, ""})
	}
	p.rows(list)
}

// rankService orders all texts by a query. Each is scored as it comes, and they are ordered at the end.
type rankService struct {
	ranker  *task.Ranker
	query   string
	top     int
	o       task.RankOptions
	results []scored
}

// scored is a text with its score.
type scored struct {
	record record
	task.Ranked
}

func (f *taskFlags) ranking(core *engine.Core, h *engine.Head) (service, error) {
	r, err := task.NewRanker(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &rankService{ranker: r, query: f.word("query"), top: f.best(math.MaxInt), o: task.RankOptions{Sigmoid: f.on("sigmoid"), Positive: f.word("positive")}}
	if _, err := r.Rank(context.Background(), s.query, nil, s.o); err != nil { // finds wrong settings before any text is read
		return nil, usage("--query: %v", err)
	}
	return s, nil
}

func (s *rankService) prepare(r *record) error {
	if r.text.Pair {
		return faulty(r.where(), "it is a pair, and --query takes single texts")
	}
	return nil
}

// waiting is the result of a text that is ranked at the end.
type waiting struct{}

func (waiting) seen() runtime.Seen  { return runtime.Seen{} }
func (waiting) object() any         { return nil }
func (waiting) show(*page, *record) {}

// compute scores the texts and keeps the scores until end. A text's score does not depend on the others.
func (s *rankService) compute(ctx context.Context, records []record) ([]outcome, error) {
	results, err := s.ranker.Rank(ctx, s.query, firsts(records), s.o)
	if err != nil {
		return nil, err
	}
	for _, d := range results {
		r := records[d.Index]
		d.Index = r.number
		s.results = append(s.results, scored{r, d})
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = waiting{}
	}
	return outcomes, nil
}

func (s *rankService) end(context.Context) ([]record, []outcome, error) {
	// Ties: the text that came first wins.
	slices.SortFunc(s.results, func(a, b scored) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), cmp.Compare(a.Index, b.Index))
	})
	records, outcomes := make([]record, len(s.results)), make([]outcome, len(s.results))
	for i, r := range s.results {
		records[i], outcomes[i] = r.record, &ranked{i + 1, r.Ranked, i >= s.top}
	}
	return records, outcomes, nil
}

// ranked is one text with its place.
type ranked struct {
	Rank int `json:"rank"` // from 1
	task.Ranked
	hidden bool // not one of the best results that --top asks for
}

func (d *ranked) seen() runtime.Seen { return d.Seen }

func (d *ranked) object() any {
	if d.hidden {
		return nil
	}
	return d
}

func (d *ranked) show(p *page, _ *record) {
	fmt.Fprintf(p, "%4d  %10.4f  %s%s\n", d.Rank, d.Score, printable(command.Shorten(d.Text, excerptSize)), tail(d.Tokens, d.Truncated))
}
