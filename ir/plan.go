package ir

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime/ragged"
)

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

// Space is an amount of memory that depends on the batch, in floats: the largest of its parts. The text form has a field for each part that is not 0, such as
// "PerToken":768.
type Space struct {
	Per   [ragged.Extents]int // for each of an extent, such as the T tokens (the value's LD)
	Fixed int                 // independent of the batch
}

// fixedSpace is the name of Fixed in the text form.
const fixedSpace = "Fixed"

// bufferPlace is what the text form of a buffer holds before its space.
type bufferPlace struct {
	Slot   int
	Region string
	Value  string
}

// MarshalJSON writes a buffer as in the text form: its place, and the parts of its space.
func (b Buffer) MarshalJSON() ([]byte, error) {
	out, err := json.Marshal(bufferPlace{b.Slot, b.Region, b.Value})
	if err != nil {
		return nil, err
	}
	out = out[:len(out)-1]
	for _, p := range b.Parts() {
		name := fixedSpace
		if e, ok := p.Rows.Extent(); ok {
			name = e.Row().Space
		}
		out = fmt.Appendf(out, ",%q:%d", name, p.Floats)
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (b *Buffer) UnmarshalJSON(data []byte) error {
	var place bufferPlace
	var fields map[string]json.RawMessage
	if err := errors.Join(json.Unmarshal(data, &place), json.Unmarshal(data, &fields)); err != nil {
		return err
	}
	*b = Buffer{Slot: place.Slot, Region: place.Region, Value: place.Value}
	into := map[string]*int{fixedSpace: &b.Fixed}
	for e := range ragged.Extent(ragged.Extents) {
		into[e.Row().Space] = &b.Per[e]
	}
	for name, value := range fields {
		switch at := into[name]; {
		case name == "Slot" || name == "Region" || name == "Value":
		case at == nil:
			return fmt.Errorf("unknown field %q", name)
		default:
			if err := json.Unmarshal(value, at); err != nil {
				return err
			}
		}
	}
	return nil
}

// Part is one part of a space: Floats for each of Rows, or Floats once if Rows is the number 1.
type Part struct {
	Rows   Dim
	Floats int
}

// Parts returns the parts of a space that are not empty, the fixed one last.
func (s Space) Parts() []Part {
	var out []Part
	for e, floats := range s.Per {
		if floats != 0 {
			out = append(out, Part{Along(ragged.Extent(e)), floats})
		}
	}
	if s.Fixed != 0 {
		out = append(out, Part{N(1), s.Fixed})
	}
	return out
}

// SpaceOf returns the space that a value takes. A matrix takes LD floats for each of its rows. A vector has one float per element, and the elements of an array
// of constant shape lie side by side; vectors of constant length fill whole vectors of 16 floats.
func SpaceOf(v *Value) (s Space) {
	shape := v.Type.Shape
	if len(shape) == 0 {
		return s
	}
	each := 1
	for _, d := range shape[1:] {
		each *= d.N
	}
	if len(shape) == 2 {
		each = v.LD
	}
	if e, ok := shape[0].Extent(); ok {
		s.Per[e] = each
	} else if s.Fixed = shape[0].N * each; len(shape) != 2 {
		s.Fixed = RowFloats(s.Fixed)
	}
	return s
}

// RowFloats returns the number of floats that a row of n floats takes in a training program: whole vectors of 16.
func RowFloats(n int) int { return (n + 15) / 16 * 16 }

// Union returns a space that is large enough for either.
func (s Space) Union(o Space) Space {
	for e := range s.Per {
		s.Per[e] = max(s.Per[e], o.Per[e])
	}
	s.Fixed = max(s.Fixed, o.Fixed)
	return s
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
func (s Space) negative() bool { return slices.Min(s.Per[:]) < 0 || s.Fixed < 0 }

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
	SplitChunks Split = "chunks" // chunks of memory of whole tensors
)
