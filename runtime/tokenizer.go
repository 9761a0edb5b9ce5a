package runtime

// Tokenizer turns text into ids. It must be safe for concurrent use. Package
// runtime/token has implementations; the generated package connects them, so that a
// model without text links none.
type Tokenizer interface {
	// AppendIDs appends the ids of text to dst, without the frame of special
	// tokens around a sequence. If specials is set, special-token text such as
	// "[SEP]" becomes that token, otherwise it is characters like any others. All
	// input is valid, broken UTF-8 and the empty text included.
	AppendIDs(dst []int32, text string, specials bool) ([]int32, error)
	// Frame is what stands around and between texts.
	Frame() Frame
}

// TokenSpan is a token with its place in the text.
type TokenSpan struct {
	ID int32
	// Start and End are the bytes of the text that the token stands for, Start ≤ x <
	// End. A span may hold the space in front of a word, and may be empty where the
	// tokenizer adds a token that stands for nothing.
	Start, End int32
	// Word is the number of the word that the token belongs to, from 0 on, where a word
	// is what the tokenizer cuts a text into before it looks for pieces.
	Word int32
}

// SpecialIDs are the ids of the tokens that models give a meaning to; -1 where the
// tokenizer has none.
type SpecialIDs struct {
	CLS, SEP, PAD, MASK, UNK int32
}

// SpanTokenizer is a tokenizer that knows where in the text its tokens come from, and
// the way back. Tasks that answer with parts of a text or with tokens need one.
type SpanTokenizer interface {
	Tokenizer
	// AppendSpans is AppendIDs with the place of each token. Spans never point outside
	// the text.
	AppendSpans(dst []TokenSpan, text string, specials bool) ([]TokenSpan, error)
	// Decode turns ids back into text; with skipSpecial, special tokens are left out.
	// An id that the tokenizer does not have is an error.
	Decode(ids []int32, skipSpecial bool) (string, error)
	// Piece is an id's text as it stands in the vocabulary; ok is false if there is no
	// such id.
	Piece(id int32) (piece string, ok bool)
	// ID is the id of a token by its text in the vocabulary, added tokens included.
	ID(piece string) (id int32, ok bool)
	// IsSpecial reports whether id is a special token.
	IsSpecial(id int32) bool
	// Specials are the ids of [CLS], [SEP], [PAD], [MASK] and [UNK], or of what takes
	// their places.
	Specials() SpecialIDs
}

// MaskTokenizer is a tokenizer that can read the name of the mask token in a text as that
// token while every other special token's name stays characters.
type MaskTokenizer interface {
	SpanTokenizer
	// AppendMasked is AppendSpans for texts with masks, such as "Paris is the [MASK] of
	// France." It is an error if the tokenizer has no mask token.
	AppendMasked(dst []TokenSpan, text string) ([]TokenSpan, error)
}

// WordTokenizer is a tokenizer that reads words that the caller has cut.
type WordTokenizer interface {
	SpanTokenizer
	// AppendWords appends the tokens of each word by itself, as one text: Word counts in
	// words, Start and End in the word. A word may have no tokens.
	AppendWords(dst []TokenSpan, words []string, specials bool) ([]TokenSpan, error)
}

// Frame is the special tokens around one text, Open text Close, or a pair, Open
// first Middle second Close. For BERT and DeBERTa: [CLS] first [SEP] second [SEP].
type Frame struct {
	Open, Middle, Close []int32
	// SecondType is the token type of the second text and the Close behind it;
	// everything else has type 0. It is used only if the model has token types.
	SecondType int32
}

// single and pair are the numbers of special tokens.
func (f *Frame) single() int { return len(f.Open) + len(f.Close) }
func (f *Frame) pair() int   { return len(f.Open) + len(f.Middle) + len(f.Close) }
