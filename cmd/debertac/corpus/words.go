package corpus

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/spec"
)

// tags encodes words with their labels, or a text with entities. Words are joined by spaces, as a caller of the model writes a text. The label of a word
// stands at its first token; all other tokens are left out of the loss.
func (w *worker) tags(e *example.Example) error {
	text, starts, labels, err := w.labelled(e)
	if err != nil {
		return err
	}
	classes := make([]int32, len(labels))
	for i, l := range labels {
		n, err := w.class(l)
		if err != nil {
			return err
		}
		classes[i] = int32(n)
		w.out.labels = append(w.out.labels, w.head.Labels[n])
	}
	learns := false // some token has a label
	err = w.text(runtime.Text{First: text}, func(s *prepared.Sequence, at *engine.Window) error {
		list := make([]int32, len(s.IDs))
		for i := range list {
			list[i] = -1
		}
		w.atFirst(at, text, starts, func(row, word int) { list[row] = classes[word] })
		if w.q.Words { // the head has a row for each word
			byWord := make([]int32, 0, len(s.Words)/2)
			for i := 0; i < len(s.Words); i += 2 {
				byWord = append(byWord, list[s.Words[i]])
			}
			list = byWord
		}
		for _, class := range list {
			learns = learns || class >= 0
		}
		s.Integers = map[string][]int32{target: list}
		w.out.rows = append(w.out.rows, []prepared.Sequence{*s})
		return nil
	})
	if err == nil && !learns {
		return faulty("no word of it has a token that the model reads, so there is nothing to learn")
	}
	return err
}

// atFirst calls use with the row of the first token of each word in a window. starts holds the first byte of each word.
func (w *worker) atFirst(at *engine.Window, text string, starts []int, use func(row, word int)) {
	for word, token := range task.FirstTokens(text, starts, w.encoded.Spans) {
		if row, ok := at.Row(token); ok {
			use(row, word)
		}
	}
}

// labelled returns the text of an example, the first byte of each word, and the label of each word.
func (w *worker) labelled(e *example.Example) (text string, starts []int, labels []string, err error) {
	switch {
	case len(e.Words) > 0 && len(e.Tags) == len(e.Words):
		for i, word := range e.Words {
			if word == "" || strings.ContainsAny(word, " \t\n") {
				return "", nil, nil, faulty("word %d is %q: a word has at least one character and no space", i+1, word)
			}
		}
		labels = e.Tags
	case len(e.Words) > 0 && e.Tags != nil:
		return "", nil, nil, faulty("it has %d words and %d tags", len(e.Words), len(e.Tags))
	case len(e.Words) > 0 && e.Entities != nil:
		if labels, err = w.tagsOf(len(e.Words), e.Entities, func(i int) (int, int) { return i, i + 1 }); err != nil {
			return "", nil, nil, err
		}
	case e.Text != "" && e.Entities != nil:
		parts := task.Words(e.Text)
		for _, p := range parts {
			starts = append(starts, p.Start)
		}
		labels, err = w.tagsOf(len(parts), e.Entities, func(i int) (int, int) { return parts[i].Start, parts[i].End })
		return e.Text, starts, labels, err
	default:
		return "", nil, nil, faulty("it needs words with tags, or a text with entities")
	}
	sentence := task.SentenceOf(e.Words)
	return sentence.Text, sentence.Starts, labels, nil
}

// tagsOf returns the label of each of n words from entities: B-X and I-X if the head has such labels, else X. place returns the place of a word.
func (w *worker) tagsOf(n int, entities []example.Entity, place func(i int) (start, end int)) ([]string, error) {
	tags := make([]string, n)
	for i := range tags {
		tags[i] = "O"
	}
	for _, x := range entities {
		first := true
		for i := range n {
			start, end := place(i)
			if start >= x.End || end <= x.Start {
				continue
			}
			if tags[i] != "O" {
				return nil, faulty("the entity %s at %d overlaps another one, and a word has one label", x.Label, x.Start)
			}
			tags[i], first = task.WordTag(x.Label, first, w.labels), false
		}
		if first {
			return nil, faulty("the entity %s at %d has no word", x.Label, x.Start)
		}
	}
	return tags, nil
}

// entities encodes words with entities of any labels. The prompt is written when a batch is made, because the labels that a text is asked for depend on the
// other texts of the batch.
func (w *worker) entities(e *example.Example) error {
	words, spans, err := wordsOf(e)
	switch {
	case err != nil:
		return err
	case e.Entities == nil:
		return faulty("it has no entities; a text without any has an empty list")
	}
	if len(words) == 0 {
		return faulty("it has no words")
	}
	tokens, err := w.tok.AppendWords(nil, words, false)
	if err != nil {
		return err
	}
	s := prepared.Sequence{Integers: map[string][]int32{prepared.Spans: {}}}
	for i, t := range tokens {
		if i == 0 || t.Word != tokens[i-1].Word {
			s.Words = append(s.Words, int32(i), int32(i))
		}
		s.IDs = append(s.IDs, t.ID)
		s.Words[len(s.Words)-1] = int32(i) + 1
	}
	if len(s.Words) != 2*len(words) {
		return faulty("one of its words has no tokens")
	}
	_, _, end := w.q.Frame.Around(false)
	s.IDs = append(s.IDs, end...)
	seen := map[string]bool{}
	labels := 0
	for _, x := range spans {
		if widths := w.words.Widths; widths > 0 && x.End-x.Start > widths {
			return faulty("the entity %s at word %d has %d words, and the head reads spans of up to %d", x.Label, x.Start, x.End-x.Start, widths)
		}
		if !seen[x.Label] {
			seen[x.Label] = true
			w.out.labels = append(w.out.labels, x.Label)
			size, err := w.labelTokens(x.Label)
			if err != nil {
				return err
			}
			labels += len(size) + len(w.words.Mark)
		}
	}
	if need := len(s.IDs) + labels + len(w.words.Open) + len(w.words.End); need > w.set.MaxTokens {
		return faulty("it needs %d tokens with its labels, and the limit is %d: raise `length` in the spec, or cut the text", need, w.set.MaxTokens)
	}
	w.out.spans = spans
	w.out.rows = append(w.out.rows, []prepared.Sequence{s})
	return nil
}

// wordsOf returns the words of an example, and its entities with places counted in words.
func wordsOf(e *example.Example) (words []string, spans []example.Entity, err error) {
	if len(e.Words) > 0 {
		return e.Words, e.Entities, nil
	}
	parts := task.Words(e.Text)
	for _, p := range parts {
		words = append(words, p.Text)
	}
	for _, x := range e.Entities {
		first := slices.IndexFunc(parts, func(p task.Part) bool { return p.End > x.Start })
		last := -1
		for i, p := range parts {
			if p.Start < x.End {
				last = i
			}
		}
		if first < 0 || last < first {
			return nil, nil, faulty("the entity %s at %d has no word", x.Label, x.Start)
		}
		spans = append(spans, example.Entity{Label: x.Label, Start: first, End: last + 1})
	}
	return words, spans, nil
}

// labelTokens returns the tokens of a label.
func (e *Encoder) labelTokens(label string) (ids []int32, err error) {
	if p := e.head.Prompt; strings.Contains(label, p.Mark) || strings.Contains(label, p.End) {
		return nil, faulty("the label %q contains %s or %s, which separate labels", label, p.Mark, p.End)
	}
	tokens, err := e.tok.AppendWords(nil, []string{label}, false)
	if err != nil {
		return nil, err
	}
	for _, t := range tokens {
		ids = append(ids, t.ID)
	}
	if len(ids) == 0 {
		return nil, faulty("the label %q has no tokens", label)
	}
	return ids, nil
}

// promptWords returns what every prompt has.
func (e *Encoder) promptWords() (*prepared.Words, error) {
	p, frame := e.head.Prompt, e.tok.Frame()
	words := &prepared.Words{After: p.After}
	words.Open, _, _ = frame.Around(false)
	for _, t := range []struct {
		name string
		to   *[]int32
	}{{p.Mark, &words.Mark}, {p.End, &words.End}} {
		id, ok := e.tok.ID(t.name)
		if !ok {
			return nil, faulty("the tokenizer has no token %q, which the head's prompt needs", t.name)
		}
		*t.to = []int32{id}
	}
	for _, s := range e.head.Steps {
		if s.Kind == spec.StepSpans {
			words.Widths = s.Width
		}
	}
	return words, nil
}

// tokens encodes a text of a stream, or a text and its continuation.
func (w *worker) tokens(e *example.Example) error {
	if e.Target != "" {
		return w.written(e)
	}
	if !w.packs {
		return faulty("it has no target, a text to write after it: the model's mask has a prefix")
	}
	t, err := textOf(e)
	if err != nil {
		return err
	}
	if t.Pair {
		return faulty("it is a pair, and the model is trained on single texts")
	}
	w.q.Spans = w.tok
	if err := w.q.Encode(&w.encoded, 0, t); err != nil {
		return err
	}
	w.out.stream = slices.Clone(w.encoded.Spans)
	return nil
}

// written encodes a text with the text that a model is to write after it. The loss counts the second one alone, and the token that ends it.
func (w *worker) written(e *example.Example) error {
	if !w.causal() {
		return faulty("it has a target, and the model does not write texts: its mask lets tokens see those after them")
	}
	s, err := w.whole(runtime.Text{First: e.Text, Second: e.Target, Pair: true})
	if err != nil {
		return err
	}
	list := make([]int32, len(s.IDs))
	border := w.windows[0].SecondRow
	for i := range list {
		if list[i] = -1; i+1 >= border && i+1 < len(s.IDs) {
			list[i] = s.IDs[i+1]
		}
	}
	if border+len(w.q.Frame.Close) >= len(s.IDs) {
		return faulty("its target is empty, or cut off")
	}
	s.Integers = map[string][]int32{}
	w.heads(func(_ *spec.Head, name string) { s.Integers[name] = list })
	w.out.rows = append(w.out.rows, []prepared.Sequence{*s})
	return nil
}
