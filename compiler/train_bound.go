package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Kept is a kind of what a training step keeps in memory.
type Kept struct {
	What   string
	Floats int64
	Room   int64 // floats that they take in memory, where rows are whole vectors
}

// add counts an array of a shape.
func (k *Kept) add(shape []int) {
	rows, columns := 1, 1
	for _, d := range shape {
		columns *= d
	}
	if len(shape) == 2 {
		rows, columns = shape[0], shape[1]
	}
	k.Floats += int64(rows) * int64(columns)
	k.Room += int64(rows) * int64(ir.RowFloats(columns))
}

// KeptBy returns what a training program keeps in memory: the tensors, their gradients, what optimizers keep, and the arena of a pass of the given bounds with
// the noise that a batch begins with. It does not count what workers use between two nodes, which is small and depends on the number of threads.
func KeptBy(p *ir.Program, b ir.Bounds) []Kept {
	list := []Kept{{What: "parameters"}, {What: "gradients"}, {What: "optimizer"}, {What: "activations"}}
	shapes := map[string][]int{}
	for _, t := range p.Training.Params {
		shapes[t.Name] = t.Shape
		list[0].add(t.Shape)
		if t.Grad != "" {
			list[1].add(t.Shape)
		}
	}
	for _, w := range p.Training.Twins { // each optimizer has a gradient of its own
		list[1].add(shapes[w.Of])
	}
	for _, u := range p.Training.Updates {
		for _, k := range u.Kept {
			list[2].add(k.Shape)
		}
	}
	slots := map[int]ir.Space{}
	for _, b := range p.Plan.Buffers {
		slots[b.Slot] = slots[b.Slot].Union(b.Space)
	}
	for _, s := range slots {
		list[3].Room += int64(s.Floats(b.Sizes()))
	}
	if p.Training.Noise > 0 {
		list[3].Room += int64(b.Tokens) * int64(p.Meta.Hidden)
	}
	list[3].Floats = list[3].Room
	return list
}

// trainingFault returns a fault if a step of a training needs more than its memory bound, else nil. It has no hint, see hintThatFits.
func trainingFault(p *ir.Program, tr *spec.Train) *diag.Diag {
	list := KeptBy(p, p.Bounds)
	need := bytesOf(list)
	if tr.Memory == 0 || need <= tr.Memory {
		return nil
	}
	size := func(i int) string { return mebibytes(floatBytes * list[i].Room) }
	return diag.Errorf("memory-bound", tr.Words["memory"].Pos, "a step of %s needs %s, more than memory = %s: %s for parameters, %s for gradients, %s for the "+
		"optimizer, and %s for a pass over %d sequences of %d tokens in which the backward pass computes all layers again", tr.Name, mebibytes(need),
		mebibytes(tr.Memory), size(0), size(1), size(2), size(3), tr.Part, tr.Length)
}

// bytesOf returns the bytes of all that a step keeps.
func bytesOf(list []Kept) (sum int64) {
	for _, k := range list {
		sum += floatBytes * k.Room
	}
	return sum
}
