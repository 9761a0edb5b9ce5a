package runtime

import "math"

// validateDelta checks Delta of a batch whose sequences are valid.
func (b *Batch) validateDelta(l Limits) error {
	if want := len(b.IDs) * l.Delta; len(b.Delta) != want {
		if l.Delta == 0 {
			return input("the model's input cannot be perturbed, leave Delta empty")
		}
		return input("Delta has %d numbers, want %d for each of %d tokens: %d", len(b.Delta), l.Delta, len(b.IDs), want)
	}
	for i, v := range b.Delta {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return input("Delta of token %d is %v at %d, it must be finite", i/l.Delta, v, i%l.Delta)
		}
	}
	return nil
}
