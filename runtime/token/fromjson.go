package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/text/unicode/norm"
)

// jsonSource is the part of tokenizer.json that Marshal keeps as text: everything except the vocabulary and the
// character maps.
type jsonSource struct {
	Normalizer    json.RawMessage `json:"normalizer,omitempty"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer,omitempty"`
	PostProcessor json.RawMessage `json:"post_processor,omitempty"`
	Decoder       json.RawMessage `json:"decoder,omitempty"`
	maps          []*charsMap     // a step refers to its character map by the index here, as "@0", "@1", …
}

// FromJSON reads tokenizer.json in the form of published checkpoints: a Unigram model (DeBERTa v2 and v3), a byte-level
// BPE (DeBERTa v1, RoBERTa) or a WordPiece model (BERT), with its normalizer, pre-tokenizer, post-processor, decoder and
// added tokens. A part that is unknown or not supported is an error that names its path. The blocks truncation and
// padding are reported by Notes and never applied.
func FromJSON(b []byte) (*Tokenizer, error) { return fromJSON(b, nil) }

// adjuster returns the added tokens of a tokenizer with the changes that other files make. The tokens already have their ids.
type adjuster func(t *Tokenizer, added []AddedToken) ([]AddedToken, error)

func fromJSON(b []byte, adjust adjuster) (*Tokenizer, error) {
	doc, err := parseJSON("tokenizer.json", b)
	if err != nil {
		return nil, err
	}
	t, err := readTokenizer(doc, adjust)
	var field *FieldError
	if err != nil && !errors.As(err, &field) {
		err = fmt.Errorf("tokenizer.json: %w", err)
	}
	return t, err
}

func readTokenizer(doc jnode, adjust adjuster) (*Tokenizer, error) {
	all, err := doc.object("version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model")
	if err != nil {
		return nil, err
	}
	if v := all["version"]; !v.null() {
		if _, err := v.one("1.0"); err != nil {
			return nil, err
		}
	}
	t := &Tokenizer{}
	for _, k := range []string{"truncation", "padding"} {
		if n := all[k]; !n.null() {
			t.notes = append(t.notes, fmt.Sprintf("tokenizer.json has a %s block (%s); it is not applied: lengths are the caller's choice", k, compact(n.raw)))
		}
	}
	model, err := readModel(all["model"], &t.vocab)
	if err != nil {
		return nil, err
	}
	added, err := readAdded(all["added_tokens"])
	if err != nil {
		return nil, err
	}
	t.number(added)
	if adjust != nil {
		if added, err = adjust(t, added); err != nil {
			return nil, err
		}
	}
	if err := t.setAdded(added); err != nil {
		return nil, all["added_tokens"].errorf("%v", err)
	}
	if t.template, err = readTemplate(all["post_processor"], t.size); err != nil {
		return nil, err
	}
	if t.model, err = model(t.control()); err != nil {
		return nil, all["model"].errorf("%v", err)
	}
	t.source = jsonSource{Normalizer: compact(all["normalizer"].raw), PreTokenizer: compact(all["pre_tokenizer"].raw),
		PostProcessor: compact(all["post_processor"].raw), Decoder: compact(all["decoder"].raw)}
	if err := t.finishJSON(); err != nil {
		return nil, err
	}
	t.nameIDs(t.model.missing())
	t.nameEnds()
	t.noteBytes()
	return t, nil
}

// control returns a function that reports which ids literal text must not become: those of special tokens, by their
// text, and the template's.
func (t *Tokenizer) control() func(id int32) bool {
	ids := map[int32]bool{}
	for _, items := range [][]templateItem{t.template.single, t.template.pair} {
		for i := range items {
			for _, id := range items[i].ids {
				ids[id] = true
			}
		}
	}
	return func(id int32) bool {
		return ids[id] || int(id) < t.vocab.size() && t.special[t.vocab.text(id)]
	}
}

// nameEnds uses the tokens at the template's ends as [CLS] and [SEP] if their usual names are missing.
func (t *Tokenizer) nameEnds() {
	ends := t.template.ends()
	if t.ids.CLS < 0 {
		t.ids.CLS = ends[0]
	}
	if t.ids.SEP < 0 {
		t.ids.SEP = ends[1]
	}
}

// noteBytes adds a note if a byte-level vocabulary does not cover all bytes.
func (t *Tokenizer) noteBytes() {
	m, ok := t.model.(*bpe)
	if !ok || m.unknown >= 0 {
		return
	}
	missing := 0
	for _, id := range m.bytes {
		if id < 0 {
			missing++
		}
	}
	if missing > 0 {
		t.notes = append(t.notes, fmt.Sprintf("the vocabulary lacks pieces for %d of 256 bytes and names no unk_token: texts lose these bytes, as with the "+
			"reference", missing))
	}
}

// compact removes the white space of valid JSON.
func compact(b []byte) []byte {
	var out bytes.Buffer
	if json.Compact(&out, b) != nil {
		return b // empty: the member is missing
	}
	return out.Bytes()
}

// finishJSON builds the steps from t.source. Vocabulary, model and added tokens must be set before.
func (t *Tokenizer) finishJSON() (err error) {
	src := &t.source
	if t.steps, err = readNormalizer(jnode{"normalizer", src.Normalizer}, src, nil); err != nil {
		return err
	}
	if t.cuts, err = readPreTokenizer(jnode{"pre_tokenizer", src.PreTokenizer}, nil); err != nil {
		return err
	}
	if err := t.checkCuts(); err != nil {
		return err
	}
	for _, c := range t.cuts {
		if m, ok := c.(*metaspace); ok && m.scheme == prependFirst {
			t.track = true
		}
	}
	if t.template, err = readTemplate(jnode{"post_processor", src.PostProcessor}, t.size); err != nil {
		return err
	}
	if t.decode, err = readDecoder(jnode{"decoder", src.Decoder}, nil); err != nil {
		return err
	}
	// Tokens that the template puts around texts never come from text, even if the file does not call them special.
	var raw, normal []AddedToken
	control := t.control()
	for _, a := range t.added {
		a.Special = a.Special || control(a.ID)
		if a.Normalized {
			normal = append(normal, a)
		} else {
			raw = append(raw, a)
		}
	}
	if t.raw, err = newMatcher(raw, func(a AddedToken) string { return a.Content }); err != nil {
		return err
	}
	var s scratch
	t.normal, err = newMatcher(normal, func(a AddedToken) string {
		s.limit = growthLimit(len(a.Content))
		return string(s.normalize(t.steps, s.load.load(a.Content, 0, len(a.Content), false)).text)
	})
	return err
}

func readAdded(n jnode) ([]AddedToken, error) {
	if n.null() {
		return nil, nil
	}
	list, err := n.array()
	if err != nil {
		return nil, err
	}
	var out []AddedToken
	for _, x := range list {
		all, err := x.object("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special")
		if err != nil {
			return nil, err
		}
		var a AddedToken
		id, err := all["id"].integer(maxID + 1)
		if err != nil {
			return nil, err
		}
		a.ID = int32(id)
		if a.Content, err = all["content"].str(); err != nil {
			return nil, err
		}
		for _, f := range []struct {
			key string
			v   *bool
		}{{"single_word", &a.SingleWord}, {"lstrip", &a.LStrip}, {"rstrip", &a.RStrip}, {"normalized", &a.Normalized}, {"special", &a.Special}} {
			if all[f.key].null() {
				return nil, all[f.key].errorf("want true or false")
			}
			if *f.v, err = all[f.key].flag(false); err != nil {
				return nil, err
			}
		}
		out = append(out, a)
	}
	return out, nil
}

// checkCuts checks that byte-level BPE and ByteLevel, the step that cuts for it, occur together and that ByteLevel is
// the last step: after it words are bytes.
func (t *Tokenizer) checkCuts() error {
	n := jnode{path: "pre_tokenizer"}
	_, want := t.model.(*bpe)
	for i, c := range t.cuts {
		if _, ok := c.(*byteLevel); ok && !want {
			return n.errorf("ByteLevel with a %s model is not supported (supported: with BPE)", t.model.kind())
		} else if ok && i+1 < len(t.cuts) {
			return n.errorf("a step after ByteLevel is not supported (supported: ByteLevel as the last step)")
		} else if i+1 == len(t.cuts) && want && !ok {
			return n.errorf("a BPE model without ByteLevel as the last step is not supported (supported: byte-level BPE)")
		}
	}
	if want && len(t.cuts) == 0 {
		return n.errorf("a BPE model without ByteLevel is not supported (supported: byte-level BPE)")
	}
	return nil
}

// readNormalizer appends the steps of a normalizer.
func readNormalizer(n jnode, src *jsonSource, steps []normalizer) ([]normalizer, error) {
	if n.null() {
		return steps, nil
	}
	kind, err := n.kind()
	if err != nil {
		return nil, err
	}
	var all map[string]jnode
	fields := func(names ...string) bool {
		all, err = n.object(append([]string{"type"}, names...)...)
		return err == nil
	}
	switch kind {
	case "Sequence":
		if !fields("normalizers") {
			return nil, err
		}
		list, err := all["normalizers"].array()
		if err != nil {
			return nil, err
		}
		for _, x := range list {
			if steps, err = readNormalizer(x, src, steps); err != nil {
				return nil, err
			}
		}
		return steps, nil
	case "Lowercase":
		fields()
		return append(steps, lowercase{}), err
	case "NFC", "NFD", "NFKC", "NFKD":
		fields()
		form := map[string]norm.Form{"NFC": norm.NFC, "NFD": norm.NFD, "NFKC": norm.NFKC, "NFKD": norm.NFKD}[kind]
		return append(steps, unicodeForm{form}), err
	case "StripAccents":
		fields()
		return append(steps, dropMarks{classMark}), err
	case "BertNormalizer":
		if !fields("clean_text", "handle_chinese_chars", "strip_accents", "lowercase") {
			return nil, err
		}
		return readBertNormalizer(all, steps)
	case "Strip":
		if !fields("strip_left", "strip_right") {
			return nil, err
		}
		var s strip
		if s.left, err = all["strip_left"].flag(true); err != nil {
			return nil, err
		}
		s.right, err = all["strip_right"].flag(true)
		return append(steps, s), err
	case "Prepend":
		if !fields("prepend") {
			return nil, err
		}
		s, err := all["prepend"].content()
		return append(steps, prepend{s}), err
	case "Replace":
		if !fields("pattern", "content") {
			return nil, err
		}
		r := &replace{}
		if r.find, err = readPattern(all["pattern"]); err != nil {
			return nil, err
		}
		r.content, err = all["content"].content()
		return append(steps, r), err
	case "Precompiled":
		if !fields("precompiled_charsmap") {
			return nil, err
		}
		m, err := src.charsMap(all["precompiled_charsmap"])
		return append(steps, &precompiled{m}), err
	}
	return nil, n.at("type").errorf("normalizer %q is not supported (supported: Sequence, BertNormalizer, Lowercase, StripAccents, Strip, Precompiled, "+
		"Replace, Prepend, NFC, NFD, NFKC, NFKD)", kind)
}

func readBertNormalizer(all map[string]jnode, steps []normalizer) ([]normalizer, error) {
	var first bertClean
	lower := false
	for _, f := range []struct {
		name string
		v    *bool
	}{{"clean_text", &first.clean}, {"handle_chinese_chars", &first.ideographs}, {"lowercase", &lower}} {
		var err error
		if *f.v, err = all[f.name].flag(true); err != nil {
			return nil, err
		}
	}
	// Accents are removed if the text is lower-cased, unless the file has its own setting.
	accents, err := all["strip_accents"].flag(lower)
	if err != nil {
		return nil, err
	}
	if first.clean || first.ideographs {
		steps = append(steps, first)
	}
	if accents {
		steps = append(steps, bertAccents{})
	}
	if lower {
		steps = append(steps, lowercase{})
	}
	return steps, nil
}

// charsMap decodes a character map, or finds it among those that Unmarshal has read. It leaves the map's index in the
// source.
func (src *jsonSource) charsMap(n jnode) (*charsMap, error) {
	s, err := n.str()
	if err != nil {
		return nil, err
	}
	if len(s) > 1 && s[0] == '@' {
		var i int
		if _, err := fmt.Sscanf(s, "@%d", &i); err != nil || i < 0 || i >= len(src.maps) || s != fmt.Sprintf("@%d", i) {
			return nil, n.errorf("character map %q does not exist", s)
		}
		return src.maps[i], nil
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, n.errorf("not base64: %v", err)
	}
	m, err := parseCharsMap(b)
	if err != nil {
		return nil, n.errorf("%v", err)
	}
	const key = `"precompiled_charsmap":`
	src.Normalizer = bytes.Replace(src.Normalizer, append([]byte(key), n.raw...), fmt.Appendf(nil, `%s"@%d"`, key, len(src.maps)), 1)
	src.maps = append(src.maps, m)
	return m, nil
}

// content reads a text that replaces another.
func (n jnode) content() (string, error) {
	s, err := n.str()
	if err == nil && len(s) > maxReplacement {
		err = n.errorf("%d bytes are not supported (supported: up to %d)", len(s), maxReplacement)
	}
	return s, err
}

func readPattern(n jnode) (*pattern, error) {
	all, err := n.object("String", "Regex")
	if err != nil {
		return nil, err
	}
	s, r := all["String"], all["Regex"]
	if s.null() == r.null() {
		return nil, n.errorf("want one of String, Regex")
	}
	read, from := literalPattern, s
	if s.null() {
		read, from = parsePattern, r
	}
	text, err := from.str()
	if err != nil {
		return nil, err
	}
	p, err := read(text)
	if err != nil {
		return nil, from.errorf("%v", err)
	}
	return p, nil
}
