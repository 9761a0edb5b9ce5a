package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// head appends the head's steps on the rows that it takes.
func (b *builder) head() error {
	last := hiddenAt(b.m.Encoder.Layers)
	if b.h == nil {
		b.prog.Outputs = []string{last}
		return nil
	}
	if b.h.Decoder != nil {
		last = decoderAt(b.h.Decoder.Repeat)
	}
	e := b.region("head", "head computes the head's numbers for the rows that it takes.", b.h.Source, 1)
	x := e.Input(last, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(b.m.Hidden)}})
	names, ok := b.names.headNames(b.h)
	if !ok {
		return fmt.Errorf("%v: a head without names in the checkpoint reached the builder", b.h.Pos)
	}
	b.vector(e, b.h.Source, tasktable.TokenVectors, x)
	if b.h.As == spec.BySchema {
		return b.schemaOutputs(e, x)
	}
	if b.h.Prompt != nil {
		y, err := b.prompted(e, names, x)
		if err != nil {
			return err
		}
		e.Output(storeLogits, y)
		b.prog.Outputs = append(b.prog.Outputs, storeLogits)
		return e.Err()
	}
	x = b.take(e, x)
	linears, norms, lstms, dropouts := 0, 0, 0, 0
	for _, s := range b.h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			if s.Tied != "" {
				w := b.tensor(e, "embed.token", b.m.Embed.Token.Rows, b.m.Embed.Width)
				x = e.op("linear", s.Source, nil, x, w, e.Input(names.tied, ir.Tensor, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(s.Out)}}))
				break
			}
			x = b.linear(e, names.linears[linears], s.Source, s.In, s.Out, true, x)
			linears++
		case spec.StepAct:
			if s.Act != "identity" {
				x = e.op(s.Act, s.Source, nil, x)
			}
		case spec.StepNorm:
			x = b.norm(e, names.norms[norms], s.Norm, s.In, x)
			norms++
		case spec.StepLSTM:
			lstms++
			starts := ragged.Starts
			if b.h.Take.Rows == spec.Words {
				starts = ragged.WordStarts
			}
			x = b.lstm(e, s, fmt.Sprintf("%slstm%d.", b.names.headPath(b.h), lstms), x, e.Part(starts), nil)
		case spec.StepCRF: // its scores are for the code that decodes the logits
			if err := b.crf(s); err != nil {
				return err
			}
		case spec.StepDropout:
			dropouts++
			x = b.drop(e, fmt.Sprint(dropouts), s.Source, s.Rate, x)
		case spec.StepDecode: // for the code that decodes the logits
		default:
			return fmt.Errorf("%v: this step reached the builder", s.Pos)
		}
	}
	if x.Kind != ir.Temp { // no step changes the rows
		x = e.op("identity", b.h.Source, nil, x)
	}
	e.Output(storeLogits, x)
	b.prog.Outputs = append(b.prog.Outputs, storeLogits)
	return e.Err()
}

// prompted appends the steps of a head whose labels are chosen at run time.
func (b *builder) prompted(e editor, names headNames, x *ir.Value) (*ir.Value, error) {
	if b.h.As == spec.OwnLabel {
		return b.ownLabels(e, x)
	}
	return b.entities(e, names, x)
}

// take appends the op that picks the rows that the head reads.
func (b *builder) take(e editor, x *ir.Value) *ir.Value {
	src := b.h.Take.Source
	starts := func() *ir.Value { return e.Part(ragged.Starts) }
	switch b.h.Take.Rows {
	case spec.First:
		return e.op("take", src, []ir.Attr{{Key: "rows", Value: "first"}}, x, starts())
	case spec.Mean:
		return e.op("take", src, []ir.Attr{{Key: "rows", Value: "mean"}}, x, starts())
	case spec.Words:
		return b.poolWords(e, x)
	case spec.EachFirst:
		return e.op("add_first", src, nil, x, starts())
	case spec.Masked:
		return e.op("pick", src, nil, x, e.Part(ragged.Rows))
	}
	return x
}

// crf keeps the scores of label sequences in the packed weights, under the names by which the runtime reads them. In checkpoints they have the names of the
// pytorch-crf library.
func (b *builder) crf(s *spec.Step) error {
	e := b.region("crf", "crf holds the scores of neighbouring labels.", s.Source, 1)
	for _, t := range []struct {
		name, published string
		dims            []int
	}{{"transitions", "transitions", []int{s.In, s.In}}, {"start", "start_transitions", []int{s.In}}, {"end", "end_transitions", []int{s.In}}} {
		name, stored := storeCRF+t.name, "crf."+t.published
		if b.names.scheme == own.scheme {
			stored = "head." + b.h.Name + ".crf." + t.name
		}
		e.Output(name, e.op("identity", s.Source, nil, b.tensor(e, stored, t.dims...)))
		b.prog.Keep = append(b.prog.Keep, name)
	}
	return e.Err()
}
