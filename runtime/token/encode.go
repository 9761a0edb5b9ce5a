package token

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// AppendIDs appends the ids of text to dst.
func (t *Tokenizer) AppendIDs(dst []int32, text string, mode Special) ([]int32, error) {
	if err := checkLength(text); err != nil {
		return dst, err
	}
	s := t.get()
	s.ids = tokenRun{ids: dst}
	s.out = &s.ids
	err := s.text(text, mode)
	if err == nil {
		dst = s.ids.ids
	}
	t.put(s)
	return dst, err
}

func checkLength(text string) error {
	if len(text) > MaxTextBytes {
		return &lengthError{len(text)}
	}
	return nil
}

// lengthError is the error for a text with too many bytes. It matches runtime.ErrTooLong.
type lengthError struct{ bytes int }

func (e *lengthError) Error() string {
	return fmt.Sprintf("a text of %d bytes (at most %d)", e.bytes, MaxTextBytes)
}

func (e *lengthError) Is(target error) bool { return target == runtime.ErrTooLong }

// AppendSpans appends the tokens of text with their places and words to dst.
func (t *Tokenizer) AppendSpans(dst []tokenizer.Span, text string, mode Special) ([]tokenizer.Span, error) {
	if err := checkLength(text); err != nil {
		return dst, err
	}
	s := t.get()
	defer t.put(s)
	r := &s.run
	r.reset(t.template.trim)
	s.out = r
	if err := s.text(text, mode); err != nil {
		return dst, err
	}
	n := len(dst)
	dst = slices.Grow(dst, len(r.ids))[:n+len(r.ids)]
	spans, words, out := r.spans[:len(r.ids)], r.words[:len(r.ids)], dst[n:]
	for i, id := range r.ids {
		at := spans[i]
		if r.trim && r.edges[i] != (edge{}) {
			at = r.edges[i].trim(text, at, i == 0, t.template.prefix)
		}
		out[i] = tokenizer.Span{ID: id, Start: at.Start, End: at.End, Word: words[i]}
	}
	return dst, nil
}
