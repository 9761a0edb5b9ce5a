package token

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Special is how the names of special tokens in a text are read.
type Special uint8

const (
	// SpecialText reads the names as characters like any others; no text can become a special token.
	SpecialText Special = iota
	// SpecialTokens reads the names as tokens. Use it for texts that the program itself has put together.
	SpecialTokens
	// SpecialMask reads the name of the mask token (see SpecialIDs) as this token, and all other names as characters.
	SpecialMask
)

// Tokenizer turns text into ids and ids into text. It is immutable and safe for concurrent use.
type Tokenizer struct {
	vocab    vocabulary
	model    wordModel
	added    []AddedToken // by id
	byID     map[int32]*AddedToken
	special  map[string]bool // names of special tokens
	size     int
	ids      SpecialIDs
	template template
	notes    []string

	// The json form.
	source jsonSource
	steps  []normalizer
	cuts   []preTokenizer
	decode []decoder
	raw    matcher // added tokens that are matched in the original text
	normal matcher // … and in the normalized text
	track  bool    // encoding always needs offsets

	// SentencePiece's own form; nil for the json form.
	spm *spmForm
	// The files of the json form's parts; "": tokenizer.json.
	files string

	// Settings of a model's tokenizer, see ForModel: texts are lower-cased first, and second texts have type 0.
	lowerTexts, noTypes bool

	pool sync.Pool
}

// wordModel turns one word into pieces, which it appends to s.out.
type wordModel interface {
	word(s *scratch, c chunk, literal bool)
	// check returns an error if an index is out of range for a vocabulary of this many ids.
	check(ids int) error
	kind() string
	// missing returns the id for text that the vocabulary lacks, or -1.
	missing() int32
	// pack stores what Marshal keeps of the model in the recipe and the sections.
	pack(r *recipe, f *flat)
}

// SpecialIDs holds the ids of the tokens with a meaning for models, -1 for those that the tokenizer does not have.
type SpecialIDs struct {
	CLS, SEP, PAD, MASK, UNK int32
}

// Special returns the ids of [CLS], [SEP], [PAD], [MASK] and [UNK], or of the tokens in their roles.
func (t *Tokenizer) Special() SpecialIDs { return t.ids }

// Size returns the number of ids: one more than the largest. A model's table may have more rows.
func (t *Tokenizer) Size() int { return t.size }

// Form returns the names of the files whose form the tokenizer follows: "tokenizer.json", "spm.model", "vocab.json, merges.txt"
// or "vocab.txt".
func (t *Tokenizer) Form() string {
	switch {
	case t.spm != nil:
		return "spm.model"
	case t.files != "":
		return t.files
	}
	return "tokenizer.json"
}

// Kind returns the name of the algorithm that cuts words into pieces: "unigram", "byte-level BPE" or "WordPiece".
func (t *Tokenizer) Kind() string { return t.model.kind() }

// NoTypes reports whether the model gets no token types according to the files. Second texts of pairs then have type 0, whatever the template has.
func (t *Tokenizer) NoTypes() bool { return t.noTypes }

// PrefixSpace reports whether a space is put before texts and, later, white space is removed from the places of tokens, as
// RoBERTa's tokenizers can ask for.
func (t *Tokenizer) PrefixSpace() bool { return t.template.prefix && t.template.trim }

// Notes returns remarks on the tokenizer's files, one line each: what was found in them and is not applied.
func (t *Tokenizer) Notes() []string { return slices.Clone(t.notes) }

// Added returns the added tokens by ascending id.
func (t *Tokenizer) Added() []AddedToken { return slices.Clone(t.added) }

// Piece returns the text of an id as in the vocabulary; ok is false if there is no such id. In this text, unigram writes a
// space as U+2581, byte-level BPE writes each byte as one character, and WordPiece writes ## before pieces that continue a
// word.
func (t *Tokenizer) Piece(id int32) (piece string, ok bool) {
	if a, ok := t.byID[id]; ok {
		return a.Content, true
	}
	if id < 0 || int(id) >= t.vocab.size() || t.vocab.text(id) == "" {
		return "", false
	}
	return t.vocab.text(id), true
}

// ID returns the id of a token by its text in the vocabulary; ok is false if there is no such token.
func (t *Tokenizer) ID(piece string) (id int32, ok bool) {
	if piece == "" {
		return -1, false
	}
	for i := range t.added {
		if t.added[i].Content == piece {
			return t.added[i].ID, true
		}
	}
	id = -1
	for i := range int32(t.vocab.size()) {
		if t.vocab.text(i) == piece {
			id = i // if pieces are equal, the last one counts
		}
	}
	return id, id >= 0
}

// IsSpecial reports whether id is a special token.
func (t *Tokenizer) IsSpecial(id int32) bool {
	if t.spm != nil && id >= 0 && int(id) < len(t.spm.kinds) && t.spm.kinds[id] == pieceControl {
		return true
	}
	a, ok := t.byID[id]
	return ok && t.special[a.Content]
}

// setAdded installs the added tokens and the ids with a meaning.
func (t *Tokenizer) setAdded(added []AddedToken) error {
	slices.SortStableFunc(added, func(a, b AddedToken) int { return int(a.ID) - int(b.ID) })
	t.added, t.byID, t.special = added, map[int32]*AddedToken{}, map[string]bool{}
	t.size = t.vocab.size()
	seen := map[string]bool{}
	for i := range added {
		a := &added[i]
		switch {
		case a.Content == "" || len(a.Content) > MaxPieceBytes:
			return fmt.Errorf("added token %d: its text has %d bytes (want 1 to %d)", a.ID, len(a.Content), MaxPieceBytes)
		case a.ID < 0 || a.ID > maxID:
			return fmt.Errorf("added token %q: id %d (want 0 to %d)", a.Content, a.ID, maxID)
		case seen[a.Content]:
			return fmt.Errorf("added token %q is given twice", a.Content)
		case t.byID[a.ID] != nil:
			return fmt.Errorf("added tokens %q and %q both have id %d", t.byID[a.ID].Content, a.Content, a.ID)
		case int(a.ID) < t.vocab.size() && t.vocab.text(a.ID) != a.Content && t.vocab.text(a.ID) != "":
			return fmt.Errorf("added token %q has id %d, which the vocabulary calls %q", a.Content, a.ID, t.vocab.text(a.ID))
		}
		seen[a.Content], t.byID[a.ID] = true, a
		if a.Special {
			t.special[a.Content] = true
		}
		t.size = max(t.size, int(a.ID)+1)
	}
	return nil
}

// maxID bounds ids, so that a damaged file cannot ask for a huge table.
const maxID = 1<<24 - 1

// nameIDs looks up the ids with a meaning under their usual names.
func (t *Tokenizer) nameIDs(unknown int32) {
	find := func(names ...string) int32 {
		for _, n := range names {
			if id, ok := t.ID(n); ok {
				return id
			}
		}
		return -1
	}
	if unknown < 0 {
		unknown = find("[UNK]", "<unk>")
	}
	t.ids = SpecialIDs{UNK: unknown, CLS: find("[CLS]", "<s>"), SEP: find("[SEP]", "</s>"), PAD: find("[PAD]", "<pad>"), MASK: find("[MASK]", "<mask>")}
}

// setNames replaces the ids with a meaning by those of the given names. Empty names change nothing.
func (t *Tokenizer) setNames(cls, sep, pad, mask string) error {
	for _, x := range []struct {
		what, name string
		id         *int32
	}{{"cls_token", cls, &t.ids.CLS}, {"sep_token", sep, &t.ids.SEP}, {"pad_token", pad, &t.ids.PAD}, {"mask_token", mask, &t.ids.MASK}} {
		if x.name == "" {
			continue
		}
		id, ok := t.ID(x.name)
		if !ok {
			return fmt.Errorf("%s is %q, which is not in the vocabulary", x.what, x.name)
		}
		*x.id = id
	}
	return nil
}

// String describes the tokenizer in one line.
func (t *Tokenizer) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s in the form of %s, %d ids", t.Kind(), t.Form(), t.size)
	if n := len(t.added); n > 0 {
		fmt.Fprintf(&b, ", %d added tokens", n)
	}
	return b.String()
}
