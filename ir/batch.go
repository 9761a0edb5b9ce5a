package ir

import "github.com/debertac/debertac/runtime/ragged"

// The symbolic extents. They are the rows of ragged's table of extents.
var (
	T     = Along(ragged.T)       // tokens in the batch
	B     = Along(ragged.B)       // sequences in the batch
	Bound = Dim{Sym: B.Sym, N: 1} // B+1, the length of starts
	P     = Along(ragged.P)       // pairs, the sum of N² over the sequences
	M     = Along(ragged.M)       // token rows that the call asks for
	W     = Along(ragged.W)       // words in the batch
	C     = Along(ragged.C)       // labels in the prompts of the batch
	Q     = Along(ragged.Q)       // queries: one for each step of each label that spans are scored for
	G     = Along(ragged.G)       // pairs of a word and a label, or a query, the sum of words times labels over the sequences
	U     = Along(ragged.U)       // boundaries between words, one more than words for each sequence
	R     = Along(ragged.R)       // pairs of a query and a boundary of the same sequence
	S     = Along(ragged.S)       // candidates: the spans that a head chooses
	X     = Along(ragged.X)       // pairs of a query and a candidate of the same sequence
)

// symbols are the names that a symbolic extent may have.
var symbols = ragged.Symbols()

// Along returns the extent as a Dim.
func Along(e ragged.Extent) Dim { return Dim{Sym: e.Row().Symbol} }

// Extent returns what a symbolic extent counts; ok is false for a constant.
func (d Dim) Extent() (e ragged.Extent, ok bool) { return ragged.BySymbol(d.Sym) }

// Sizes holds the extents of one batch.
type Sizes ragged.Sizes

// Dim returns the extent's size in a batch of sizes s; 0 for an unknown symbol.
func (s Sizes) Dim(d Dim) int {
	if d.Const() {
		return d.N
	}
	e, ok := d.Extent()
	if !ok {
		return 0
	}
	return *(*ragged.Sizes)(&s).At(e) + d.N
}

// Elements returns the number of elements of a shape in a batch of sizes s.
func (s Sizes) Elements(shape Shape) int {
	n := 1
	for _, d := range shape {
		n *= s.Dim(d)
	}
	return n
}

// Typical returns the sizes of an ordinary call.
func Typical() Sizes {
	var s ragged.Sizes
	for e := range ragged.Extent(ragged.Extents) {
		*s.At(e) = e.Row().Typical
	}
	return Sizes(s)
}

// Sizes returns the largest sizes of a call.
func (b Bounds) Sizes() Sizes {
	l := b.limits()
	l.Words, l.Marks = true, true
	return Sizes(l.Sizes(0))
}

func (b Bounds) limits() ragged.Limits {
	return ragged.Limits{SequenceTokens: b.Length, BatchSequences: b.Sequences, BatchTokens: b.Tokens, Rows: b.Rows, Steps: b.Steps, Candidates: b.Candidates}
}

// partType returns the type of a part of the batch. columns is the number of columns of a part for which models decide it.
func partType(p ragged.Part, columns ...int) Type {
	r := p.Row()
	t := Type{DType: I32, Shape: Shape{{Sym: r.Each.Row().Symbol, N: r.Plus}}}
	if r.Floats() {
		t.DType = F32
	}
	switch r.Columns {
	case 0:
	case ragged.ByLimit:
		t.Shape = append(t.Shape, N(columns[0]))
	default:
		t.Shape = append(t.Shape, N(r.Columns))
	}
	return t
}

// Part returns the region's input that is a part of the batch, and makes it at first use. columns is the number of columns of a part for which models decide
// it.
func (b *Builder) Part(p ragged.Part, columns ...int) *Value {
	return b.Input(p.Row().Operand, Batch, partType(p, columns...))
}

// Reads reports whether a call of the schedule reads the part of the batch.
func (p *Program) Reads(part ragged.Part) bool { return p.Given(part) != nil }

// Given returns the part of the batch among the inputs of the schedule's regions, or nil if no call reads it.
func (p *Program) Given(part ragged.Part) *Value {
	for _, c := range p.Run {
		if v := c.Region.Input(part.Row().Operand); v != nil && v.Kind == Batch {
			return v
		}
	}
	return nil
}

// Limits returns the limits of the program's batches, and which parts it reads.
func (p *Program) Limits() ragged.Limits {
	l := p.Bounds.limits()
	l.Vocab, l.Types = p.Meta.Vocab, p.Meta.Types
	for part := range ragged.Part(ragged.Parts) {
		v := p.Given(part)
		if v == nil {
			continue
		}
		columns := 1
		if len(v.Type.Shape) > 1 {
			columns = v.Type.Shape[1].N
		}
		part.Read(&l, columns)
	}
	return l
}
