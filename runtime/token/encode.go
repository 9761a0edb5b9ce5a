package token

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
)

// Truncation is which text is cut if the tokens do not fit.
type Truncation uint8

const (
	// NoTruncation cuts nothing: the encoding has as many tokens as the text.
	NoTruncation Truncation = iota
	// LongestFirst shortens the longer text, and both if neither fits into half of the room.
	LongestFirst
	// OnlyFirst shortens the text, never its pair.
	OnlyFirst
	// OnlySecond shortens the pair, never the text.
	OnlySecond
)

// ErrTooShort is wrapped by the error for a text that is shorter than what must be cut from it.
var ErrTooShort = errors.New("the sequence to truncate is too short for the length asked for")

// Options holds the settings of Encode. The zero value encodes the whole text with the template's special tokens around
// it.
type Options struct {
	// Special is how the names of special tokens in the text are read.
	Special Special
	// NoTemplate leaves out the template's special tokens.
	NoTemplate bool
	// MaxLength is the maximum number of tokens, including special tokens. Truncation is which text is cut to reach it.
	Truncation Truncation
	MaxLength  int
	// Stride is the number of tokens that an overflowing window shares with the one before it.
	Stride int
	// Overflow keeps what was cut off, as windows in Encoding.Overflowing.
	Overflow bool
	// PadTo is the number of tokens up to which an encoding is padded.
	PadTo int
	// NoOffsets leaves Offsets and Words empty, which is faster.
	NoOffsets bool
}

// Encoding is a text, or a pair of texts, as tokens. All slices except Overflowing have one entry per token. A reused
// Encoding keeps its memory.
type Encoding struct {
	// IDs holds the token ids, Types the template's segment ids.
	IDs, Types []int32
	// Offsets holds the bytes of the text that each token stands for; 0,0 for special tokens of the template and for
	// padding.
	Offsets []Span
	// Words holds the indices of words (parts that the tokenizer cuts the text into), -1 for special tokens and
	// padding.
	Words []int32
	// Sources holds where each token comes from: 0 the text, 1 its pair, -1 the template or padding.
	Sources []int8
	// Live is the number of tokens before the padding: the attention mask is 1 for the first Live tokens.
	Live int
	// Truncated is the number of the texts' tokens that are not in this encoding.
	Truncated int
	// Overflowing holds the further windows, if they were asked for.
	Overflowing []Encoding
}

// RuneOffsets appends the encoding's offsets in code points to dst. text is the text and pair its pair, or empty. A
// byte that is not valid UTF-8 counts as one code point.
func (e *Encoding) RuneOffsets(dst []Span, text, pair string) []Span {
	var at [2]runeCursor
	at[0].text, at[1].text = text, pair
	for i, o := range e.Offsets {
		if src := e.Sources[i]; src >= 0 {
			o = Span{at[src].rune(o.Start), at[src].rune(o.End)}
		}
		dst = append(dst, o)
	}
	return dst
}

// runeCursor counts code points from the offset of the last call, because offsets mostly ascend.
type runeCursor struct {
	text        string
	bytes, runs int
}

func (c *runeCursor) rune(at int32) int32 {
	b := min(max(int(at), 0), len(c.text))
	if b >= c.bytes {
		c.runs += utf8.RuneCountInString(c.text[c.bytes:b])
	} else {
		c.runs -= utf8.RuneCountInString(c.text[b:c.bytes])
	}
	c.bytes = b
	return int32(c.runs)
}

// AppendIDs appends the ids of text to dst, without the template's special tokens.
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

// lengthError is the fault of a text with too many bytes. It is runtime.ErrTooLong.
type lengthError struct{ bytes int }

func (e *lengthError) Error() string {
	return fmt.Sprintf("a text of %d bytes (at most %d)", e.bytes, MaxTextBytes)
}

func (e *lengthError) Is(target error) bool { return target == runtime.ErrTooLong }

// Encode encodes one text into dst.
func (t *Tokenizer) Encode(dst *Encoding, text string, o Options) error {
	return t.encode(dst, text, "", false, o)
}

// EncodePair encodes a text and its pair into dst. Either may be empty.
func (t *Tokenizer) EncodePair(dst *Encoding, text, pair string, o Options) error {
	return t.encode(dst, text, pair, true, o)
}

func (t *Tokenizer) encode(dst *Encoding, text, pair string, two bool, o Options) error {
	if err := errors.Join(checkLength(text), checkLength(pair)); err != nil {
		return err
	}
	s := t.get()
	defer t.put(s)
	s.runs[0].reset(!o.NoOffsets, t.template.trim)
	s.out = &s.runs[0]
	s.texts = [2]string{text, pair}
	if err := s.text(text, o.Special); err != nil {
		return err
	}
	s.runs[1].reset(!o.NoOffsets, t.template.trim)
	if two {
		s.out = &s.runs[1]
		if err := s.text(pair, o.Special); err != nil {
			return err
		}
	}
	return t.assemble(dst, s, two, o)
}

// EncodeWords encodes words that the caller has cut, each by itself, as one text. Words holds indices into words, and
// Offsets are relative to the word.
func (t *Tokenizer) EncodeWords(dst *Encoding, words []string, o Options) error {
	for _, w := range words {
		if err := checkLength(w); err != nil {
			return err
		}
	}
	s := t.get()
	defer t.put(s)
	r := &s.runs[0]
	r.reset(!o.NoOffsets, t.template.trim)
	s.runs[1].reset(!o.NoOffsets, t.template.trim)
	s.out, s.parts = r, words
	for i, w := range words {
		n := len(r.words)
		if err := s.text(w, o.Special); err != nil {
			return err
		}
		for j := n; j < len(r.words); j++ {
			r.words[j] = int32(i)
		}
	}
	return t.assemble(dst, s, false, o)
}

// reset empties e and keeps its memory.
func (e *Encoding) reset() {
	e.IDs, e.Types, e.Offsets, e.Words, e.Sources = e.IDs[:0], e.Types[:0], e.Offsets[:0], e.Words[:0], e.Sources[:0]
	e.Live, e.Truncated = 0, 0
	e.Overflowing = e.Overflowing[:0]
}

// window is a range of a run's tokens.
type window struct{ lo, hi int }

// assemble truncates, adds the template's special tokens, and pads.
func (t *Tokenizer) assemble(dst *Encoding, s *scratch, two bool, o Options) error {
	dst.reset()
	if o.PadTo < 0 || o.PadTo > maxID || o.PadTo > 0 && t.ids.PAD < 0 {
		return fmt.Errorf("a PadTo of %d (want 0 to %d, and a tokenizer with a pad token)", o.PadTo, maxID)
	}
	items := t.template.single
	if two {
		items = t.template.pair
	}
	extra := 0
	for i := range items {
		if items[i].source < 0 && !o.NoTemplate {
			extra += len(items[i].ids)
		}
	}
	keep, err := lengths(len(s.runs[0].ids), len(s.runs[1].ids), two, extra, o)
	if err != nil {
		return err
	}
	for i := range s.windows {
		w, err := windows(s.windows[i][:0], len(s.runs[i].ids), keep[i], o.Stride)
		if err != nil {
			return err
		}
		s.windows[i] = w
	}
	a, b := s.windows[0], s.windows[1]
	t.fill(dst, s, items, a[0], b[0], o)
	if !o.Overflow {
		return nil
	}
	// The order is that of the json form's reference: each further window of the text with all windows of the pair,
	// then the text's first window with the further windows of the pair.
	next := func(a, b window) {
		if n := len(dst.Overflowing); n < cap(dst.Overflowing) {
			dst.Overflowing = dst.Overflowing[:n+1]
		} else {
			dst.Overflowing = append(dst.Overflowing, Encoding{})
		}
		e := &dst.Overflowing[len(dst.Overflowing)-1]
		e.reset()
		t.fill(e, s, items, a, b, o)
	}
	if more := (len(a)-1)*len(b) + len(b) - 1; more > maxWindows {
		return fmt.Errorf("the texts overflow into %d windows (at most %d)", more, maxWindows)
	}
	for _, x := range a[1:] {
		for _, y := range b {
			next(x, y)
		}
	}
	for _, y := range b[1:] {
		next(a[0], y)
	}
	return nil
}

// maxWindows bounds the number of windows of a pair, which is the product of those of both texts.
const maxWindows = 1 << 16

// lengths returns how many tokens of each text are kept.
func lengths(n0, n1 int, two bool, extra int, o Options) (keep [2]int, err error) {
	keep = [2]int{n0, n1}
	if o.Truncation == NoTruncation {
		return keep, nil
	}
	if o.MaxLength < extra {
		return keep, fmt.Errorf("a MaxLength of %d, but the template alone has %d tokens: %w", o.MaxLength, extra, ErrTooShort)
	}
	if o.Stride < 0 {
		return keep, fmt.Errorf("a Stride of %d (want 0 or more)", o.Stride)
	}
	room := o.MaxLength - extra
	if room == 0 {
		return [2]int{}, nil
	}
	over := n0 + n1 - room
	if over <= 0 {
		return keep, nil
	}
	switch o.Truncation {
	case OnlyFirst, OnlySecond:
		i := 0
		if o.Truncation == OnlySecond {
			if i = 1; !two {
				return keep, fmt.Errorf("the truncation is OnlySecond, but there is no second text: %w", ErrTooShort)
			}
		}
		if keep[i] <= over {
			return keep, fmt.Errorf("%d tokens have to go from a text of %d: %w", over, keep[i], ErrTooShort)
		}
		keep[i] -= over
	case LongestFirst:
		if !two {
			keep[0] = room
			break
		}
		short, long := min(n0, n1), 0
		if short > room {
			long = short
		} else {
			long = max(short, room-short)
		}
		if short+long > room {
			short = room / 2
			long = short + room%2
		}
		keep = [2]int{short, long}
		if n0 > n1 {
			keep = [2]int{long, short}
		}
	default:
		return keep, fmt.Errorf("truncation %d is unknown", o.Truncation)
	}
	return keep, nil
}

// windows cuts n tokens into windows of keep tokens that share stride tokens. There is always a first window.
func windows(w []window, n, keep, stride int) ([]window, error) {
	if keep >= n {
		return append(w, window{0, n}), nil
	}
	if keep == 0 {
		return append(w, window{0, 0}, window{0, n}), nil
	}
	if stride >= keep {
		return nil, fmt.Errorf("a Stride of %d, but only %d tokens of the text fit (it must be smaller)", stride, keep)
	}
	for lo := 0; ; lo += keep - stride {
		hi := min(lo+keep, n)
		w = append(w, window{lo, hi})
		if hi == n {
			return w, nil
		}
	}
}

// fill writes one encoding.
func (t *Tokenizer) fill(e *Encoding, s *scratch, items []templateItem, a, b window, o Options) {
	for i := range items {
		it := &items[i]
		if it.source < 0 {
			if !o.NoTemplate {
				e.ids(it.ids, it.kind, o)
			}
			continue
		}
		r, w := &s.runs[it.source], a
		if it.source == 1 {
			w = b
		}
		e.IDs = append(e.IDs, r.ids[w.lo:w.hi]...)
		for range w.hi - w.lo {
			e.Types = append(e.Types, it.kind)
			e.Sources = append(e.Sources, it.source)
		}
		if !o.NoOffsets {
			n := len(e.Offsets)
			e.Offsets = append(e.Offsets, r.spans[w.lo:w.hi]...)
			if r.trim {
				s.trim(e.Offsets[n:], w, it.source)
			}
			e.Words = append(e.Words, r.words[w.lo:w.hi]...)
		}
	}
	e.Live = len(e.IDs)
	e.Truncated = len(s.runs[0].ids) - (a.hi - a.lo) + len(s.runs[1].ids) - (b.hi - b.lo)
	if len(e.IDs) < o.PadTo {
		pad := [1]int32{t.ids.PAD}
		n := o.PadTo - len(e.IDs)
		e.IDs, e.Types = slices.Grow(e.IDs, n), slices.Grow(e.Types, n)
		for range n {
			e.ids(pad[:], 0, o)
		}
	}
}

// trim removes white space from the offsets of a window of a text's tokens.
func (s *scratch) trim(spans []Span, w window, source int8) {
	r, text := &s.runs[source], s.texts[source]
	for i, e := range r.edges[w.lo:w.hi] {
		if e == (edge{}) {
			continue
		}
		if s.parts != nil {
			text = s.parts[r.words[w.lo+i]]
		}
		spans[i] = e.trim(text, spans[i], i == 0, s.t.template.prefix)
	}
}

// ids appends tokens that do not come from a text.
func (e *Encoding) ids(ids []int32, kind int32, o Options) {
	for _, id := range ids {
		e.IDs = append(e.IDs, id)
		e.Types = append(e.Types, kind)
		e.Sources = append(e.Sources, -1)
		if !o.NoOffsets {
			e.Offsets = append(e.Offsets, Span{})
			e.Words = append(e.Words, -1)
		}
	}
}
