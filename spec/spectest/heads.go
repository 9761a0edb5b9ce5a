package spectest

import (
	"fmt"
	"strings"
)

// conv draws the convolution beside one of the layers, or no convolution.
func (s *draft) conv(hidden, layers int) {
	if !s.yes(4) {
		return
	}
	var groups []int // the divisors of the hidden size
	for g := 1; g <= hidden; g++ {
		if hidden%g == 0 {
			groups = append(groups, g)
		}
	}
	s.line("conv { kernel %s; groups %d; act %s; beside layer %d }", s.one("1", "3", "5"), groups[s.IntN(min(3, len(groups)))], s.one("tanh", "gelu", "relu"),
		1+s.IntN(layers))
}

// decoder draws an enhanced mask decoder on the encoder, or no decoder. It reports whether there is one. plain means that tables are as wide as hidden states,
// so that positions can be added to them.
func (s *draft) decoder(layers int, plain bool) bool {
	if layers < 2 || !s.yes(3) {
		return false
	}
	add := ""
	if plain && !s.yes(3) {
		s.line("absolute pos { rows %d }", 48+s.IntN(20))
		add = " + pos"
	}
	s.line("decoder emd { repeat %d of encoder.last; query encoder[-%d]%s; memory encoder[-%d] }", 1+s.IntN(3), 1+s.IntN(2), add, 1+s.IntN(2))
	return true
}

// head draws a head of any kind on a model. width is the width of the token table, which a head may use again.
func (s *draft) head(on string, width int) {
	var steps []string
	add := func(words ...string) { steps = append(steps, words...) }
	optional := func(word string) {
		if s.yes(3) {
			add(word)
		}
	}
	labels := []string{"\"a\"", "\"b\""}
	for i := range s.IntN(20) {
		labels = append(labels, fmt.Sprintf("\"l%d\"", i))
	}
	labelled := fmt.Sprintf("linear %d as labels(%s)", len(labels), strings.Join(labels, ", "))
	middle := func() {
		if s.yes(2) {
			optional("norm")
			add(fmt.Sprintf("linear %d", 3+s.IntN(40)), "act")
			optional("norm")
		}
	}
	kind := s.IntN(17)
	if on != "m" && kind < 3 { // on a decoder mostly the head that belongs to it
		kind = 5
	}
	s.labels = kind == 3 || kind >= 7 && kind <= 9 || kind >= 11
	switch kind {
	case 0, 1:
		add("take first")
		middle()
		add(labelled, "loss "+s.one("cross_entropy", "binary_cross_entropy"))
	case 2:
		add("take mean")
		middle()
		add("linear 1 as score", "loss mean_squared_error")
	case 3:
		add("take each")
		middle()
		add(labelled, "loss cross_entropy")
	case 4:
		add("take each", "linear 2 as span", "loss cross_entropy")
	case 5:
		add("take masked", fmt.Sprintf("linear %d", width), "act")
		optional("norm")
		add("linear vocab tied embed.token", "loss cross_entropy")
	case 6:
		add("take each + first")
		optional("norm")
		add("linear hidden", "act", "linear 1", "loss binary_cross_entropy")
	case 7:
		add("take words(" + s.pick() + ")")
		middle()
		s.lstm(add)
		add(labelled, "loss cross_entropy")
	case 8, 9:
		add("take words(" + s.pick() + ")")
		if s.yes(2) {
			add(fmt.Sprintf("linear %d", 3+s.IntN(40)))
			optional("act")
			optional("norm")
		}
		s.lstm(add)
		add("prompt labels " + s.one("", "after ") + `mark "<<ENT>>" end "<<SEP>>"`)
		if s.yes(2) {
			add(fmt.Sprintf("spans <= %d markers", 1+s.IntN(18)))
		} else {
			add("tokens start end inside")
		}
		add("loss binary_cross_entropy")
	case 11, 12:
		s.ownLabels(add)
	case 13, 14:
		s.schema(add)
	case 15, 16:
		s.boundaries(add)
	default:
		add("take " + s.one("first", "mean"))
	}
	s.line("head c on %s { %s }", on, strings.Join(steps, "; "))
}

// ownLabels draws a head that scores labels which are given at run time.
func (s *draft) ownLabels(add func(...string)) {
	add("take labels(" + s.one("first", "mean") + ")")
	add("prompt labels " + s.one("", "after ") + s.one("", "last ") + `mark "<<LABEL>>" end "<<SEP>>"` + s.one("", ` example "<<EXAMPLE>>"`))
	from := s.one("", " from end")
	if s.yes(2) {
		add("lstm hidden")
	}
	attend := s.yes(3)
	if attend {
		add("text each" + from)
	} else {
		add("text " + s.one("first", "last", "mean", "sum", "max", "rms", "abs_max", "abs_mean") + from)
	}
	heads := 1
	if s.yes(2) || attend {
		heads = 1 + s.IntN(3)
		add(fmt.Sprintf("linear %d", heads*(1+s.IntN(12))))
		if s.yes(2) {
			add("act")
		}
		if s.yes(3) {
			add("norm")
		}
	}
	if s.yes(3) {
		add("unit" + s.one("", " scaled"))
	}
	widths := fmt.Sprint(1 + s.IntN(20))
	if s.yes(2) {
		widths += fmt.Sprint(", ", 1+s.IntN(20))
	}
	switch {
	case attend:
		add(fmt.Sprintf("score attend(heads: %d) %s", heads, widths))
	case s.yes(4):
		add("score dot")
	case s.yes(3):
		add(fmt.Sprintf("score weighted %d", 1+s.IntN(20)))
	default:
		add("score " + s.one("layers ", "hopfield ") + widths)
	}
	add("loss " + s.one("binary_cross_entropy", "focal"))
}

// schema draws a head that reads a schema.
func (s *draft) schema(add func(...string)) {
	layers := func() string {
		return fmt.Sprintf("layers %d", 1+s.IntN(20)) + s.one("", fmt.Sprintf(", %d", 1+s.IntN(20)))
	}
	add("take words("+s.pick()+")", "prompt schema")
	classes := s.yes(2)
	if classes {
		add("classes " + layers())
	}
	counts := 2 + s.IntN(4)
	if counted := s.yes(2); counted || !classes {
		add(fmt.Sprintf("counts %d %s", counts, layers()))
		if counted {
			add(fmt.Sprintf("gru %d steps", counts-1+s.IntN(2)))
			heads := 1 + s.IntN(3)
			add("fields " + s.one(layers(), fmt.Sprintf("experts(count: %d) %d", 1+s.IntN(3), 1+s.IntN(20)),
				fmt.Sprintf("attend(repeat: %d, heads: %d, width: %d, ffn: %d) %d", 1+s.IntN(2), heads, heads*(1+s.IntN(9)), 1+s.IntN(20), 1+s.IntN(20))))
			add(fmt.Sprintf("spans <= %d markers", 1+s.IntN(18)))
		}
	}
	add("loss binary_cross_entropy")
}

// boundaries draws a head that scores boundaries and chooses spans.
func (s *draft) boundaries(add func(...string)) {
	add("take words("+s.pick()+")", "prompt schema")
	size := func() string { return fmt.Sprint(1 + s.IntN(20)) }
	if s.yes(2) {
		add("classes layers " + size())
	}
	if s.yes(3) {
		add("dropout 0.1")
	}
	heads := 1 + s.IntN(3)
	attend := fmt.Sprintf(" attend(repeat: %d, heads: %d%s)", 1+s.IntN(2), heads, s.one("", fmt.Sprintf(", window: %d", 1+s.IntN(4))))
	// With few columns, a norm makes rows alike, and rounding would decide between candidates that are as good.
	add(fmt.Sprint("boundaries ", heads*(8+s.IntN(9)), s.one("", attend)) + s.one("", fmt.Sprintf(" refine %d ffn %s", 1+s.IntN(2), size())))
	most := 1 + s.IntN(9)
	add(fmt.Sprintf("pool <= %d from %d%s", most, 1+s.IntN(6), s.one("", fmt.Sprintf(" least %d", s.IntN(most+1)))))
	add("candidates " + size() + s.one("", " content "+size()+s.one("", " soft")) + " film " + size() + s.one("", " inside"))
	if s.yes(2) {
		add("absent above 0.25")
	}
	if s.yes(3) {
		add("temperature pairs 1.5", "overlap nested")
	}
	add("loss binary_cross_entropy")
}

// pick draws how the rows of a word become one.
func (s *draft) pick() string { return s.one("first", "last", "mean", "max") }

// lstm draws an LSTM over words, or no LSTM.
func (s *draft) lstm(add func(...string)) {
	if s.yes(2) {
		add(fmt.Sprintf("lstm %d%s", 1+s.IntN(36), s.one("", " both", " both")))
	}
}
