package token

import "slices"

// template is how special tokens stand around texts; ForModel makes a frame of it. trim removes the white space at tokens'
// ends from their offsets; prefix means that a space was put before texts when they were cut.
type template struct {
	single, pair []templateItem
	trim, prefix bool
}

// templateItem is a text (source 0), its pair (source 1), or fixed tokens (source -1).
type templateItem struct {
	source int8
	kind   int32 // the type id
	ids    []int32
}

// plainTemplate returns the template without a post-processor: the texts without special tokens.
func plainTemplate() template {
	return template{
		single: []templateItem{{source: 0}},
		pair:   []templateItem{{source: 0}, {source: 1, kind: 1}},
	}
}

// pairTemplate returns [CLS] A [SEP] B [SEP] with types 0 and 1.
func pairTemplate(cls, sep int32) template {
	c, s, s1 := templateItem{-1, 0, []int32{cls}}, templateItem{-1, 0, []int32{sep}}, templateItem{-1, 1, []int32{sep}}
	return template{
		single: []templateItem{c, {source: 0}, s},
		pair:   []templateItem{c, {source: 0}, s, {source: 1, kind: 1}, s1},
	}
}

// robertaTemplate returns <s> A </s></s> B </s> with all types 0.
func robertaTemplate(cls, sep int32) template {
	c, s := templateItem{-1, 0, []int32{cls}}, templateItem{-1, 0, []int32{sep}}
	return template{
		single: []templateItem{c, {source: 0}, s},
		pair:   []templateItem{c, {source: 0}, s, s, {source: 1}, s},
	}
}

// ends returns the tokens with which a text begins and ends: -1 where the template has none.
func (t *template) ends() (ends [2]int32) {
	ends = [2]int32{-1, -1}
	if len(t.single) == 0 {
		return ends
	}
	if first := t.single[0].ids; len(first) > 0 {
		ends[0] = first[0]
	}
	if last := t.single[len(t.single)-1].ids; len(last) > 0 {
		ends[1] = last[len(last)-1]
	}
	return ends
}

// readTemplate reads a post-processor; size is the number of ids.
func readTemplate(n jnode, size int) (template, error) {
	if n.null() {
		return plainTemplate(), nil
	}
	kind, err := n.kind()
	if err != nil {
		return template{}, err
	}
	switch kind {
	case "TemplateProcessing":
		return readTemplateProcessing(n, size)
	case "BertProcessing":
		all, err := n.object("type", "sep", "cls")
		if err != nil {
			return template{}, err
		}
		cls, sep, err := readEnds(all, size)
		return pairTemplate(cls, sep), err
	case "RobertaProcessing":
		all, err := n.object("type", "sep", "cls", "trim_offsets", "add_prefix_space")
		if err != nil {
			return template{}, err
		}
		cls, sep, err := readEnds(all, size)
		if err != nil {
			return template{}, err
		}
		t := robertaTemplate(cls, sep)
		if t.trim, err = all["trim_offsets"].flag(true); err != nil {
			return t, err
		}
		t.prefix, err = all["add_prefix_space"].flag(true)
		return t, err
	case "ByteLevel":
		b, trim, err := readByteLevel(n)
		if err != nil {
			return template{}, err
		}
		t := plainTemplate()
		t.trim, t.prefix = trim, b.prefix
		return t, nil
	case "Sequence":
		return readTemplateSequence(n, size)
	}
	return template{}, n.at("type").errorf("%q is not supported (supported: TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence)", kind)
}

// readTemplateSequence reads the one sequence that is in use: ByteLevel, followed by a step that puts special tokens
// around texts.
func readTemplateSequence(n jnode, size int) (template, error) {
	all, err := n.object("type", "processors")
	if err != nil {
		return template{}, err
	}
	list, err := all["processors"].array()
	if err != nil {
		return template{}, err
	}
	t := plainTemplate()
	for i, x := range list {
		kind, err := x.kind()
		if err != nil {
			return template{}, err
		}
		if kind == "Sequence" || i > 1 || (i == 0) != (kind == "ByteLevel") && len(list) > 1 {
			return template{}, x.at("type").errorf("%q is not supported here (supported: one step, or ByteLevel followed by one of TemplateProcessing, "+
				"BertProcessing, RobertaProcessing)", kind)
		}
		next, err := readTemplate(x, size)
		if err != nil {
			return template{}, err
		}
		if next.trim && t.trim {
			return template{}, x.at("trim_offsets").errorf("true is not supported after a ByteLevel that trims too")
		}
		if t.trim {
			next.trim, next.prefix = true, t.prefix
		}
		t = next
	}
	return t, nil
}

// readEnds reads cls and sep, each [name, id].
func readEnds(all map[string]jnode, size int) (cls, sep int32, err error) {
	for _, f := range []struct {
		name string
		v    *int32
	}{{"cls", &cls}, {"sep", &sep}} {
		pair, err := all[f.name].array()
		if err != nil || len(pair) != 2 {
			return 0, 0, all[f.name].errorf("want [name, id]")
		}
		if _, err := pair[0].str(); err != nil {
			return 0, 0, err
		}
		id, err := pair[1].integer(size)
		if err != nil {
			return 0, 0, err
		}
		*f.v = int32(id)
	}
	return cls, sep, nil
}

func readTemplateProcessing(n jnode, size int) (template, error) {
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

// readItems reads a list of items, in which each of the sequences must occur once.
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
