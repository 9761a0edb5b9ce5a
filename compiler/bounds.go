package compiler

import (
	"fmt"
	"math"
	"sort"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// floatBytes is the size of a float and of an integer in bytes, in memory and in packed weights.
const floatBytes = 4

// memoryFault returns a fault if the packed weights and the arena of the largest call need more than the target's memory bound, else nil. It does not count
// what workers use between two steps, which is small and depends on the machine's threads. The bound of a training is its own, see trainingFault.
func memoryFault(u *Unit, t *spec.Target) *diag.Diag {
	p := u.Program
	if t.Memory == 0 || p.Plan == nil || u.Training != nil {
		return nil
	}
	slots := map[int]ir.Space{}
	var largest ir.Buffer
	most := p.Bounds.Sizes()
	size := func(s ir.Space) int64 { return floatBytes * int64(s.Floats(most)) }
	for _, b := range p.Plan.Buffers {
		slots[b.Slot] = slots[b.Slot].Union(b.Space)
		if size(b.Space) > size(largest.Space) {
			largest = b
		}
	}
	// upTo returns the size in bytes of the arena for calls of at most n tokens. Such a call has at most n sequences and asks for at most n rows.
	upTo := func(n int) (sum int64) {
		b := p.Bounds
		b.Tokens, b.Length, b.Rows = n, min(b.Length, n), min(b.Rows, n)
		for _, s := range slots {
			sum += floatBytes * int64(s.Floats(b.Sizes()))
		}
		return sum
	}
	weights, arena := packedBytes(p), upTo(p.Bounds.Tokens)
	if weights+arena <= t.Memory {
		return nil
	}
	d := diag.Errorf("memory-bound", t.Pos, "%s needs %s, %s for weights and %s for calls of %d tokens: more than memory = %s", p.Name,
		mebibytes(weights+arena), mebibytes(weights), mebibytes(arena), p.Bounds.Tokens, mebibytes(t.Memory))
	if n := nodeOf(p, largest); n != nil && !n.Pos.IsZero() {
		d.Note(n.Pos, "the largest step is here: its result takes %s", mebibytes(size(largest.Space)))
	}
	if tokens := sort.Search(p.Bounds.Tokens, func(n int) bool { return weights+upTo(n+1) > t.Memory }); tokens > 0 {
		return d.Hintf("tokens <= %d", tokens)
	}
	return d.Hintf("memory <= %.0f MiB", math.Ceil(float64(weights+arena)/(1<<20)))
}

// mebibytes returns a number of bytes as text, with one digit after the point.
func mebibytes(n int64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// packedBytes returns the size of the packed tensors that the schedule reads.
func packedBytes(p *ir.Program) int64 {
	sum, seen := int64(0), map[string]bool{}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if name := ir.At(v.Name, l); v.Kind == ir.Packed && !seen[name] {
				seen[name] = true
				n := int64(floatBytes)
				for _, d := range v.Type.Shape {
					n *= int64(d.N)
				}
				sum += n
			}
		}
	}
	return sum
}

// nodeOf returns the node whose result lies in a buffer.
func nodeOf(p *ir.Program, b ir.Buffer) *ir.Node {
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			for _, o := range n.Out {
				if r.Name == b.Region && o.Name == b.Value {
					return n
				}
			}
		}
	}
	return nil
}
