package tokentest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Tokens is one recorded encoding. Offsets are in code points of the text.
type Tokens struct {
	IDs     []int32    `json:"ids"`
	Types   []int32    `json:"type_ids"`
	Mask    []int32    `json:"mask"`
	Offsets [][2]int32 `json:"offsets"`
	Words   []*int32   `json:"words"`
}

// Record is one line of encodings*.jsonl.
type Record struct {
	Text    string  `json:"text"`
	Pair    *string `json:"pair"`
	Options struct {
		Truncation string `json:"truncation"`
		MaxLength  int    `json:"max_length"`
		Stride     int    `json:"stride"`
		Direction  string `json:"direction"` // the side on which texts are cut: "right", which is the default, or "left"
		Padding    string `json:"padding"`
		Overflow   bool   `json:"overflow"`
	} `json:"options"`
	Tokens
	Overflowing []Tokens `json:"overflowing"`
	Decoded     string   `json:"decoded"`
	Error       string   `json:"error"`
}

// json opens a tokenizer.json and returns the function that compares a line with it.
func (v *verifier) json(b []byte) (func(line []byte) error, error) {
	t, err := token.FromJSON(b)
	if err != nil {
		return nil, err
	}
	return v.encodings(t)
}

// encodings returns a function that compares a line with what t does.
func (v *verifier) encodings(t *token.Tokenizer) (func(line []byte) error, error) {
	c, err := newComparer(t)
	if err != nil {
		return nil, err
	}
	return func(line []byte) error {
		var r Record
		if err := strict(line, &r); err != nil {
			return err
		}
		return c.check(&r)
	}, nil
}

// comparer encodes texts in the way that a model's users do, by a Sequencer, and compares the
// sequences with records.
type comparer struct {
	tok     tokenizer.SpanTokenizer
	noTypes bool // the model gets no token types, whatever the record has
	prefix  bool // see token.Tokenizer.PrefixSpace
	frame   tokenizer.Frame
	e       engine.Encoded
	windows []engine.Window
	s       engine.Sequence
}

func newComparer(t *token.Tokenizer) (*comparer, error) {
	m, err := token.ForModel(t)
	if err != nil {
		return nil, err
	}
	tok, ok := m.(tokenizer.SpanTokenizer)
	if !ok {
		return nil, fmt.Errorf("%T does not know the places of its tokens", m)
	}
	return &comparer{tok: tok, noTypes: t.NoTypes(), prefix: t.PrefixSpace(), frame: m.Frame()}, nil
}

// sequencer returns a Sequencer with the options of a record.
func (c *comparer) sequencer(r *Record) (engine.Sequencer, error) {
	q := engine.Sequencer{Tokenizer: c.tok, Spans: c.tok, Special: runtime.SpecialAsTokens, Frame: c.frame, MaxTokens: 1 << 30}
	o := &r.Options
	ways := map[string]engine.Cutting{"": 0, "longest_first": engine.CutLonger, "only_first": engine.CutFirst, "only_second": engine.CutSecond}
	way, known := ways[o.Truncation]
	if !known || o.Padding != "" && o.Padding != "max_length" {
		return q, fmt.Errorf("truncation %q, padding %q: unknown", o.Truncation, o.Padding)
	}
	if left := o.Direction == "left"; left && o.Overflow || !left && o.Direction != "" && o.Direction != "right" {
		return q, fmt.Errorf("direction %q: unknown, or left with overflow, which no model does", o.Direction)
	}
	if o.Truncation == "" {
		return q, nil
	}
	q.MaxTokens, q.Cutting, q.Left = o.MaxLength, way, o.Direction == "left"
	switch {
	case way == engine.CutSecond && r.Pair == nil: // there is nothing to cut: a long text is an error
	case o.Overflow:
		q.Long = runtime.Windows(o.Stride)
	default:
		q.Long = runtime.Truncate
	}
	return q, nil
}

func (c *comparer) check(r *Record) error {
	q, err := c.sequencer(r)
	if err != nil {
		return err
	}
	t := runtime.Text{First: r.Text}
	if r.Pair != nil {
		t.Second, t.Pair = *r.Pair, true
	}
	if err = q.Encode(&c.e, 0, t); err == nil {
		err = c.cut(q, r)
	}
	if none := len(c.e.IDs) == 0; err != nil && none && r.Error == "" && len(r.IDs) == 0 {
		return nil // models refuse a text without tokens, and the record has no tokens
	}
	if r.Error != "" {
		if err == nil {
			return fmt.Errorf("encoded to %d windows, want the error %q", len(c.windows), r.Error)
		}
		return nil
	}
	if err != nil {
		return err
	}
	if more := len(c.windows) - 1; more != len(r.Overflowing) && r.Options.Overflow {
		return fmt.Errorf("%d overflowing windows, want %d", more, len(r.Overflowing))
	} else if !r.Options.Overflow && len(r.Overflowing) > 0 {
		return fmt.Errorf("0 overflowing windows, want %d", len(r.Overflowing))
	}
	for i := range c.windows {
		want := &r.Tokens
		if i > 0 {
			want = &r.Overflowing[i-1]
		}
		got, err := c.tokens(&q, &c.windows[i], t, r)
		if err == nil {
			err = c.diff(got, want, &c.windows[i])
		}
		if err != nil && i > 0 {
			err = fmt.Errorf("overflowing %d: %w", i-1, err)
		}
		if err != nil {
			return err
		}
		if i > 0 {
			continue
		}
		decoded, err := c.tok.Decode(got.IDs, true)
		if err != nil {
			return err
		}
		if decoded != r.Decoded {
			return fmt.Errorf("decoded %q, want %q", decoded, r.Decoded)
		}
	}
	return nil
}

// cut makes the windows of the text in c.e, in the order of the reference.
func (c *comparer) cut(q engine.Sequencer, r *Record) (err error) {
	both := r.Pair != nil && r.Options.Truncation == "longest_first" && r.Options.Overflow
	if both { // the reference cuts both texts into windows; models see windows of one text beside the other
		q.Long = runtime.Truncate
	}
	if c.windows, _, err = q.Cut(c.windows[:0], 0, &c.e); err != nil || !both {
		return err
	}
	first := c.windows[0]
	a, err := parts(0, c.e.Split, first.FirstEnd, r.Options.Stride)
	if err != nil {
		return err
	}
	b, err := parts(c.e.Split, len(c.e.IDs), first.SecondEnd, r.Options.Stride)
	if err != nil {
		return err
	}
	c.windows = c.windows[:0]
	add := func(x, y [2]int) {
		c.windows = append(c.windows, engine.Window{First: x[0], FirstEnd: x[1], Second: y[0], SecondEnd: y[1]})
	}
	add(a[0], b[0])
	for _, x := range a[1:] {
		for _, y := range b {
			add(x, y)
		}
	}
	for _, y := range b[1:] {
		add(a[0], y)
	}
	return nil
}

// parts cuts the tokens [from, to) of one text into windows of as many tokens as the first, [from, end).
func parts(from, to, end, stride int) (list [][2]int, err error) {
	switch {
	case end == to:
		return [][2]int{{from, to}}, nil
	case end == from: // the reference has the whole text, uncut, as the window that follows an empty one
		return [][2]int{{from, from}, {from, to}}, nil
	}
	q := engine.Sequencer{MaxTokens: end - from, Long: runtime.Windows(stride)}
	windows, _, err := q.Cut(nil, 0, &engine.Encoded{IDs: make([]int32, to-from), Split: to - from})
	for _, w := range windows {
		list = append(list, [2]int{from + w.First, from + w.FirstEnd})
	}
	return list, err
}

// tokens returns what a record has of the sequence of a window.
func (c *comparer) tokens(q *engine.Sequencer, w *engine.Window, t runtime.Text, r *Record) (*Tokens, error) {
	q.Sequence(&c.s, w, &c.e)
	n := len(c.s.IDs)
	got := &Tokens{IDs: slices.Clone(c.s.IDs), Types: make([]int32, n), Mask: slices.Repeat([]int32{1}, n), Offsets: make([][2]int32, n),
		Words: make([]*int32, n)}
	copy(got.Types, c.s.Types)
	put := func(from, to, row int, text string) {
		at := runeCursor{text: text}
		for i, s := range c.e.Spans[from:to] {
			got.Offsets[row+i] = [2]int32{at.rune(s.Start), at.rune(s.End)}
			got.Words[row+i] = &s.Word
		}
	}
	put(w.First, w.FirstEnd, w.FirstRow, t.First)
	put(w.Second, w.SecondEnd, w.SecondRow, t.Second)
	if r.Options.Padding == "" {
		return got, nil
	}
	pad := c.tok.Specials().PAD // models compute no padding: that of the record must have this id
	if pad < 0 {
		return nil, errors.New("the record is padded, and the tokenizer has no pad token")
	}
	for len(got.IDs) < r.Options.MaxLength {
		got.IDs, got.Types, got.Mask = append(got.IDs, pad), append(got.Types, 0), append(got.Mask, 0)
		got.Offsets, got.Words = append(got.Offsets, [2]int32{}), append(got.Words, nil)
	}
	return got, nil
}

func (c *comparer) diff(got, want *Tokens, w *engine.Window) error {
	if c.prefix && w.First > 0 && w.First < w.FirstEnd {
		oneSpace(got, want, w.FirstRow)
	}
	if c.prefix && w.Second > c.e.Split && w.Second < w.SecondEnd {
		oneSpace(got, want, w.SecondRow)
	}
	types := want.Types
	if c.noTypes {
		types = make([]int32, len(types))
	}
	return cmp.Or(
		first("id", got.IDs, want.IDs), first("type id", got.Types, types), first("mask", got.Mask, want.Mask),
		first("offsets", got.Offsets, want.Offsets), first("word", numbers(got.Words), numbers(want.Words)),
	)
}

// oneSpace restores the character that the reference leaves in the place of a later window's first token. The reference removes white space from places after
// it has cut a text into windows. It mistakes the one space before an encoding's first token for the space that it puts before texts.
func oneSpace(got, want *Tokens, row int) {
	if row >= len(want.Offsets) {
		return
	}
	g, w := &got.Offsets[row], want.Offsets[row]
	if w[0]+1 == g[0] && (w[1] == g[1] || w[0] == w[1] && g[0] == g[1]) {
		*g = w
	}
}

// numbers returns words with -1 for tokens that belong to none.
func numbers(words []*int32) []int32 {
	list := make([]int32, len(words))
	for i, w := range words {
		if list[i] = -1; w != nil {
			list[i] = *w
		}
	}
	return list
}

// runeCursor turns byte offsets of a text into offsets in code points. It counts from the offset of
// the last call, because offsets mostly ascend.
type runeCursor struct {
	text         string
	bytes, runes int
}

func (c *runeCursor) rune(at int32) int32 {
	b := min(max(int(at), 0), len(c.text))
	if b >= c.bytes {
		c.runes += utf8.RuneCountInString(c.text[c.bytes:b])
	} else {
		c.runes -= utf8.RuneCountInString(c.text[b:c.bytes])
	}
	c.bytes = b
	return int32(c.runes)
}
