package torchfile

import (
	"fmt"
	"math"
)

// build stands for setting the attributes of an object. Dictionaries of weights have one attribute, the versions of the modules, which is ignored.
func (m *machine) build() error {
	if _, err := m.pop(); err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := v.(*dict); !ok {
		return m.fault("attributes are set on %s, which weights do not need", kind(v))
	}
	return nil
}

// reduce calls one of the known functions.
func (m *machine) reduce() error {
	v, err := m.pop()
	if err != nil {
		return err
	}
	f, err := m.pop()
	if err != nil {
		return err
	}
	args, ok := v.(tuple)
	if !ok {
		return m.fault("a call with %s, a tuple is wanted", kind(v))
	}
	switch f {
	case orderedDict:
		if len(args) != 0 {
			return m.fault("%s with %d operands, none are wanted", orderedDict, len(args))
		}
		m.push(&dict{})
		return nil
	case rebuildParameter: // the operands are the tensor, whether it is trained, and hooks
		if len(args) < 1 {
			return m.fault("%s without a tensor", rebuildParameter)
		}
		t, ok := args[0].(*tensor)
		if !ok {
			return m.fault("%s of %s, a tensor is wanted", rebuildParameter, kind(args[0]))
		}
		m.push(t)
		return nil
	case rebuildTensor, rebuildTensorV2: // the operands are storage, offset, shape and strides, followed by what training needs
		t, err := rebuild(args)
		if err != nil {
			return m.fault("%s: %v", f, err)
		}
		m.push(t)
		return nil
	}
	return m.fault("a call of %s", kind(f))
}

// rebuild makes a tensor and checks it against its storage.
func rebuild(args tuple) (*tensor, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("%d operands, at least 4 are wanted", len(args))
	}
	s, ok := args[0].(*storage)
	if !ok {
		return nil, fmt.Errorf("the first operand is %s, a storage is wanted", kind(args[0]))
	}
	offset, ok := args[1].(int64)
	if !ok || offset < 0 {
		return nil, fmt.Errorf("the offset is %v, a number from 0 is wanted", shown(args[1]))
	}
	t := &tensor{storage: s, offset: offset}
	var err error
	if t.shape, err = extents(args[2]); err != nil {
		return nil, fmt.Errorf("the shape is %w", err)
	}
	if t.stride, err = extents(args[3]); err != nil {
		return nil, fmt.Errorf("the strides are %w", err)
	}
	if len(t.shape) != len(t.stride) {
		return nil, fmt.Errorf("%d extents with %d strides", len(t.shape), len(t.stride))
	}
	return t, t.check()
}

// extents reads a tuple of non-negative integers.
func extents(v any) ([]int, error) {
	var items []any
	switch v := v.(type) {
	case tuple:
		items = v
	case *list:
		items = v.items
	default:
		return nil, fmt.Errorf("%s, a tuple is wanted", kind(v))
	}
	if len(items) > maxRank {
		return nil, fmt.Errorf("%d numbers, more than %d", len(items), maxRank)
	}
	out := make([]int, len(items))
	for i, item := range items {
		n, ok := item.(int64)
		if !ok || n < 0 || n > math.MaxInt {
			return nil, fmt.Errorf("not made of numbers from 0")
		}
		out[i] = int(n)
	}
	return out, nil
}

// elements returns the product of the extents, which check has bounded.
func (t *tensor) elements() int {
	n := 1
	for _, d := range t.shape {
		n *= d
	}
	return n
}

// check compares the view with its storage. A view may name a number of the storage several times (stride 0), but it has at most 2³² elements.
func (t *tensor) check() error {
	const most = 1 << 32
	n, last := int64(1), t.offset
	for i, d := range t.shape {
		if d == 0 {
			n = 0
		}
		if n > 0 && int64(d) > most/n {
			return fmt.Errorf("the shape %v is too large", t.shape)
		}
		n *= int64(d)
		if d > 1 {
			if step := int64(t.stride[i]); step > 0 && int64(d-1) > (math.MaxInt64-last)/step {
				return fmt.Errorf("the strides %v are too large", t.stride)
			}
			last += int64(d-1) * int64(t.stride[i])
		}
	}
	if n > 0 && last >= t.storage.count {
		return fmt.Errorf("shape %v with strides %v from %d on reaches number %d of storage %q, which has %d", t.shape, t.stride, t.offset, last, t.storage.key,
			t.storage.count)
	}
	return nil
}

// contiguous reports whether the elements follow each other in the storage.
func (t *tensor) contiguous() bool {
	want := 1
	for i := len(t.shape) - 1; i >= 0; i-- {
		if t.shape[i] != 1 && t.stride[i] != want {
			return false
		}
		want *= t.shape[i]
	}
	return true
}
