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
	"github.com/debertac/debertac/runtime/tasktable"
)

// bestRows returns the rows with the highest scores, best first.
func bestRows(list []row, top int) []row {
	slices.SortStableFunc(list, func(a, b row) int { return cmp.Compare(b.score, a.score) })
	return list[:min(top, len(list))]
}

// embedService turns texts into vectors.
type embedService struct {
	texts
	embedder *task.Embedder
	o        task.EmbedOptions
}

var (
	_ = serve(tasktable.Vector, (*taskFlags).embedding)
	_ = serve(tasktable.Hidden, (*taskFlags).embedding)
)

func (f *taskFlags) embedding(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	if f.on("bert-score") {
		return f.comparing(core, h)
	}
	m, o, err := f.embedder(core, h)
	if err != nil {
		return nil, err
	}
	return &embedService{f.texts(), m, o}, nil
}

// embedder returns the embedder of a head, with the options that the flags set.
func (f *taskFlags) embedder(core *engine.Core, h *engine.Head) (*task.Embedder, task.EmbedOptions, error) {
	o := task.EmbedOptions{Normalize: f.on("normalize")}
	m, err := task.NewEmbedder(core, h.Name)
	if err != nil {
		return nil, o, err
	}
	if f.given["pooling"] { // otherwise the head decides
		o.Pooling = task.Pooling(f.word("pooling"))
	}
	if _, err := m.Embed(context.Background(), nil, o); err != nil { // finds wrong settings before any text is read
		return nil, o, usage("--pooling: %v", err)
	}
	o.Prompt, o.NoPrompt = f.word("prompt"), f.on("no-prompt")
	if f.given["prompt"] {
		if o.Prompt == "" {
			return nil, o, usage("--prompt is empty: it must be the name of a prompt (--no-prompt puts no prompt in front of texts)")
		}
		if _, err := m.Embed(context.Background(), nil, o); err != nil {
			return nil, o, usage("--prompt: %v", err)
		}
	}
	return m, o, nil
}

func (s *embedService) compute(ctx context.Context, records []record) ([]outcome, error) {
	var results []task.Embedding
	var err error
	if records[0].text.Pair {
		results, err = s.embedder.EmbedPairs(ctx, pairsOf(records), s.o)
	} else {
		results, err = s.embedder.Embed(ctx, firsts(records), s.o)
	}
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i, r := range results {
		outcomes[i] = &embedded{r.Vector, r.Seen}
	}
	return outcomes, nil
}

// embedded is the result of one text.
type embedded struct {
	Embedding []float32 `json:"embedding"`
	runtime.Seen
}

func (e *embedded) seen() runtime.Seen { return e.Seen }
func (e *embedded) object() any        { return e }

func (e *embedded) show(p *page, r *record) {
	p.title(r, e.Tokens, e.Truncated)
	square := 0.0
	for _, v := range e.Embedding {
		square += float64(v) * float64(v)
	}
	fmt.Fprintf(p, "  %s  (%s, length %.4f; --json prints all)\n", firstNumbers(e.Embedding), command.Plural(len(e.Embedding), "number"), math.Sqrt(square))
}

// firstNumbers returns the first numbers of a vector as text, and an ellipsis for the others.
func firstNumbers(vector []float32) string {
	const shown = 8
	var list []string
	for _, v := range vector[:min(shown, len(vector))] {
		list = append(list, fmt.Sprintf("%.4f", v))
	}
	if len(vector) > shown {
		list = append(list, "…")
	}
	return strings.Join(list, " ")
}
