package trial

import (
	"fmt"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// bare reports whether the recorded gradients start from given gradients of the model's rows: a model without a head has no loss.
func bare(u *compiler.Unit) bool { return u.Head == nil }

// soft reports whether the labels of a case are probabilities.
func (t *Trial) soft(u *compiler.Unit) bool {
	labels, integer := t.golden.Given("labels")
	return u.Head != nil && u.Head.Loss == tasktable.CrossEntropy && labels != nil && !integer
}

// targets returns what the loss of a pass compares with the model's numbers.
func (t *Trial) targets(u *compiler.Unit, b *runtime.Batch) (*golden.Targets, error) {
	out := &golden.Targets{Integers: map[string][]int32{}, Floats: map[string][]float32{}}
	if bare(u) {
		return out, t.weights(out, u, b)
	}
	switch u.Head.As {
	case spec.SpanEnds:
		for name, given := range map[string]string{compiler.StoreStart: "start_positions", compiler.StoreEnd: "end_positions"} {
			ends, err := t.given(given)
			if err != nil {
				return nil, err
			}
			for s, at := range ends {
				at = max(at, 0)
				if int(at) >= b.Length(s) { // after the end of the sequence, such a target is ignored
					at = -1
				}
				out.Integers[name] = append(out.Integers[name], int32(at))
			}
		}
		return out, nil
	case spec.Choices:
		labels, err := t.given("labels")
		if err != nil {
			return nil, err
		}
		for s := range t.golden.Sequences {
			question, right := s/t.golden.Choices, int32(0)
			if int(labels[question]) != s%t.golden.Choices {
				right = -1
			}
			out.Integers[compiler.StoreGroup] = append(out.Integers[compiler.StoreGroup], int32(question))
			out.Integers[compiler.StoreTarget] = append(out.Integers[compiler.StoreTarget], right)
		}
		return out, nil
	}
	if t.golden.Kind == golden.KindRTD {
		if err := t.sampled(out, b); err != nil {
			return nil, err
		}
	}
	return out, t.labels(out, u, b)
}

// sampled sets the tokens of the generator.
func (t *Trial) sampled(out *golden.Targets, b *runtime.Batch) error {
	drawn, err := t.given("sampled_ids")
	if err != nil {
		return err
	}
	byRow := make([]int32, b.Tokens())
	for i, row := range t.golden.Rows() {
		if row >= 0 {
			byRow[row] = int32(drawn[i])
		}
	}
	for _, row := range b.Rows {
		out.Integers[compiler.StoreSampled] = append(out.Integers[compiler.StoreSampled], byRow[row])
	}
	return nil
}

// given returns an input of the case.
func (t *Trial) given(name string) ([]float64, error) {
	data, _ := t.golden.Given(name)
	if data == nil {
		return nil, fmt.Errorf("the inputs of the case have no %s", name)
	}
	return data, nil
}

// weights sets the targets of a model without a head: the gradients of its rows, times the number of rows, because the loss is a mean over these.
func (t *Trial) weights(out *golden.Targets, u *compiler.Unit, b *runtime.Batch) error {
	given, err := t.given("grad_output")
	if err != nil {
		return err
	}
	width := u.Model.Hidden
	numbers := make([]float32, b.Tokens()*width)
	for i, row := range t.golden.Rows() {
		for k := range width {
			if row >= 0 {
				numbers[row*width+k] = float32(given[i*width+k] * float64(b.Tokens()))
			}
		}
	}
	out.Floats[compiler.StoreTarget] = numbers
	return nil
}

// labels sets the labels of the head's rows: class numbers, or numbers for each column.
func (t *Trial) labels(out *golden.Targets, u *compiler.Unit, b *runtime.Batch) error {
	labels, err := t.given("labels")
	if err != nil {
		return err
	}
	h := u.Head
	if h.Take.Rows != spec.First && h.Take.Rows != spec.Mean { // per token
		byRow := make([]float64, b.Tokens())
		for i, row := range t.golden.Rows() {
			if row >= 0 {
				byRow[row] = labels[i]
			}
		}
		if labels = byRow; h.Take.Rows == spec.Masked {
			labels = nil
			for _, row := range b.Rows {
				labels = append(labels, byRow[row])
			}
		}
	}
	if _, integer := t.golden.Given("labels"); h.Loss == tasktable.CrossEntropy && integer {
		for _, l := range labels {
			out.Integers[compiler.StoreTarget] = append(out.Integers[compiler.StoreTarget], int32(l))
		}
		return nil
	}
	for _, l := range labels {
		out.Floats[compiler.StoreTarget] = append(out.Floats[compiler.StoreTarget], float32(l))
	}
	return nil
}
