package runtime

// Text is one input: a text, or a pair.
type Text struct {
	First  string
	Second string // used if Pair
	Pair   bool
}

// Encoded is a text, or a pair, as tokens without special tokens around it. The tokens of the
// second text follow those of the first and continue their numbering.
type Encoded struct {
	IDs []int32
	// Spans holds the places of the tokens, if they were asked for. Places in the second text count
	// from its own start.
	Spans []TokenSpan
	Split int  // index of the second text's first token
	Pair  bool // there is a second text, even if it is empty
}

// lengths returns the numbers of tokens of the two texts.
func (e *Encoded) lengths() (a, b int) { return e.Split, len(e.IDs) - e.Split }

// encode tokenizes t into e, whose memory is reused. If spans is not nil, places are kept.
func (e *Encoded) encode(tok Tokenizer, spans SpanTokenizer, t Text, specials bool) (err error) {
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

// Cutting is which text of a pair is cut if the pair is too long.
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
	Text   int // index of the text
	Index  int // of the window among those of the text, from 0
	Count  int // number of windows of the text
	First  int // first token of the first text
	Last   int // the token after the last one of the first text
	Second int // first token of the second text, numbered as in Encoded
	Behind int // the token after the last one of the second text
	// FirstRow and SecondRow are the rows of the sequence, from 0, at which tokens First and Second
	// stand. Size is the number of its rows, including special tokens.
	FirstRow, SecondRow, Size int
}

// Row returns the row of the window's sequence at which a token stands; ok is false if the token is
// not in the window.
func (w *Window) Row(token int) (row int, ok bool) {
	switch {
	case w.First <= token && token < w.Last:
		return w.FirstRow + token - w.First, true
	case w.Second <= token && token < w.Behind:
		return w.SecondRow + token - w.Second, true
	}
	return 0, false
}

// fit appends to dst the windows of text number n: one, or several by the policy. It returns the
// number of tokens that are cut. limit is the maximum length including special tokens; frame is how
// many special tokens this text needs. If left is set, Truncate cuts the start of a text instead of
// its end.
func (e *Encoded) fit(dst []Window, n int, p LongPolicy, cutting Cutting, left bool, limit, frame int) (_ []Window, cut int, err error) {
	a, b := e.lengths()
	room := limit - frame
	whole := Window{Text: n, Last: a, Second: e.Split, Behind: len(e.IDs)}
	if a+b <= room {
		return append(dst, whole), 0, nil
	}
	if room < 0 || room == 0 && p.kind == longWindows {
		return dst, 0, textFault(n, "the limit of %d tokens leaves no room beside %d special tokens: raise it", limit, frame)
	}
	if !e.Pair {
		cutting = CutLonger
	}
	if cutting == CutSecond && a >= room && p.kind != longReject {
		return dst, 0, textFault(n, "%d tokens of its first part and %d special tokens leave no room for the second, the limit is %d: shorten the first, or raise the limit",
			a, frame, limit)
	}
	if cutting == CutFirst && b >= room && p.kind != longReject {
		return dst, 0, textFault(n, "%d tokens of its second part and %d special tokens leave no room for the first, the limit is %d: shorten the second, or raise the limit",
			b, frame, limit)
	}
	switch p.kind {
	case longTruncate:
		ka, kb := truncate(a, b, room)
		switch cutting {
		case CutSecond:
			ka, kb = a, room-a
		case CutFirst:
			ka, kb = room-b, b
		}
		if left {
			whole.First, whole.Second = a-ka, e.Split+b-kb
		} else {
			whole.Last, whole.Behind = ka, e.Split+kb
		}
		return append(dst, whole), a + b - ka - kb, nil
	case longWindows:
		dst, err = e.slide(dst, whole, p.stride, room, cutting == CutSecond || cutting == CutLonger && b > a)
		return dst, 0, err
	}
	return dst, 0, &TextError{
		Text: n,
		What: itoa(a+b+frame) + " tokens are too long, the limit is " + itoa(limit) + " (choose Truncate or Windows, or raise MaxTokens)",
		Err:  ErrTooLong,
	}
}

// truncate returns how many tokens to keep of two texts of a and b tokens, where a+b > room. It
// cuts the longer text until both are equally long, then both. An odd token goes to the longer
// text; ties: to the second ("longest first" as in the tokenizers library).
func truncate(a, b, room int) (int, int) {
	small := min(a, b, room/2)
	if a > b {
		return room - small, small
	}
	return small, room - small
}

// slide cuts one of the texts into windows. Each window holds as many of its tokens as fit besides
// the other text.
func (e *Encoded) slide(dst []Window, whole Window, stride, room int, second bool) ([]Window, error) {
	long, other := e.lengths()
	if second {
		long, other = other, long
	}
	width := room - other
	if width <= stride {
		return dst, textFault(whole.Text, "windows of %d tokens beside %d fixed ones cannot overlap by %d: choose a smaller stride", max(width, 0), other, stride)
	}
	before := len(dst)
	for from := 0; ; from += width - stride {
		to := min(from+width, long)
		w := whole
		if w.Index = len(dst) - before; second {
			w.Second, w.Behind = e.Split+from, e.Split+to
		} else {
			w.First, w.Last = from, to
		}
		dst = append(dst, w)
		if to == long {
			return dst, nil
		}
	}
}

// resize returns s with length n, reusing its memory. New memory is zeroed.
func resize[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]T, n, max(n, 2*cap(s)))
}
