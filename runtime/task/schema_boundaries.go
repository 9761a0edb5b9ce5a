package task

import (
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// boundarySettings returns the settings of a head that scores boundaries.
func (x *SchemaExtractor) boundarySettings() (*extraction.BoundarySettings, error) {
	b := x.Boundary
	overlap, err := extraction.ParseOverlap(b.Overlap)
	if err != nil {
		return nil, err
	}
	_, absent := x.parts[tasktable.AbsentOutput]
	return &extraction.BoundarySettings{PairTemperature: b.Pairs, ClassTemperature: b.Classes, Abstention: absent, AbstentionThreshold: b.Above,
		Overlap: overlap}, nil
}

// boundaryNumbers finds the numbers of a text among the outputs of a head that scores boundaries.
type boundaryNumbers struct {
	*schemaNumbers
	pool   []extraction.Boundary
	pairs  [][]float32 // of each query: the logits of the pool
	absent []float32   // one per query
}

// newBoundaryNumbers returns the numbers of a text. Rows of the pool that hold no span are left out.
func newBoundaryNumbers(n *schemaNumbers, pool, pairs, absent []float32) *boundaryNumbers {
	b := &boundaryNumbers{schemaNumbers: n, pairs: make([][]float32, n.queries), absent: absent}
	chosen := len(pool) / 2
	for i := range chosen {
		start, end := int32(pool[2*i]), int32(pool[2*i+1])
		if start >= end {
			continue
		}
		b.pool = append(b.pool, extraction.Boundary{Start: start, End: end})
		for q := range b.pairs {
			b.pairs[q] = append(b.pairs[q], pairs[q*chosen+i])
		}
	}
	return b
}

// query returns the query of a label of entities.
func (b *boundaryNumbers) query(mark int) int {
	m := &b.in.Marks[mark]
	return b.first[m.Task] + m.Label
}

func (b *boundaryNumbers) Pool() []extraction.Boundary { return b.pool }

func (b *boundaryNumbers) Pair(mark int) []float32 { return b.pairs[b.query(mark)] }

func (b *boundaryNumbers) Null(mark int) float32 { return b.absent[b.query(mark)] }
