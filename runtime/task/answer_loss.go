package task

import "github.com/debertac/debertac/runtime/engine"

// judge adds the loss of a window: of the start and end logits of its tokens [Size, 2], with the right answer at the bytes right of the context.
func (r *Answered) judge(right [2]int, w *engine.Window, e *engine.Encoded, out []float32) {
	start, end := 0, 0
	if right[0] < right[1] {
		first, last := tokensAt(e, right)
		if first < 0 {
			return
		}
		if a, ok := w.Row(first); ok {
			if b, ok := w.Row(last); ok {
				start, end = a, b
			}
		}
	}
	z := make([]float64, w.Size)
	for side, row := range []int{start, end} {
		for i := range z {
			z[i] = float64(out[2*i+side])
		}
		r.Loss += (logSum(z) - z[row]) / 2
	}
	r.Terms++
}

// tokensAt returns the first and the last token of the second text that share a byte with a place; -1 without such tokens.
func tokensAt(e *engine.Encoded, place [2]int) (first, last int) {
	first, last = -1, -1
	for i := e.Split; i < len(e.Spans); i++ {
		if t := e.Spans[i]; int(t.End) > place[0] && int(t.Start) < place[1] && t.End > t.Start {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	return first, last
}
