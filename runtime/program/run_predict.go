package program

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// perplexityHead is the name of a head that debertac --head perplexity asked for. The head can serve other tasks too. Without a flag of another task
// it measures perplexity.
const perplexityHead = "perplexity"

// A head that predicts tokens fills masks, continues texts if the model is causal, or measures how well it predicts a text. predicting chooses.
var _ = serve(tasktable.MLM, (*taskFlags).predicting)

func (f *taskFlags) predicting(core *engine.Core, h *engine.Head, p *page) (service, error) {
	causal, perplexity := core.Program().Limits.Causal, f.on("perplexity")
	writing := []string{"max-new-tokens", "temperature", "top-k", "top-p", "seed", "samples", "stop"}
	if h.Name == perplexityHead && !f.given["perplexity"] && !slices.ContainsFunc(append(writing, "targets", "top"),
		func(name string) bool { return f.given[name] }) {
		perplexity = true
	}
	for _, name := range writing {
		if f.given[name] && perplexity {
			return nil, usage("--%s belongs to text generation, and contradicts --perplexity", name)
		}
		if f.given[name] && !causal {
			return nil, usage("--%s belongs to text generation; this model looks at both sides of a token and cannot generate text", name)
		}
	}
	switch {
	case perplexity && f.given["top"]:
		return nil, usage("--top has no meaning with --perplexity")
	case perplexity:
		m, err := task.NewPerplexer(core, h.Name)
		return &perplexityService{f.texts(), m}, err
	case causal && (f.given["targets"] || f.given["top"]):
		return nil, usage("--targets and --top belong to filling masks; this model is causal (is_decoder in its config.json, `mask j <= i` in its spec) " +
			"and continues texts (--top-k bounds what it draws from)")
	case causal:
		return f.generating(core, h, p)
	case f.given["pair"]:
		return nil, usage("--pair: masks are filled in single texts only; pairs need --perplexity")
	}
	filler, err := task.NewFiller(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &fillService{filler: filler, o: task.FillOptions{Top: f.best(defaultTop)}}
	if s.o.Targets, err = f.words("targets"); err != nil {
		return nil, err
	}
	if _, err := filler.Fill(context.Background(), nil, s.o); err != nil { // finds wrong settings before any text is read
		return nil, usage("--targets: %v", err)
	}
	return s, nil
}

// fillService fills masks.
type fillService struct {
	noPairs
	filler *task.Filler
	o      task.FillOptions
}

func (s *fillService) compute(ctx context.Context, records []record) ([]outcome, error) {
	results, err := s.filler.Fill(ctx, firsts(records), s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &filled{&results[i]}
	}
	return outcomes, nil
}

// filled is the result of one text.
type filled struct{ *task.Filled }

func (f *filled) seen() runtime.Seen { return f.Seen }
func (f *filled) object() any        { return f.Filled }

func (f *filled) show(p *page, r *record) {
	var marks []mark
	for _, b := range f.Blanks {
		marks = append(marks, mark{b.Start, b.End})
	}
	p.marked(r.text.First, marks, "", tail(f.Tokens, f.Truncated))
	for i, b := range f.Blanks {
		if len(f.Blanks) > 1 {
			fmt.Fprintf(p, "  mask %d:\n", i+1)
		}
		var list []row
		for _, c := range b.Candidates {
			name := c.Token
			if name == "" {
				name = c.Piece
			}
			list = append(list, row{name, c.Score, ""})
		}
		p.rows(list)
	}
	fmt.Fprintf(p, "  → %s\n", printable(f.Text))
}

// perplexityService measures how well the model predicts texts.
type perplexityService struct {
	texts
	perplexer *task.Perplexer
}

func (s *perplexityService) compute(ctx context.Context, records []record) ([]outcome, error) {
	var results []task.Perplexity
	var err error
	if records[0].text.Pair {
		results, err = s.perplexer.MeasurePairs(ctx, pairsOf(records))
	} else {
		results, err = s.perplexer.Measure(ctx, firsts(records))
	}
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &perplexed{&results[i]}
	}
	return outcomes, nil
}

// perplexed is the result of one text.
type perplexed struct{ *task.Perplexity }

func (x *perplexed) seen() runtime.Seen { return x.Seen }
func (x *perplexed) object() any        { return x.Perplexity }

func (x *perplexed) show(p *page, r *record) {
	p.title(r, x.Tokens, x.Truncated)
	what := "perplexity"
	if x.Pseudo {
		what = "pseudo-perplexity"
	}
	fmt.Fprintf(p, "  %s %.4g over %s\n", what, x.Perplexity.Perplexity, command.Plural(x.Counted, "token"))
	var list []row
	least := &x.Scored[0]
	for i := range x.Scored {
		if s := &x.Scored[i]; s.LogProbability < least.LogProbability {
			least = s
		}
	}
	list = append(list, row{least.Text, math.Exp(least.LogProbability), "the token that is predicted worst"})
	p.rows(list)
}

// generateService continues texts.
type generateService struct {
	texts
	generator *task.Generator
	o         task.GenerateOptions
	prefix    bool
	page      *page
}

func (f *taskFlags) generating(core *engine.Core, h *engine.Head, p *page) (service, error) {
	g, err := task.NewGenerator(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &generateService{f.texts(), g, task.GenerateOptions{
		MaxNew: f.count("max-new-tokens"), Temperature: f.real("temperature"), TopK: f.count("top-k"), TopP: f.real("top-p"),
		Seed: *valueOf[uint64](f, "seed"), Samples: f.count("samples"),
	}, core.Program().Limits.Prefix, p}
	if s.o.Stop, err = f.words("stop"); err != nil {
		return nil, err
	}
	if !f.given["temperature"] {
		for _, name := range []string{"top-k", "top-p", "seed"} {
			if f.given[name] {
				return nil, usage("--%s needs --temperature: without it the likeliest token is taken, and nothing is drawn", name)
			}
		}
		if s.o.Samples > 1 {
			return nil, usage("--samples %d needs --temperature: without it they would all be the same", s.o.Samples)
		}
	}
	if f.given["top-p"] && s.o.TopP == 0 {
		return nil, usage("--top-p 0 keeps no token: it must be above 0")
	}
	if _, err := g.Generate(context.Background(), nil, s.o); err != nil { // finds wrong settings before any text is read
		return nil, usage("%v", err)
	}
	return s, nil
}

func (s *generateService) compute(ctx context.Context, records []record) ([]outcome, error) {
	prompts := make([]runtime.Text, len(records))
	for i, r := range records {
		prompts[i] = r.text
	}
	o, streamed := s.o, false
	if s.page.terminal && len(records) == 1 && o.Samples == 1 { // a person can watch the text grow
		streamed = true
		s.page.passed(&records[0])
		fmt.Fprint(s.page, s.before(&records[0]))
		o.Stream = func(_, _ int, added string) error {
			fmt.Fprint(s.page, printable(added))
			return s.page.Flush()
		}
	}
	results, err := s.generator.Generate(ctx, prompts, o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &generated{Generated: &results[i*s.o.Samples], service: s, all: results[i*s.o.Samples : (i+1)*s.o.Samples], streamed: streamed}
	}
	return outcomes, nil
}

// before returns what is printed before a generated text: the text that it continues, or the source that it is made from.
func (s *generateService) before(r *record) string {
	if s.prefix {
		return printable(command.Shorten(r.text.First, excerptSize)) + "\n  → " + printable(r.text.Second)
	}
	if r.text.Pair {
		return printable(r.text.First) + " | " + printable(r.text.Second)
	}
	return printable(r.text.First)
}

// generated is the result of one prompt.
type generated struct {
	*task.Generated
	Truncated int              `json:"truncated"`         // always 0: prompts are never cut
	Samples   []task.Generated `json:"samples,omitempty"` // all samples, if there are several
	service   *generateService
	all       []task.Generated
	streamed  bool
}

func (g *generated) seen() runtime.Seen {
	n := 0
	for _, x := range g.all {
		n += x.Prompt + x.Tokens
	}
	return runtime.Seen{Tokens: n, Windows: 1}
}

func (g *generated) object() any {
	if len(g.all) > 1 {
		g.Samples = g.all
	}
	return g
}

// endedBy describes for people the reasons why a text ended.
var endedBy = map[string]string{
	task.EndToken: "the model", task.EndStop: "a stop string", task.EndLength: "--max-new-tokens", task.EndFull: "the model's limit",
}

func (g *generated) show(p *page, r *record) {
	for i := range g.all {
		x := &g.all[i]
		if !g.streamed {
			fmt.Fprint(p, g.service.before(r)+printable(x.Text))
		}
		fmt.Fprintf(p, "\n  (%s, ended by %s)\n", command.Plural(x.Tokens, "token"), endedBy[x.Reason])
	}
}
