package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// The functions below make operands of samples for the generic tests.

// normal returns random numbers.
func normal(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: f32(dims...)} }

// positive returns random numbers above 0.
func positive(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: f32(dims...), Fill: ir.FillPositive} }

// shares returns random numbers from 0 to 1 as targets, of which some are 0, 1, or below 0.
func shares(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: f32(dims...), Fill: ir.FillShare} }

// missing returns an operand that is missing.
func missing() ir.Arg { return ir.Arg{Fill: ir.FillMissing} }

// below returns random integers in 0 … limit-1.
func below(limit int, dims ...ir.Dim) ir.Arg {
	return ir.Arg{Type: i32(dims...), Fill: ir.FillBelow, Max: limit}
}

// targets returns random classes below limit; some rows are ignored.
func targets(limit int, dims ...ir.Dim) ir.Arg {
	return ir.Arg{Type: i32(dims...), Fill: ir.FillTarget, Max: limit}
}

// paired returns pairs of random numbers of bfloat16.
func paired(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: i32(dims...), Fill: ir.FillBF16} }

// starts returns the first rows of the sequences.
func starts() ir.Arg { return ir.PartArg(ragged.Starts) }

// prefixes returns, for each sequence, the number of its first tokens that all its queries see.
func prefixes() ir.Arg { return ir.PartArg(ragged.Prefix) }

// positions returns the original positions of the rows.
func positions() ir.Arg { return ir.PartArg(ragged.Positions) }

// sampleLength is the greatest length of a sequence in samples, gaps included.
const sampleLength = 12

// index returns row numbers for the offsets of sampleLength.
func index(rows int) ir.Arg {
	return ir.Arg{Type: i32(ir.N(2*sampleLength - 1)), Fill: ir.FillIndex, Max: rows}
}

// panelled returns a packed matrix of n columns (rows of the weight) and k rows.
func panelled(n, k int) ir.Arg {
	return ir.Arg{Type: f32(ir.N(round16(n)/16), ir.N(k), ir.N(16)), Fill: ir.FillPanels, Max: n}
}

// probabilities returns random numbers that sum to 1 over each row of pairs.
func probabilities(heads int) ir.Arg {
	return ir.Arg{Type: f32(ir.N(heads), ir.P), Fill: ir.FillProb}
}

// samples returns a function that returns the list.
func samples(list ...ir.Sample) func() []ir.Sample { return func() []ir.Sample { return list } }

// sample returns a sample of a node with operands.
func sample(attrs []ir.Attr, in ...ir.Arg) ir.Sample { return ir.Sample{Attrs: attrs, In: in} }

// attrs returns a list of attributes; keys and values alternate in kv.
func attrs(kv ...any) []ir.Attr {
	var out []ir.Attr
	for i := 0; i+1 < len(kv); i += 2 {
		out = append(out, ir.A(kv[i].(string), kv[i+1]))
	}
	return out
}

// holes returns the sample with gaps in its positions.
func holes(s ir.Sample) ir.Sample {
	s.Holes = true
	return s
}

// lens returns the sample with other sequence lengths.
func lens(s ir.Sample, n ...int) ir.Sample {
	s.Lens = n
	return s
}
