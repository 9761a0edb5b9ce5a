package program

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

var _ = examine(tasktable.Tags, (*evalFlags).examineTags)

// tagEvaluator compares the tags of words, or, if texts have entities and no words, entities.
type tagEvaluator struct {
	inChunks
	tagger *task.Tagger
	labels map[string]int
	names  []string
	o      task.TagOptions
	words  bool
}

func (e *evalFlags) examineTags(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	s, err := e.tagging(core, h, nil)
	if err != nil {
		return nil, err
	}
	made := s.(*tagService)
	v := &tagEvaluator{tagger: made.tagger, o: made.o, names: made.tagger.Labels(), labels: map[string]int{}, words: len(all.first.Words) > 0}
	for i, name := range v.names {
		v.labels[name] = i
	}
	if v.words && (e.given["aggregate"] || e.given["threshold"]) {
		return nil, usage("--aggregate and --threshold are about entities of texts, and these examples are words with tags")
	}
	return v, nil
}

func (v *tagEvaluator) check(x *example.Example) error {
	switch {
	case v.words && len(x.Words) == 0:
		return errors.New(`it has no "words", and the first example has: evaluate words with tags and texts with entities separately`)
	case !v.words && len(x.Words) > 0:
		return errors.New(`it has "words", and the first example has none: evaluate words with tags and texts with entities separately`)
	case !v.words:
		return hasText(x)
	case x.Tags == nil && x.Entities == nil:
		return errors.New(`it has no "tags", one for each word`)
	}
	if i := slices.IndexFunc(x.Words, func(w string) bool { return w == "" || strings.ContainsAny(w, " \t\n") }); i >= 0 {
		return fmt.Errorf("word %d is %q: a word has at least one character and no space", i+1, x.Words[i])
	}
	gold, err := v.gold(x)
	if err != nil {
		return err
	}
	if len(gold) != len(x.Words) {
		return fmt.Errorf("it has %d words and %d tags: there must be one for each word", len(x.Words), len(gold))
	}
	for _, tag := range gold {
		if _, ok := v.labels[tag]; !ok {
			return fmt.Errorf("the model has no label %q (it has: %s)", command.Shorten(tag, 40), command.Shorten(strings.Join(v.names, ", "), 200))
		}
	}
	return nil
}

// gold returns the right tag of each word. Entities become tags: B-X and I-X if the model has such labels, else X.
func (v *tagEvaluator) gold(x *example.Example) ([]string, error) {
	if x.Tags != nil {
		return x.Tags, nil
	}
	tags := make([]string, len(x.Words))
	for i := range tags {
		tags[i] = "O"
	}
	for _, e := range x.Entities {
		if e.Start < 0 || e.Start >= e.End || e.End > len(tags) {
			return nil, fmt.Errorf("the entity %s is from word %d to %d, and there are %d words", e.Label, e.Start, e.End, len(tags))
		}
		for i := e.Start; i < e.End; i++ {
			if tags[i] != "O" {
				return nil, fmt.Errorf("the entity %s at word %d overlaps another one, and a word has one label", e.Label, e.Start)
			}
			tags[i] = task.WordTag(e.Label, i == e.Start, v.labels)
		}
	}
	return tags, nil
}

func (v *tagEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	if !v.words {
		return v.entities(ctx, examples)
	}
	sentences := make([]task.Sentence, len(examples))
	list := make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		gold, err := v.gold(x)
		if err != nil {
			return nil, err
		}
		sentences[i] = task.SentenceOf(x.Words)
		for _, tag := range gold {
			sentences[i].Gold = append(sentences[i].Gold, v.labels[tag])
		}
		list[i].Gold = bioes(gold, v.names)
	}
	results, err := v.tagger.TagWords(ctx, sentences, v.o)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		predicted := make([]string, len(r.Labels))
		for k, label := range r.Labels {
			if predicted[k] = "O"; label >= 0 { // a word that the model did not see has no entity
				predicted[k] = v.names[label]
			}
		}
		p := &list[i]
		p.Label = bioes(predicted, v.names)
		if cut(p, r.Seen); p.Truncated > 0 {
			p.CutLabels = v.missed(&sentences[i], r.Labels)
		}
		if r.Terms > 0 {
			sum(p, r.Loss, float64(r.Terms))
		}
	}
	return list, nil
}

// missed returns how many words have a right label other than O and were not seen.
func (v *tagEvaluator) missed(s *task.Sentence, predicted []int) (n int) {
	for word, label := range predicted {
		if label < 0 && v.names[s.Gold[word]] != "O" {
			n++
		}
	}
	return n
}

// bioes writes the tags L-X and U-X of the scheme BILOU as E-X and S-X, which seqeval knows. A label L-X or U-X is of this scheme if the model has B-X or
// I-X too.
func bioes(tags, labels []string) []string {
	out := slices.Clone(tags)
	for i, tag := range out {
		prefix, kind, ok := strings.Cut(tag, "-")
		if to := map[string]string{"L": "E-", "U": "S-"}[prefix]; ok && to != "" && (slices.Contains(labels, "B-"+kind) || slices.Contains(labels, "I-"+kind)) {
			out[i] = to + kind
		}
	}
	return out
}

// span is an entity of a prediction, with its place in bytes.
type span struct {
	Label string `json:"label"`
	Start int    `json:"start"`
	End   int    `json:"end"`
}

// spansOf returns entities as predictions have them.
func spansOf(list []task.Entity) []span {
	spans := make([]span, len(list))
	for i, x := range list {
		spans[i] = span{x.Label, x.Start, x.End}
	}
	return spans
}

// goldSpans returns the right entities of an example with the text that the model reads. Entities in words get their places in bytes.
func goldSpans(x *example.Example) (text string, spans []span, err error) {
	starts := task.SentenceOf(x.Words)
	text = x.Text
	if len(x.Words) > 0 {
		text = starts.Text
	}
	spans = []span{}
	for _, e := range x.Entities {
		size := len(text)
		if len(x.Words) > 0 {
			size = len(x.Words)
		}
		if e.Start < 0 || e.Start >= e.End || e.End > size {
			return "", nil, fmt.Errorf("the entity %s is from %d to %d, and the text has %d", e.Label, e.Start, e.End, size)
		}
		start, end := e.Start, e.End
		if len(x.Words) > 0 {
			start, end = starts.Starts[e.Start], starts.Starts[e.End-1]+len(x.Words[e.End-1])
		}
		spans = append(spans, span{e.Label, start, end})
	}
	return text, spans, nil
}

// golden returns the texts of examples, and predictions that have the right entities alone.
func golden(examples []*example.Example) (texts []string, list []prediction.Prediction, err error) {
	texts, list = make([]string, len(examples)), make([]prediction.Prediction, len(examples))
	for i, x := range examples {
		text, gold, err := goldSpans(x)
		if err != nil {
			return nil, nil, err
		}
		texts[i], list[i].Gold = text, gold
	}
	return texts, list, nil
}

// entities compares the entities of texts.
func (v *tagEvaluator) entities(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	texts, list, err := golden(examples)
	if err != nil {
		return nil, err
	}
	o := v.o
	for i := range list {
		o.Right = append(o.Right, v.sentence(texts[i], list[i].Gold.([]span)))
	}
	results, err := v.tagger.Tag(ctx, texts, o)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		p := &list[i]
		gold := p.Gold.([]span)
		p.Label = spansOf(r.Entities)
		if r.Terms > 0 {
			sum(p, r.Loss, float64(r.Terms))
		}
		if cut(p, r.Seen); p.Truncated > 0 {
			from, to := 0, 0
			if n := len(r.Tags); n > 0 {
				from, to = r.Tags[0].Start, r.Tags[n-1].End
			}
			p.CutLabels = outside(gold, from, to)
		}
	}
	return list, nil
}

// outside returns how many entities do not lie in the bytes from..to, which the model saw.
func outside(list []span, from, to int) (n int) {
	for _, s := range list {
		if s.Start < from || s.End > to {
			n++
		}
	}
	return n
}

// sentence returns the words of a text with the labels of its entities, as trainings label them. A word with a label that the model lacks has
// the label -1.
func (v *tagEvaluator) sentence(text string, entities []span) task.Sentence {
	s := task.Sentence{Text: text}
	label := func(tag string) int {
		if n, ok := v.labels[tag]; ok {
			return n
		}
		return -1
	}
	parts := task.Words(text)
	for _, p := range parts {
		s.Starts, s.Gold = append(s.Starts, p.Start), append(s.Gold, label("O"))
	}
	for _, e := range entities {
		begins := true
		for i, p := range parts {
			if p.Start < e.End && p.End > e.Start {
				s.Gold[i], begins = label(task.WordTag(e.Label, begins, v.labels)), false
			}
		}
	}
	return s
}

var _ = examine(tasktable.Entities, (*evalFlags).examineEntities)

// entityEvaluator compares entities. The labels to look for are those of --labels, or of the example, or else of all entities of the data.
type entityEvaluator struct {
	inChunks
	extractor *task.Extractor
	labels    []string
	fixed     bool // by --labels
	o         task.EntityOptions
}

func (e *evalFlags) examineEntities(core *engine.Core, h *engine.Head, all *examples) (evaluator, error) {
	x, err := task.NewExtractor(core, h.Name)
	if err != nil {
		return nil, err
	}
	v := &entityEvaluator{extractor: x, o: task.EntityOptions{Threshold: e.threshold.all, Thresholds: e.threshold.single, Nested: e.on("nested"),
		MultiLabel: e.on("multi-label")}}
	if v.labels, err = e.words("labels"); err != nil {
		return nil, err
	}
	v.fixed = v.labels != nil
	asks := false // an example names no labels of its own
	if !v.fixed {
		err := all.each(func(_ int, one *example.Example) error {
			if one.Labels != nil {
				return nil
			}
			asks = true
			for _, entity := range one.Entities {
				if !slices.Contains(v.labels, entity.Label) {
					v.labels = append(v.labels, entity.Label)
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		slices.Sort(v.labels)
	}
	if len(v.labels) == 0 && asks {
		return nil, usage("no example has an entity: --labels names the labels to look for")
	}
	if v.fixed {
		if err := x.Check(v.labels, v.o); err != nil {
			return nil, usage("--labels, --threshold: %v", err)
		}
	}
	return v, nil
}

// wanted returns the labels to look for in an example.
func (v *entityEvaluator) wanted(x *example.Example) []string {
	if x.Labels != nil && !v.fixed {
		return *x.Labels
	}
	return v.labels
}

// options returns the options for labels.
func (v *entityEvaluator) options(labels []string) *task.EntityOptions {
	if v.fixed {
		return &v.o
	}
	return withThresholds(v.o, labels)
}

func (v *entityEvaluator) check(x *example.Example) error {
	if x.Text == "" && len(x.Words) == 0 {
		return errors.New(`it has no "text" and no "words"`)
	}
	_, gold, err := goldSpans(x)
	if err != nil {
		return err
	}
	labels := v.wanted(x)
	for _, s := range gold {
		if !slices.Contains(labels, s.Label) {
			return fmt.Errorf("it has an entity %q, which is not one of the labels to look for (%s)", command.Shorten(s.Label, 40),
				command.Shorten(strings.Join(labels, ", "), 200))
		}
	}
	return v.extractor.Check(labels, *v.options(labels))
}

func (v *entityEvaluator) predict(ctx context.Context, examples []*example.Example) ([]prediction.Prediction, error) {
	texts, list, err := golden(examples)
	if err != nil {
		return nil, err
	}
	inputs, o := make([]task.EntityInput, len(examples)), v.o
	o.Right = make([][]task.RightEntity, len(examples))
	for i, x := range examples {
		labels := v.wanted(x)
		inputs[i] = task.EntityInput{Text: texts[i], Labels: labels, Options: v.options(labels)}
		o.Right[i] = rightOf(list[i].Gold.([]span))
	}
	results, err := v.extractor.EntitiesEach(ctx, inputs, o)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		p := &list[i]
		gold := p.Gold.([]span)
		p.Label = spansOf(r.Entities)
		if r.Terms > 0 {
			sum(p, r.Loss, float64(r.Terms))
		}
		if cut(p, r.Seen); p.Truncated > 0 {
			p.CutLabels = outside(gold, 0, r.Read)
		}
	}
	return list, nil
}

// rightOf returns right entities for a loss.
func rightOf(list []span) []task.RightEntity {
	right := make([]task.RightEntity, len(list))
	for i, s := range list {
		right[i] = task.RightEntity{Label: s.Label, Start: s.Start, End: s.End}
	}
	return right
}
