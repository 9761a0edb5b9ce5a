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
