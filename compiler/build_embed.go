package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
)

// embed sums the tables of the input, projects the sum if its width is not the hidden size, and normalises it.
func (b *builder) embed() error {
	em := &b.m.Embed
	e := b.region("embed", "embed looks up the token table and makes the rows that enter the first layer.", em.Source, 1)
	ids := e.Part(ragged.IDs)
	var frozen []ir.Attr
	if b.train && em.Pad >= 0 { // as in torch.nn.Embedding with a padding_idx
		frozen = []ir.Attr{{Key: "frozen", Value: em.Pad}}
	}
	x := e.op("embed", em.Token.Source, frozen, b.tensor(e, "embed.token", em.Token.Rows, em.Width), ids)
	if a := em.Absolute; a != nil {
		x = e.op("add", a.Source, nil, x, b.positions(e, "embed.absolute", a, em.Width))
	}
	if s := em.Segment; s != nil {
		types := e.Part(ragged.Types)
		x = e.op("add", s.Source, nil, x, e.op("embed", s.Source, nil, b.tensor(e, "embed.segment", s.Rows, em.Width), types))
	}
	if em.Width != b.m.Hidden {
		x = b.linear(e, "embed.project", em.Source, em.Width, b.m.Hidden, false, x)
	}
	if b.perturb {
		if e, x = b.perturbed(e, x); e.Err() != nil {
			return e.Err()
		}
	}
	if em.Norm != nil {
		x = b.norm(e, "embed.norm", em.Norm, b.m.Hidden, x)
	}
	x = b.drop(e, "out", b.m.Defaults.Dropout.Source, b.m.Defaults.Dropout.Hidden, x)
	e.Output(hiddenAt(0), x)
	return e.Err()
}

// perturbEps is added to the variance in the norm without gain and shift. It is the value of the authors of scale-invariant fine-tuning.
const perturbEps = 1e-7

// perturbed normalises the sum x of the input's tables, which ends the region e, and begins the region that adds the batch's delta. Gain and shift are
// constants, so the kernels of layer norms can be used.
func (b *builder) perturbed(e editor, x *ir.Value) (next editor, sum *ir.Value) {
	em := &b.m.Embed
	zeros := func() *ir.Value {
		return e.op("zeros", em.Source, []ir.Attr{{Key: "shape", Value: []int{b.m.Hidden}}})
	}
	gain := e.op("offset", em.Source, []ir.Attr{{Key: "by", Value: 1.0}}, zeros())
	normed := e.op("layernorm", em.Source, []ir.Attr{{Key: "eps", Value: perturbEps}}, x, gain, zeros())
	e.Output(storeNormed, normed)
	if e.Err() != nil {
		return e, nil
	}
	next = b.region("perturb", "perturb adds the call's delta to the normalised input, and makes the rows that enter the first layer.", em.Source, 1)
	delta := next.Part(ragged.Delta, normed.Type.Shape[1].N)
	return next, next.op("add", em.Source, nil, next.Input(storeNormed, ir.State, normed.Type), delta)
}

// relative computes what all layers share of the relative table: its rows, normalised, and the row of each offset.
func (b *builder) relative() error {
	rel := b.m.Relative
	if rel == nil || !b.usesTable() {
		return nil
	}
	e := b.region("relative", "relative normalises the table of offsets that all layers share.", rel.Source, 1)
	kind := "clamp"
	if rel.Bucket.Kind == spec.Log {
		kind = "log"
	}
	index := e.op("buckets", rel.Bucket.Source, []ir.Attr{
		{Key: "exact", Value: rel.Bucket.Exact}, {Key: "kind", Value: kind}, {Key: "length", Value: b.prog.Bounds.Length},
		{Key: "reach", Value: rel.Bucket.Reach}, {Key: "span", Value: -rel.Lo},
	})
	e.Output(storeIndex, index)
	if b.projectsTable() {
		table := b.tensor(e, "relative", rel.Rows, b.m.Hidden)
		if rel.Norm != nil {
			table = b.norm(e, "relative.norm", rel.Norm, b.m.Hidden, table)
		}
		e.Output(storeTable, e.op("identity", rel.Source, nil, table))
	}
	return e.Err()
}

// usesTable reports whether an offset is an index of some term of the score.
func (b *builder) usesTable() bool {
	for _, t := range b.m.Encoder.Attention.Score {
		if t.Kind != spec.ContentContent {
			return true
		}
	}
	return false
}

// projectsTable reports whether some projection reads the relative table's rows. A scalar bias has a table of its own.
func (b *builder) projectsTable() bool {
	for _, p := range b.m.Encoder.Attention.Projections {
		if p.Of == spec.Rel && p.Kind == spec.Linear {
			return true
		}
	}
	return false
}
