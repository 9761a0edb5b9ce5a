package task

import (
	"context"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// pastBytes is how much memory the pasts of texts that grow at the same time in one call may take. A text that needs more by itself has no past: it
// is computed again for every token, which is slower and has the same result.
const pastBytes = 1 << 30

// queue holds the texts that grow at the same time.
type queue struct {
	live   []*growth
	memory int64 // bytes that are left for pasts
	most   int   // texts
}

// pastNeed returns the memory of a text's past in bytes and its room in tokens. bytes is 0 if the text has no past.
func (g *Generator) pastNeed(w *growth, o *GenerateOptions) (bytes int64, room int) {
	shape := g.core.Program().Past
	room = min(g.core.Options().MaxTokens, w.Prompt+o.MaxNew)
	if bytes = 4 * int64(shape.Layers) * int64(shape.Row) * int64(room); bytes > g.memory {
		return 0, 0
	}
	return bytes, room
}

// room reports whether there is room for one more text with the same beginning as w.
func (q *queue) room(g *Generator, w *growth, o *GenerateOptions) bool {
	need, _ := g.pastNeed(w, o)
	return len(q.live) < q.most && need <= q.memory
}

// add adds a text, with a past if the model can keep one.
func (q *queue) add(g *Generator, w *growth, o *GenerateOptions) (err error) {
	var room int
	if w.need, room = g.pastNeed(w, o); w.need > 0 {
		if w.past, err = g.core.NewPast(room); err != nil {
			return err
		}
		q.memory -= w.need
	}
	q.live = append(q.live, w)
	return nil
}

// leave removes the texts that have ended.
func (q *queue) leave() {
	q.live = slices.DeleteFunc(q.live, func(w *growth) bool {
		if w.Reason == "" {
			return false
		}
		q.memory += w.need
		return true
	})
}

// step is the memory of one call of the model.
type step struct {
	batch runtime.Batch
	pasts []*engine.Past
	at    []int // row of outputs of each text
	out   []float32
	c     int
}

// row returns the logits of text i.
func (s *step) row(i int) []float32 { return s.out[s.at[i]*s.c : (s.at[i]+1)*s.c] }

// step computes the last row of as many texts as fit into one call, at least one, and returns their number.
func (g *Generator) step(ctx context.Context, s *step, texts []*growth) (int, error) {
	l := g.core.Program().Limits
	b := &s.batch
	b.Reset()
	s.pasts, s.at, s.c = s.pasts[:0], s.at[:0], g.C
	n, kept := 0, false
	for _, w := range texts {
		from := 0
		if w.past != nil {
			from = w.past.Tokens()
		}
		fresh := w.seq // the tokens that no past holds
		fresh.IDs = fresh.IDs[from:]
		if len(fresh.Types) > 0 {
			fresh.Types = fresh.Types[from:]
		}
		if from > 0 {
			fresh.Prefix = 0 // the prefix lies in the past
		}
		outputs := n + 1
		if g.Rows == engine.PerToken {
			outputs = len(b.IDs) + len(fresh.IDs)
		}
		full := n == l.BatchSequences || len(b.IDs)+len(fresh.IDs) > g.core.Options().BatchTokens || outputs > logitBytes/4/g.C ||
			g.Rows == engine.PerRow && n == l.Rows
		if n > 0 && full {
			break
		}
		b.Append(&fresh, l)
		last := len(b.IDs) - 1
		if g.Rows == engine.PerRow {
			b.Rows = append(b.Rows, int32(last))
			last = n
		}
		s.at = append(s.at, last)
		s.pasts, kept = append(s.pasts, w.past), kept || w.past != nil
		n++
	}
	call := engine.Call{Head: g.index, Batch: b}
	if kept {
		call.Past = s.pasts
	}
	if need := g.OutLen(b); need <= cap(s.out) {
		s.out = s.out[:need]
	} else {
		s.out = make([]float32, need)
	}
	call.Out = s.out
	return n, g.core.Run(ctx, call)
}
