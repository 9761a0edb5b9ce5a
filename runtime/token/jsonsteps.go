package token

import "unicode/utf8"

// readPreTokenizer appends the steps of a pre-tokenizer.
func readPreTokenizer(n jnode, steps []preTokenizer) ([]preTokenizer, error) {
	if n.null() {
		return steps, nil
	}
	kind, err := n.kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := n.object("type", "pretokenizers")
		if err != nil {
			return nil, err
		}
		list, err := all["pretokenizers"].array()
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if steps, err = readPreTokenizer(x, steps); err != nil {
				return nil, err
			}
		}
		return steps, nil
	case "Punctuation":
		all, err := n.object("type", "behavior")
		if err != nil {
			return nil, err
		}
		p := punctuation{}
		if !all["behavior"].null() {
			i, err := all["behavior"].one(behaviors[:]...)
			if err != nil {
				return nil, err
			}
			p.behavior = behavior(i)
		}
		return append(steps, p), nil
	case "Metaspace":
		m, err := readMetaspace(n)
		return append(steps, m), err
	case "ByteLevel":
		b, _, err := readByteLevel(n)
		return append(steps, b), err
	case "Split":
		all, err := n.object("type", "pattern", "behavior", "invert")
		if err != nil {
			return nil, err
		}
		rule, err := all["pattern"].object("Regex", "String")
		if err != nil {
			return nil, err
		}
		if r, err := rule["Regex"].str(); err != nil || r != wordPattern {
			return nil, all["pattern"].errorf("%s is not supported (supported: the Regex %s)", compact(all["pattern"].raw), wordPattern)
		}
		if _, err := all["behavior"].one("Isolated"); err != nil {
			return nil, err
		}
		if invert, err := all["invert"].flag(false); err != nil || invert {
			return nil, all["invert"].errorf("%s is not supported (supported: false)", all["invert"].raw)
		}
		return append(steps, wordSplit{}), nil
	case "BertPreTokenizer":
		_, err := n.object("type")
		return append(steps, bertWords{punct: true}), err
	case "WhitespaceSplit":
		_, err := n.object("type")
		return append(steps, bertWords{}), err
	}
	return nil, n.at("type").errorf("pre-tokenizer %q is not supported (supported: Sequence, ByteLevel, Split, BertPreTokenizer, WhitespaceSplit, "+
		"Punctuation, Metaspace)", kind)
}

// readMetaspace reads the step in all forms in use: older files have add_prefix_space in place of prepend_scheme, and str_rep repeats the replacement.
func readMetaspace(n jnode) (*metaspace, error) {
	all, err := n.object("type", "replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep")
	if err != nil {
		return nil, err
	}
	m := &metaspace{}
	if m.mark, err = all["replacement"].str(); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(m.mark) != 1 {
		return nil, all["replacement"].errorf("want one character")
	}
	if p := all["prepend_scheme"]; !p.null() {
		i, err := p.one(prependSchemes[:]...)
		if err != nil {
			return nil, err
		}
		m.scheme = prependScheme(i)
	}
	front, err := all["add_prefix_space"].flag(true)
	if err != nil {
		return nil, err
	}
	if !front {
		if !all["prepend_scheme"].null() && m.scheme != prependNever {
			return nil, all["add_prefix_space"].errorf("false, but prepend_scheme is %q", prependSchemes[m.scheme])
		}
		m.scheme = prependNever
	}
	m.cut, err = all["split"].flag(true)
	return m, err
}

// readByteLevel reads the step. In a decoder or a post-processor only trim_offsets and add_prefix_space count. Older files have no use_regex.
func readByteLevel(n jnode) (b *byteLevel, trim bool, err error) {
	all, err := n.object("type", "add_prefix_space", "trim_offsets", "use_regex")
	if err != nil {
		return nil, false, err
	}
	b = &byteLevel{}
	if b.prefix, err = all["add_prefix_space"].flag(true); err != nil {
		return nil, false, err
	}
	if trim, err = all["trim_offsets"].flag(true); err != nil {
		return nil, false, err
	}
	b.pattern, err = all["use_regex"].flag(true)
	return b, trim, err
}

// readStripDecoder appends a step that removes a character from the ends of tokens.
func readStripDecoder(n jnode, steps []decoder) ([]decoder, error) {
	all, err := n.object("type", "content", "start", "stop")
	if err != nil {
		return nil, err
	}
	var d stripDecoder
	if d.content, err = all["content"].str(); err != nil {
		return nil, err
	}
	if utf8.RuneCountInString(d.content) != 1 {
		return nil, all["content"].errorf("want one character")
	}
	if d.start, err = all["start"].integer(maxID); err != nil {
		return nil, err
	}
	d.stop, err = all["stop"].integer(maxID)
	return append(steps, d), err
}

// readDecoder appends the steps of a decoder. Without a decoder, tokens are joined by spaces.
func readDecoder(n jnode, steps []decoder) ([]decoder, error) {
	if n.null() {
		return steps, nil
	}
	kind, err := n.kind()
	if err != nil {
		return nil, err
	}
	switch kind {
	case "Sequence":
		all, err := n.object("type", "decoders")
		if err != nil {
			return nil, err
		}
		list, err := all["decoders"].array()
		if err != nil {
			return nil, err
		}
		if steps == nil {
			steps = []decoder{}
		}
		for _, x := range list {
			if steps, err = readDecoder(x, steps); err != nil {
				return nil, err
			}
		}
		return steps, nil
	case "Metaspace":
		m, err := readMetaspace(n)
		return append(steps, m), err
	case "ByteLevel":
		b, _, err := readByteLevel(n)
		return append(steps, b), err
	case "WordPiece":
		all, err := n.object("type", "prefix", "cleanup")
		if err != nil {
			return nil, err
		}
		d := &wordPieceDecoder{prefix: "##"}
		if !all["prefix"].null() {
			if d.prefix, err = all["prefix"].str(); err != nil {
				return nil, err
			}
		}
		d.cleanup, err = all["cleanup"].flag(true)
		return append(steps, d), err
	case "ByteFallback":
		_, err := n.object("type")
		return append(steps, byteFallback{}), err
	case "Fuse":
		_, err := n.object("type")
		return append(steps, fuse{}), err
	case "Replace":
		all, err := n.object("type", "pattern", "content")
		if err != nil {
			return nil, err
		}
		r := &replace{}
		if r.find, err = readPattern(all["pattern"]); err != nil {
			return nil, err
		}
		r.content, err = all["content"].content()
		return append(steps, r), err
	case "Strip":
		return readStripDecoder(n, steps)
	}
	return nil, n.at("type").errorf("decoder %q is not supported (supported: Sequence, Metaspace, ByteLevel, WordPiece, ByteFallback, Fuse, Replace, Strip)",
		kind)
}
