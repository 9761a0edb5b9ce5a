// Package tokenizer defines what a model needs of a tokenizer. Package runtime/token has
// implementations: ForModel makes a Tokenizer of each. The option runtime.UseTokenizer makes a model use
// another Tokenizer than the packed one, such as one that callers write. Most tasks need one of the
// larger interfaces, such as SpanTokenizer.
package tokenizer

// Tokenizer turns text into ids. It must be safe for concurrent use. Only the generated package
// imports an implementation, so a model that takes ids only does not link any.
type Tokenizer interface {
	// AppendIDs appends the ids of text to dst, without the special tokens around a sequence. If
	// specials is set, the name of a special token in the text, such as "[SEP]", becomes that
	// token; otherwise it is characters like any others. All input is valid, including broken UTF-8
	// and the empty text.
	AppendIDs(dst []int32, text string, specials bool) ([]int32, error)
	// Frame returns the special tokens around and between texts.
	Frame() Frame
}

// Span is a token with its place in the text.
type Span struct {
	ID int32
	// Start and End delimit the bytes [Start, End) of the text that the token stands for. A span
	// may include the space before a word. It may be empty if the tokenizer adds a token that
	// stands for nothing.
	Start, End int32
	// Word is the index, from 0, of the word that the token belongs to. A word is what the
	// tokenizer cuts a text into before it looks for pieces.
	Word int32
}

// SpecialIDs holds the ids of the tokens with a meaning for models, -1 for those that the tokenizer
// does not have.
type SpecialIDs struct {
	CLS, SEP, PAD, MASK, UNK int32
}

// SpanTokenizer is a tokenizer that knows where in the text its tokens come from, and can decode
// them. Tasks that answer with parts of a text or with tokens need one.
type SpanTokenizer interface {
	Tokenizer
	// AppendSpans is AppendIDs with the place of each token. Spans never point outside the text.
	AppendSpans(dst []Span, text string, specials bool) ([]Span, error)
	// Decode turns ids back into text. If skipSpecial is set, it leaves out special tokens. An id
	// that the tokenizer does not have is an error.
	Decode(ids []int32, skipSpecial bool) (string, error)
	// Piece returns the text of an id as in the vocabulary; ok is false if there is no such id.
	Piece(id int32) (piece string, ok bool)
	// ID returns the id of a token by its text in the vocabulary, including added tokens; ok is
	// false if there is no such token.
	ID(piece string) (id int32, ok bool)
	// IsSpecial reports whether id is a special token.
	IsSpecial(id int32) bool
	// Specials returns the ids of [CLS], [SEP], [PAD], [MASK] and [UNK], or of the tokens in their
	// roles.
	Specials() SpecialIDs
}

// MaskTokenizer is a tokenizer that can read the name of the mask token in a text as that token,
// while the names of all other special tokens stay characters.
type MaskTokenizer interface {
	SpanTokenizer
	// AppendMasked is AppendSpans for texts with masks, such as "Paris is the [MASK] of France." It
	// is an error if the tokenizer has no mask token.
	AppendMasked(dst []Span, text string) ([]Span, error)
}

// WordTokenizer is a tokenizer that reads words that the caller has cut.
type WordTokenizer interface {
	SpanTokenizer
	// AppendWords appends the tokens of each word, tokenized by itself as one text. Word is the
	// index into words; Start and End count in the word. A word may have no tokens.
	AppendWords(dst []Span, words []string, specials bool) ([]Span, error)
}

// Frame holds the special tokens around one text (Open text Close) or a pair (Open first Middle
// second Close). For BERT and DeBERTa: [CLS] first [SEP] second [SEP].
type Frame struct {
	Open, Middle, Close []int32
	// SecondType is the token type of the second text and the Close after it; everything else has
	// type 0. It is used only if the model has token types.
	SecondType int32
	// Single is the frame of one text if its Open and Close differ from those of a pair, else nil.
	Single *Frame
}

// Around returns the special tokens before, between and after the texts of a pair, or before and
// after one text.
func (f *Frame) Around(pair bool) (open, middle, end []int32) {
	switch {
	case pair:
		return f.Open, f.Middle, f.Close
	case f.Single != nil:
		return f.Single.Open, nil, f.Single.Close
	}
	return f.Open, nil, f.Close
}

// Size returns the number of special tokens around one text or a pair.
func (f *Frame) Size(pair bool) int {
	open, middle, end := f.Around(pair)
	return len(open) + len(middle) + len(end)
}
