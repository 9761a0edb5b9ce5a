package task

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// predictor is a head that predicts tokens: for each requested row it has one logit per entry of
// the vocabulary, V = C.
type predictor struct {
	head
	token tokenizer.SpanTokenizer
}

// newPredictor returns a head that predicts tokens, for a service of the table of tasks.
func newPredictor(core *engine.Core, name, service string) (predictor, error) {
	h, err := newHead(core, name, service)
	if err != nil {
		return predictor{}, err
	}
	p := predictor{head: h}
	p.token, err = core.SpanTokenizer()
	return p, err
}

// has reports whether the model has a logit for an id. A tokenizer that does not belong to the model may have more ids than the model has columns.
func (p *predictor) has(id int32) bool { return int(id) < p.C }

// logitBytes is how much memory the logits of one call should take. A vocabulary of 128,000 entries
// needs half a megabyte per row.
const logitBytes = 256 << 20

// job is one sequence with the rows of it to compute.
type job struct {
	text  int     // index of the text
	first int     // index of rows[0], as the caller of add counts
	rows  []int32 // rows of the sequence
}

// asking puts sequences into batches, with no more rows per batch than logitBytes allows.
type asking struct {
	p    *predictor
	b    *engine.Batcher
	jobs []job // jobs in the batch, in order
	next int   // job whose outputs come next
	rows int   // rows of outputs in the batch
	most int   // most rows of outputs in a batch
	take func(j *job, i int, logits []float32) error
}

// ask begins a stream of sequences. take receives the logits of row rows[i] of a job; they change
// afterwards.
func (p *predictor) ask(ctx context.Context, pairs bool, take func(j *job, i int, logits []float32) error) (*asking, error) {
	a := &asking{p: p, take: take, most: max(1, logitBytes/4/p.C)}
	if l := p.core.Program().Limits.Rows; p.Rows == engine.PerRow {
		a.most = min(a.most, l)
	}
	var err error
	if a.b, err = engine.NewBatcher(p.core, p.index, true, a.outputs); err != nil {
		return nil, err
	}
	return a, a.b.Begin(ctx, pairs)
}

// add adds the given rows, which rise, of a sequence; base is the index of the first one. It keeps
// no reference to s and rows, and does not read s.Rows.
func (a *asking) add(ctx context.Context, text, base int, s *engine.Sequence, rows []int32) error {
	for first := 0; first < len(rows); {
		n := len(rows) - first
		outputs := n
		if a.p.Rows == engine.PerRow {
			n = min(n, a.most) // the sequence is computed again for the rest
			outputs = n
		} else {
			outputs = len(s.IDs)
		}
		if a.rows > 0 && a.rows+outputs > a.most {
			if err := a.flush(ctx); err != nil {
				return err
			}
		}
		j := job{text, base + first, slices.Clone(rows[first : first+n])}
		part := *s
		if part.Rows = nil; a.p.Rows == engine.PerRow {
			part.Rows = j.rows
		}
		a.jobs = append(a.jobs, j)
		if err := a.b.AddSequence(ctx, engine.Window{Text: text, Count: 1}, &part); err != nil {
			return err
		}
		a.rows += outputs
		first += n
	}
	return nil
}

// flush computes what is in the batch. It must be called once after the last sequence.
func (a *asking) flush(ctx context.Context) error {
	err := a.b.Flush(ctx)
	a.rows = 0
	return err
}

// outputs passes one sequence's outputs to take.
func (a *asking) outputs(_ *engine.Window, out []float32) error {
	j := &a.jobs[a.next]
	if a.next++; a.next == len(a.jobs) {
		defer func() { a.jobs, a.next = a.jobs[:0], 0 }()
	}
	for i, r := range j.rows {
		at := i
		if a.p.Rows == engine.PerToken {
			at = int(r)
		}
		if err := a.take(j, i, out[at*a.p.C:(at+1)*a.p.C]); err != nil {
			return err
		}
	}
	return nil
}

// logNorm returns log Σ_j exp(logit_j), in float64. Logits of a text that are NaN or Inf are an error.
func logNorm(text int, logits []float32) (float64, error) {
	top := math.Inf(-1)
	for _, v := range logits {
		top = math.Max(top, float64(v))
	}
	sum := 0.0
	for _, v := range logits {
		sum += math.Exp(float64(v) - top)
	}
	if z := top + math.Log(sum); !math.IsNaN(z) && !math.IsInf(z, 0) {
		return z, nil
	}
	return 0, engine.NoNumbers(text)
}

// manyBest is the number of candidates above which sorting all logits is faster than keeping a list
// of the largest.
const manyBest = 1000

// best returns the ids of the k largest logits, largest first; ties: the lower id first. Ids that
// use rejects are left out; if use is nil, all ids count.
func best(logits []float32, k int, use func(id int32) bool) []int32 {
	var top []int32
	order := func(a, b int32) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) }
	if k > manyBest { // inserting one by one would take quadratic time
		for i := range logits {
			if id := int32(i); use == nil || use(id) {
				top = append(top, id)
			}
		}
		slices.SortFunc(top, order)
		return top[:min(k, len(top))]
	}
	for i, v := range logits {
		id := int32(i)
		if len(top) == k && (k == 0 || v <= logits[top[k-1]]) || use != nil && !use(id) {
			continue
		}
		at, _ := slices.BinarySearchFunc(top, id, order)
		if len(top) == k {
			top = top[:k-1]
		}
		top = slices.Insert(top, at, id)
	}
	return top
}

// home returns the index of the window in which a token of the first or second text counts: the one
// in which it lies farthest from a cut edge; ties: the first window. It returns -1 if no window
// holds the token. The windows are parts of tokens [lo, hi).
func home(windows []engine.Window, token int, second bool, lo, hi int) int {
	found, most := -1, -1
	for i := range windows {
		w := &windows[i]
		from, to := w.First, w.FirstEnd
		if second {
			from, to = w.Second, w.SecondEnd
		}
		if token < from || token >= to {
			continue
		}
		if m := margin(token, token+1, from, to, lo, hi); m > most {
			found, most = i, m
		}
	}
	return found
}

// continuation returns what a token adds to the text after the token before: its characters, and
// whether a space stands before them. before < 0 means that no token stands before it.
func continuation(tok tokenizer.SpanTokenizer, before, id int32) (text string, spaced bool, err error) {
	text, err = following(tok, before, []int32{id})
	text, spaced = strings.CutPrefix(text, " ")
	return text, spaced || before < 0, err
}

// following returns the text of tokens that follow the token before; before < 0 means that no token
// stands before them. The text begins with a space if a new word begins after an earlier one.
func following(tok tokenizer.SpanTokenizer, before int32, ids []int32) (string, error) {
	if before >= 0 {
		alone, err := tok.Decode([]int32{before}, false)
		if err != nil {
			return "", err
		}
		both, err := tok.Decode(append([]int32{before}, ids...), false)
		if err != nil {
			return "", err
		}
		if rest, ok := strings.CutPrefix(both, alone); ok {
			return rest, nil
		}
	}
	return tok.Decode(ids, false)
}
