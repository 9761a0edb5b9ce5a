package corpus

import (
	"fmt"

	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
	"github.com/debertac/debertac/spec"
)

// streams sets whether sequences are cut from the stream of all texts: those of heads that predict tokens of the text itself. It refuses a head that would
// have to predict what it sees.
func (e *Encoder) streams(task tasktable.Task) error {
	if task != tasktable.MLM && task != tasktable.Replaced {
		return nil
	}
	e.packs = !e.prefix()
	var err error
	e.heads(func(h *spec.Head, _ string) {
		if next(h) && h.Model.Encoder.Attention.Mask == spec.MaskLive {
			err = fmt.Errorf("the head %s predicts each token, and its model sees all of them: write `mask j <= i`, or `take masked` in the head", h.FullName())
		}
	})
	return err
}

// next reports whether a head predicts the next token at each token.
func next(h *spec.Head) bool { return h.Task() == tasktable.MLM && h.Take.Rows != tasktable.TakeMasked }

// packer cuts the stream of all texts into sequences of one length: special tokens around as many tokens as fit. The end of a text is marked by the token that
// ends sequences. The last sequence may be shorter.
type packer struct {
	e           *Encoder
	open, close []int32
	ids, wordOf []int32 // the tokens of the next sequence, without the special tokens around them
	word        int32   // number of the next word
	ended       bool    // the last token ends a text
}

func (e *Encoder) packer() *packer {
	p := &packer{e: e}
	frame := e.tok.Frame()
	p.open, _, p.close = frame.Around(false)
	return p
}

// room returns the number of tokens in a sequence besides the special ones around it.
func (p *packer) room() int { return max(1, p.e.set.MaxTokens-len(p.open)-len(p.close)) }

// add adds a text, and calls use with each sequence that is full.
func (p *packer) add(tokens []tokenizer.Span, use func(s prepared.Sequence) error) error {
	if len(p.ids) > 0 {
		for _, id := range p.close {
			if err := p.token(id, -1, true, use); err != nil {
				return err
			}
		}
	}
	for i, t := range tokens {
		if i == 0 || t.Word != tokens[i-1].Word {
			p.word++
		}
		if err := p.token(t.ID, p.word, i == len(tokens)-1, use); err != nil {
			return err
		}
	}
	return nil
}

// token adds a token.
func (p *packer) token(id, word int32, ends bool, use func(s prepared.Sequence) error) error {
	if len(p.ids) >= p.room() {
		if err := use(p.sequence()); err != nil {
			return err
		}
		if word < 0 {
			return nil // a sequence does not begin with the end of a text
		}
	}
	p.ids, p.wordOf, p.ended = append(p.ids, id), append(p.wordOf, word), ends
	return nil
}

// sequence returns the sequence of the tokens so far, and begins the next one.
func (p *packer) sequence() prepared.Sequence {
	var s prepared.Sequence
	outside := func(ids []int32) {
		for _, id := range ids {
			s.IDs, s.WordOf = append(s.IDs, id), append(s.WordOf, -1)
		}
	}
	outside(p.open)
	s.IDs, s.WordOf = append(s.IDs, p.ids...), append(s.WordOf, p.wordOf...)
	outside(p.close)
	p.ids, p.wordOf, p.word = p.ids[:0], p.wordOf[:0], 0
	last := len(s.IDs) - len(p.close) // the row after that of the last token of the text
	p.e.heads(func(h *spec.Head, name string) {
		if !next(h) {
			return
		}
		list := make([]int32, len(s.IDs))
		for i := range list {
			if list[i] = -1; i+1 < last || i+1 == last && p.ended && i+1 < len(s.IDs) {
				list[i] = s.IDs[i+1]
			}
		}
		if s.Integers == nil {
			s.Integers = map[string][]int32{}
		}
		s.Integers[name] = list
	})
	if p.e.train.Mask == nil {
		s.WordOf = nil
	}
	return s
}

// rest calls use with the last sequence, if there are tokens for one.
func (p *packer) rest(use func(s prepared.Sequence) error) error {
	if len(p.ids) == 0 {
		return nil
	}
	return use(p.sequence())
}
