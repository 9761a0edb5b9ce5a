package compiler

import (
	"math"

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
	for _, t := range p.Training.Params {
		list[0].add(t.Shape)
		if t.Grad != "" {
			list[1].add(t.Shape)
		}
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

// trainingFault returns a fault if a step of a training needs more than its memory bound, else nil. The hint is the largest part of the batch that fits, or the
// greatest length of its texts, or the bound that suffices.
func trainingFault(p *ir.Program, tr *spec.Train) *diag.Diag {
	bytes := func(list []Kept) (sum int64) {
		for _, k := range list {
			sum += floatBytes * k.Room
		}
		return sum
	}
	list := KeptBy(p, p.Bounds)
	need := bytes(list)
	if tr.Memory == 0 || need <= tr.Memory {
		return nil
	}
	size := func(i int) string { return mebibytes(floatBytes * list[i].Room) }
	d := diag.Errorf("memory-bound", tr.Words["memory"].Pos, "a step of %s needs %s, more than memory = %s: %s for parameters, %s for gradients, %s for the "+
		"optimizer, and %s for a pass over %d sequences of %d tokens in which the backward pass computes all layers again", tr.Name, mebibytes(need),
		mebibytes(tr.Memory), size(0), size(1), size(2), size(3), tr.Part, tr.Length)
	fits := func(sequences, length int, more int64) bool {
		b := p.Bounds
		b.Sequences, b.Tokens, b.Length = sequences, sequences*length, min(b.Length, length)
		b.Rows = min(b.Rows, b.Tokens)
		return bytes(KeptBy(p, b))+more <= tr.Memory
	}
	sums := int64(0) // a batch in parts keeps a sum of each gradient
	if tr.Part == tr.Batch {
		sums = floatBytes * list[1].Room
	}
	for part := tr.Part - 1; part > 0; part-- {
		if tr.Batch%part == 0 && fits(part, tr.Length, sums) {
			return d.Hintf("batch %d sequences in parts of %d", tr.Batch, part)
		}
	}
	for length := tr.Length / 2; length > 0; length /= 2 {
		if fits(tr.Part, length, 0) {
			return d.Hintf("length %d tokens", length)
		}
	}
	if tr.Lora == nil && bytes(list[:1]) < tr.Memory && bytes(list[:3]) > tr.Memory { // adapters leave the other weights without gradients and moments
		return d.Hintf("lora %s rank 8 alpha 16", tr.Head.Model.Encoder.Attention.Projections[0].Name)
	}
	return d.Hintf("memory <= %.0f MiB", math.Ceil(float64(need)/(1<<20)))
}
