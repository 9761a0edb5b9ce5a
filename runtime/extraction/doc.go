// Package extraction is what surrounds the model of an information extractor in the style of GLiNER2 (Zaratiana et al. 2025). It divides a text into
// words ([Read]), holds what is looked for ([Schema]), writes both as the tokens that a model reads ([Prompts.Input]), and turns the numbers of a model
// into results: [DecodeSpans] for heads that score spans of limited width, [DecodeBoundaries] for heads that score pairs of boundaries. Long texts are
// read in windows ([Windows]), whose results are joined ([Merge]).
//
// The package computes no model and reads no file. The numbers come from a [SpanNumbers] or a [BoundaryNumbers].
//
// Offsets are in bytes and in code points. They count in the text that the model reads, which may be one full stop longer than the caller's.
package extraction
