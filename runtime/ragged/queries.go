package ragged

// checkQueries checks that each query stands at a row of its sequence.
func checkQueries(b *Batch, _ Limits) error {
	for s := range b.Sequences() {
		for q := b.QueryStarts[s]; q < b.QueryStarts[s+1]; q++ {
			if r := b.Queries[q]; r < b.Starts[s] || r >= b.Starts[s+1] {
				return Errorf("sequence %d: query %d stands at row %d, the sequence has the rows %d to %d", s, q-b.QueryStarts[s], r, b.Starts[s],
					b.Starts[s+1]-1)
			}
		}
	}
	return nil
}

// checkSteps checks that the queries of each sequence are steps of tasks: the fields of step 0 at
// rising rows, then the same fields in the next step.
func checkSteps(b *Batch, l Limits) error {
	for s := range b.Sequences() {
		begin, end := b.QueryStarts[s], b.QueryStarts[s+1]
		for q := begin; q < end; {
			step, fields := b.Steps[2*q], b.Steps[2*q+1]
			at := q - begin
			switch {
			case step < 0 || int(step) >= l.Steps:
				return Errorf("sequence %d: query %d has step %d, the model has %d", s, at, step, l.Steps)
			case fields < 1 || q+fields > end:
				return Errorf("sequence %d: query %d belongs to %d fields, there are %d queries from it on", s, at, fields, end-q)
			case step > 0 && (at < fields || b.Steps[2*(q-fields)] != step-1 || b.Steps[2*(q-fields)+1] != fields):
				return Errorf("sequence %d: query %d has step %d of %d fields, which do not stand in step %d before it", s, at, step, fields, step-1)
			}
			for i := q; i < q+fields; i++ {
				switch {
				case b.Steps[2*i] != step || b.Steps[2*i+1] != fields:
					return Errorf("sequence %d: query %d has step %d of %d fields, between those of step %d of %d fields", s, i-begin, b.Steps[2*i],
						b.Steps[2*i+1], step, fields)
				case i > q && b.Queries[i] <= b.Queries[i-1]:
					return Errorf("sequence %d: query %d stands at row %d, which must be above %d", s, i-begin, b.Queries[i], b.Queries[i-1])
				case step > 0 && b.Queries[i] != b.Queries[i-fields]:
					return Errorf("sequence %d: query %d stands at row %d, in the step before at %d", s, i-begin, b.Queries[i], b.Queries[i-fields])
				}
			}
			q += fields
		}
	}
	return nil
}

// AppendTask appends the queries of a task whose fields stand at rows, for a number of steps.
func (s *Sequence) AppendTask(rows []int32, steps int) {
	for t := range steps {
		for _, r := range rows {
			s.Queries, s.Steps = append(s.Queries, r), append(s.Steps, int32(t), int32(len(rows)))
		}
	}
}

// fillQueries appends one query, at the first token of a sequence.
func fillQueries(dst []int32, b *Batch, s int, _ Limits) []int32 { return append(dst, b.Starts[s]) }

// fillSteps appends the steps of the queries of a sequence, each of which is a task of one field.
func fillSteps(dst []int32, b *Batch, s int, _ Limits) []int32 {
	for range b.QueryStarts[s+1] - b.QueryStarts[s] {
		dst = append(dst, 0, 1)
	}
	return dst
}
