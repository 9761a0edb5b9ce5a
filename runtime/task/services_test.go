package task_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// made makes a service of a head.
func made[T any](f func(*engine.Core, string) (T, error)) func(*engine.Core) error {
	return func(core *engine.Core) error {
		_, err := f(core, "")
		return err
	}
}

// news are the functions that make services, by the names of the table of tasks.
var news = map[string]func(*engine.Core) error{
	"Tagger": made(task.NewTagger), "Scorer": made(task.NewScorer), "Ranker": made(task.NewRanker), "Answerer": made(task.NewAnswerer),
	"Chooser": made(task.NewChooser),
	"Filler":  made(task.NewFiller), "Perplexer": made(task.NewPerplexer), "Generator": made(task.NewGenerator), "Detector": made(task.NewDetector),
	"Extractor": made(task.NewExtractor), "Embedder": made(task.NewEmbedder), "BERTScorer": made(task.NewBERTScorer),
	"Matcher": made(task.NewMatcher), "SchemaExtractor": made(task.NewSchemaExtractor),
	"ZeroShot": made(func(core *engine.Core, name string) (*task.ZeroShot, error) {
		return task.NewZeroShot(core, name, task.NLIOptions{})
	}),
}

// TestServicesServeTheirTasks checks that a service refuses heads of tasks that the table does not list for it, with the words of the table.
func TestServicesServeTheirTasks(t *testing.T) {
	heads := []engine.Head{
		{Task: tasktable.Labels, C: 3, Labels: []string{"entailment", "neutral", "contradiction"}}, {Task: tasktable.Score, C: 1}, {Task: tasktable.Choices,
			C: 1}, {Task: tasktable.Vector, C: 4},
		{Task: tasktable.Tags, Rows: engine.PerToken, C: 2, Labels: []string{"O", "B-X"}}, {Task: tasktable.Span, Rows: engine.PerToken, C: 2},
		{Task: tasktable.Replaced, Rows: engine.PerToken, C: 1}, {Task: tasktable.Hidden, Rows: engine.PerToken, C: 4}, {Task: tasktable.MLM,
			Rows: engine.PerToken, C: 1000},
	}
	for _, h := range heads {
		core := task.OpenFake(t, h, func(x *engine.Exec) { clear(x.Out) })
		for _, r := range tasktable.Table {
			for _, s := range r.Services {
				service, tasks := tasktable.Serving(s.Name)
				if slices.Contains(tasks, h.Task) {
					continue
				}
				require.NotNil(t, news[s.Name], s.Name)
				var want []string
				for _, of := range tasks {
					want = append(want, string(of))
				}
				require.ErrorContains(t, news[s.Name](core), fmt.Sprintf("is for %s; %s needs one for %s", h.Task, service.Use, strings.Join(want, " or ")))
			}
		}
	}
	for name, make := range news {
		service, _ := tasktable.Serving(name)
		require.NotNil(t, service, "the table has no service %s", name)
		require.EqualError(t, make(nil), service.Use+": the model is nil")
	}
}
