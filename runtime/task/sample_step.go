package task

import (
	"context"

	"github.com/debertac/debertac/runtime"
)

// pastBytes is how much memory the pasts of one call may take. Texts beyond are computed anew with every token: slower, with the same result.
const pastBytes = 1 << 30

// keep gives a text a past, if the model can keep one and memory allows it.
func (g *Generator) keep(w *growth, o *GenerateOptions, memory *int64) error {
	shape := g.core.Program().Past
	room := min(g.core.Options().MaxTokens, w.Prompt+o.MaxNew)
	need := 4 * int64(shape.Layers) * int64(shape.Row) * int64(room)
	if shape.Layers == 0 || need > *memory {
		return nil
	}
	*memory -= need
	var err error
	w.past, err = g.core.NewPast(room)
	return err
}

// step is the memory of one call of the model.
type step struct {
	batch runtime.Batch
	pasts []*runtime.Past
	at    []int // row of outputs of each text
	out   []float32
	c     int
}

// row is the logits of text i.
func (s *step) row(i int) []float32 { return s.out[s.at[i]*s.c : (s.at[i]+1)*s.c] }

// step computes the last row of as many texts as one call takes, at least one, and says how many.
func (g *Generator) step(ctx context.Context, s *step, texts []*growth) (int, error) {
	l := g.core.Program().Limits
	b := &s.batch
	b.Reset()
	s.pasts, s.at, s.c = s.pasts[:0], s.at[:0], g.C
	b.Starts = append(b.Starts, 0)
	n, kept := 0, false
	for _, w := range texts {
		from := 0
		if w.past != nil {
			from = w.past.Tokens()
		}
		fresh := w.seq.IDs[from:]
		outputs := 1
		if g.Rows == runtime.PerToken {
			outputs = len(b.IDs) + len(fresh)
		} else {
			outputs = n + 1
		}
		full := n == l.BatchSequences || len(b.IDs)+len(fresh) > g.core.Options().BatchTokens || outputs > logitBytes/4/g.C || g.Rows == runtime.PerRow && n == l.Rows
		if n > 0 && full {
			break
		}
		b.IDs = append(b.IDs, fresh...)
		b.Starts = append(b.Starts, int32(len(b.IDs)))
		if l.Types > 0 {
			if len(w.seq.Types) > 0 {
				b.Types = append(b.Types, w.seq.Types[from:]...)
			} else {
				b.Types = append(b.Types, make([]int32, len(fresh))...)
			}
		}
		if l.Prefix {
			prefix := w.seq.Prefix
			if from > 0 {
				prefix = 0 // it lies in what was computed before
			}
			b.Prefix = append(b.Prefix, prefix)
		}
		last := len(b.IDs) - 1
		if g.Rows == runtime.PerRow {
			b.Rows = append(b.Rows, int32(last))
			last = n
		}
		s.at = append(s.at, last)
		s.pasts, kept = append(s.pasts, w.past), kept || w.past != nil
		n++
	}
	call := runtime.Call{Head: g.index, Batch: b}
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
