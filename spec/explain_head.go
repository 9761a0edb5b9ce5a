package spec

import "strings"

// HeadParams counts a head's own parameters. A tied layer owns only its bias.
func HeadParams(h *Head) int64 {
	var n int64
	for _, l := range h.Lines() {
		n += l.Params
	}
	return n
}

// leads holds the first extent of the rows that a head reads.
var leads = map[Rows]string{First: "B", Mean: "B", Words: "words", Masked: "masked", ByLabel: "labels"}

// Lines returns what each statement of a head contributes, in order. Operations are per row, or per the unit in Per.
func (h *Head) Lines() []Line {
	lead := leads[h.Take.Rows]
	if lead == "" {
		lead = "T"
	}
	list := []Line{{At: h.Take.Source, What: takeWords[h.Take.Rows], Shape: "[" + lead + ", " + itoa(h.Model.Hidden) + "]"}}
	if h.As == BySchema {
		return append(list, h.schemaLines()...)
	}
	if p := h.Prompt; p != nil {
		what := "a label is read at its mark"
		if p.After {
			what = "a label is read at the token after its mark"
		}
		list = append(list, Line{At: p.Source, What: what, Shape: "[labels, " + itoa(h.Model.Hidden) + "]"})
	}
	if h.As == OwnLabel && h.Text != nil {
		return append(list, h.labelLines()...)
	}
	labels := 0 // columns of the labels' rows, which no LSTM reads
	for _, s := range h.Steps {
		if s.Kind == StepLSTM && labels == 0 {
			labels = s.In
		}
		width := labels
		if width == 0 {
			width = s.In
		}
		list = append(list, h.lines(s, lead, width)...)
	}
	return list
}

var takeWords = [...]string{"the first token of each sequence", "every token", "every token, the sequence's first added", "the tokens to predict",
	"the mean of each sequence", "one row per word", "one row per label"}

// lines returns what one step contributes. labels is the number of columns of the labels' rows, for heads with a prompt.
func (h *Head) lines(s *Step, lead string, labels int) []Line {
	in, out := int64(s.In), int64(s.Out)
	l := Line{At: s.Source, Shape: "[" + lead + ", " + itoa(s.Out) + "]"}
	switch s.Kind {
	case StepLinear:
		l.Params, l.Flops, l.Per = in*out+out, 2*float64(in*out), "a row"
		if s.Tied != "" {
			l.Params, l.What = out, "the table's rows and a bias"
		}
	case StepAct:
		l.What = s.Act
	case StepNorm:
		l.What, l.Params = s.Norm.what(), 2*in
	case StepDropout:
		l.What = "in training"
	case StepLSTM: // four gates with two biases each
		size, directions := out, int64(1)
		l.What = "one direction"
		if s.Both {
			size, directions = out/2, 2
			l.What = "both directions"
		}
		l.Params, l.Flops, l.Per = directions*4*(in*size+size*size+2*size), float64(2*directions*4*(in*size+size*size)), "a row"
	case StepCRF:
		l.What, l.Params = "transitions, first and last label", in*in+2*in
		l.Shape = shapeOf(s.In, s.In)
	case StepDecode:
		l.What = "the best sequence of labels that " + s.Decode + " allows"
	case StepSpans:
		return spanLines(l, in, int64(labels), int64(s.Width))
	case StepTokens:
		return tokenLines(l, in, int64(labels))
	}
	return []Line{l}
}

// layers counts the parameters of linear layers with bias, and their operations per row. extents holds pairs of columns in and out.
func layers(extents ...int64) (params int64, flops float64) {
	for i := 0; i+1 < len(extents); i += 2 {
		params += extents[i]*extents[i+1] + extents[i+1]
		flops += 2 * float64(extents[i]*extents[i+1])
	}
	return params, flops
}

// spanLines returns the parts of GLiNER's span scorer on rows of h columns and labels of c columns: projections of a span's first and last word, the layer that
// joins them, the projection of a label, and the product of each span with each label. The second layer of the joining part is applied to labels.
func spanLines(at Line, h, c, widths int64) []Line {
	word, words := layers(h, 4*h, 4*h, h, h, 4*h, 4*h, h)
	join, joined := layers(2*h, 4*h, 4*h, h)
	label, read := layers(c, 4*h, 4*h, h)
	first, second, third, fourth := at, at, at, at
	shape := func(rows string, columns int64) string { return "[" + rows + ", " + itoa(int(columns)) + "]" }
	first.What, first.Shape, first.Params, first.Flops, first.Per = "first and last word", shape("words", 2*h), word, words, "a word"
	second.What, second.Shape, second.Params, second.Flops, second.Per = "their join", shape("words", 8*h), join, joined-2*float64(4*h*h), "a word"
	third.What, third.Shape, third.Params, third.Flops, third.Per = "labels", shape("labels", 4*h), label, read+2*float64(4*h*h), "a label"
	fourth.What, fourth.Shape, fourth.Flops, fourth.Per = "spans with labels", shape("words, labels", widths), 2*float64(4*h*widths), "a pair"
	return []Line{first, second, third, fourth}
}

// tokenLines returns the parts of GLiNER's token scorer: projections of words and labels, and two layers on each pair of a word and a label.
func tokenLines(at Line, h, c int64) []Line {
	word, words := layers(h, 2*h)
	label, read := layers(c, 2*h)
	pair, pairs := layers(3*h, 4*h, 4*h, 3)
	first, second, third := at, at, at
	first.What, first.Shape, first.Params, first.Flops, first.Per = "words", "[words, "+itoa(int(2*h))+"]", word, words, "a word"
	second.What, second.Shape, second.Params, second.Flops, second.Per = "labels", "[labels, "+itoa(int(2*h))+"]", label, read, "a label"
	third.What, third.Shape, third.Params, third.Flops, third.Per = strings.Join([]string{"start", "end", "inside"}, ", "), "[words, labels, 3]", pair, pairs,
		"a pair"
	return []Line{first, second, third}
}
