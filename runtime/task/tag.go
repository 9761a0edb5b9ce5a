package task

import (
	"context"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
)

// Aggregation says how tokens become entities. The rules are those of the transformers
// library's token classification (aggregation_strategy), where words are what the
// tokenizer numbers as such. That library knows no labels but B- and I-. Here E- and L- end
// an entity, S- and U- are one of a single word, and tokens of one word that have such labels
// stay together.
type Aggregation string

// The aggregations. All but AggregateNone join neighbours of the same kind, up to the next
// B-, and give the mean of their scores.
const (
	AggregateNone    Aggregation = "none"    // an entity a token, with the label as it is
	AggregateSimple  Aggregation = "simple"  // tokens as they are
	AggregateFirst   Aggregation = "first"   // a word has the scores of its first token
	AggregateAverage Aggregation = "average" // … the mean of its tokens' scores
	AggregateMax     Aggregation = "max"     // … the scores of the token with the highest one
)

// TagOptions are the settings of Tagger.Tag. The zero value stands for AggregateSimple,
// labels decoded as the head says, and nothing ignored but "O".
type TagOptions struct {
	Aggregation Aggregation
	// BIO has labels decoded under the constraint of their prefixes, also if the head
	// does not say so: the most probable path that they allow (Viterbi).
	BIO bool
	// Ignore are labels (for AggregateNone) or kinds that are no entities; nil: "O".
	Ignore []string
	// Threshold is the score, from 0 to 1, below which an entity is left out; 0 keeps all.
	Threshold float64
	// Thresholds are those of single kinds (labels for AggregateNone), by their names. The
	// others have Threshold.
	Thresholds map[string]float64
}

// TokenTag is the label of a token, or of a word for heads that give a row a word.
type TokenTag struct {
	Part
	Label string `json:"label"`
	Index int    `json:"index"` // number of the label
	// Score is the label's probability: by softmax of the token's logits (sigmoid if the
	// head's labels are independent), or in a CRF its marginal.
	Score float64 `json:"score"`
	Word  int     `json:"word"` // number of the word
}

// Entity is a part of a text that has a label.
type Entity struct {
	Part
	Label string  `json:"label"` // without B- and the like, but for AggregateNone
	Score float64 `json:"score"` // mean of its tokens' or words' scores
}

// Tagged is the result for one text.
type Tagged struct {
	Entities []Entity   `json:"entities"` // in the order of the text; without those that are only white space
	Tags     []TokenTag `json:"tags"`     // every token that the model saw, special tokens left out
	// LogProbability is the logarithm of the probability of the sequence of labels among
	// all that are allowed, if they were decoded together (CRF or BIO); else 0.
	LogProbability float64 `json:"log_probability,omitempty"`
	runtime.Seen
}

// Tagger labels the tokens of texts. It is safe for concurrent use.
type Tagger struct {
	head
	labels []string
	scheme *scheme
	crf    *Chain // learned scores; nil: none
}

// NewTagger serves the named head ("" is the first), which must give a row of label logits
// a token or a word.
func NewTagger(core *runtime.Core, name string) (*Tagger, error) {
	h, err := newHead(core, name, "tagging", runtime.TaskTags)
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

// Labels are the head's labels by number, [C].
func (t *Tagger) Labels() []string { return slices.Clone(t.labels) }

// Tag labels texts; results come in input order.
func (t *Tagger) Tag(ctx context.Context, texts []string, o TagOptions) ([]Tagged, error) {
	if o.Aggregation == "" {
		o.Aggregation = AggregateSimple
	}
	if !slices.Contains([]Aggregation{AggregateNone, AggregateSimple, AggregateFirst, AggregateAverage, AggregateMax}, o.Aggregation) {
		return nil, input("aggregation %q: it must be none, simple, first, average or max", o.Aggregation)
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
	o.BIO = o.BIO || t.Decode == "bio"
	results := make([]Tagged, len(texts))
	var r *rows
	seen, err := t.run(ctx, singles(texts), stream{
		spans: true,
		take: func(w *runtime.Window, e *runtime.Encoded, out []float32) error {
			if w.Index == 0 {
				r = newRows(e, t.C, t.Rows == runtime.PerWord)
			}
			if r.take(w, out); w.Index < w.Count-1 {
				return nil
			}
			return t.decode(&results[w.Text], texts[w.Text], e, r, &o, least)
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}

// decode makes the result of a text from the rows of its tokens.
func (t *Tagger) decode(res *Tagged, text string, e *runtime.Encoded, r *rows, o *TagOptions, least []float64) error {
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

// label chooses the label of each row of logits and gives the probabilities of all,
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

// item is a token or word on its way to entities.
type item struct {
	start, end int // bytes
	word       int
	index      int // of its label
	score      float64
}

// words joins tokens to words by the aggregation.
func (t *Tagger) words(tags []TokenTag, scores []float64, o *TagOptions) ([]item, error) {
	c := t.C
	var items []item
	var words []float64 // scores of each word, [words, C]
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
		// The tokens' path says nothing of these words: they get one of their own.
		chain := newChain(c)
		t.scheme.constrain(chain)
		for i, p := range words {
			words[i] = math.Log(max(p, math.SmallestNonzeroFloat64)) // a word forbidden by rounding alone would leave no path
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

// wordScores joins the scores of a word's tokens, [n, C].
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

// name is what an entity that begins with label i is called.
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

// group joins neighbours to entities. least is the score that one needs, by its first label.
func (t *Tagger) group(at *places, items []item, o *TagOptions, least []float64) []Entity {
	list := []Entity{}
	for i := 0; i < len(items); {
		j, sum := i+1, items[i].score
		closed := t.scheme.closes(items[i].index) // by a label of the last word
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
		if part.Text != "" && !slices.Contains(o.Ignore, label) && !(score < least[items[i].index]) { // a score that is no number is not hidden
			list = append(list, Entity{Part: part, Label: label, Score: score})
		}
		i = j
	}
	return list
}
