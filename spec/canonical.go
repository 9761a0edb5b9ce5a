package spec

// Canonical returns a stable text of everything that gives the weights of a model, and of a head if it is not nil, their meaning: sizes, tables, projections,
// terms, labels. Names of models, positions, dropout, training and target have no part in it, nor has seq, whose raising changes no result. Two specs with the
// same text can share packed weights; a hash of it says so.
func Canonical(m *Model, h *Head) []byte {
	var d dumper
	d.line("dspec 1")
	d.line("checkpoint %s", m.Checkpoint)
	d.line("tokenizer %s", m.Tokenizer)
	d.meaning(m)
	if h != nil {
		if h.Decoder != nil {
			d.decoder(h.Decoder)
		}
		d.steps(h)
	}
	return []byte(d.b.String())
}
