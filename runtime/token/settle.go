package token

import "fmt"

// settle sets the ids of the tokens with a meaning from the names in the files, and notes contradictions.
func (c *config) settle(t *Tokenizer) error {
	t.noTypes = c.noTypes()
	ids := [5]*int32{&t.ids.CLS, &t.ids.SEP, &t.ids.PAD, &t.ids.MASK, &t.ids.UNK}
	ends := t.template.ends()
	for i, n := range c.names {
		if n.name == "" {
			continue
		}
		id, ok := t.ID(n.name)
		switch {
		case !ok:
			return refuse(n.file, n.key, "is %q, which is not in the vocabulary", n.name)
		case i < len(ends) && ends[i] >= 0 && ends[i] != id:
			own, _ := t.Piece(ends[i])
			return refuse(n.file, n.key, "is %q, but texts %s with %q by the tokenizer's own template (post_processor): one of them belongs to another model",
				n.name, [2]string{"begin", "end"}[i], own)
		case i == 4 && *ids[i] >= 0 && *ids[i] != id:
			own, _ := t.Piece(*ids[i])
			t.notes = append(t.notes, fmt.Sprintf("%s: %s is %q, but the tokenizer writes %q for unknown text; this is not changed", n.file, n.key, n.name,
				own))
		default:
			*ids[i] = id
		}
	}
	if err := c.apart(t, ids); err != nil {
		return err
	}
	for _, n := range c.others {
		if _, ok := t.ID(n.name); !ok {
			t.notes = append(t.notes, fmt.Sprintf("%s: %s names %q, which is not in the vocabulary; no text becomes it", n.file, n.key, n.name))
		}
	}
	return nil
}

// apart checks that the mask is not also the token of another role. The error is about the mask's field, or about the other field if the name is a usual one
// for a mask.
func (c *config) apart(t *Tokenizer, ids [5]*int32) error {
	const mask = 3
	if *ids[mask] < 0 {
		return nil
	}
	name, _ := t.Piece(*ids[mask])
	usual := name == "[MASK]" || name == "<mask>"
	for i, id := range ids {
		if i == mask || *id != *ids[mask] {
			continue
		}
		wrong, other := c.names[mask], nameKeys[i]
		if usual || wrong.name == "" {
			wrong, other = c.names[i], nameKeys[mask]
		}
		if wrong.name != "" {
			return refuse(wrong.file, wrong.key, "is %q, which is also the tokenizer's %s: one token cannot be both", name, other)
		}
	}
	return nil
}
