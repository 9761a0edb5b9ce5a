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
	return func(line []byte) error {
		var r SPMRecord
		if err := strict(line, &r); err != nil {
			return err
		}
		return r.check(t, punct)
	}, nil
}

func (r *SPMRecord) check(t, punct *token.Tokenizer) error {
	if got := t.Normalize(r.Text); got != r.Normalized {
		return fmt.Errorf("normalized %q, want %q", got, r.Normalized)
	}
	tokens, err := t.AppendSpans(nil, r.Text, token.SpecialText)
	if err != nil {
		return err
	}
	var got []int32
	var spans [][2]int32
	for _, x := range tokens {
		got, spans = append(got, x.ID), append(spans, [2]int32{x.Start, x.End})
	}
	if err := first("id", got, r.IDs); err != nil {
		return err
	}
	pieces, err := t.Pieces(r.Text, token.SpecialText)
	if err != nil {
		return err
	}
	if err := first("piece", pieces, r.Pieces); err != nil {
		return err
	}
	if err := first("byte span", spans, r.ByteSpans); err != nil {
		return err
	}
	decoded, err := t.Decode(got, true)
	if err != nil {
		return err
	}
	if decoded != r.Decoded {
		return fmt.Errorf("decoded %q, want %q", decoded, r.Decoded)
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
