package engine

import (
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Encoded is a text, or a pair, as tokens without special tokens around it. The tokens of the
// second text follow those of the first and continue their numbering.
type Encoded struct {
	IDs []int32
	// Spans holds the places of the tokens, if they were asked for. Places in the second text count
	// from its own start.
	Spans []tokenizer.Span
	Split int  // index of the second text's first token
	Pair  bool // there is a second text, even if it is empty
}

// lengths returns the numbers of tokens of the two texts.
func (e *Encoded) lengths() (a, b int) { return e.Split, len(e.IDs) - e.Split }

// kept returns the number of tokens of the text that cutting never cuts; ok is false if it cuts both.
func (e *Encoded) kept(cutting Cutting) (n int, ok bool) {
	a, b := e.lengths()
	switch cutting {
	case CutSecond:
		return a, true
	case CutFirst:
		return b, true
	}
	return 0, false
}

// encode tokenizes t into e, whose memory is reused. If spans is not nil, places are kept.
func (e *Encoded) encode(tok tokenizer.Tokenizer, spans tokenizer.SpanTokenizer, t runtime.Text, specials bool) (err error) {
	e.Pair, e.IDs, e.Spans = t.Pair, e.IDs[:0], e.Spans[:0]
	one := func(text string) error {
		if spans == nil {
			e.IDs, err = tok.AppendIDs(e.IDs, text, specials)
			return err
		}
		e.Spans, err = spans.AppendSpans(e.Spans, text, specials)
		for _, s := range e.Spans[len(e.IDs):] {
			e.IDs = append(e.IDs, s.ID)
		}
		return err
	}
	if err := one(t.First); err != nil {
		return err
	}
	if e.Split = len(e.IDs); t.Pair {
		return one(t.Second)
	}
	return nil
}

// Cutting sets which text of a pair is cut if the pair is too long.
type Cutting uint8

// The ways of cutting.
const (
	// CutLonger makes Truncate cut the longer text until both are equally long, then both. Windows
	// cuts the longer text into windows.
	CutLonger Cutting = iota
	// CutSecond keeps the first text, such as a question, whole.
	CutSecond
	// CutFirst keeps the second text, such as a hypothesis, whole.
	CutFirst
)

// Window is one sequence made from a text: parts of its first and second text, with special tokens
// around them.
type Window struct {
	Text      int // index of the text
	Index     int // index of the window among those of the text, from 0
	Count     int // number of windows of the text
	First     int // first token of the first text
	FirstEnd  int // the token after the last one of the first text
	Second    int // first token of the second text, numbered as in Encoded
	SecondEnd int // the token after the last one of the second text
	// FirstRow and SecondRow are the rows of the sequence, from 0, at which tokens First and Second
	// stand. Size is the number of its rows, including special tokens.
	FirstRow, SecondRow, Size int
}

// Row returns the row of the window's sequence at which a token stands; ok is false if the token is
// not in the window.
func (w *Window) Row(token int) (row int, ok bool) {
	switch {
	case w.First <= token && token < w.FirstEnd:
		return w.FirstRow + token - w.First, true
	case w.Second <= token && token < w.SecondEnd:
		return w.SecondRow + token - w.Second, true
	}
	return 0, false
}

// resize returns s with length n, reusing its memory. New memory is zeroed.
func resize[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]T, n, max(n, 2*cap(s)))
}
