package raggedtest

import "github.com/debertac/debertac/runtime/ragged"

// queries draws tasks of up to three fields in up to the greatest number of steps. Their fields are labels, if the model reads these, and otherwise tokens. The
// first task is computed in one step.
func queries(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32 {
	var labels []int32
	for r := b.Starts[s]; r < b.Starts[s+1]; r++ {
		labels = append(labels, r)
	}
	if len(b.MarkStarts) > s+1 {
		labels = b.Marks[b.MarkStarts[s]:b.MarkStarts[s+1]]
	}
	for most := 1; len(labels) > 0; most = l.Steps {
		n := min(1+pick(3), len(labels))
		for range 1 + pick(most) {
			dst = append(dst, labels[:n]...)
		}
		labels = labels[min(n+pick(2), len(labels)):]
	}
	return dst
}

// steps returns the steps of the queries of a sequence. A task is over when its rows do not come again. Tasks of one step beside each other are one task.
func steps(dst []int32, b *ragged.Batch, s int, _ ragged.Limits, _ func(n int) int) []int32 {
	rows := b.Queries[b.QueryStarts[s]:b.QueryStarts[s+1]]
	for len(rows) > 0 {
		n := 1 // up to the end of the rows, or to those that come again
		for n < len(rows) && rows[n] > rows[n-1] {
			n++
		}
		if n < len(rows) {
			for i := range n {
				if rows[i] == rows[n] && i > 0 {
					n = i
					break
				}
			}
		}
		for step := int32(0); ; step++ {
			for range n {
				dst = append(dst, step, int32(n))
			}
			again := len(rows) >= 2*n && rows[n] == rows[0]
			if rows = rows[n:]; !again {
				break
			}
		}
	}
	return dst
}
