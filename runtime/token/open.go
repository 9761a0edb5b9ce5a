package token

import (
	"errors"
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// PackedKind is the name of a tokenizer's flat form (see Marshal) in the metadata of packed weights.
const PackedKind = "debertac.token"

// Open makes the tokenizer of a model from what is packed with its weights. Generated packages pass it to the runtime.
func Open(kind string, data []byte) (tokenizer.Tokenizer, error) {
	if kind != PackedKind {
		return nil, fmt.Errorf("it is of the kind %q, which this version does not read (it reads %q): run debertac pack again", kind, PackedKind)
	}
	t, err := Unmarshal(data)
	if err != nil {
		return nil, err
	}
	return ForModel(t)
}

// ForModel makes a tokenizer usable by the runtime, which itself puts the special tokens around texts. The template must have the form
// «open A close» for one text and «open A middle B close» for two. Token types must be 0 before the second text and all the same from
// there on, unless the model's tokenizer has no token types. Another template is an error.
func ForModel(t *Tokenizer) (tokenizer.Tokenizer, error) {
	var single, f tokenizer.Frame
	if err := frameOf(t.template.single, &single, t.noTypes); err != nil {
		return nil, fmt.Errorf("the template for one text: %w", err)
	}
	if err := frameOf(t.template.pair, &f, t.noTypes); err != nil {
		return nil, fmt.Errorf("the template for two texts: %w", err)
	}
	if !slices.Equal(single.Open, f.Open) || !slices.Equal(single.Close, f.Close) {
		f.Single = &single
	}
	return modelTokenizer{t, f}, nil
}

// frameOf reads a template of one text, or of two, as a frame.
func frameOf(items []templateItem, f *tokenizer.Frame, noTypes bool) error {
	texts := int8(0)
	for i, it := range items {
		if it.source >= 0 {
			if it.source != texts {
				return errors.New("its second text stands before the first, want «open A middle B close»")
			}
			if texts++; texts == 2 {
				if f.Middle, f.Close = f.Close, nil; !noTypes {
					f.SecondType = it.kind
				}
			}
		}
		if want := f.SecondType; it.kind != want && !noTypes && (it.source >= 0 || len(it.ids) > 0) {
			return fmt.Errorf("item %d has token type %d, want %d: types are 0 before the second text and the same from there on", i, it.kind, want)
		}
		if it.source < 0 && texts == 0 {
			f.Open = append(f.Open, it.ids...)
		} else if it.source < 0 {
			f.Close = append(f.Close, it.ids...)
		}
	}
	return nil
}

// modelTokenizer is a tokenizer with the methods that the runtime uses.
type modelTokenizer struct {
	*Tokenizer
	frame tokenizer.Frame
}

// AppendIDs appends the ids of text, without the frame.
func (m modelTokenizer) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	mode := SpecialText
	if specials {
		mode = SpecialTokens
	}
	if m.lowerTexts {
		if err := checkLength(text); err != nil {
			return dst, err
		}
		text, _ = lowerCase(text)
	}
	return m.Tokenizer.AppendIDs(dst, text, mode)
}

// Frame returns the special tokens around and between texts.
func (m modelTokenizer) Frame() tokenizer.Frame { return m.frame }

// AppendSpans appends the tokens of text with their places, without the frame.
func (m modelTokenizer) AppendSpans(dst []tokenizer.Span, text string, specials bool) ([]tokenizer.Span, error) {
	mode := SpecialText
	if specials {
		mode = SpecialTokens
	}
	return m.spans(dst, text, mode)
}

// AppendMasked is AppendSpans that reads the mask token's name, but no other, as a token.
func (m modelTokenizer) AppendMasked(dst []tokenizer.Span, text string) ([]tokenizer.Span, error) {
	if m.ids.MASK < 0 {
		return dst, errors.New("the tokenizer has no mask token")
	}
	return m.spans(dst, text, SpecialMask)
}

// AppendWords appends the tokens of words that the caller has cut, each by itself.
func (m modelTokenizer) AppendWords(dst []tokenizer.Span, words []string, specials bool) ([]tokenizer.Span, error) {
	mode := SpecialText
	if specials {
		mode = SpecialTokens
	}
	for i, word := range words {
		n := len(dst)
		var err error
		if dst, err = m.spans(dst, word, mode); err != nil {
			return dst, err
		}
		for j := n; j < len(dst); j++ {
			dst[j].Word = int32(i)
		}
	}
	return dst, nil
}

func (m modelTokenizer) spans(dst []tokenizer.Span, text string, mode Special) ([]tokenizer.Span, error) {
	if !m.lowerTexts {
		return m.Tokenizer.AppendSpans(dst, text, mode)
	}
	if err := checkLength(text); err != nil {
		return dst, err
	}
	lower, stretches := lowerCase(text)
	n := len(dst)
	dst, err := m.Tokenizer.AppendSpans(dst, lower, mode)
	if len(stretches) > 0 {
		for i := n; i < len(dst); i++ {
			dst[i].Start, dst[i].End = back(stretches, dst[i].Start, dst[i].End)
		}
	}
	return dst, err
}

// Specials returns the ids of the tokens with a meaning for models.
func (m modelTokenizer) Specials() tokenizer.SpecialIDs { return tokenizer.SpecialIDs(m.ids) }

var (
	_ tokenizer.MaskTokenizer = modelTokenizer{}
	_ tokenizer.WordTokenizer = modelTokenizer{}
)
