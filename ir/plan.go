package ir

// Plan is what the passes tile, memory and threads decide: which kernel runs each node, how its work is split, and where each value lies. It is kept apart from
// the graph: the graph describes what is computed, the plan describes how.
type Plan struct {
	// Buffers are the activations of one call; all lie in one arena. A buffer's size grows with T and B. Buffers that are never live at the same time share a
	// slot.
	Buffers []Buffer
	Steps   []Step // in the order of Run: one for each node of each region
}

// Buffer is the place in the arena of one value, or of several values that are never live at the same time.
type Buffer struct {
	Slot   int    // buffers with the same slot share memory
	Region string // "" for values in the store
	Value  string
	Space
}

// Space is an amount of memory that depends on the batch, in floats: the largest of its parts.
type Space struct {
	PerToken int `json:",omitempty"` // for each of the T tokens (the value's LD)
	PerSeq   int `json:",omitempty"` // for each of the B sequences
	PerRow   int `json:",omitempty"` // for each of the M rows that the call asks for
	PerWord  int `json:",omitempty"` // for each of the W words
	PerLabel int `json:",omitempty"` // for each of the C labels
	PerPair  int `json:",omitempty"` // for each of the G pairs of a word and a label
	Fixed    int `json:",omitempty"` // independent of the batch
}

// Part is one part of a space: Floats for each of Rows, or Floats once if Rows is the number 1.
type Part struct {
	Rows   Dim
	Floats int
}

// Parts returns the parts of a space that are not empty, the fixed one last.
func (s Space) Parts() []Part {
	var out []Part
	for _, p := range []Part{{T, s.PerToken}, {B, s.PerSeq}, {M, s.PerRow}, {W, s.PerWord}, {C, s.PerLabel}, {G, s.PerPair}, {N(1), s.Fixed}} {
		if p.Floats != 0 {
			out = append(out, p)
		}
	}
	return out
}

// SpaceOf returns the space that a value takes: LD floats for each of its rows. A value that is not a matrix takes none.
func SpaceOf(v *Value) Space {
	if len(v.Type.Shape) != 2 {
		return Space{}
	}
	switch d := v.Type.Shape[0]; d {
	case T:
		return Space{PerToken: v.LD}
	case B:
		return Space{PerSeq: v.LD}
	case M:
		return Space{PerRow: v.LD}
	case W:
		return Space{PerWord: v.LD}
	case C:
		return Space{PerLabel: v.LD}
	case G:
		return Space{PerPair: v.LD}
	default:
		return Space{Fixed: d.N * v.LD}
	}
}

// Union returns a space that is large enough for either.
func (s Space) Union(o Space) Space {
	return Space{max(s.PerToken, o.PerToken), max(s.PerSeq, o.PerSeq), max(s.PerRow, o.PerRow), max(s.PerWord, o.PerWord),
		max(s.PerLabel, o.PerLabel), max(s.PerPair, o.PerPair), max(s.Fixed, o.Fixed)}
}

// Floats returns the number of floats in a batch of the given sizes.
func (s Space) Floats(z Sizes) int {
	most := 0
	for _, p := range s.Parts() {
		most = max(most, z.Dim(p.Rows)*p.Floats)
	}
	return most
}

// negative reports whether a part is below zero.
func (s Space) negative() bool {
	return min(s.PerToken, s.PerSeq, s.PerRow, s.PerWord, s.PerLabel, s.PerPair, s.Fixed) < 0
}

// Step describes how one node runs.
type Step struct {
	Region string
	Node   int    // index in the region's Nodes
	Kernel string // name of the kernel without the instruction set, such as gemm_f32_k768_...
	Split  Split  // how the work is divided between the workers of the pool
	Block  int    // rows per kernel call
}

// Split is the unit by which a step is divided between workers.
type Split string

// The ways to divide a step. None of them changes the order of a reduction.
const (
	SplitNone   Split = "none"   // one worker
	SplitRows   Split = "rows"   // blocks of rows
	SplitPanels Split = "panels" // panels of the packed matrix
	SplitHeads  Split = "heads"  // (sequence, head) pairs
	SplitSeqs   Split = "seqs"   // sequences
	SplitWays   Split = "ways"   // pairs of a sequence and a direction
	SplitWords  Split = "words"  // blocks of words
)
