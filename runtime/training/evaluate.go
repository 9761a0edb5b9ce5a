package training

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
)

// Preferred lists metrics with the direction in which they get better, the one that decides first. A run whose command names no metric takes the first one that
// its evaluations have.
var Preferred = []Metric{
	{Name: "accuracy"}, {Name: "f1"}, {Name: "f1_micro"}, {Name: "spearman"}, {Name: "exact"}, {Name: "ndcg"}, {Name: "mrr"}, {Name: "mcc"},
	{Name: "perplexity", Lower: true}, {Name: "loss", Lower: true},
}

// LowerIsBetter reports whether a metric gets better as it falls.
func LowerIsBetter(name string) bool {
	for _, m := range Preferred {
		if m.Name == name {
			return m.Lower
		}
	}
	return strings.HasSuffix(name, "loss") || name == "ece"
}

// evaluate evaluates the model as it is now, and records whether it is the best one.
func (r *run) evaluate(ctx context.Context) error {
	path := r.Folder.Path(EvaluationFile)
	if err := r.t.SaveModel(path); err != nil {
		return err
	}
	metrics, err := r.Evaluate(ctx, path, r.t.Next())
	if err = errors.Join(err, r.removeModel()); err != nil {
		return err
	}
	values := map[string]float64{}
	for name, v := range metrics {
		values[runfolder.EvalPrefix+name] = v
	}
	if err := r.choose(metrics); err != nil {
		return err
	}
	return r.log(EventEvaluation, values)
}

// choose sets the metric at the first evaluation, and compares.
func (r *run) choose(metrics map[string]float64) error {
	if !r.name(metrics) {
		return ragged.Errorf("the evaluation has no metric %q (it has: %s)", r.Metric.Name, strings.Join(sortedNames(metrics), ", "))
	}
	r.compare(r.t.Next(), metrics[r.Metric.Name])
	return nil
}

// name replaces the names of metrics by the first one that an evaluation has, and reports whether there is one.
func (r *run) name(metrics map[string]float64) bool {
	names := strings.Split(r.Metric.Name, ",")
	if r.Metric.Name == "" {
		names = names[:0]
		for _, m := range Preferred {
			names = append(names, m.Name)
		}
	}
	for _, name := range names {
		if _, ok := metrics[name]; ok {
			r.Metric.Name = name
			return true
		}
	}
	return false
}

// compare takes a value as the best one if it is better than all before it. Of equal ones the first wins.
func (r *run) compare(step int, value float64) {
	r.idle++
	lower := r.Metric.Lower || LowerIsBetter(r.Metric.Name)
	if r.best == nil || r.best.Metric != r.Metric.Name || lower && value < r.best.Value || !lower && value > r.best.Value {
		r.best, r.idle = &runfolder.Best{Step: step, Metric: r.Metric.Name, Value: value}, 0
	}
}

// recall restores the best evaluation, and how many have followed it, from the metrics of a run that goes on.
// An evaluation whose checkpoint does not exist any more cannot be the best one.
func (r *run) recall(lines []runfolder.Line, points []runfolder.Checkpoint) {
	if r.Metric.Name == "" && r.best != nil {
		r.Metric.Name = r.best.Metric
	}
	r.best, r.idle = nil, 0
	for _, l := range lines {
		evaluated := map[string]float64{}
		for name, v := range l.Values {
			if metric, ok := strings.CutPrefix(name, runfolder.EvalPrefix); ok {
				evaluated[metric] = v
			}
		}
		switch {
		case len(evaluated) == 0 || !r.name(evaluated):
		case slices.ContainsFunc(points, func(c runfolder.Checkpoint) bool { return c.Step == l.Step }):
			r.compare(l.Step, evaluated[r.Metric.Name])
		default:
			r.idle++
		}
	}
}

// sortedNames returns the names of numbers in their order.
func sortedNames(values map[string]float64) []string { return slices.Sorted(maps.Keys(values)) }

// tagOf returns the tag of a number in TensorBoard.
func tagOf(kind, name string) string {
	if kind == EventEvaluation {
		return "eval/" + strings.TrimPrefix(name, runfolder.EvalPrefix)
	}
	return fmt.Sprintf("train/%s", name)
}
