package engine

import (
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Sequencer turns texts into sequences for a model: it tokenizes a text, cuts it into windows if it
// is too long, and puts special tokens around each window. The texts of users and the recorded
// encodings of debertac verify go through it alike.
type Sequencer struct {
	Tokenizer tokenizer.Tokenizer
	// Spans is the tokenizer if places and words of tokens are kept, else nil.
	Spans tokenizer.SpanTokenizer
	// Special is how the names of special tokens inside a text are read.
	Special runtime.SpecialText
	// Frame holds the special tokens around each window. A task may put its own tokens there.
	Frame tokenizer.Frame
	// FrameName names what Frame holds besides special tokens, such as "the labels", for messages.
	FrameName string

	// Long and MaxTokens set what happens to texts of more than MaxTokens tokens, including special
	// tokens. Cutting sets which text of a pair is cut.
	Long      runtime.LongPolicy
	MaxTokens int
	Cutting   Cutting
	// Kept and Cuttable name the text of a pair that Cutting never cuts, and the other one, for
	// messages: "question" and "context". "": they are named by their places.
	Kept, Cuttable string
	// Left makes Truncate cut the start of a text instead of its end.
	Left bool
	// WholeWords cuts only between words, as Spans numbers them. It is for single texts, and Left
	// must be false. A window then holds at most MaxWords words; 0: no limit.
	WholeWords bool
	MaxWords   int

	// Words makes Sequence list the rows of words.
	Words bool
}

// Encode tokenizes text number n into e, whose memory is reused. An error names the text. A text
// that is not valid UTF-8 is an error.
func (q *Sequencer) Encode(e *Encoded, n int, t runtime.Text) error {
	if !utf8.ValidString(t.First) {
		return &runtime.TextError{Text: n, What: invalidByte(t.First)}
	}
	if t.Pair && !utf8.ValidString(t.Second) {
		return &runtime.TextError{Text: n, What: "its second part: " + invalidByte(t.Second)}
	}
	if err := e.encode(q.Tokenizer, q.Spans, t, q.Special == runtime.SpecialAsTokens); err != nil {
		return NotEncoded(n, err)
	}
	return nil
}

// Cut appends to dst the windows of text number n: one, or several by the policy.
func (q *Sequencer) Cut(dst []Window, n int, e *Encoded) ([]Window, runtime.Seen, error) {
	frame := q.Frame.Size(e.Pair)
	from := len(dst)
	dst, cut, err := q.fit(dst, n, e, frame)
	if err != nil {
		return dst, runtime.Seen{}, err
	}
	s := runtime.Seen{Tokens: len(e.IDs) - cut + frame, Truncated: cut, Windows: len(dst) - from}
	if s.Tokens == 0 {
		return dst, s, TextFault(n, "it has no tokens")
	}
	for i := from; i < len(dst); i++ {
		dst[i].Index, dst[i].Count = i-from, s.Windows
	}
	return dst, s, nil
}

// Sequence builds in s, whose memory is reused, the sequence of a window that Cut returned: the
// parts of the texts in their frame, and the rows of words if they are asked for. It completes w.
// The caller adds the rows for a head of the kind PerRow, and the marks.
func (q *Sequencer) Sequence(s *Sequence, w *Window, e *Encoded) {
	open, middle, end := q.Frame.Around(e.Pair)
	s.Reset()
	s.IDs = append(s.IDs, open...)
	w.FirstRow = len(s.IDs)
	s.IDs = append(s.IDs, e.IDs[w.First:w.FirstEnd]...)
	if e.Pair {
		s.IDs = append(s.IDs, middle...)
	}
	border := len(s.IDs)
	w.SecondRow = border
	s.IDs = append(s.IDs, e.IDs[w.Second:w.SecondEnd]...)
	s.IDs = append(s.IDs, end...)
	w.Size = len(s.IDs)
	if e.Pair {
		s.Types = resize(s.Types, w.Size)
		clear(s.Types[:border])
		for i := border; i < w.Size; i++ {
			s.Types[i] = q.Frame.SecondType
		}
		s.Prefix = int32(border) // all may attend to the first text of a pair; a single text is causal
	}
	if q.Words && len(e.Spans) == len(e.IDs) {
		s.Words = appendWords(s.Words, e.Spans[w.First:w.FirstEnd], int32(w.FirstRow))
		s.Words = appendWords(s.Words, e.Spans[w.Second:w.SecondEnd], int32(w.SecondRow))
	}
}

// appendWords appends the rows of each word of tokens, whose first token stands at row.
func appendWords(dst []int32, tokens []tokenizer.Span, row int32) []int32 {
	for i := range tokens {
		if i == 0 || tokens[i].Word != tokens[i-1].Word {
			dst = append(dst, row+int32(i), row+int32(i))
		}
		dst[len(dst)-1] = row + int32(i) + 1
	}
	return dst
}

// fit appends to dst the windows of text number n and returns the number of tokens that are cut.
// frame is how many special tokens this text needs.
func (q *Sequencer) fit(dst []Window, n int, e *Encoded, frame int) (_ []Window, cut int, err error) {
	a, b := e.lengths()
	room, limit := q.MaxTokens-frame, q.MaxTokens
	whole := Window{Text: n, FirstEnd: a, Second: e.Split, SecondEnd: len(e.IDs)}
	if a+b <= room && (!q.WholeWords || q.reach(e, 0, a, room) == a) {
		return append(dst, whole), 0, nil
	}
	cutting := q.cutting(e)
	kept, keeps := e.kept(cutting)
	if room < 0 || room == 0 && (keeps || q.Long.Windowed()) {
		return dst, 0, LongFault(n, "the limit of %d tokens leaves no room beside %d special tokens: raise it", limit, frame)
	}
	if keeps && kept >= room {
		name, other := q.names(cutting)
		return dst, 0, keptFault(n, "%d tokens of the %s and %d special tokens leave no room for the %s, the limit is %d: "+
			"shorten the %[2]s, or raise the limit", kept, name, frame, other, limit)
	}
	if q.Long == runtime.Reject {
		return dst, 0, q.tooLong(n, e, a+b+frame)
	}
	ka, kb := a, b
	switch {
	case q.WholeWords:
		if ka = q.reach(e, 0, a, room); ka == 0 {
			return dst, 0, q.wideWord(n, e, 0, room)
		}
	case cutting == CutSecond:
		kb = room - a
	case cutting == CutFirst:
		ka = room - b
	case q.Long == runtime.Truncate:
		ka, kb = truncate(a, b, room)
	case b > a:
		kb = room - a
	default:
		ka = room - b
	}
	if q.Long == runtime.Truncate {
		if q.Left {
			whole.First, whole.Second = a-ka, e.Split+b-kb
		} else {
			whole.FirstEnd, whole.SecondEnd = ka, e.Split+kb
		}
		return append(dst, whole), a + b - ka - kb, nil
	}
	if q.WholeWords {
		ka = room // ka is the length of the first window, but a later window may be wider
	}
	if ka < a || q.WholeWords {
		dst, err = q.slide(dst, e, whole, false, ka)
	} else {
		dst, err = q.slide(dst, e, whole, true, kb)
	}
	return dst, 0, err
}

// cutting returns how e is cut. A single text has no other text that could be kept.
func (q *Sequencer) cutting(e *Encoded) Cutting {
	if !e.Pair {
		return CutLonger
	}
	return q.Cutting
}

// names returns the names of the text of a pair that is kept, and of the one that is cut.
func (q *Sequencer) names(cutting Cutting) (kept, cut string) {
	switch {
	case q.Kept != "":
		return q.Kept, q.Cuttable
	case cutting == CutFirst:
		return "second part", "first part"
	}
	return "first part", "second part"
}

// tooLong returns the error of the policy Reject for a text of n tokens, including special tokens.
func (q *Sequencer) tooLong(text int, e *Encoded, n int) error {
	words := 0
	for i := 0; q.MaxWords > 0 && i < e.Split; i++ {
		if wordStarts(e, i) {
			words++
		}
	}
	what := itoa(n) + " tokens are too long, the limit is " + itoa(q.MaxTokens) + ChoosePolicy + ", or raise MaxTokens)"
	if words > q.MaxWords {
		what = itoa(words) + " words are too long, the limit is " + itoa(q.MaxWords) + ChoosePolicy + ")"
	}
	return &runtime.TextError{Text: text, What: what, Err: runtime.ErrTooLong}
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

// slide cuts one of the texts of a window into windows of at most width tokens. Each overlaps the
// one before it by the stride. With WholeWords the overlap may be larger, because a window must
// begin with a word.
func (q *Sequencer) slide(dst []Window, e *Encoded, w Window, second bool, width int) ([]Window, error) {
	stride, lo, end := q.Long.Stride(), 0, e.Split
	if second {
		lo, end = e.Split, len(e.IDs)
	}
	for {
		hi := q.reach(e, lo, end, width)
		if second {
			w.Second, w.SecondEnd = lo, hi
		} else {
			w.First, w.FirstEnd = lo, hi
		}
		dst = append(dst, w)
		if hi == end {
			return dst, nil
		}
		next := max(hi-stride, 0)
		for q.WholeWords && !wordStarts(e, next) {
			next--
		}
		if next <= lo || q.reach(e, next, end, width) <= hi {
			return dst, q.stuck(&w, e, second, hi, width)
		}
		lo = next
	}
}

// stuck returns the error for windows of at most width tokens that cannot get past token hi.
func (q *Sequencer) stuck(w *Window, e *Encoded, second bool, hi, width int) error {
	stride, width := q.Long.Stride(), max(width, 0)
	if q.WholeWords {
		if stride == 0 || q.reach(e, hi, e.Split, width) == hi {
			return q.wideWord(w.Text, e, hi, width)
		}
		return LongFault(w.Text, "windows of %d tokens beside %s cannot overlap by %d: choose a smaller stride", width, q.frameName(), stride)
	}
	if !e.Pair {
		return LongFault(w.Text, "windows of %d tokens beside %d special tokens cannot overlap by %d: choose a smaller stride", width,
			q.Frame.Size(false), stride)
	}
	other, name := w.SecondEnd-w.Second, "second part"
	if second {
		other, name = w.FirstEnd-w.First, "first part"
	}
	if c := q.cutting(e); c != CutLonger {
		name, _ = q.names(c)
		return keptFault(w.Text, "windows of %d tokens beside %d tokens of the %s cannot overlap by %d: choose a smaller stride, or shorten the %[3]s",
			width, other, name, stride)
	}
	return LongFault(w.Text, "windows of %d tokens beside %d tokens of the %s cannot overlap by %d: choose a smaller stride", width, other, name, stride)
}

// wideWord returns the error for the word that starts at token at and has more tokens than room.
func (q *Sequencer) wideWord(text int, e *Encoded, at, room int) error {
	name, words, size := "its first word", 1, 1
	for t := 1; t <= at; t++ {
		if wordStarts(e, t) {
			words++
			name = "word " + itoa(words)
		}
	}
	for !wordStarts(e, at+size) {
		size++
	}
	return LongFault(text, "%s has %d tokens, beside %s there is room for %d", name, size, q.frameName(), room)
}

func (q *Sequencer) frameName() string {
	if q.FrameName == "" {
		return "the special tokens"
	}
	return q.FrameName
}

// reach returns the end of the longest window that begins at token lo and has at most width tokens.
func (q *Sequencer) reach(e *Encoded, lo, end, width int) int {
	hi := min(lo+max(width, 0), end)
	if !q.WholeWords {
		return hi
	}
	for hi > lo && hi < end && !wordStarts(e, hi) {
		hi--
	}
	if q.MaxWords > 0 {
		for t, words := lo, 0; t < hi; t++ {
			if t == lo || wordStarts(e, t) {
				if words++; words > q.MaxWords {
					return t
				}
			}
		}
	}
	return hi
}

// wordStarts reports whether a word of the first text starts at a token, which may be the one after
// the last.
func wordStarts(e *Encoded, t int) bool {
	return t == 0 || t == e.Split || e.Spans[t].Word != e.Spans[t-1].Word
}
