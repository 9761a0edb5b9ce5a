package dataset

import (
	"errors"
	"fmt"

	"github.com/debertac/debertac/runtime/example"
)

// gliner reads the texts that GLiNER is trained on (Zaratiana et al. 2023): words, and entities as lists of the first word, the last word and the label.
type gliner struct{ rows rows }

func (g *gliner) read(q []result) ([]result, error) {
	r, err := g.rows.next()
	if err != nil {
		return q, err
	}
	if r.fault != "" {
		return append(q, r.faulty(r.fault)), nil
	}
	e := &example.Example{At: r.number}
	if err := g.fill(e, r); err != nil {
		return append(q, r.faulty(err.Error())), nil
	}
	return append(q, result{example: e}), nil
}

// glinerFields lists the fields of a text.
var glinerFields = []string{"tokenized_text", "ner", "id"}

func (g *gliner) fill(e *example.Example, r *row) (err error) {
	words, entities, id := r.values[0], r.values[1], r.values[2]
	for i, v := range r.values[:2] {
		if !v.has {
			return fmt.Errorf("there is no field %q (there are: %s)", glinerFields[i], r.names())
		}
	}
	if e.Words, err = list(words, value.text); err != nil {
		return fmt.Errorf("field %q: %w", glinerFields[0], err)
	}
	if len(e.Words) == 0 {
		return errors.New("the text has no words")
	}
	if id.has {
		if e.ID, err = id.name(); err != nil {
			return fmt.Errorf("field %q: %w", glinerFields[2], err)
		}
	}
	e.Entities, err = list(entities, func(v value) (example.Entity, error) { return span(v, len(e.Words)) })
	if err != nil {
		return fmt.Errorf("field %q: %w", glinerFields[1], err)
	}
	return nil
}

// span reads an entity of a text of n words.
func span(v value, n int) (e example.Entity, err error) {
	parts, err := v.list()
	if err != nil {
		return e, err
	}
	if len(parts) != 3 {
		return e, fmt.Errorf("it is %v, it must be a list of the first word, the last word and the label", v)
	}
	if e.Start, err = parts[0].integer(); err == nil {
		e.End, err = parts[1].integer()
	}
	if err == nil {
		e.Label, err = parts[2].text()
	}
	switch {
	case err != nil:
		return e, err
	case e.Start < 0 || e.End >= n:
		return e, fmt.Errorf("it has the words from %d to %d, and the text has %d words, which count from 0", e.Start, e.End, n)
	case e.Start > e.End:
		return e, fmt.Errorf("its first word is %d, and its last word is %d", e.Start, e.End)
	case e.Label == "":
		return e, errors.New("its label is empty")
	}
	e.End++
	return e, nil
}
