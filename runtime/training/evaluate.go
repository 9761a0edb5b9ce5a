package training

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
)

// preferred lists the metrics of which a run whose command names none takes the first one that its evaluations have.
var preferred = []string{"accuracy", "f1", "f1_micro", "spearman", "exact", "ndcg", "mrr", "mcc", "perplexity", "loss"}

// falling lists the metrics that get better as they fall.
var falling = []string{"perplexity", "loss", "ece", "mean_squared_error"}

// LowerIsBetter reports whether a metric gets better as it falls.
func LowerIsBetter(name string) bool { return slices.Contains(falling, name) }

// threshold ends the names of numbers that come with a metric and are neither better nor worse.
const threshold = "_thresh"

// evaluate evaluates the model as it is now, and records whether it is the best one.
func (r *run) evaluate(ctx context.Context) error {
	var metrics map[string]float64
	if err := r.withModel(func(path string) (err error) {
		metrics, err = r.Evaluate(ctx, path, r.t.Next())
		return err
	}); err != nil {
		return err
	}
	if err := r.choose(sortedNames(metrics)); err != nil {
		return err
	}
	r.compare(r.t.Next(), metrics[r.Metric.Name])
	values := map[string]float64{}
	for name, v := range metrics {
		if finite(v) {
			values[runfolder.EvalPrefix+name] = v
		}
	}
	return r.log(EventEvaluation, values)
}

// withModel calls f with the file of the model as it is now.
func (r *run) withModel(f func(path string) error) error {
	path := r.Folder.Path(EvaluationFile)
	if err := r.t.SaveModel(path); err != nil {
		return err
	}
	err := f(path)
	return errors.Join(err, r.removeModel())
}

// named chooses the metric before the first step, if the command names some, so that a run does not end hours later because there is no such metric.
func (r *run) named(ctx context.Context) error {
	if evaluated := r.best != nil || r.idle > 0; r.Names == nil || evaluated || r.Metric.Name == "" || r.t.Next() >= r.stop {
		return nil
	}
	return r.withModel(func(path string) error {
		names, err := r.Names(ctx, path)
		if err != nil {
			return err
		}
		return r.choose(names)
	})
}

// choose sets the metric to the first of its names that evaluations have.
func (r *run) choose(names []string) error {
	slices.Sort(names)
	asked := preferred
	if r.Metric.Name != "" {
		asked = strings.Split(r.Metric.Name, ",")
	}
	names = slices.DeleteFunc(names, func(name string) bool { return strings.HasSuffix(name, threshold) })
	for _, name := range asked {
		if slices.Contains(names, name) {
			r.Metric.Name = name
			return nil
		}
	}
	return ragged.Errorf("the evaluation has no metric %q (it has: %s)", r.Metric.Name, strings.Join(names, ", "))
}

// finite reports whether a number is one: metrics that are not defined for the data, or have overflowed, are not.
func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// compare takes a value as the best one if it is better than all before it. Of equal ones the first wins; a value that is not finite is never the best.
func (r *run) compare(step int, value float64) {
	r.idle++
	lower := LowerIsBetter(r.Metric.Name)
	if finite(value) && (r.best == nil || r.best.Metric != r.Metric.Name || lower && value < r.best.Value || !lower && value > r.best.Value) {
		r.best, r.idle = &runfolder.Best{Step: step, Metric: r.Metric.Name, Value: value}, 0
	}
}

// recall restores the best evaluation, and how many have followed it, from the metrics of a run that goes on.
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
		if len(evaluated) == 0 {
			continue
		}
		_ = r.choose(sortedNames(evaluated)) // one without the metric, whose value was not finite, is no better
		value, ok := evaluated[r.Metric.Name]
		if !ok || !slices.ContainsFunc(points, func(c runfolder.Checkpoint) bool { return c.Step == l.Step }) {
			value = math.NaN() // an evaluation whose checkpoint does not exist any more cannot be the best one
		}
		r.compare(l.Step, value)
	}
}

// exhausted reports whether as many evaluations as the patience allows were no better.
func (r *run) exhausted() bool {
	return r.Evaluate != nil && r.Metric.Patience > 0 && r.idle >= r.Metric.Patience
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
