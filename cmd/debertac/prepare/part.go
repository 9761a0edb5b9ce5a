package prepare

import (
	"fmt"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/example"
)

// Part chooses examples of data of which a share is held out for evaluation. The examples of each label are divided by themselves (stratified): of each 1/share
// that follow each other, one is held out, drawn by the seed. The zero Part has all examples.
type Part struct {
	Share float64 // held out, above 0 and below 1; 0: none
	Seed  uint64
	Held  bool // the part has the examples that are held out; otherwise the others
}

// heldLayer is the number of the layer in the keys of what is held out, so that its random numbers differ from those of a training.
const heldLayer = 7

// filter returns a function that reports, for one example after the other, whether the part has it.
func (p Part) filter() func(e *example.Example) bool {
	if p.Share == 0 {
		return func(*example.Example) bool { return true }
	}
	seen := map[string]int{}   // examples of each label so far
	strata := map[string]int{} // a number for each label
	return func(e *example.Example) bool {
		label := e.Label
		if e.Labels != nil {
			label = fmt.Sprintf("%q", *e.Labels)
		}
		if _, ok := strata[label]; !ok {
			strata[label] = len(strata)
		}
		n := seen[label]
		seen[label]++
		block := int((float64(n) + 0.5) * p.Share)
		first, end := p.begin(block), p.begin(block+1)
		draw := dropout.Number(dropout.Row(dropout.KeyOf(p.Seed, 0, 0, strata[label], heldLayer), block), 0)
		return (n == first+int(draw)%(end-first)) == p.Held
	}
}

// begin returns the number of the first example of a block.
func (p Part) begin(block int) int {
	n := max(0, int(float64(block)/p.Share)-1)
	for int((float64(n)+0.5)*p.Share) < block {
		n++
	}
	return n
}
