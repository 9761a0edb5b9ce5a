package compiler

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
)

// StoreCount begins the names of the numbers of a whole batch, see [ir.Count].
const StoreCount = "count."

// partOfBatch makes the loss of a program that of a part of a batch: each mean divides its sum by the number of rows that count in the whole batch. So the
// losses of all parts add up to that of the batch, and so do their gradients, however the rows are divided among the parts. The program must have a loss and no
// gradients of its loss. The same holds for the losses by which perturbations are moved. ratios tells what the weights of each sum_ratio of the loss count, if
// it has any.
func partOfBatch(p *ir.Program, ratios []ir.Count) (counts []ir.Count) {
	for _, r := range p.Regions {
		if r.Name == "loss" || strings.HasSuffix(r.Name, "_loss") {
			counts = meansOf(r, counts, ratios)
		}
	}
	return counts
}

// meansOf does the work of partOfBatch for a region, and adds the numbers that it reads to a list.
func meansOf(r *ir.Region, counts, ratios []ir.Count) []ir.Count {
	b := ir.NewBuilder(r)
	for _, n := range r.Nodes {
		if n.Op == "sum_ratio" && len(ratios) > 0 {
			ratio := ratios[0]
			ratios = ratios[1:]
			n.In = append(n.In, b.Input(ratio.Name, ir.Batch, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(1)}}))
			counts = withCounts(counts, ratio)
		}
		if n.Op != "mean" || n.Flag("sum") {
			continue
		}
		c := ir.Count{Rows: n.In[0].Type.Shape[0]}
		c.Name = StoreCount + c.Rows.Sym
		if len(n.In) > 1 && n.In[1] != nil {
			c.Target = n.In[1].Name
			c.Name = StoreCount + c.Target
		}
		n.In = append(n.In, make([]*ir.Value, 3-len(n.In))...)
		n.In[2] = b.Input(c.Name, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.N(1)}})
		counts = withCounts(counts, c)
	}
	return counts
}

// withCounts adds numbers of the whole batch to a list that has each name once.
func withCounts(list []ir.Count, more ...ir.Count) []ir.Count {
	for _, c := range more {
		if !slices.ContainsFunc(list, func(o ir.Count) bool { return o.Name == c.Name }) {
			list = append(list, c)
		}
	}
	return list
}
