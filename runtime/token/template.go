package token

import "slices"

// template puts special tokens around texts.
type template struct{ single, pair []templateItem }

// templateItem is a text (source 0) or its pair (1), or fixed tokens (source -1).
type templateItem struct {
	source int8
	kind   int32 // the type id
	ids    []int32
}

// plainTemplate is what there is without a post-processor: the texts one behind the other.
func plainTemplate() template {
	return template{
		single: []templateItem{{source: 0}},
		pair:   []templateItem{{source: 0}, {source: 1, kind: 1}},
	}
}

// pairTemplate is [CLS] A [SEP] B [SEP], types 0 and 1.
func pairTemplate(cls, sep int32) template {
	c, s, s1 := templateItem{-1, 0, []int32{cls}}, templateItem{-1, 0, []int32{sep}}, templateItem{-1, 1, []int32{sep}}
	return template{
		single: []templateItem{c, {source: 0}, s},
		pair:   []templateItem{c, {source: 0}, s, {source: 1, kind: 1}, s1},
	}
}

// readTemplate reads a TemplateProcessing post-processor; size is the number of ids.
func readTemplate(n jnode, size int) (template, error) {
	if n.null() {
		return plainTemplate(), nil
	}
	kind, err := n.kind()
	if err != nil {
		return template{}, err
	}
	if kind != "TemplateProcessing" {
		return template{}, n.at("type").errorf("%q is not supported (supported: TemplateProcessing)", kind)
	}
	all, err := n.object("type", "single", "pair", "special_tokens")
	if err != nil {
		return template{}, err
	}
	special, names, err := all["special_tokens"].members()
	if err != nil {
		return template{}, err
	}
	ids := map[string][]int32{}
	for _, name := range names {
		st, err := special[name].object("id", "ids", "tokens")
		if err != nil {
			return template{}, err
		}
		list, err := st["ids"].array()
		if err != nil {
			return template{}, err
		}
		for _, x := range list {
			id, err := x.integer(size)
			if err != nil {
				return template{}, err
			}
			ids[name] = append(ids[name], int32(id))
		}
	}
	var t template
	if t.single, err = readItems(all["single"], ids, "A"); err != nil {
		return t, err
	}
	t.pair, err = readItems(all["pair"], ids, "A", "B")
	return t, err
}

// readItems reads a list of items in which each of the sequences stands once.
func readItems(n jnode, ids map[string][]int32, sequences ...string) ([]templateItem, error) {
	list, err := n.array()
	if err != nil {
		return nil, err
	}
	var out []templateItem
	seen := map[string]bool{}
	for _, x := range list {
		all, err := x.object("SpecialToken", "Sequence")
		if err != nil {
			return nil, err
		}
		item, what := templateItem{source: -1}, all["SpecialToken"]
		sequence := what.null()
		if sequence {
			what = all["Sequence"]
		} else if !all["Sequence"].null() {
			return nil, x.errorf("both a SpecialToken and a Sequence (want one)")
		}
		m, err := what.object("id", "type_id")
		if err != nil {
			return nil, err
		}
		name, err := m["id"].str()
		if err != nil {
			return nil, err
		}
		typ, err := m["type_id"].integer(maxID)
		if err != nil {
			return nil, err
		}
		item.kind = int32(typ)
		if sequence {
			i := slices.Index(sequences, name)
			if i < 0 || seen[name] {
				return nil, m["id"].errorf("sequence %q is not supported here (supported: each of %v once)", name, sequences)
			}
			seen[name], item.source = true, int8(i)
		} else if v, ok := ids[name]; ok {
			item.ids = v
		} else {
			return nil, m["id"].errorf("%q is not among special_tokens", name)
		}
		out = append(out, item)
	}
	if len(seen) != len(sequences) {
		return nil, n.errorf("want each of %v once", sequences)
	}
	return out, nil
}
