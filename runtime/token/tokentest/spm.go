package tokentest

import (
	"fmt"

	"github.com/debertac/debertac/runtime/token"
)

// SPMRecord is one line of sentencepiece.jsonl. Spans are in bytes of the text.
type SPMRecord struct {
	Text         string     `json:"text"`
	Normalized   string     `json:"normalized"`
	IDs          []int32    `json:"ids"`
	Pieces       []string   `json:"pieces"`
	ByteSpans    [][2]int32 `json:"byte_spans"`
	SplitByPunct [][]int32  `json:"split_by_punct"`
	Decoded      string     `json:"decoded"`
}

func (v *verifier) spm(b []byte) (func(line []byte) error, error) {
	t, err := token.FromSPM(b, token.SPMOptions{})
	if err != nil {
		return nil, err
	}
	punct, err := token.FromSPM(b, token.SPMOptions{SplitPunct: true})
	if err != nil {
		return nil, err
	}
	var e token.Encoding
	return func(line []byte) error {
		var r SPMRecord
		if err := strict(line, &r); err != nil {
			return err
		}
		return r.check(t, punct, &e)
	}, nil
}

func (r *SPMRecord) check(t, punct *token.Tokenizer, e *token.Encoding) error {
	if got := t.Normalize(r.Text); got != r.Normalized {
		return fmt.Errorf("normalized %q, want %q", got, r.Normalized)
	}
	if err := t.Encode(e, r.Text, token.Options{NoTemplate: true}); err != nil {
		return err
	}
	if err := first("id", e.IDs, r.IDs); err != nil {
		return err
	}
	pieces, err := t.Pieces(r.Text, token.SpecialText)
	if err != nil {
		return err
	}
	if err := first("piece", pieces, r.Pieces); err != nil {
		return err
	}
	var spans [][2]int32
	for _, o := range e.Offsets {
		spans = append(spans, [2]int32{o.Start, o.End})
	}
	if err := first("byte span", spans, r.ByteSpans); err != nil {
		return err
	}
	got, err := t.Decode(e.IDs, true)
	if err != nil {
		return err
	}
	if got != r.Decoded {
		return fmt.Errorf("decoded %q, want %q", got, r.Decoded)
	}
	// The record holds the ids of each part; the tokenizer returns them as one list.
	var parts []int32
	for _, p := range r.SplitByPunct {
		parts = append(parts, p...)
	}
	ids, err := punct.AppendIDs(nil, r.Text, token.SpecialText)
	if err != nil {
		return err
	}
	return first("split_by_punct id", ids, parts)
}
