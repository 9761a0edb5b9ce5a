package spec

// Canonical returns a stable text of everything that decides the meaning of the weights of a model, and of a head if h is not nil: sizes, tables, projections,
// terms, labels. It leaves out names of models, positions, dropout, training and target. It also leaves out seq, because a larger seq changes no result. Two
// specs with the same text, and so with the same hash of it, can share packed weights.
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
