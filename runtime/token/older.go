package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Older checkpoints have no tokenizer.json, only a vocabulary. The files here are read as the tokenizer.json that the same
// checkpoint was later published with, so that both have the same result.

// BPEOptions holds the settings of FromBPE.
type BPEOptions struct {
	// Roberta selects the template <s> A </s></s> B </s> with types 0 and trimmed offsets. Otherwise the template is DeBERTa's
	// [CLS] A [SEP] B [SEP] with types 0 and 1.
	Roberta bool
	// PrefixSpace puts a space before texts that do not begin with one.
	PrefixSpace bool
	// KeepOffsets keeps white space in the offsets of Roberta, which are trimmed otherwise.
	KeepOffsets bool
	// Added holds further tokens, or other flags for tokens of the vocabulary. An id of -1 is looked up by the name.
	Added []AddedToken
	// CLS, SEP, PAD, MASK and UNK are the names of the tokens with a meaning. Empty names stand for [CLS] … or, with Roberta,
	// <s> ….
	CLS, SEP, PAD, MASK, UNK string
}

// FromBPE reads vocab.json and merges.txt, a byte-level BPE in the form of GPT-2, which DeBERTa v1 and RoBERTa use. The result
// is that of the published tokenizer.json of these models: the mask token includes the spaces before it.
func FromBPE(vocab, merges []byte, o BPEOptions) (*Tokenizer, error) {
	doc, err := parseJSON("vocab.json", vocab)
	if err != nil {
		return nil, err
	}
	p := &bpeParts{unknown: -1}
	if p.texts, p.byText, err = doc.ids(); err != nil {
		return nil, fmt.Errorf("vocab.json: %w", err)
	}
	pairs, lines, err := splitMerges(merges)
	if err != nil {
		return nil, err
	}
	if err := p.setMerges(pairs, func(i int) string { return fmt.Sprintf("merges.txt:%d", lines[i]) }); err != nil {
		return nil, err
	}
	names := [5]string{"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"}
	if o.Roberta {
		names = [5]string{"<s>", "</s>", "<pad>", "<mask>", "<unk>"}
	}
	given := chosen(&names, o.CLS, o.SEP, o.PAD, o.MASK, o.UNK)
	t := &Tokenizer{vocab: newVocabulary(p.texts), files: filesBPE}
	step := func(prefix bool) json.RawMessage {
		return fmt.Appendf(nil, `{"type":"ByteLevel","add_prefix_space":%v,"trim_offsets":true,"use_regex":true}`, prefix)
	}
	t.source = jsonSource{PreTokenizer: step(o.PrefixSpace), Decoder: step(true)}
	return t.older(names, given, o.Added, p.make, func(cls, sep int32) json.RawMessage {
		if !o.Roberta {
			return templateJSON(names, cls, sep)
		}
		return fmt.Appendf(nil, `{"type":"RobertaProcessing","sep":[%s,%d],"cls":[%s,%d],"trim_offsets":%v,"add_prefix_space":%v}`, quoted(names[1]), sep,
			quoted(names[0]), cls, !o.KeepOffsets, o.PrefixSpace)
	})
}

// The files of the older forms, as Form names them.
const (
	filesBPE       = "vocab.json, merges.txt"
	filesWordPiece = "vocab.txt"
)

// splitMerges reads one pair per line. It skips a first line "#version: …" and empty lines.
func splitMerges(b []byte) (pairs [][2]string, lines []int, err error) {
	if !utf8.Valid(b) {
		return nil, nil, fmt.Errorf("merges.txt is not valid UTF-8")
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#version") {
			continue
		}
		parts := strings.Split(line, " ")
		if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
			return nil, nil, fmt.Errorf("merges.txt:%d: %.60q is not a pair of pieces with a space between", n, line)
		}
		pairs, lines = append(pairs, [2]string(parts)), append(lines, n)
	}
	return pairs, lines, nil
}

// WordPieceOptions holds the settings of FromWordPiece. The zero value is that of cased models.
type WordPieceOptions struct {
	// Lower maps text to lower case, and removes accents unless Accents decides otherwise.
	Lower bool
	// Accents decides whether accents are removed; nil: as Lower.
	Accents *bool
	// JoinIdeographs puts no spaces around Chinese characters.
	JoinIdeographs bool
	// Added holds further tokens, or other flags for tokens of the vocabulary. An id of -1 is looked up by the name.
	Added []AddedToken
	// CLS, SEP, PAD, MASK and UNK are the names of the tokens with a meaning. Empty names stand for [CLS] and so on.
	CLS, SEP, PAD, MASK, UNK string
}

// FromWordPiece reads vocab.txt, BERT's vocabulary: one piece per line, whose id is the line's number from 0. An empty line is
// an id without a piece. If lines are equal, the last one counts.
func FromWordPiece(vocab []byte, o WordPieceOptions) (*Tokenizer, error) {
	texts, err := splitVocabulary(vocab)
	if err != nil {
		return nil, err
	}
	names := [5]string{"[CLS]", "[SEP]", "[PAD]", "[MASK]", "[UNK]"}
	given := chosen(&names, o.CLS, o.SEP, o.PAD, o.MASK, o.UNK)
	t := &Tokenizer{vocab: newVocabulary(texts), files: filesWordPiece}
	unknown, ok := t.ID(names[4])
	if !ok {
		return nil, fmt.Errorf("vocab.txt: unk_token is %q, which is not in the vocabulary", names[4])
	}
	accents := o.Lower
	if o.Accents != nil {
		accents = *o.Accents
	}
	t.source = jsonSource{
		Normalizer: fmt.Appendf(nil, `{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":%v,"strip_accents":%v,"lowercase":%v}`,
			!o.JoinIdeographs, accents, o.Lower),
		PreTokenizer: json.RawMessage(`{"type":"BertPreTokenizer"}`),
		Decoder:      json.RawMessage(`{"type":"WordPiece","prefix":"##","cleanup":true}`),
	}
	return t.older(names, given, o.Added, func(special func(id int32) bool) (wordModel, error) {
		m, err := newWordPiece(&t.vocab, "##", special)
		if err != nil {
			return nil, err
		}
		m.unknown, m.limit = unknown, 100
		return m, nil
	}, func(cls, sep int32) json.RawMessage { return templateJSON(names, cls, sep) })
}

func splitVocabulary(b []byte) ([]string, error) {
	if !utf8.Valid(b) {
		return nil, fmt.Errorf("vocab.txt is not valid UTF-8")
	}
	var texts []string
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > MaxPieceBytes || len(texts) > maxID {
			return nil, fmt.Errorf("vocab.txt:%d: a piece of %d bytes (at most %d bytes, and %d lines)", len(texts)+1, len(line), MaxPieceBytes, maxID)
		}
		texts = append(texts, line)
	}
	for len(texts) > 0 && texts[len(texts)-1] == "" {
		texts = texts[:len(texts)-1]
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("vocab.txt is empty")
	}
	return texts, nil
}

// chosen replaces the usual names by the given ones that are not empty, and reports which were replaced.
func chosen(names *[5]string, given ...string) (is [5]bool) {
	for i, s := range given {
		if s != "" {
			names[i], is[i] = s, true
		}
	}
	return is
}

func quoted(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		return `""` // a string always has a JSON form
	}
	return string(b)
}

// templateJSON returns the template [CLS] A [SEP] B [SEP] with types 0 and 1.
func templateJSON(names [5]string, cls, sep int32) json.RawMessage {
	return fmt.Appendf(nil, `{"type":"BertProcessing","sep":[%s,%d],"cls":[%s,%d]}`, quoted(names[1]), sep, quoted(names[0]), cls)
}

// older finishes a tokenizer whose vocabulary and steps are set: it adds special tokens, word model and template. names are
// those of [CLS], [SEP], [PAD], [MASK] and [UNK]. given marks the names that the caller asked for, which must exist.
func (t *Tokenizer) older(names [5]string, given [5]bool, more []AddedToken, model modelMaker, frame func(cls, sep int32) json.RawMessage) (*Tokenizer, error) {
	var added []AddedToken
	for _, a := range more {
		if a.ID < 0 {
			id, ok := t.ID(a.Content)
			if !ok && slices.Contains(names[:], a.Content) {
				continue // handled below, by its role
			} else if !ok {
				return nil, fmt.Errorf("%s: added token %q is not in the vocabulary, and has no id", t.files, a.Content)
			}
			a.ID = id
		}
		added = append(added, a)
	}
	var ids [5]int32
	for i, name := range names {
		at := slices.IndexFunc(added, func(a AddedToken) bool { return a.Content == name })
		id, ok := t.ID(name)
		switch {
		case at >= 0:
			id = added[at].ID
		case ok:
			// The mask includes the spaces before it if spaces are part of the words.
			added = append(added, AddedToken{ID: id, Content: name, Special: true, LStrip: i == 3 && t.files == filesBPE})
		case given[i]:
			key := [5]string{"cls_token", "sep_token", "pad_token", "mask_token", "unk_token"}[i]
			return nil, fmt.Errorf("%s: %s is %q, which is not in the vocabulary", t.files, key, name)
		default:
			id = -1
		}
		ids[i] = id
	}
	if err := t.setAdded(added); err != nil {
		return nil, fmt.Errorf("%s: %w", t.files, err)
	}
	var err error
	if ids[0] >= 0 && ids[1] >= 0 {
		t.source.PostProcessor = frame(ids[0], ids[1])
	} else {
		t.notes = append(t.notes, fmt.Sprintf("%s has no %s and %s: encodings have no special tokens around them", t.files, names[0], names[1]))
	}
	if t.template, err = readTemplate(jnode{"post_processor", t.source.PostProcessor}, t.size); err != nil {
		return nil, fmt.Errorf("%s: %w", t.files, err)
	}
	if t.model, err = model(t.control()); err != nil {
		return nil, fmt.Errorf("%s: %w", t.files, err)
	}
	if err := t.finishJSON(); err != nil {
		return nil, fmt.Errorf("%s: %w", t.files, err)
	}
	t.ids = SpecialIDs{CLS: ids[0], SEP: ids[1], PAD: ids[2], MASK: ids[3], UNK: ids[4]}
	t.noteBytes()
	return t, nil
}
