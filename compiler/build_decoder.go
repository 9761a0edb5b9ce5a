package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
)

// decoderAt returns the store's name of a decoder's rows after its step t. Number 0 holds the rows before the first step.
func decoderAt(t int) string { return fmt.Sprintf("decoder.%d", t) }

// decoderMemory is the store's name of the rows from which keys and values are projected, if they are not the last layer's rows.
const decoderMemory = "decoder.memory"

// moveAfter moves the last call of the schedule to the place directly after the call that computes the hidden states of a layer. Layer 0 is the embedding.
func (b *builder) moveAfter(layer int) {
	last := len(b.prog.Run) - 1
	moved := b.prog.Run[last]
	var run []ir.Call
	done := false
	for _, c := range b.prog.Run[:last] {
		if len(c.Region.Out) == 0 || c.Region.Out[0].Name != storeNext || done || c.First+c.Count <= layer {
			run = append(run, c)
			continue
		}
		done = true
		if before := layer - c.First; before > 0 {
			run = append(run, ir.Call{Region: c.Region, First: c.First, Count: before})
			c.First, c.Count = layer, c.Count-before
		}
		run = append(run, moved, c)
	}
	b.prog.Run = run
}

// decoder describes an enhanced mask decoder (paper, section 3.3, and the authors' code). Queries start as hidden states plus rows of absolute positions, and
// pass through the weights of one encoder layer several times. Keys and values are always computed from the memory.
func (b *builder) decoder() error {
	if b.h == nil || b.h.Decoder == nil {
		return nil
	}
	d, m := b.h.Decoder, b.m
	rows := ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(m.Hidden)}}
	e := b.region("decoder_query", "decoder_query makes the decoder's first queries.", d.Query.Source, 1)
	x := e.Input(hiddenAt(d.Query.Layer), ir.State, rows)
	if a := d.Add; a != nil {
		x = e.op("add", d.Query.Source, nil, x, b.positions(e, b.names.absolute(a), a, m.Hidden))
	} else {
		x = e.op("identity", d.Query.Source, nil, x)
	}
	e.Output(decoderAt(0), x)
	if e.Err() != nil {
		return e.Err()
	}
	// All hidden states share one place in the arena. So the rows of an earlier layer than the last are copied as soon as that layer is done.
	from := hiddenAt(d.Memory.Layer)
	switch {
	case d.Query.Layer < d.Memory.Layer:
		b.moveAfter(d.Query.Layer)
	case d.Memory.Layer < d.Query.Layer:
		e = b.region("decoder_memory", "decoder_memory keeps the rows that the decoder takes keys and values from.", d.Memory.Source, 1)
		e.Output(decoderMemory, e.op("identity", d.Memory.Source, nil, e.Input(from, ir.State, rows)))
		if e.Err() != nil {
			return e.Err()
		}
		from = decoderMemory
		b.moveAfter(d.Memory.Layer)
	}
	e = b.region("decoder", "decoder is one step of the decoder: an encoder layer whose keys and values stay the same.", d.Source, d.Repeat)
	q := e.Input("decoder.{l}", ir.State, rows)
	memory := e.Input(from, ir.State, rows)
	e.Output("decoder.{l+1}", b.layerBody(e, q, memory, fmt.Sprintf("encoder.%d.", d.Layer-1)))
	return e.Err()
}

// positions appends the rows of a table of absolute positions: row From+n for position n.
func (b *builder) positions(e editor, path string, a *spec.Absolute, width int) *ir.Value {
	table := b.tensor(e, path, a.Rows, width)
	if a.From != 0 {
		table = e.op("slice", a.Source, []ir.Attr{{Key: "count", Value: a.Rows - a.From}, {Key: "from", Value: a.From}}, table)
	}
	return e.op("embed", a.Source, nil, table, e.Part(ragged.Positions))
}
