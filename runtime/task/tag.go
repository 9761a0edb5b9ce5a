package task

import (
	"context"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// Aggregation selects how tokens become entities. The rules are those of the transformers library's
// token classification (aggregation_strategy), with words as the tokenizer numbers them. That
// library knows only the labels B- and I-. Here, E- and L- end an entity, S- and U- are entities of
// a single word, and the tokens of one word that have such labels stay together.
type Aggregation string

// The aggregations. All except AggregateNone join neighbors of the same kind, up to the next B-,
// and return the mean of their scores.
const (
	AggregateNone    Aggregation = "none"    // one entity per token, with the label as it is
	AggregateSimple  Aggregation = "simple"  // tokens as they are
	AggregateFirst   Aggregation = "first"   // a word has the scores of its first token
	AggregateAverage Aggregation = "average" // a word has the mean of its tokens' scores
	AggregateMax     Aggregation = "max"     // a word has the scores of the token with the highest score
)

// TagOptions holds the settings of Tagger.Tag. The zero value stands for AggregateSimple, the
// head's own way of decoding, and ignoring only "O".
type TagOptions struct {
	Aggregation Aggregation
	// BIO decodes labels under the constraint of their prefixes, even if the head does not ask for
	// it: the result is the most probable path that the prefixes allow (Viterbi).
	BIO bool
	// Ignore holds labels (for AggregateNone) or kinds that are not returned as entities; nil: "O".
	Ignore []string
	// Threshold is the score, from 0 to 1, below which an entity is left out; 0 keeps all.
	Threshold float64
	// Thresholds holds the thresholds of single kinds (for AggregateNone, labels), by name.
	// Threshold applies to the others.
	Thresholds map[string]float64
	// Right holds the words of each text with their right labels, if they are known, for a loss; nil: they are not known.
	Right []Sentence
}

// TokenTag is the label of a token, or of a word if the head has one row per word.
type TokenTag struct {
	Part
	Label string `json:"label"`
	Index int    `json:"index"` // index of the label
	// Score is the label's probability: from the softmax of the token's logits (the sigmoid if the
	// head's labels are independent), or, with a CRF, its marginal.
	Score float64 `json:"score"`
	Word  int     `json:"word"` // index of the word
}

// Entity is a part of a text that has a label.
type Entity struct {
	Part
	Label string  `json:"label"` // without B- and the like, except for AggregateNone
	Score float64 `json:"score"` // mean of the scores of its tokens or words
	// Vector is what a head that scores spans computes of the span, else the mean of what the head reads of the words, or of the last hidden states of a
	// Tagger's tokens; nil if the model computes no vectors.
	Vector []float32 `json:"vector,omitempty"`
}

// Tagged is the result for one text.
type Tagged struct {
	Entities []Entity   `json:"entities"` // entities in the order of the text, without those that are only white space
	Tags     []TokenTag `json:"tags"`     // every token that the model saw, without special tokens
	// LogProbability is the logarithm of the probability of this sequence of labels among all
	// allowed ones, if labels are decoded together (CRF or BIO); else 0.
	LogProbability float64 `json:"log_probability,omitempty"`
	// Loss and Terms are those of WordTags, if the right labels of the words are known.
	Loss  float64 `json:"-"`
	Terms int     `json:"-"`
	// Vectors are those of tokens; nil if the model computes none.
	Vectors *Vectors `json:"vectors,omitempty"`
	runtime.Seen
}

// Tagger labels the tokens of texts. It is safe for concurrent use.
type Tagger struct {
	head
	labels []string
	scheme *scheme
	crf    *Chain // learned scores; nil: the head has no CRF
}

// NewTagger returns a Tagger for the named head; "" means the first head. The head must have one
// row of label logits per token or per word.
func NewTagger(core *engine.Core, name string) (*Tagger, error) {
	h, err := newHead(core, name, "Tagger")
	if err != nil {
		return nil, err
	}
	t := &Tagger{head: h}
	if t.labels, err = core.HeadLabels(h.index); err != nil {
		return nil, err
	}
	t.scheme = newScheme(t.labels)
	if h.CRF {
		if t.crf, err = packedChain(core, h.C); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// Labels returns the head's labels in the order of its outputs [C].
func (t *Tagger) Labels() []string { return slices.Clone(t.labels) }

// Tag labels texts. Results come in input order.
func (t *Tagger) Tag(ctx context.Context, texts []string, o TagOptions) ([]Tagged, error) {
	if o.Aggregation == "" {
		o.Aggregation = AggregateSimple
	}
	if !slices.Contains([]Aggregation{AggregateNone, AggregateSimple, AggregateFirst, AggregateAverage, AggregateMax}, o.Aggregation) {
		return nil, input("aggregation %q: it must be one of none, simple, first, average, max", o.Aggregation)
	}
	if err := validUTF8("ignored label", o.Ignore...); err != nil {
		return nil, err
	}
	if o.Ignore == nil {
		o.Ignore = []string{"O"}
	}
	least, err := t.least(&o)
	if err != nil {
		return nil, err
	}
	if o.Right != nil && len(o.Right) != len(texts) {
		return nil, input("there are %d texts and right labels of %d", len(texts), len(o.Right))
	}
	o.BIO = o.BIO || t.Decode == "bio"
	results := make([]Tagged, len(texts))
	var vectors tokenVectors
	seen, err := t.each(ctx, texts, &vectors, func(i int, e *engine.Encoded, r *rows) error {
		err := t.decode(&results[i], texts[i], e, r, &o, least)
		if err == nil && t.HasVectors() {
			results[i].Vectors = &Vectors{Tokens: vectors.list(texts[i], e.IDs, placeOf(e.Spans))}
			vectors.entities(&t.head, results[i].Entities, e.Spans)
		}
		if err != nil || o.Right == nil {
			return err
		}
		var words WordTags
		err = t.tagWords(&words, &o.Right[i], e, r, &o)
		results[i].Loss, results[i].Terms = words.Loss, words.Terms
		return err
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}

// each calls use with the rows of each text, when those of all its windows are known. vectors then
// has the vectors of its tokens, if the model computes any; it may be nil.
func (t *Tagger) each(ctx context.Context, texts []string, vectors *tokenVectors, use func(i int, e *engine.Encoded, r *rows) error) ([]runtime.Seen, error) {
	var r *rows
	s := stream{
		spans: true,
		take: func(w *engine.Window, e *engine.Encoded, out []float32) error {
			if w.Index == 0 {
				r = newRows(e, t.C, t.Rows == engine.PerWord)
			}
			if r.take(w, out); w.Index < w.Count-1 {
				return nil
			}
			return use(w.Text, e, r)
		},
	}
	if vectors != nil {
		s.vectors = func(w *engine.Window, e *engine.Encoded, rows map[string][]float32) error {
			if w.Index == 0 {
				*vectors = tokenVectors{}
			}
			return vectors.take(&t.head, w, e, rows)
		}
	}
	return t.run(ctx, singles(texts), s)
}

// decode makes the result of a text from the rows of its tokens.
func (t *Tagger) decode(res *Tagged, text string, e *engine.Encoded, r *rows, o *TagOptions, least []float64) error {
	n := r.seen()
	res.Entities, res.Tags = []Entity{}, []TokenTag{}
	if n == 0 {
		return nil
	}
	path, scores, err := t.label(res, r.values[:n*t.C], o)
	if err != nil {
		return err
	}
	at := places{text: text}
	for i, u := range r.units[:n] {
		first, last := &e.Spans[u.lo], &e.Spans[u.hi-1]
		res.Tags = append(res.Tags, TokenTag{
			Part:  at.part(int(first.Start), int(last.End)),
			Label: t.labels[path[i]], Index: path[i], Score: scores[i*t.C+path[i]], Word: int(first.Word),
		})
	}
	items, err := t.words(res.Tags, scores, o)
	if err != nil {
		return err
	}
	res.Entities = t.group(&at, items, o, least)
	return nil
}

// label chooses the label of each row of logits [n, C] and returns the probabilities of all labels
// [n, C].
func (t *Tagger) label(res *Tagged, logits []float32, o *TagOptions) (path []int, scores []float64, err error) {
	c := t.C
	n := len(logits) / c
	emissions := make([]float64, len(logits))
	for i, v := range logits {
		emissions[i] = float64(v)
	}
	scores = make([]float64, len(logits))
	for i := range n {
		probabilities(scores[i*c:(i+1)*c], emissions[i*c:(i+1)*c], t.Independent)
	}
	if t.crf == nil && !o.BIO {
		for i := range n {
			path = append(path, largest(scores[i*c:(i+1)*c]))
		}
		return path, scores, nil
	}
	chain := newChain(c)
	if t.crf != nil {
		chain = t.crf.clone()
	}
	if o.BIO {
		t.scheme.constrain(chain)
	}
	path, best, err := chain.Viterbi(emissions)
	if err != nil {
		return nil, nil, err
	}
	marginals, z, err := chain.Marginals(emissions)
	if err != nil {
		return nil, nil, err
	}
	res.LogProbability = min(0, best-z)
	if t.crf != nil {
		scores = marginals
	}
	return path, scores, nil
}

// item is a token or word that may become a part of an entity.
type item struct {
	start, end int // bytes
	word       int
	index      int // index of its label
	score      float64
}

// words joins tokens to words as the aggregation requires.
func (t *Tagger) words(tags []TokenTag, scores []float64, o *TagOptions) ([]item, error) {
	c := t.C
	var items []item
	var words []float64 // scores of each word [words, C]
	for i := 0; i < len(tags); {
		j := i + 1
		byWord := o.Aggregation != AggregateNone && o.Aggregation != AggregateSimple
		for byWord && j < len(tags) && tags[j].Word == tags[i].Word {
			j++
		}
		it := item{tags[i].Start, tags[j-1].End, tags[i].Word, tags[i].Index, tags[i].Score}
		if byWord {
			row := wordScores(scores[i*c:j*c], c, o.Aggregation)
			words = append(words, row...)
			if o.Aggregation != AggregateFirst {
				it.index = largest(row)
			}
			it.score = row[it.index]
		}
		items = append(items, it)
		i = j
	}
	if o.BIO && (o.Aggregation == AggregateAverage || o.Aggregation == AggregateMax) {
		// The path over tokens does not determine the labels of these words, so they have a path of
		// their own.
		chain := newChain(c)
		t.scheme.constrain(chain)
		for i, p := range words {
			words[i] = math.Log(max(p, math.SmallestNonzeroFloat64)) // a word forbidden only by rounding would leave no path
		}
		path, _, err := chain.Viterbi(words)
		if err != nil {
			return nil, err
		}
		for i := range items {
			items[i].index, items[i].score = path[i], math.Exp(words[i*c+path[i]])
		}
	}
	return items, nil
}

// wordScores joins the scores of a word's tokens [n, C].
func wordScores(scores []float64, c int, a Aggregation) []float64 {
	switch a {
	case AggregateAverage:
		mean := make([]float64, c)
		for i, p := range scores {
			mean[i%c] += p * float64(c) / float64(len(scores))
		}
		return mean
	case AggregateMax:
		best := largest(scores) / c
		return slices.Clone(scores[best*c : (best+1)*c])
	}
	return slices.Clone(scores[:c])
}

// name returns the name of an entity that begins with label i.
func (t *Tagger) name(i int, a Aggregation) string {
	if a == AggregateNone {
		return t.labels[i]
	}
	return t.scheme.tags[i].name()
}

// least returns, for each label, the score that an entity that begins with it needs.
func (t *Tagger) least(o *TagOptions) ([]float64, error) {
	names := make([]string, len(t.labels))
	for i := range names {
		names[i] = t.name(i, o.Aggregation)
	}
	return thresholds(names, o.Threshold, o.Thresholds)
}

// group joins neighbors to entities. least is the score that an entity needs, by its first label.
func (t *Tagger) group(at *places, items []item, o *TagOptions, least []float64) []Entity {
	list := []Entity{}
	for i := 0; i < len(items); {
		j, sum := i+1, items[i].score
		closed := t.scheme.closes(items[i].index) // the last word has a label that closes the entity
		for ; o.Aggregation != AggregateNone && j < len(items); j++ {
			last, next := &items[j-1], &items[j]
			within := last.word == next.word && !apart(at.text, last.end, next.start)
			if !t.scheme.joins(last.index, next.index, within, closed) {
				break
			}
			closed = within && closed || t.scheme.closes(next.index)
			sum += next.score
		}
		label, score := t.name(items[i].index, o.Aggregation), sum/float64(j-i)
		part := at.part(items[i].start, items[j-1].end)
		if part.Text != "" && !slices.Contains(o.Ignore, label) && !(score < least[items[i].index]) { // a score that is not a number is not hidden
			list = append(list, Entity{Part: part, Label: label, Score: score})
		}
		i = j
	}
	return list
}
