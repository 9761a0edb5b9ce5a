package task

import (
	"context"
	"math"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// TokenScore reports how well a model predicts one token of a text.
type TokenScore struct {
	Part
	ID             int32   `json:"id"`
	Piece          string  `json:"piece"`           // its text in the vocabulary
	LogProbability float64 `json:"log_probability"` // natural logarithm
}

// Perplexity is the result for one text.
type Perplexity struct {
	// Perplexity is exp(-LogProbability / Counted).
	Perplexity     float64      `json:"perplexity"`
	LogProbability float64      `json:"log_probability"` // sum over the counted tokens, natural logarithm
	Counted        int          `json:"counted"`         // number of tokens that are predicted: tokens of the text without special tokens
	Pseudo         bool         `json:"pseudo"`          // tokens are predicted from both sides
	Scored         []TokenScore `json:"scored"`          // each counted token, in the order of the text
	runtime.Seen
}

// Perplexer measures how well a model predicts texts. Causal models predict each token from those
// before it. Other models have a pseudo-perplexity (Salazar et al. 2020, "Masked Language Model
// Scoring"): each token is masked in turn and predicted from all others, which takes one pass per
// token. The two kinds cannot be compared.
//
// Special tokens are not counted. If a text is cut into windows, causal models predict a token in
// the first window that holds it; the windows' overlap is then the shortest context of a token in a
// later window (the transformers documentation, "Perplexity of fixed-length models", whose stride
// is the window minus the overlap). Other models predict a token in the window in which it lies
// farthest from a cut edge. A Perplexer is safe for concurrent use.
type Perplexer struct {
	predictor
	causal bool
	mask   int32
}

// NewPerplexer returns a Perplexer for the named head; "" means the first head. The head must
// predict tokens.
func NewPerplexer(core *engine.Core, name string) (*Perplexer, error) {
	p, err := newPredictor(core, name, "Perplexer")
	if err != nil {
		return nil, err
	}
	m := &Perplexer{predictor: p, causal: core.Program().Limits.Causal, mask: p.token.Specials().MASK}
	if !m.causal && m.mask < 0 {
		return nil, input("the tokenizer has no mask token, which a model that looks at both sides needs for a pseudo-perplexity")
	}
	return m, nil
}

// Measure measures texts. Results come in input order. A text without tokens is an error.
func (m *Perplexer) Measure(ctx context.Context, texts []string) ([]Perplexity, error) {
	return m.measure(ctx, singles(texts))
}

// MeasurePairs measures the second text of each pair given the first one. The tokens of the first
// text are context and are not counted.
func (m *Perplexer) MeasurePairs(ctx context.Context, texts [][2]string) ([]Perplexity, error) {
	return m.measure(ctx, pairs(texts))
}

func (m *Perplexer) measure(ctx context.Context, texts []runtime.Text) ([]Perplexity, error) {
	results := make([]Perplexity, len(texts))
	a, err := m.ask(ctx, len(texts) > 0 && texts[0].Pair, func(j *job, i int, logits []float32) error {
		z, err := logNorm(j.text, logits)
		if err != nil {
			return err
		}
		s := &results[j.text].Scored[j.first+i]
		s.LogProbability = float64(logits[s.ID]) - z
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(texts) > 0 && texts[0].Pair {
		cutting{engine.CutSecond, "first text", "second text"}.set(a.b)
	}
	var e engine.Encoded
	for n, t := range texts {
		if err := a.b.Encode(&e, n, t); err != nil {
			return nil, err
		}
		if err := m.add(ctx, a, &results[n], n, t, &e); err != nil {
			return nil, err
		}
	}
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	for n := range results {
		r := &results[n]
		for _, s := range r.Scored {
			r.LogProbability += s.LogProbability
		}
		r.Perplexity = math.Exp(-r.LogProbability / float64(r.Counted))
	}
	return results, nil
}

// add lists the counted tokens of a text and adds the rows that predict them in this order: the
// indices of the windows in which they count rise.
func (m *Perplexer) add(ctx context.Context, a *asking, r *Perplexity, n int, t runtime.Text, e *engine.Encoded) error {
	windows, seen, err := a.b.Cut(nil, n, e)
	if err != nil {
		return err
	}
	r.Seen, r.Pseudo = seen, !m.causal
	sequences := make([]engine.Sequence, len(windows))
	for i := range windows {
		a.b.Sequence(&sequences[i], &windows[i], e)
	}
	lo, hi, at := 0, e.Split, places{text: t.First}
	if t.Pair {
		lo, hi, at = e.Split, len(e.IDs), places{text: t.Second}
	}
	rows := make([][]int32, len(windows)) // rows of the counted tokens, by window
	for token := lo; token < hi; token++ {
		i := m.home(windows, token, t.Pair, lo, hi)
		if i < 0 {
			continue // cut off
		}
		row, _ := windows[i].Row(token)
		if m.causal && row == 0 {
			continue // there is no token before it
		}
		rows[i] = append(rows[i], int32(row))
		span := e.Spans[token]
		piece, _ := m.token.Piece(span.ID)
		if !m.has(span.ID) {
			return engine.TextFault(n, "its token %q has the id %d, and the model has outputs for %d ids: the tokenizer does not fit the model",
				piece, span.ID, m.C)
		}
		r.Scored = append(r.Scored, TokenScore{Part: at.part(int(span.Start), int(span.End)), ID: span.ID, Piece: piece})
	}
	if r.Counted = len(r.Scored); r.Counted == 0 {
		return engine.TextFault(n, "it has no token that could be predicted")
	}
	first := 0
	for i := range windows {
		s := &sequences[i]
		if m.causal {
			for k := range rows[i] {
				rows[i][k]-- // a row predicts the token after it
			}
			if err := a.add(ctx, n, first, s, rows[i]); err != nil {
				return err
			}
		} else {
			for k, row := range rows[i] {
				token := s.IDs[row]
				s.IDs[row] = m.mask
				err := a.add(ctx, n, first+k, s, []int32{row})
				s.IDs[row] = token
				if err != nil {
					return err
				}
			}
		}
		first += len(rows[i])
	}
	return nil
}

// home returns the index of the window in which a token counts, or -1.
func (m *Perplexer) home(windows []engine.Window, token int, second bool, lo, hi int) int {
	if !m.causal {
		return home(windows, token, second, lo, hi)
	}
	for i := range windows {
		if _, ok := windows[i].Row(token); ok {
			return i
		}
	}
	return -1
}
