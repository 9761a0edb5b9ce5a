package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Dump prints a resolved spec with all values and without positions. It is for tests, and for people who want to see what a spec means.
func Dump(s *Spec) string {
	var d dumper
	for _, m := range s.Models {
		d.model(m)
	}
	for _, h := range s.Heads {
		d.head(h)
	}
	for _, e := range s.Ensembles {
		d.line("ensemble %s mean %s", e.Name, e.Mean)
		for _, m := range e.Members {
			d.line("    member %s weight %s", m.Head.FullName(), float(m.Weight))
		}
	}
	for _, t := range s.Trains {
		d.train(t)
	}
	for _, t := range s.Targets {
		d.target(t)
	}
	return d.b.String()
}

type dumper struct{ b strings.Builder }

func (d *dumper) line(format string, args ...any) {
	d.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

// float returns the shortest text that reads back as the same number.
func float(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func (d *dumper) model(m *Model) {
	d.line("model %s", m.Name)
	if len(m.Like) > 0 {
		d.line("    like %s", strings.Join(m.Like, ", "))
	}
	d.line("    checkpoint %s", m.Checkpoint)
	d.line("    tokenizer %s", m.Tokenizer)
	var dims []string
	for _, x := range m.Dims {
		op := "="
		if x.Bound {
			op = "<="
		}
		dims = append(dims, fmt.Sprintf("%s %s %d", x.Name, op, x.Value))
	}
	d.line("    dims %s", strings.Join(dims, ", "))
	d.line("    parameters %d", Params(m))
	d.line("    dropout %s attention %s", float(m.Defaults.Dropout.Hidden), float(m.Defaults.Dropout.Attention))
	d.line("    init %s std %s", m.Defaults.Init.Kind, float(m.Defaults.Init.Std))
	d.meaning(m)
	for _, x := range m.Decoders {
		d.decoder(x)
	}
}

// meaning prints everything that decides the meaning of the weights of input and encoder.
func (d *dumper) meaning(m *Model) {
	d.line("    embed [%d, %d] pad %d%s", m.Vocab, m.Embed.Width, m.Embed.Pad, normText(m.Embed.Norm))
	if a := m.Embed.Absolute; a != nil {
		d.line("        absolute %d from %d", a.Rows, a.From)
	}
	if s := m.Embed.Segment; s != nil {
		d.line("        segment %d", s.Rows)
	}
	if m.Embed.Width != m.Hidden {
		d.line("        projection [%d, %d]", m.Hidden, m.Embed.Width)
	}
	for _, a := range m.Absolutes {
		d.line("    absolute %s %d from %d", a.Name, a.Rows, a.From)
	}
	if r := m.Relative; r != nil {
		bucket := "clamp"
		if r.Bucket.Kind == Log {
			bucket = fmt.Sprintf("log exact %d reach %d", r.Bucket.Exact, r.Bucket.Reach)
		}
		d.line("    relative %d .. %d bucket %s%s", r.Lo, r.Hi, bucket, normText(r.Norm))
	}
	d.line("    encoder layers %d hidden %d heads %d head %d%s", m.Layers, m.Hidden, m.Heads, m.Head, normText(&m.Defaults.Norm))
	att := &m.Encoder.Attention
	for _, p := range att.Projections {
		d.line("        %s", projText(p))
	}
	for _, t := range att.Score {
		d.line("        term %s: %s", t.Kind, termText(t))
	}
	d.line("        scale %s", float(att.Scale))
	d.line("        mask %s", att.Mask)
	if att.MixScore != nil {
		d.line("        mix score")
	}
	if att.MixWeight != nil {
		d.line("        mix weight")
	}
	d.line("        ffn %d act %s", m.Inner, m.Encoder.FFN.Act)
	if c := m.Encoder.Conv; c != nil {
		d.line("        conv kernel %d groups %d act %s beside layer %d", c.Kernel, c.Groups, c.Act, c.Beside)
	}
}

func (d *dumper) decoder(x *Decoder) {
	add := ""
	if x.Add != nil {
		add = " + " + x.Add.Name
	}
	d.line("    decoder %s repeat %d of layer %d query layer %d%s memory layer %d", x.Name, x.Repeat, x.Layer, x.Query.Layer, add, x.Memory.Layer)
}

func normText(n *Norm) string {
	if n == nil {
		return ""
	}
	return " norm " + n.Kind + " eps " + float(n.Eps)
}

func projText(p *Proj) string {
	of := [...]string{"x", "rel"}[p.Of]
	switch {
	case p.Kind == Scalar:
		return p.Name + " = scalar(" + of + ")"
	case p.Reuse != nil:
		return p.Name + " = " + p.Reuse.Name + "(" + of + ")"
	case p.Bias:
		return p.Name + " = linear(" + of + ")"
	}
	return p.Name + " = linear(" + of + ", bias: no)"
}

func termText(t Term) string {
	s := t.Left.Proj.Name + "[" + t.Left.Index.String() + "]"
	if t.Right.Proj != nil {
		s += "·" + t.Right.Proj.Name + "[" + t.Right.Index.String() + "]"
	}
	return s
}

func (d *dumper) head(h *Head) {
	on := h.Model.Name
	if h.Decoder != nil {
		on += "." + h.Decoder.Name
	}
	d.line("head %s on %s", h.Name, on)
	d.line("    layout %s", h.Layout())
	d.steps(h)
	if s := h.Decoding; s != nil {
		d.line("    temperature pairs %s classes %s overlap %s above %s", float(s.Pairs), float(s.Classes), s.Overlap, float(s.Above))
	}
	if h.Loss != "" {
		d.line("    loss %s", h.LossText())
	}
}

// steps prints everything that decides the meaning of a head's weights.
func (d *dumper) steps(h *Head) {
	d.line("    take %s %s", h.Take.Rows, h.Take.Pick)
	if h.From != "" {
		d.line("    from %q", h.From)
	}
	if p := h.Prompt; p != nil && p.Schema {
		d.line("    prompt schema")
	} else if p != nil {
		d.line("    prompt mark %q end %q after %v", p.Mark, p.End, p.After)
		if p.Last {
			d.line("        after the text")
		}
		if p.Example != "" {
			d.line("        example %q", p.Example)
		}
	}
	if t := h.Text; t != nil {
		d.line("    text %s from end %v", t.How, t.End)
	}
	for _, s := range h.Steps {
		d.line("    %s", stepText(s))
	}
	d.line("    out %d as %s", h.Out, h.As)
	for i, l := range h.Labels {
		d.line("        label %d %q", i, l)
	}
}

func stepText(s *Step) string {
	switch s.Kind {
	case StepLinear:
		if s.Tied != "" {
			return fmt.Sprintf("linear %d -> %d tied %s", s.In, s.Out, s.Tied)
		}
		return fmt.Sprintf("linear %d -> %d", s.In, s.Out)
	case StepAct:
		return "act " + s.Act
	case StepNorm:
		return strings.TrimSpace(normText(s.Norm))
	case StepDropout:
		return "dropout " + float(s.Rate)
	case StepLSTM:
		return fmt.Sprintf("lstm %d -> %d both %v", s.In, s.Out, s.Both)
	case StepCRF:
		return "crf"
	case StepDecode:
		return "decode " + s.Decode
	case StepSpans:
		return fmt.Sprintf("spans up to %d words", s.Width)
	case StepUnit:
		return fmt.Sprintf("unit scaled %v", s.Scaled)
	case StepClasses:
		return fmt.Sprintf("classes %d widths %v", s.In, s.Widths)
	case StepCounts:
		return fmt.Sprintf("counts %d -> %d widths %v", s.In, s.Count, s.Widths)
	case StepGRU:
		return fmt.Sprintf("gru %d steps %d", s.In, s.Count)
	case StepFields:
		return fmt.Sprintf("fields %s %d widths %v count %d heads %d size %d inner %d", s.Fields, s.In, s.Widths, s.Count, s.Heads, s.Size, s.Inner)
	case StepBounds, StepPool, StepCandidates, StepAbsent:
		return boundaryText(s)
	case StepScore:
		return fmt.Sprintf("score %s widths %v heads %d", s.Score, s.Widths, s.Heads)
	}
	return "tokens start end inside"
}

func (d *dumper) train(t *Train) {
	d.line("train %s on %s", t.Name, t.Head.FullName())
	for _, l := range t.Statements() {
		d.line("    %s", l)
	}
}

func (d *dumper) target(t *Target) {
	d.line("target %s", t.Name)
	channel := ""
	if t.Weights.Channel {
		channel = " per channel"
	}
	d.line("    isa %s weights %s%s", strings.Join(t.ISA, ", "), t.Weights.Kind, channel)
	d.line("    batch <= %d tokens <= %d threads <= %d memory <= %d agree %s", t.Batch, t.Tokens, t.Threads, t.Memory, float(t.Agree))
	if t.Rank > 0 {
		d.line("    adapters rank <= %d", t.Rank)
	}
	if t.HasVectors() {
		d.line("    vectors")
	}
	for _, e := range t.Emit {
		d.line("    emit %s package %q", e.Name(), e.Package)
	}
}

// Name returns infer or train, and the name of what is emitted.
func (e Emit) Name() string {
	switch {
	case e.Train != nil:
		return "train " + e.Train.Name
	case e.Head != nil:
		return "infer " + e.Head.FullName()
	case e.Ensemble != nil:
		return "infer " + e.Ensemble.Name
	}
	return "infer " + e.Model.Name
}
