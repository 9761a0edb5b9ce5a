// Package spectest draws random valid specs for property tests of the stages after the language.
package spectest

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/spec"
)

// Source returns random numbers; *rand.Rand of math/rand/v2 implements it.
type Source interface {
	IntN(n int) int
}

// draft is a spec that is being drawn.
type draft struct {
	Source
	b      strings.Builder
	labels bool // the head finds labels in texts
}

// one returns one of the words.
func (s *draft) one(words ...string) string { return words[s.IntN(len(words))] }

// line appends a line.
func (s *draft) line(format string, args ...any) { fmt.Fprintf(&s.b, format+"\n", args...) }

// yes returns true in one of n cases.
func (s *draft) yes(n int) bool { return s.IntN(n) == 0 }

// Random draws a spec with one small model, named m, and usually a head on it, named c. name is the model or head that its target emits. Every part of the
// language that this version compiles can occur: all kinds of terms with either sign, several of one kind, shared and own projections with and without bias,
// masks, talking heads, buckets and clamped offsets, sums of tables with a projection, activations, norms, the convolution, decoders, and all rows that heads
// take.
func Random(src Source) (text, name string) {
	s := &draft{Source: src}
	heads := 1 + s.IntN(4)
	head := []int{4, 7, 8, 12, 16, 20, 33}[s.IntN(7)]
	hidden := heads * head
	s.line("dspec 1")
	s.line("model m {")
	s.line("checkpoint own; tokenizer none")
	layers := 1 + s.IntN(3)
	s.line("dim vocab = %d; dim hidden = %d; dim heads = %d; dim head = hidden / heads; dim inner = %d; dim layers = %d", 20+s.IntN(200), hidden, heads,
		3+s.IntN(70), layers)
	s.line("dim span = %d; dim seq <= 48", 4+2*s.IntN(12))
	s.line("defaults { norm layernorm(eps: %s); act %s }", s.one("1e-7", "1e-5", "1e-3"), s.one(append([]string{"gelu"}, spec.Acts...)...))
	width := s.embed(hidden)
	terms := s.terms()
	if terms.relative {
		s.relative(terms.rows)
	}
	s.line("encoder layers {")
	s.line("attention {")
	s.b.WriteString(terms.text)
	s.mask()
	s.line("}")
	s.line("ffn inner")
	s.conv(hidden, layers)
	s.line("}")
	on := "m"
	if s.decoder(layers, width == hidden) {
		on = "m.emd"
	}
	s.line("}")
	name = "m"
	if on != "m" || !s.yes(4) {
		name = "m.c"
		s.head(on, width)
	}
	vectors := ""
	if s.labels && s.yes(3) {
		vectors = "vectors; "
	}
	s.line("target t { isa avx512, avx2, go; batch <= 8 sequences; tokens <= 256; threads <= 2; %semit infer %s as package \"random\" }", vectors, name)
	return s.b.String(), name
}

// embed draws the input and returns the width of its tables.
func (s *draft) embed(hidden int) (width int) {
	words := []string{"token vocab"}
	width = hidden
	if s.yes(3) {
		width = 3 + s.IntN(hidden+5)
		words = append(words, fmt.Sprintf("width %d", width))
	}
	if s.yes(3) {
		from := s.IntN(3)
		words = append(words, fmt.Sprintf("absolute %d from %d", 48+from+s.IntN(20), from))
	}
	if s.yes(3) {
		words = append(words, fmt.Sprintf("segment %d", 1+s.IntN(3)))
	}
	if !s.yes(6) {
		words = append(words, "norm")
	}
	s.line("embed { %s }", strings.Join(words, "; "))
	return width
}

// relative draws the table of offsets. rows means that a projection reads its rows; then they can have a norm.
func (s *draft) relative(rows bool) {
	bucket := "bucket clamp"
	if s.yes(2) {
		bucket = fmt.Sprintf("bucket log(exact: span / 2, reach: span + %d)", 2+s.IntN(60))
	}
	norm := ""
	if s.yes(2) && rows {
		norm = "; norm"
	}
	s.line("relative rel { offsets -span .. span - 1; %s%s }", bucket, norm)
}
