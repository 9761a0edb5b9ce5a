package program

import (
	"context"
	"errors"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

var _ = examine(tasktable.MLM, (*evalFlags).examineTokens)

// examineTokens makes the evaluator of a head that predicts tokens: those that follow if the model is causal, else those that are masked.
func (e *evalFlags) examineTokens(core *engine.Core, h *engine.Head, _ *examples) (evaluator, error) {
	p, err := task.NewPerplexer(core, h.Name)
	switch causal := core.Program().Limits.Causal; {
	case err != nil:
		return nil, err
	case !causal && e.generate:
		return nil, usage("--generate belongs to models that write text; this model looks at both sides of a token and cannot")
	case !causal && (e.given["max-new-tokens"] || e.given["stop"]):
		return nil, usage("--max-new-tokens and --stop belong to --generate")
	case !causal:
		return &maskEvaluator{perplexer: p, share: e.share, seed: e.seed}, nil
	}
	v := &writeEvaluator{perplexer: p, prefix: core.Program().Limits.Prefix}
	switch {
	case e.generate:
		if v.generator, err = task.NewGenerator(core, h.Name); err != nil {
			return nil, err
		}
		v.o.MaxNew = e.count("max-new-tokens")
		if v.o.Stop, err = e.words("stop"); err != nil {
			return nil, err
		}
		if _, err := v.generator.Generate(context.Background(), nil, v.o); err != nil { // finds wrong settings before any text is read
			return nil, usage("%v", err)
		}
	case e.given["max-new-tokens"] || e.given["stop"]:
		return nil, usage("--max-new-tokens and --stop belong to --generate")
	}
	return v, nil
}

// maskEvaluator masks tokens of texts and predicts them.
type maskEvaluator struct {
	inChunks
	perplexer *task.Perplexer
	share     float64
	seed      uint64
}

func (v *maskEvaluator) check(x *example.Example) error {
	if x.Target != "" {
		return errors.New("it has a target, a text to write, and this model looks at both sides of a token and cannot write")
	}
	return hasText(x)
}

func (v *maskEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	results, err := v.perplexer.Masked(ctx, textsOf(examples), v.share, v.seed)
	if err != nil {
		return nil, err
	}
	list := make([]prediction.Prediction, len(examples))
	for i, r := range results {
		right := float64(r.Right)
		list[i].Right = &right
		predicted(&list[i], r.LogProbability, r.Counted, r.Seen)
	}
	return list, nil
}

// textsOf returns the texts and pairs of examples.
func textsOf(examples []*example.Example) []runtime.Text {
	list := make([]runtime.Text, len(examples))
	for i, x := range examples {
		list[i].First = x.Text
		if x.Pair != nil {
			list[i].Second, list[i].Pair = *x.Pair, true
		}
	}
	return list
}

// predicted fills the prediction of a number of tokens.
func predicted(p *prediction.Prediction, logProbability float64, counted int, seen runtime.Seen) {
	n := float64(counted)
	p.LogProbability, p.Counted = &logProbability, &n
	sum(p, -logProbability, n)
	cut(p, seen)
}

// writeEvaluator measures how well a causal model predicts texts, or the targets of texts, and compares the texts that it writes with the targets.
type writeEvaluator struct {
	inChunks
	perplexer *task.Perplexer
	generator *task.Generator // nil: no text is written
	o         task.GenerateOptions
	prefix    bool
}

func (v *writeEvaluator) check(x *example.Example) error {
	switch {
	case x.Target != "" && x.Pair != nil:
		return errors.New("it has a target and a second text: leave one of them out")
	case x.Target == "" && v.generator != nil:
		return errors.New(`it has no "target", the text to compare with the one that the model writes`)
	case x.Target == "" && v.prefix:
		return errors.New(`it has no "target", the text to write: the model's mask has a prefix`)
	case x.Target != "":
		return nil
	}
	return hasText(x)
}

func (v *writeEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	list := make([]prediction.Prediction, len(examples))
	judged := make([]*example.Example, len(examples))
	for i, x := range examples {
		judged[i] = x
		if x.Target != "" {
			judged[i] = &example.Example{Text: x.Text, Pair: &x.Target}
		}
	}
	if err := byPairs(judged, func(at []int, texts []string, pairs [][2]string) error {
		var results []task.Perplexity
		var err error
		if pairs != nil {
			results, err = v.perplexer.MeasurePairs(ctx, pairs)
		} else {
			results, err = v.perplexer.Measure(ctx, texts)
		}
		for k := range results {
			predicted(&list[at[k]], results[k].LogProbability, results[k].Counted, results[k].Seen)
		}
		return err
	}); err != nil {
		return nil, err
	}
	if v.generator == nil {
		return list, nil
	}
	prompts := make([]runtime.Text, len(examples))
	for i, x := range examples {
		prompts[i] = runtime.Text{First: x.Text, Pair: true}
	}
	results, err := v.generator.Generate(ctx, prompts, v.o)
	for i := range results {
		list[i].Label, list[i].Gold = strings.TrimSpace(results[i].Text), strings.TrimSpace(examples[i].Target)
	}
	return list, err
}
