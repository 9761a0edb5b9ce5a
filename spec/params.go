package spec

// Params counts the parameters of a model's input and encoder: without heads, without decoders and without tables of positions that are no
// input (published counts leave them out as well).
func Params(m *Model) int64 {
	var n int64
	for _, p := range parts(m) {
		n += p.params
	}
	return n
}

// part is what one statement contributes, over all layers.
type part struct {
	at     Source
	shape  string  // of its output or of its table
	params int64   // over all layers
	flops  float64 // of one sequence of m.Seq tokens, over all layers; a multiplication and an addition are two
	note   string
}

// norm weights: gain and shift.
func normParams(n *Norm, columns int) int64 {
	if n == nil {
		return 0
	}
	return 2 * int64(columns)
}

// parts lists what each statement of a model contributes, in the order of computation.
func parts(m *Model) []part {
	return append(inputParts(m), encoderParts(m)...)
}

func inputParts(m *Model) []part {
	h, e, t := int64(m.Hidden), int64(m.Embed.Width), float64(m.Seq)
	list := []part{{at: m.Embed.Token.Source, shape: shapeOf(m.Vocab, m.Embed.Width), params: int64(m.Vocab) * e}}
	if a := m.Embed.Absolute; a != nil {
		list = append(list, part{at: a.Source, shape: shapeOf(a.Rows, m.Embed.Width), params: int64(a.Rows) * e})
	}
	if s := m.Embed.Segment; s != nil {
		list = append(list, part{at: s.Source, shape: shapeOf(s.Rows, m.Embed.Width), params: int64(s.Rows) * e})
	}
	if e != h {
		list = append(list, part{at: m.Embed.Source, shape: "[T, " + itoa(m.Hidden) + "]", params: e * h, flops: 2 * t * float64(e*h), note: "projection to hidden"})
	}
	if n := m.Embed.Norm; n != nil {
		list = append(list, part{at: n.Source, shape: "[T, " + itoa(m.Hidden) + "]", params: normParams(n, m.Hidden)})
	}
	if r := m.Relative; r != nil && m.ReadsTable() {
		list = append(list, part{at: r.Source, shape: shapeOf(r.Rows, m.Hidden), params: int64(r.Rows) * h})
		if r.Norm != nil {
			list = append(list, part{at: r.Norm.Source, shape: shapeOf(r.Rows, m.Hidden), params: normParams(r.Norm, m.Hidden)})
		}
	}
	return list
}

// ReadsTable reports whether a projection reads the rows of the relative table, so that the model has one. Scalars are tables of their own.
func (m *Model) ReadsTable() bool {
	for _, p := range m.Encoder.Attention.Projections {
		if p.Of == Rel && p.Kind == Linear {
			return true
		}
	}
	return false
}

func encoderParts(m *Model) []part {
	h, f, t, layers := int64(m.Hidden), int64(m.Inner), float64(m.Seq), int64(m.Layers)
	var list []part
	att := &m.Encoder.Attention
	for _, p := range att.Projections {
		list = append(list, projPart(m, p))
	}
	for _, s := range att.Score {
		// a product over head for every pair of tokens and attention head; offsets cost the same at full length
		flops := 2 * t * t * float64(h)
		switch s.Kind {
		case OffsetOffset, Bias:
			flops = t * t * float64(m.Heads)
		}
		list = append(list, part{at: s.Source, shape: "[A, N, N]", flops: flops * float64(layers), note: s.Kind.String()})
	}
	for _, mix := range []*Source{att.MixScore, att.MixWeight} {
		if mix != nil {
			a := int64(m.Heads)
			list = append(list, part{at: *mix, shape: shapeOf(m.Heads, m.Heads), params: layers * a * a, flops: 2 * t * t * float64(a*a*layers)})
		}
	}
	norm := 2 * h
	list = append(list,
		part{at: att.Source, shape: "[T, " + itoa(m.Hidden) + "]", params: layers * (h*h + h + norm), flops: float64(layers) * (2*t*t*float64(h) + 2*t*float64(h*h)), note: "weights·v, output projection, norm"},
		part{at: m.Encoder.FFN.Source, shape: "[T, " + itoa(m.Inner) + "]", params: layers * (2*h*f + f + h + norm), flops: float64(layers) * 4 * t * float64(h*f), note: "both layers, norm"})
	if c := m.Encoder.Conv; c != nil && c.Groups > 0 {
		w := h * (h / int64(c.Groups)) * int64(c.Kernel)
		list = append(list, part{at: c.Source, shape: "[T, " + itoa(m.Hidden) + "]", params: w + h + norm, flops: 2 * t * float64(w), note: "beside layer " + itoa(c.Beside)})
	}
	return list
}

// projPart counts a projection; one that shares weights only computes.
func projPart(m *Model, p *Proj) part {
	h, layers := int64(m.Hidden), int64(m.Layers)
	rows, shape := float64(m.Seq), "[T, "+itoa(m.Hidden)+"]"
	if p.Of == Rel && m.Relative != nil {
		rows, shape = float64(m.Relative.Rows), shapeOf(m.Relative.Rows, m.Hidden)
	}
	out := part{at: p.Source, shape: shape, note: p.Name}
	if p.Kind == Scalar {
		out.shape, out.params = shapeOf(m.Relative.Rows, m.Heads), layers*int64(m.Relative.Rows)*int64(m.Heads)
		return out
	}
	if p.Of == X { // tables of offsets are projected when weights are packed
		out.flops = 2 * rows * float64(h*h*layers)
	} else {
		out.note += ", computed when weights are packed"
	}
	if p.Reuse == nil {
		out.params = layers * h * h
		if p.Bias {
			out.params += layers * h
		}
	}
	return out
}
