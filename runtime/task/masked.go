package task

import (
	"context"
	"hash/fnv"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged"
)

// Masked is the result of masking some tokens of one text and predicting them.
type Masked struct {
	LogProbability float64 // sum of the natural logarithms of the probabilities of the masked tokens
	Counted        int     // masked tokens
	Right          int     // masked tokens for which the most probable token is the right one; ties: the lower id
	runtime.Seen
}

// Masked masks a share of the tokens of each text, above 0 and at most 1, and predicts them from all others at once, as in the training of such models
// (Devlin et al. 2018). All chosen tokens become the mask token. Which tokens are chosen depends on the seed and the text alone; special tokens are never
// chosen. If a text is cut into windows, tokens of each window are chosen and counted. A text without tokens counts none. The model must not be causal.
func (m *Perplexer) Masked(ctx context.Context, texts []runtime.Text, share float64, seed uint64) ([]Masked, error) {
	switch {
	case m.causal:
		return nil, input("this model is causal: it predicts what follows a text, and not what is masked in it")
	case !(share > 0 && share <= 1):
		return nil, input("share is %v: it must be above 0 and at most 1", share)
	}
	results := make([]Masked, len(texts))
	var right [][]int32 // the masked tokens of each text
	a, err := m.ask(ctx, slices.ContainsFunc(texts, func(t runtime.Text) bool { return t.Pair }), func(j *job, i int, logits []float32) error {
		z, err := logNorm(j.text, logits)
		if err != nil {
			return err
		}
		r, id := &results[j.text], right[j.text][j.first+i]
		r.LogProbability += float64(logits[id]) - z
		if best(logits, 1, nil)[0] == id {
			r.Right++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	const least = 1e-6 // below it, one token of each window is masked in any case
	rule := &masking.Rule{Share: max(share, least), Runs: 1}
	var e engine.Encoded
	for n, t := range texts {
		if err := a.b.Encode(&e, n, t); err != nil {
			return nil, err
		}
		right = append(right, nil)
		h := fnv.New64a()
		h.Write([]byte(t.First + "\x00" + t.Second))
		windows, seen, err := a.b.Cut(nil, n, &e)
		if err != nil {
			return nil, err
		}
		results[n].Seen = seen
		var s engine.Sequence
		for i := range windows {
			a.b.Sequence(&s, &windows[i], &e)
			rows := m.hide(&s, &windows[i], rule, dropout.KeyOf(seed, 0, i, 0, int(h.Sum64()&0x7fffffff)), &right[n])
			for _, id := range right[n][len(right[n])-len(rows):] {
				if !m.has(id) {
					return nil, engine.TextFault(n, "it has a token with the id %d, and the model has outputs for %d ids: the tokenizer does not fit the model",
						id, m.C)
				}
			}
			if err := a.add(ctx, n, len(right[n])-len(rows), &s, rows); err != nil {
				return nil, err
			}
		}
		results[n].Counted = len(right[n])
	}
	return results, a.flush(ctx)
}

// hide masks tokens of a sequence in place, appends them to right, and returns their rows.
func (m *Perplexer) hide(s *engine.Sequence, w *engine.Window, rule *masking.Rule, key dropout.Key, right *[]int32) []int32 {
	original := append([]int32(nil), s.IDs...)
	word := make([]int32, len(s.IDs))
	for i := range word {
		word[i] = -1
	}
	for token := w.First; token < w.FirstEnd; token++ {
		word[w.FirstRow+token-w.First] = int32(token)
	}
	for token := w.Second; token < w.SecondEnd; token++ {
		word[w.SecondRow+token-w.Second] = int32(token)
	}
	b := &ragged.Batch{IDs: s.IDs, Starts: []int32{0, int32(len(s.IDs))}}
	rule.Apply(b, word, key, m.mask, m.C)
	for _, row := range b.Rows {
		*right = append(*right, original[row])
	}
	return b.Rows
}
