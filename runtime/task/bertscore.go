package task

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// BERTScore is how much a candidate agrees with a reference: the similarity of their tokens' rows
// (Zhang et al. 2020, https://arxiv.org/abs/1904.09675).
type BERTScore struct {
	// Precision is the mean, over the tokens of the candidate, of the greatest cosine between the
	// token's row and a row of the reference. Recall is the same with the texts exchanged. F1 is the
	// harmonic mean of both. All three are 0 if a text has no tokens.
	Precision float64 `json:"precision"`
	Recall    float64 `json:"recall"`
	F1        float64 `json:"f1"`
	// Seen adds up what the model saw of both texts.
	runtime.Seen
}

// Baseline holds the scores of unrelated texts, which the authors of a metric publish for a model
// and a layer. Each is below 1.
type Baseline struct{ Precision, Recall, F1 float64 }

// BERTScoreOptions holds the settings of BERTScorer.BERTScore. In the zero value all tokens have
// the same weight, and scores are not rescaled.
type BERTScoreOptions struct {
	// Weights weighs tokens in the means; nil: all tokens have the same weight.
	Weights *TokenWeights
	// Baseline rescales scores: s becomes (s-b)/(1-b), which is near 0 for unrelated texts.
	Baseline *Baseline
}

// TokenWeights holds the weights of tokens by how few of some texts have them (inverse document
// frequency). A BERTScorer makes them.
type TokenWeights struct {
	texts float64
	count map[int32]int // the texts that have a token
}

// of returns the weight of a token; w may be nil.
func (w *TokenWeights) of(id int32) float64 {
	if w == nil {
		return 1
	}
	return math.Log((w.texts + 1) / float64(w.count[id]+1))
}

// BERTScorer compares texts by their tokens' rows. The head has the rows of one layer, such as that
// of a model folder with --head embed --layer 40 --pool none. White space at the ends of texts is
// removed. Special tokens can be matched, but have no weight. It is safe for concurrent use.
type BERTScorer struct{ head }

// NewBERTScorer returns a BERTScorer for the named head; "" means the first head. The head must
// have hidden states for each token.
func NewBERTScorer(core *engine.Core, name string) (*BERTScorer, error) {
	h, err := newHead(core, name, "BERTScorer")
	if err != nil {
		return nil, err
	}
	if h.Rows != engine.PerToken {
		return nil, input("head %q of this model has one row per %v; BERTScore needs one per token", h.Name, h.Rows)
	}
	return &BERTScorer{h}, nil
}

// rowsOfText holds what a comparison reads of a text.
type rowsOfText struct {
	unit    []float64 // its rows, divided by their lengths, [rows, C]
	ids     []int32   // tokens of the text
	first   int       // row of its first token; special tokens stand around
	weights []float64 // of its tokens, which add up to 1
	seen    runtime.Seen
}

// BERTScore compares each candidate, the first text of a pair, with its reference, the second one.
// Results come in input order. A text that occurs several times is computed once. The model must
// read each text at once: with runtime.Windows a text of several windows is an error.
func (m *BERTScorer) BERTScore(ctx context.Context, pairs [][2]string, o BERTScoreOptions) ([]BERTScore, error) {
	if b := o.Baseline; b != nil {
		for _, v := range []float64{b.Precision, b.Recall, b.F1} {
			if !(v < 1) || math.IsInf(v, 0) {
				return nil, input("a baseline of %v: it must be below 1", v)
			}
		}
	}
	results := make([]BERTScore, 0, len(pairs))
	for group := range slices.Chunk(pairs, bertScorePairs) {
		list, err := m.group(ctx, group, o)
		if err != nil {
			return nil, ofPair(err, len(results))
		}
		results = append(results, list...)
	}
	return results, nil
}

// bertScorePairs is the number of pairs whose rows are kept at a time.
const bertScorePairs = 32

// group compares some pairs. Errors number these pairs from 0.
func (m *BERTScorer) group(ctx context.Context, pairs [][2]string, o BERTScoreOptions) ([]BERTScore, error) {
	index := map[string]int{}
	var list []runtime.Text
	var owner []int // the pair in which each text stands first, for messages
	add := func(text string, pair int) int {
		text = strings.TrimSpace(text)
		i, ok := index[text]
		if !ok {
			i = len(list)
			index[text], list, owner = i, append(list, runtime.Text{First: text}), append(owner, pair)
		}
		return i
	}
	places := make([][2]int, len(pairs))
	for i, p := range pairs {
		places[i] = [2]int{add(p[0], i), add(p[1], i)}
	}
	texts, err := m.read(ctx, list, o.Weights)
	var t *runtime.TextError
	if errors.As(err, &t) {
		err = &runtime.TextError{Text: owner[t.Text], What: t.What, Err: t.Err}
	}
	if err != nil {
		return nil, err
	}
	results := make([]BERTScore, len(pairs))
	for i, p := range places {
		results[i] = compare(&texts[p[0]], &texts[p[1]], m.C)
		if b := o.Baseline; b != nil {
			r := &results[i]
			r.Precision, r.Recall, r.F1 = rescale(r.Precision, b.Precision), rescale(r.Recall, b.Recall), rescale(r.F1, b.F1)
		}
	}
	return results, nil
}

// ofPair adds the pairs that came before to the number in an error.
func ofPair(err error, before int) error {
	var t *runtime.TextError
	if errors.As(err, &t) {
		return &runtime.TextError{Text: t.Text + before, What: t.What, Err: t.Err}
	}
	return err
}

func rescale(s, base float64) float64 { return (s - base) / (1 - base) }

// read computes the rows of texts.
func (m *BERTScorer) read(ctx context.Context, list []runtime.Text, weights *TokenWeights) ([]rowsOfText, error) {
	texts := make([]rowsOfText, len(list))
	seen, err := m.run(ctx, list, stream{take: func(w *engine.Window, e *engine.Encoded, out []float32) error {
		if w.Count > 1 {
			return engine.LongFault(w.Text, "it has %d windows, and BERTScore reads a text at once: shorten it, or cut it", w.Count)
		}
		x := &texts[w.Text]
		x.ids, x.first = e.IDs[w.First:w.FirstEnd], w.FirstRow
		x.unit = make([]float64, len(out))
		for r := 0; r < len(out); r += m.C {
			squares := 0.0
			for _, v := range out[r : r+m.C] {
				squares += float64(v) * float64(v)
			}
			if math.IsNaN(squares) || math.IsInf(squares, 0) || squares == 0 {
				return engine.NoNumbers(w.Text)
			}
			length := math.Sqrt(squares)
			for j, v := range out[r : r+m.C] {
				x.unit[r+j] = float64(v) / length
			}
		}
		sum := 0.0
		for _, id := range x.ids {
			x.weights = append(x.weights, weights.of(id))
			sum += weights.of(id)
		}
		for i := range x.weights {
			if sum > 0 {
				x.weights[i] /= sum
			}
		}
		return nil
	}})
	for i := range seen {
		texts[i].seen = seen[i]
	}
	return texts, err
}

// Weights counts the tokens of references, which are usually those of a whole test set. A token that
// is in c of n references has the weight log((n+1)/(c+1)), so what most texts have counts little.
func (m *BERTScorer) Weights(references []string) (*TokenWeights, error) {
	token, specials := m.core.Tokenizer(), m.core.Options().Special == runtime.SpecialAsTokens
	if token == nil {
		return nil, input("these weights were packed without a tokenizer, which references need")
	}
	if len(references) == 0 {
		return nil, input("there are no references whose tokens could be counted")
	}
	w := &TokenWeights{float64(len(references)), map[int32]int{}}
	var ids []int32
	for i, text := range references {
		var err error
		if ids, err = token.AppendIDs(ids[:0], strings.TrimSpace(text), specials); err != nil {
			return nil, engine.NotEncoded(i, err)
		}
		slices.Sort(ids)
		for _, id := range slices.Compact(ids) {
			w.count[id]++
		}
	}
	return w, nil
}

// compare matches each token of one text with the most similar row of the other.
func compare(candidate, reference *rowsOfText, c int) BERTScore {
	r := BERTScore{Seen: runtime.Seen{
		Tokens:    candidate.seen.Tokens + reference.seen.Tokens,
		Truncated: candidate.seen.Truncated + reference.seen.Truncated,
		Windows:   candidate.seen.Windows + reference.seen.Windows,
	}}
	if len(candidate.ids) == 0 || len(reference.ids) == 0 {
		return r
	}
	r.Precision, r.Recall = candidate.matched(reference, c), reference.matched(candidate, c)
	if sum := r.Precision + r.Recall; sum != 0 {
		r.F1 = 2 * r.Precision * r.Recall / sum
	}
	return r
}

// matched returns the weighted mean, over the tokens of x, of the greatest cosine with a row of y.
func (x *rowsOfText) matched(y *rowsOfText, c int) float64 {
	total := 0.0
	for i, weight := range x.weights {
		row := x.unit[(x.first+i)*c:][:c]
		best := math.Inf(-1)
		for at := 0; at < len(y.unit); at += c {
			dot := 0.0
			for j, v := range y.unit[at : at+c] {
				dot += v * row[j]
			}
			best = max(best, dot)
		}
		total += weight * best
	}
	return min(total, 1) // above 1 it is rounding
}
