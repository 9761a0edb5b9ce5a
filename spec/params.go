package spec

import "strconv"

var maskWords = [...]string{"all live keys", "no key after the query", "no key after the query but those of the prefix"}

// what returns the kind of a norm and its eps.
func (n *Norm) what() string { return n.Kind + " eps " + float(n.Eps) }

// what returns a bucket's ranges in words.
func (b Bucket) what() string {
	if b.Kind == Clamp {
		return "distances up to the table's ends"
	}
	return "exact up to " + itoa(b.Exact) + ", logarithmic up to " + itoa(b.Reach)
}

// Params counts the parameters of a model's input and encoder. It leaves out heads, decoders and tables of positions that are not part of the input, as
// published counts do.
func Params(m *Model) int64 {
	var n int64
	for _, p := range m.Lines() {
		n += p.Params
	}
	return n
}

// Line is what one statement contributes.
type Line struct {
	At     Source
	What   string  // the part of the statement, or what it chooses, such as an activation
	Shape  string  // shape of its output or of its table; after =, a number
	Params int64   // over all layers
	Flops  float64 // over all layers, for one sequence of Seq tokens; for a head's step, per row. A multiplication and an addition count as two
	Per    string  // the unit that operations are counted for: a row, a word, a label, a pair; "": the sequence
}

// normParams returns the number of weights of a norm: gain and shift.
func normParams(n *Norm, columns int) int64 {
	if n == nil {
		return 0
	}
	return 2 * int64(columns)
}

// Lines returns what each statement of a model's input and encoder contributes, in the order of computation.
func (m *Model) Lines() []Line { return append(inputParts(m), encoderParts(m)...) }

func inputParts(m *Model) []Line {
	h, e, t := int64(m.Hidden), int64(m.Embed.Width), float64(m.Seq)
	list := []Line{{At: m.Embed.Token.Source, Shape: shapeOf(m.Vocab, m.Embed.Width), Params: int64(m.Vocab) * e}}
	if a := m.Embed.Absolute; a != nil {
		list = append(list, Line{At: a.Source, Shape: shapeOf(a.Rows, m.Embed.Width), Params: int64(a.Rows) * e})
	}
	if s := m.Embed.Segment; s != nil {
		list = append(list, Line{At: s.Source, Shape: shapeOf(s.Rows, m.Embed.Width), Params: int64(s.Rows) * e})
	}
	if e != h {
		list = append(list, Line{At: m.Embed.Source, Shape: "[T, " + itoa(m.Hidden) + "]", Params: e * h, Flops: 2 * t * float64(e*h),
			What: "projection to hidden"})
	}
	if n := m.Embed.Norm; n != nil {
		list = append(list, Line{At: n.Source, What: n.what(), Shape: "[T, " + itoa(m.Hidden) + "]", Params: normParams(n, m.Hidden)})
	}
	r := m.Relative
	if r == nil {
		return list
	}
	if m.ReadsTable() {
		list = append(list, Line{At: r.Source, Shape: shapeOf(r.Rows, m.Hidden), Params: int64(r.Rows) * h})
	}
	if r.Bucket.Text != "" {
		list = append(list, Line{At: r.Bucket.Source, What: r.Bucket.what(), Shape: "[2 · N - 1]"})
	}
	if r.Norm != nil && m.ReadsTable() {
		list = append(list, Line{At: r.Norm.Source, What: r.Norm.what(), Shape: shapeOf(r.Rows, m.Hidden), Params: normParams(r.Norm, m.Hidden)})
	}
	return list
}

// ReadsTable reports whether a projection reads the rows of the relative table, so that the model has such a table. Scalars are tables of their own.
func (m *Model) ReadsTable() bool {
	for _, p := range m.Encoder.Attention.Projections {
		if p.Of == Rel && p.Kind == Linear {
			return true
		}
	}
	return false
}

func encoderParts(m *Model) []Line {
	h, f, t, layers := int64(m.Hidden), int64(m.Inner), float64(m.Seq), int64(m.Layers)
	var list []Line
	att := &m.Encoder.Attention
	for _, p := range att.Projections {
		list = append(list, projPart(m, p))
	}
	for _, s := range att.Score {
		// one product over head for every pair of tokens and attention head; offsets cost the same at full length
		flops := 2 * t * t * float64(h)
		switch s.Kind {
		case OffsetOffset, Bias:
			flops = t * t * float64(m.Heads)
		}
		list = append(list, Line{At: s.Source, Shape: "[A, N, N]", Flops: flops * float64(layers), What: s.Kind.String()})
	}
	for _, mix := range []*Source{att.MixScore, att.MixWeight} {
		if mix != nil {
			a := int64(m.Heads)
			list = append(list, Line{At: *mix, Shape: shapeOf(m.Heads, m.Heads), Params: layers * a * a, Flops: 2 * t * t * float64(a*a*layers)})
		}
	}
	if att.ScaleSource.Text != "" {
		list = append(list, Line{At: att.ScaleSource, Shape: "= " + strconv.FormatFloat(att.Scale, 'g', 6, 64)})
	}
	if att.MaskSource.Text != "" {
		list = append(list, Line{At: att.MaskSource, What: maskWords[att.Mask], Shape: "[N, N]"})
	}
	norm := 2 * h
	after := m.Defaults.Norm.what()
	list = append(list,
		Line{At: att.Source, Shape: "[T, " + itoa(m.Hidden) + "]", Params: layers * (h*h + h + norm),
			Flops: float64(layers) * (2*t*t*float64(h) + 2*t*float64(h*h)), What: "weights·v, output projection, " + after},
		Line{At: m.Encoder.FFN.Source, Shape: "[T, " + itoa(m.Inner) + "]", Params: layers * (2*h*f + f + h + norm),
			Flops: float64(layers) * 4 * t * float64(h*f), What: "both layers, " + m.Encoder.FFN.Act + ", " + after})
	if c := m.Encoder.Conv; c != nil && c.Groups > 0 {
		w := h * (h / int64(c.Groups)) * int64(c.Kernel)
		list = append(list, Line{At: c.Source, Shape: "[T, " + itoa(m.Hidden) + "]", Params: w + h + norm, Flops: 2 * t * float64(w),
			What: c.Act + ", beside layer " + itoa(c.Beside) + ", " + after})
	}
	return list
}

// projPart returns what a projection contributes. A projection that shares weights has operations but no parameters.
func projPart(m *Model, p *Proj) Line {
	h, layers := int64(m.Hidden), int64(m.Layers)
	rows, shape := float64(m.Seq), "[T, "+itoa(m.Hidden)+"]"
	if p.Of == Rel && m.Relative != nil {
		rows, shape = float64(m.Relative.Rows), shapeOf(m.Relative.Rows, m.Hidden)
	}
	out := Line{At: p.Source, Shape: shape, What: p.Name}
	if p.Kind == Scalar {
		out.Shape, out.Params = shapeOf(m.Relative.Rows, m.Heads), layers*int64(m.Relative.Rows)*int64(m.Heads)
		return out
	}
	if p.Of == X && p.Reuse != nil && p.Reuse.Of == X {
		out.What += ", the numbers of " + p.Reuse.Name
	} else if p.Of == X { // tables of offsets are projected when weights are packed
		out.Flops = 2 * rows * float64(h*h*layers)
	} else {
		out.What += ", computed when weights are packed"
	}
	if p.Reuse == nil {
		out.Params = layers * h * h
		if p.Bias {
			out.Params += layers * h
		}
	}
	return out
}

// DecoderLines returns what a decoder contributes. It reads the weights of an encoder layer again, and may have its own table of positions.
func (m *Model) DecoderLines(d *Decoder) []Line {
	var list []Line
	rows := "[T, " + itoa(m.Hidden) + "]"
	if a := d.Add; a != nil {
		list = append(list, Line{At: a.Source, What: "added to the queries, from row " + itoa(a.From), Shape: shapeOf(a.Rows, m.Hidden),
			Params: int64(a.Rows) * int64(m.Hidden)})
	}
	layer := 0.0
	for _, l := range encoderParts(m) {
		if m.Encoder.Conv == nil || l.At != m.Encoder.Conv.Source {
			layer += l.Flops / float64(max(m.Layers, 1))
		}
	}
	return append(list,
		Line{At: d.Query.Source, What: "of layer " + itoa(d.Query.Layer), Shape: rows},
		Line{At: d.Memory.Source, What: "of layer " + itoa(d.Memory.Layer), Shape: rows},
		Line{At: d.Source, What: itoa(d.Repeat) + " times the weights of layer " + itoa(d.Layer), Shape: rows, Flops: float64(d.Repeat) * layer})
}
