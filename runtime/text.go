package runtime

// Text is one input: a text, or a pair.
type Text struct {
	First  string
	Second string // used if Pair
	Pair   bool
}

// window is one sequence that a text became: parts of its first and second text.
type window struct {
	text           int // index of the text
	first, last    int // ids of the first text, [first, last)
	second, behind int // ids of the second
}

// encoded is a text's ids and how the long policy cuts them.
type encoded struct {
	ids   []int32 // of the first text, then of the second
	split int     // where the second begins
	pair  bool
}

func (e *encoded) lengths() (a, b int) { return e.split, len(e.ids) - e.split }

// encode tokenizes t into e, whose memory is reused.
func (e *encoded) encode(tok Tokenizer, t Text, specials bool) (err error) {
	e.pair = t.Pair
	if e.ids, err = tok.AppendIDs(e.ids[:0], t.First, specials); err != nil {
		return err
	}
	e.split = len(e.ids)
	if t.Pair {
		e.ids, err = tok.AppendIDs(e.ids, t.Second, specials)
	}
	return err
}

// fit appends to dst the windows of text number n: one, or several by the policy. It
// returns the ids that are cut. limit counts special tokens, frame of which the text
// takes.
func (e *encoded) fit(dst []window, n int, p LongPolicy, limit, frame int) (_ []window, cut int, err error) {
	a, b := e.lengths()
	room := limit - frame
	if a+b <= room {
		return append(dst, window{n, 0, a, e.split, len(e.ids)}), 0, nil
	}
	if room < 0 || room == 0 && p.kind == longWindows {
		return dst, 0, input("text %d: the limit of %d tokens leaves no room beside %d special tokens: raise it", n, limit, frame)
	}
	switch p.kind {
	case longTruncate:
		ka, kb := truncate(a, b, room)
		return append(dst, window{n, 0, ka, e.split, e.split + kb}), a + b - ka - kb, nil
	case longWindows:
		dst, err = e.slide(dst, n, p.stride, room)
		return dst, 0, err
	}
	return dst, 0, &inputError{
		text: "text " + itoa(n) + ": " + itoa(a+b+frame) + " tokens are too long, the limit is " + itoa(limit) +
			" (choose Truncate or Windows, or raise MaxTokens)",
		cause: ErrTooLong,
	}
}

// truncate gives the tokens kept of two texts of a and b tokens, a+b > room: the
// longer one is cut until both are equally long, then both; an odd token goes to the
// longer one, the second if they are equal ("longest first" as in the tokenizers
// library).
func truncate(a, b, room int) (int, int) {
	small := min(a, b, room/2)
	if a > b {
		return room - small, small
	}
	return small, room - small
}

// slide cuts the longer text into windows of as many tokens as fit beside the other.
func (e *encoded) slide(dst []window, n, stride, room int) ([]window, error) {
	a, b := e.lengths()
	long, other := a, b
	if b > a {
		long, other = b, a
	}
	width := room - other
	if width <= stride {
		return dst, input("text %d: windows of %d tokens beside %d fixed ones cannot overlap by %d: choose a smaller stride", n, max(width, 0), other, stride)
	}
	for from := 0; ; from += width - stride {
		to := min(from+width, long)
		w := window{n, 0, a, e.split, len(e.ids)}
		if b > a {
			w.second, w.behind = e.split+from, e.split+to
		} else {
			w.first, w.last = from, to
		}
		dst = append(dst, w)
		if to == long {
			return dst, nil
		}
	}
}

// appendSequence adds one window of e to the batch, with the frame around it.
func appendSequence(b *Batch, e *encoded, w window, f *Frame, l Limits) {
	if len(b.Starts) == 0 {
		b.Starts = append(b.Starts, 0)
	}
	first := len(b.IDs)
	b.IDs = append(b.IDs, f.Open...)
	b.IDs = append(b.IDs, e.ids[w.first:w.last]...)
	if e.pair {
		b.IDs = append(b.IDs, f.Middle...)
	}
	border := len(b.IDs)
	b.IDs = append(b.IDs, e.ids[w.second:w.behind]...)
	b.IDs = append(b.IDs, f.Close...)
	b.Starts = append(b.Starts, int32(len(b.IDs)))
	if l.Types > 0 {
		for i := first; i < len(b.IDs); i++ {
			t := int32(0)
			if e.pair && i >= border {
				t = f.SecondType
			}
			b.Types = append(b.Types, t)
		}
	}
	if l.Prefix {
		// All may attend to the first text of a pair; a single text is causal.
		p := 0
		if e.pair {
			p = border - first
		}
		b.Prefix = append(b.Prefix, int32(p))
	}
}

// resize gives s the length n, reusing its memory; new memory is zeroed.
func resize[T any](s []T, n int) []T {
	if n <= cap(s) {
		return s[:n]
	}
	return make([]T, n, max(n, 2*cap(s)))
}
