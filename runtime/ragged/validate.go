package ragged

// Validate checks everything that a forward pass relies on; nothing is checked again later. Errors
// wrap ErrInput and name the sequence and the index of the token in it.
func (b *Batch) Validate(l Limits) error {
	if err := b.validateStarts(l); err != nil {
		return err
	}
	for p := range parts {
		if Part(p) == Starts {
			continue
		}
		if err := parts[p].validateLength(b, &l); err != nil {
			return err
		}
	}
	for p := range parts {
		r := &parts[p]
		if r.check == nil || r.len(b) == 0 {
			continue
		}
		if err := r.check(b, l); err != nil {
			return err
		}
	}
	return nil
}

func (b *Batch) validateStarts(l Limits) error {
	t, n := len(b.IDs), len(b.Starts)-1
	switch {
	case n < 1:
		return Errorf("the batch is empty: Starts needs one number per sequence and one more")
	case n > l.BatchSequences:
		return Errorf("%d sequences, the limit of a batch is %d", n, l.BatchSequences)
	case b.Starts[0] != 0:
		return Errorf("Starts[0] is %d, it must be 0", b.Starts[0])
	}
	for s := range n {
		lo, hi := b.Starts[s], b.Starts[s+1]
		switch {
		case hi < lo:
			return Errorf("sequence %d: Starts falls from %d to %d", s, lo, hi)
		case hi == lo:
			return Errorf("sequence %d is empty", s)
		case int(hi) > t:
			return Errorf("sequence %d: it ends at token %d, there are %d", s, hi, t)
		case int(hi-lo) > l.SequenceTokens:
			return TooLong("sequence %d: %d tokens, the limit of a sequence is %d", s, hi-lo, l.SequenceTokens)
		}
	}
	if int(b.Starts[n]) != t {
		return Errorf("Starts ends at %d, there are %d tokens", b.Starts[n], t)
	}
	if t > l.BatchTokens { // after the sequences: one that is too long is to be named
		return TooLong("%d tokens, the limit of a batch is %d", t, l.BatchTokens)
	}
	return nil
}

// validateLength checks how many numbers the part has, and that Firsts divide the entries of their
// part. The batch's Starts are valid, and so are the parts before this one.
func (r *PartRow) validateLength(b *Batch, l *Limits) error {
	n, limit := r.len(b), r.limit(l)
	switch {
	case limit == 0 && n != 0:
		return Errorf("%s", r.Absent)
	case limit == 0 || n == 0 && r.Optional:
		return nil
	}
	e, columns := &extents[r.Each], r.columns(l)
	if r.counts() {
		if n%columns != 0 {
			return Errorf("%s has %d numbers, want %d per %s", r.Field, n, columns, e.One)
		}
		return nil
	}
	count := parts[e.by].entries(b)
	want := (count + r.Plus) * columns
	switch {
	case n == want && r.Holds == Firsts:
		return r.validateFirsts(b)
	case n == want:
		return nil
	case r.Plus == 1:
		return Errorf("%s: %s has %d numbers for %d %s, want one more than %s", r.Needs, r.Field, n, count, e.Many, e.Many)
	case r.Needs != "":
		return Errorf("%s: %d for %d %s", r.Needs, n, count, e.Many)
	case r.Columns != 0:
		return Errorf("%s has %d numbers, want %d for each of %d %s: %d", r.Field, n, columns, count, e.Many, want)
	}
	return Errorf("%d %s for %d %s", n, r.What, count, e.Many)
}

// validateFirsts checks that the part divides the entries of another one into a run per sequence.
func (r *PartRow) validateFirsts(b *Batch) error {
	firsts, of := *r.ints(b), &parts[r.Of]
	if firsts[0] != 0 {
		return Errorf("%s[0] is %d, it must be 0", r.Field, firsts[0])
	}
	for s := 1; s < len(firsts); s++ {
		if firsts[s] < firsts[s-1] {
			return Errorf("sequence %d: %s falls from %d to %d", s-1, r.Field, firsts[s-1], firsts[s])
		}
	}
	if last, total := int(firsts[len(firsts)-1]), of.entries(b); last != total {
		return Errorf("%s ends at %d, there are %d %s", r.Field, last, total, of.What)
	}
	return nil
}

// Validate checks what a sequence that is put into a batch relies on: it has tokens, and parts with
// an entry for each token have one for each or none.
func (s *Sequence) Validate(l Limits) error {
	if len(s.IDs) == 0 {
		return Errorf("it has no tokens")
	}
	for p := range parts {
		r := &parts[p]
		if !r.hasSeq || r.Each != T || r.Holds != Values {
			continue
		}
		n := len(inSequence[int32](r, s))
		if r.floats {
			n = len(inSequence[float32](r, s))
		}
		if n != 0 && n != len(s.IDs)*r.columns(&l) {
			return Errorf("%d %s for %d tokens", n, r.What, len(s.IDs))
		}
	}
	return nil
}
