package task

import (
	"context"
	"math"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Sentence is a text whose words are known, for Tagger.TagWords.
type Sentence struct {
	Text   string
	Starts []int // the first byte of each word
	Gold   []int // the label of each word, if it is known, for a loss; nil: not known
}

// SentenceOf returns the sentence of a list of words, which are joined by single spaces.
func SentenceOf(words []string) Sentence {
	s := Sentence{Text: strings.Join(words, " ")}
	at := 0
	for _, w := range words {
		s.Starts, at = append(s.Starts, at), at+len(w)+1
	}
	return s
}

// WordTag returns the tag of a word of an entity: B-X for its first word and I-X for the others if labels has them, I-X if it has no B-X, else X.
func WordTag(entity string, begins bool, labels map[string]int) string {
	prefix := "I-"
	if begins {
		prefix = "B-"
	}
	for _, name := range []string{prefix + entity, "I-" + entity} {
		if _, ok := labels[name]; ok {
			return name
		}
	}
	return entity
}

// WordTags is the result for one sentence.
type WordTags struct {
	Labels []int // the index of each word's label; -1: the word has no token, or was cut off
	// Loss is the sum of the cross entropies of the words whose right labels are known, or, if labels are independent, of the binary cross entropies of all
	// labels of these words. Terms is the number of terms: words, or labels. With a CRF it is -log p of the right labels of the sentence, one term. A
	// sentence without such words has no terms.
	Loss  float64
	Terms int
	runtime.Seen
}

// TagWords labels the words of sentences: the label of a word is that of its first token, as in trainings. Labels that are decoded together (CRF or the
// option BIO) form a path over the words. Results come in input order.
func (t *Tagger) TagWords(ctx context.Context, sentences []Sentence, o TagOptions) ([]WordTags, error) {
	texts := make([]string, len(sentences))
	for i, s := range sentences {
		texts[i] = s.Text
		if s.Gold != nil && len(s.Gold) != len(s.Starts) {
			return nil, engine.TextFault(i, "it has %d words and %d labels", len(s.Starts), len(s.Gold))
		}
	}
	o.BIO = o.BIO || t.Decode == "bio"
	results := make([]WordTags, len(sentences))
	seen, err := t.each(ctx, texts, nil, func(i int, e *engine.Encoded, r *rows) error { return t.tagWords(&results[i], &sentences[i], e, r, &o) })
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}

// FirstTokens returns, for each word of a text, the index of its first token in spans, the tokens of the text, or -1 if the word has no token. starts holds
// the first byte of each word. A token of white space alone that stands before a word belongs to it if the tokenizer numbers both as one word, such as a
// lone ▁: so trainings of the transformers library label it as the first token of the word.
func FirstTokens(text string, starts []int, spans []tokenizer.Span) []int {
	list := make([]int, len(starts))
	token := 0
	for word, start := range starts {
		list[word] = -1
		for token < len(spans) && int(spans[token].End) <= start && !leads(text, start, spans[token:]) {
			token++
		}
		if token == len(spans) || word+1 < len(starts) && int(spans[token].Start) >= starts[word+1] {
			continue // the word has no token
		}
		list[word] = token
	}
	return list
}

// leads reports whether the first of some tokens, which ends before a word begins, belongs to this word.
func leads(text string, start int, spans []tokenizer.Span) bool {
	return len(spans) > 1 && spans[0].Word == spans[1].Word && strings.TrimSpace(text[min(int(spans[0].Start), start):start]) == ""
}

// firstUnits returns, for each word, the index of the unit that holds its first token, or -1.
func firstUnits(s *Sentence, e *engine.Encoded, units []unit) []int {
	list := FirstTokens(s.Text, s.Starts, e.Spans[:e.Split])
	u := 0
	for word, token := range list {
		for token >= 0 && units[u].hi <= token {
			u++
		}
		if token >= 0 {
			list[word] = u
		}
	}
	return list
}

// tagWords makes the result of a sentence from the rows of its tokens.
func (t *Tagger) tagWords(res *WordTags, s *Sentence, e *engine.Encoded, r *rows, o *TagOptions) error {
	n := r.seen()
	res.Labels = make([]int, len(s.Starts))
	var logits []float32
	var at []int // the words that have a row
	for word, u := range firstUnits(s, e, r.units) {
		res.Labels[word] = -1
		if u < 0 || u >= n {
			continue
		}
		row, _ := r.row(u)
		logits, at = append(logits, row...), append(at, word)
	}
	if len(at) == 0 {
		return nil
	}
	path, _, err := t.label(new(Tagged), logits, o)
	if err != nil {
		return err
	}
	for i, word := range at {
		res.Labels[word] = path[i]
	}
	if s.Gold == nil {
		return nil
	}
	return t.wordLoss(res, s.Gold, at, logits)
}

// wordLoss computes the loss of the words that have a row of logits.
func (t *Tagger) wordLoss(res *WordTags, gold, at []int, logits []float32) error {
	c := t.C
	emissions := make([]float64, 0, len(logits))
	var right []int
	for i, word := range at {
		if gold[word] < 0 {
			continue
		}
		right = append(right, gold[word])
		for _, z := range logits[i*c : (i+1)*c] {
			emissions = append(emissions, float64(z))
		}
	}
	switch {
	case len(right) == 0:
		return nil
	case t.crf != nil:
		score, err := t.crf.Score(emissions, right)
		if err != nil {
			return err
		}
		z, err := t.crf.LogPartition(emissions)
		res.Loss, res.Terms = z-score, 1
		return err
	}
	for i, g := range right {
		row := emissions[i*c : (i+1)*c]
		if !t.Independent {
			res.Loss += logSum(row) - row[g]
			res.Terms++
			continue
		}
		for _, z := range row {
			res.Loss += math.Max(z, 0) + math.Log1p(math.Exp(-math.Abs(z)))
		}
		res.Loss -= row[g]
		res.Terms += c
	}
	return nil
}
