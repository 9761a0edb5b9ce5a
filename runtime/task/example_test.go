package task_test

import (
	"context"
	"fmt"
	"log"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/task"
)

// tagger, nli and the others stand for the descriptions of generated packages, which their function Program returns.
var tagger, nli, scorer, reader, chooser, masked, causal, discriminator, gliner, gliclass, gliner2, encoder *engine.Program

// open opens packed weights.
func open(p *engine.Program, path string) *engine.Core {
	core, err := engine.Open(p, path)
	if err != nil {
		log.Fatal(err)
	}
	return core
}

func ExampleTagger() {
	core := open(tagger, "tag.weights")
	defer core.Close()
	t, err := task.NewTagger(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := t.Tag(context.Background(), []string{"Anna Smith lives in New York."}, task.TagOptions{BIO: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range results[0].Entities {
		fmt.Println(e.Label, e.Text, e.Start, e.End)
	}
}

func ExampleZeroShot() {
	core := open(nli, "nli.weights")
	defer core.Close()
	z, err := task.NewZeroShot(core, "", task.NLIOptions{})
	if err != nil {
		log.Fatal(err)
	}
	results, err := z.Classify(context.Background(), []string{"The match ended in a draw."}, []string{"sport", "politics"}, task.ZeroShotOptions{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Labels[0].Label, results[0].Labels[0].Score)
}

func ExampleScorer() {
	core := open(scorer, "score.weights")
	defer core.Close()
	s, err := task.NewScorer(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := s.ScorePairs(context.Background(), [][2]string{{"How do I boil an egg?", "Six minutes in boiling water."}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Score)
}

func ExampleRanker() {
	core := open(scorer, "rank.weights")
	defer core.Close()
	r, err := task.NewRanker(core, "")
	if err != nil {
		log.Fatal(err)
	}
	ranked, err := r.Rank(context.Background(), "capital of France", []string{"Rome is old.", "Paris is the capital."}, task.RankOptions{Top: 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(ranked[0].Text, ranked[0].Score)
}

func ExampleAnswerer() {
	core := open(reader, "answer.weights")
	defer core.Close()
	a, err := task.NewAnswerer(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := a.Answer(context.Background(), []task.Question{{Question: "Who visited Paris?", Context: "In 2010 Angela Merkel visited Paris."}},
		task.AnswerOptions{NoAnswer: true})
	if err != nil {
		log.Fatal(err)
	}
	if !results[0].NoAnswer {
		fmt.Println(results[0].Answers[0].Text)
	}
}

func ExampleChooser() {
	core := open(chooser, "choose.weights")
	defer core.Close()
	c, err := task.NewChooser(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := c.Choose(context.Background(), []task.ChoiceQuestion{{Question: "She took an", Options: []string{"umbrella", "bed"}}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Option)
}

func ExampleFiller() {
	core := open(masked, "fill.weights")
	defer core.Close()
	f, err := task.NewFiller(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := f.Fill(context.Background(), []string{"Paris is the [MASK] of France."}, task.FillOptions{Top: 3})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range results[0].Blanks[0].Candidates {
		fmt.Println(c.Token, c.Score)
	}
}

func ExamplePerplexer() {
	core := open(masked, "fill.weights")
	defer core.Close()
	p, err := task.NewPerplexer(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := p.Measure(context.Background(), []string{"Paris is the capital of France."})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Perplexity, results[0].Pseudo)
}

func ExampleGenerator() {
	core := open(causal, "generate.weights")
	defer core.Close()
	g, err := task.NewGenerator(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := g.Generate(context.Background(), []runtime.Text{{First: "The quick brown"}}, task.GenerateOptions{MaxNew: 12, Temperature: 1, Seed: 5})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(results[0].Text)
}

func ExampleDetector() {
	core := open(discriminator, "rtd.weights")
	defer core.Close()
	d, err := task.NewDetector(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := d.Detect(context.Background(), []string{"The quick brown stone jumps."}, 0.5)
	if err != nil {
		log.Fatal(err)
	}
	for _, v := range results[0].Verdicts {
		fmt.Println(v.Text, v.Score, v.Replaced)
	}
}

func ExampleExtractor() {
	core := open(gliner, "entities.weights")
	defer core.Close()
	x, err := task.NewExtractor(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := x.Entities(context.Background(), []string{"Angela Merkel visited Paris."}, []string{"person", "place"}, task.EntityOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range results[0].Entities {
		fmt.Println(e.Label, e.Text)
	}
}

func ExampleMatcher() {
	core := open(gliclass, "classes.weights")
	defer core.Close()
	m, err := task.NewMatcher(core, "")
	if err != nil {
		log.Fatal(err)
	}
	results, err := m.Match(context.Background(), []string{"One day I will see the world!"}, []string{"travel", "sport"}, task.MatchOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, l := range results[0].Labels {
		fmt.Println(l.Label, l.Score)
	}
}

func ExampleBERTScorer() {
	core := open(encoder, "layer40.weights") // of debertac pack DIR --head embed --layer 40 --pool none
	defer core.Close()
	m, err := task.NewBERTScorer(core, "")
	if err != nil {
		log.Fatal(err)
	}
	pairs := [][2]string{{"A dog is running fast.", "The quick dog runs."}}
	scores, err := m.BERTScore(context.Background(), pairs, task.BERTScoreOptions{Baseline: &task.Baseline{Precision: 0.5169, Recall: 0.517, F1: 0.515}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(scores[0].Precision, scores[0].Recall, scores[0].F1)
}

func ExampleSchemaExtractor() {
	core := open(gliner2, "extract.weights")
	defer core.Close()
	x, err := task.NewSchemaExtractor(core, "")
	if err != nil {
		log.Fatal(err)
	}
	schema := &task.Schema{
		Entities:        []extraction.Entity{{Label: "person"}, {Label: "place", Description: new("towns and countries")}},
		Classifications: []extraction.Classification{{Task: "tone", Labels: []string{"friendly", "rude"}}},
	}
	results, err := x.Extract(context.Background(), []string{"Ada met Charles in London."}, schema, task.ExtractOptions{})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range results[0].Entities {
		for _, s := range e.Spans {
			fmt.Println(e.Label, s.Text, s.Start, s.End, s.Score)
		}
	}
	fmt.Println(results[0].Answers[0].Labels[0].Label)
}

func ExampleEmbedder() {
	core := open(encoder, "embed.weights")
	defer core.Close()
	m, err := task.NewEmbedder(core, "")
	if err != nil {
		log.Fatal(err)
	}
	vectors, err := m.Embed(context.Background(), []string{"one text", "another one"}, task.EmbedOptions{Normalize: true})
	if err != nil {
		log.Fatal(err)
	}
	near, err := task.Cosine(vectors[0].Vector, vectors[1].Vector)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(vectors[0].Vector), near)
}
