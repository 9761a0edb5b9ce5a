package token

import (
	"errors"
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime"
)

// PackedKind is the name of a tokenizer's flat form (see Marshal) in the metadata of packed weights.
const PackedKind = "debertac.token"

// Open makes the tokenizer of a model from what is packed with its weights. Generated packages pass it to the runtime.
func Open(kind string, data []byte) (runtime.Tokenizer, error) {
	if kind != PackedKind {
		return nil, fmt.Errorf("it is of the kind %q, which this version does not read (it reads %q): run debertac pack again", kind, PackedKind)
	}
	t, err := Unmarshal(data)
	if err != nil {
		return nil, err
	}
	return ForModel(t)
}

// ForModel makes a tokenizer usable by the runtime, which itself puts the special tokens around texts. The template must have the form:
// open, first text, middle, second text, close. Another form is an error.
func ForModel(t *Tokenizer) (runtime.Tokenizer, error) {
	var f runtime.Frame
	var single runtime.Frame
	if !frameOf(t.template.single, &single) || !frameOf(t.template.pair, &f) || !slices.Equal(single.Open, f.Open) || !slices.Equal(single.Close, f.Close) {
		return nil, fmt.Errorf("the template is not of the form «open A close» and «open A middle B close»")
	}
	if t.noTypes {
		f.SecondType = 0
	}
	return modelTokenizer{t, f}, nil
}

// frameOf reads a template of one text, or of two, as a frame. It reports whether the template has the form of one.
func frameOf(items []templateItem, f *runtime.Frame) bool {
	texts := 0
	for _, it := range items {
		switch {
		case it.source >= 0:
			if int(it.source) != texts {
				return false
			}
			texts++
			if texts == 2 {
				f.SecondType = it.kind
				f.Middle, f.Close = f.Close, nil
			}
		case texts == 0:
			f.Open = append(f.Open, it.ids...)
		default:
			f.Close = append(f.Close, it.ids...)
		}
	}
	return texts > 0
}

// modelTokenizer is a tokenizer with the methods that the runtime uses.
type modelTokenizer struct {
	*Tokenizer
	frame runtime.Frame
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
func (m modelTokenizer) Frame() runtime.Frame { return m.frame }

// AppendSpans appends the tokens of text with their places, without the frame.
func (m modelTokenizer) AppendSpans(dst []runtime.TokenSpan, text string, specials bool) ([]runtime.TokenSpan, error) {
	mode := SpecialText
	if specials {
		mode = SpecialTokens
	}
	return m.spans(dst, text, mode)
}

// AppendMasked is AppendSpans that reads the mask token's name, but no other, as a token.
func (m modelTokenizer) AppendMasked(dst []runtime.TokenSpan, text string) ([]runtime.TokenSpan, error) {
	if m.ids.MASK < 0 {
		return dst, errors.New("the tokenizer has no mask token")
	}
	return m.spans(dst, text, SpecialMask)
}

// AppendWords appends the tokens of words that the caller has cut, each by itself.
func (m modelTokenizer) AppendWords(dst []runtime.TokenSpan, words []string, specials bool) ([]runtime.TokenSpan, error) {
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

func (m modelTokenizer) spans(dst []runtime.TokenSpan, text string, mode Special) ([]runtime.TokenSpan, error) {
	if err := checkLength(text); err != nil {
		return dst, err
	}
	var stretches []stretch
	if m.lowerTexts {
		text, stretches = lowerCase(text)
	}
	s := m.get()
	defer m.put(s)
	r := &s.runs[0]
	r.reset(true, m.template.trim)
	s.out, s.texts[0] = r, text
	if err := s.text(text, mode); err != nil {
		return dst, err
	}
	if r.trim {
		s.trim(r.spans, window{0, len(r.ids)}, 0)
	}
	for i, id := range r.ids {
		start, end := r.spans[i].Start, r.spans[i].End
		if len(stretches) > 0 {
			start, end = back(stretches, start, end)
		}
		dst = append(dst, runtime.TokenSpan{ID: id, Start: start, End: end, Word: r.words[i]})
	}
	return dst, nil
}

// Specials returns the ids of the tokens with a meaning for models.
func (m modelTokenizer) Specials() runtime.SpecialIDs { return runtime.SpecialIDs(m.ids) }

var (
	_ runtime.MaskTokenizer = modelTokenizer{}
	_ runtime.WordTokenizer = modelTokenizer{}
)
