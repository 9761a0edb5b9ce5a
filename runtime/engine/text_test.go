package engine

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// fitted returns the windows of text number n, numbered by Cut.
func fitted(e *Encoded, n int, q Sequencer, frame int) ([]Window, int, error) {
	list, cut, err := q.fit(nil, n, e, frame)
	for i := range list {
		list[i].Index = i
	}
	return list, cut, err
}

// TestTruncatePair checks that the kept tokens fill the room, and that the shorter text loses
// nothing before the longer one has come down to its length.
func TestTruncatePair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.IntRange(0, 40).Draw(t, "a"), rapid.IntRange(0, 40).Draw(t, "b")
		if a+b == 0 {
			return
		}
		room := rapid.IntRange(0, a+b-1).Draw(t, "room")
		ka, kb := truncate(a, b, room)
		require.Equal(t, room, ka+kb)
		require.True(t, ka >= 0 && ka <= a && kb >= 0 && kb <= b, "%d of %d, %d of %d", ka, a, kb, b)
		if ka < a && kb < b {
			require.LessOrEqual(t, max(ka, kb)-min(ka, kb), 1)
		}
		if kb < b && ka == a {
			require.LessOrEqual(t, ka, kb+1)
		}
		if ka < a && kb == b {
			require.LessOrEqual(t, kb, ka+1)
		}
	})
	ka, kb := truncate(10, 10, 7)
	require.Equal(t, []int{3, 4}, []int{ka, kb}, "of equal texts the second keeps the odd token")
	ka, kb = truncate(11, 10, 7)
	require.Equal(t, []int{4, 3}, []int{ka, kb}, "else the longer one")
}

// TestSlideCovers checks that windows are in order, full except for the last, overlap by the
// stride, and together hold every token of the longer text and all of the other.
func TestSlideCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.IntRange(0, 60).Draw(t, "a"), rapid.IntRange(0, 60).Draw(t, "b")
		if rapid.Bool().Draw(t, "equal") {
			b = a // the first text is cut into windows
		}
		stride := rapid.IntRange(0, 5).Draw(t, "stride")
		room := rapid.IntRange(min(a, b)+stride+1, 80).Draw(t, "room")
		if a+b <= room {
			return
		}
		e := Encoded{IDs: make([]int32, a+b), Split: a, Pair: b > 0}
		list, cut, err := fitted(&e, 7, Sequencer{Long: runtime.Windows(stride), Cutting: CutLonger, MaxTokens: room}, 0)
		require.Zero(t, cut)
		require.NoError(t, err)
		end := -1
		for i, w := range list {
			require.Equal(t, 7, w.Text)
			lo, hi, other := w.First, w.FirstEnd, w.SecondEnd-w.Second
			if b > a {
				lo, hi, other = w.Second-a, w.SecondEnd-a, w.FirstEnd-w.First
			}
			require.Equal(t, min(a, b), other)
			if i > 0 {
				require.Equal(t, end-stride, lo)
			} else {
				require.Zero(t, lo)
			}
			if i < len(list)-1 {
				require.Equal(t, room, hi-lo+other)
			}
			require.Greater(t, hi, end)
			end = hi
		}
		require.Equal(t, max(a, b), end)
	})
	e := Encoded{IDs: make([]int32, 8), Split: 4, Pair: true}
	list, _, err := fitted(&e, 0, Sequencer{Long: runtime.Windows(1), Cutting: CutLonger, MaxTokens: 7}, 0)
	require.NoError(t, err)
	require.Equal(t, []Window{{FirstEnd: 3, Second: 4, SecondEnd: 8}, {Index: 1, First: 2, FirstEnd: 4, Second: 4, SecondEnd: 8}},
		list, "of two equally long texts the first slides")
}

// TestCutSecond checks that the first text stays whole, whatever the lengths.
func TestCutSecond(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.IntRange(0, 20).Draw(t, "a"), rapid.IntRange(0, 60).Draw(t, "b")
		room := rapid.IntRange(1, 40).Draw(t, "room")
		stride := rapid.IntRange(0, 3).Draw(t, "stride")
		e := Encoded{IDs: make([]int32, a+b), Split: a, Pair: true}
		list, cut, err := fitted(&e, 3, Sequencer{Long: runtime.Truncate, Cutting: CutSecond, MaxTokens: room}, 0)
		switch {
		case a+b > room && a >= room:
			require.ErrorIs(t, err, runtime.ErrInput)
			require.ErrorContains(t, err, "text 3: ")
			require.ErrorContains(t, err, "tokens of the first part")
			require.ErrorIs(t, err, runtime.ErrTooLong)
		default:
			require.NoError(t, err)
			require.Equal(t, max(0, a+b-room), cut)
			require.Equal(t, []Window{{Text: 3, FirstEnd: a, Second: a, SecondEnd: a + b - cut}}, list)
		}
		list, _, err = fitted(&e, 3, Sequencer{Long: runtime.Windows(stride), Cutting: CutSecond, MaxTokens: room}, 0)
		if a+b > room && room-a <= stride {
			require.ErrorIs(t, err, runtime.ErrInput)
			return
		}
		require.NoError(t, err)
		at := a
		for i, w := range list {
			require.Equal(t, []int{i, 0, a}, []int{w.Index, w.First, w.FirstEnd})
			if i > 0 {
				at -= stride
			}
			require.Equal(t, at, w.Second)
			at = w.SecondEnd
		}
		require.Equal(t, a+b, at)
	})
}

// TestNoRoom checks the message when no room is left for the text: it does not ask for a smaller
// stride.
func TestNoRoom(t *testing.T) {
	e := Encoded{IDs: []int32{5, 6, 7}, Split: 3}
	for _, c := range []struct {
		policy runtime.LongPolicy
		limit  int
	}{{runtime.Truncate, 1}, {runtime.Windows(0), 1}, {runtime.Windows(0), 2}} {
		_, _, err := fitted(&e, 4, Sequencer{Long: c.policy, Cutting: CutLonger, MaxTokens: c.limit}, 2)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "text 4: the limit of")
		require.ErrorContains(t, err, "leaves no room beside 2 special tokens")
	}
	_, cut, err := fitted(&e, 4, Sequencer{Long: runtime.Truncate, Cutting: CutLonger, MaxTokens: 2}, 2)
	require.NoError(t, err)
	require.Equal(t, 3, cut, "all tokens may be cut, and the count reports it")
}

// TestCutFirst checks that the second text stays whole, whatever the lengths.
func TestCutFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.IntRange(0, 60).Draw(t, "a"), rapid.IntRange(0, 20).Draw(t, "b")
		room := rapid.IntRange(1, 40).Draw(t, "room")
		stride := rapid.IntRange(0, 3).Draw(t, "stride")
		e := Encoded{IDs: make([]int32, a+b), Split: a, Pair: true}
		list, cut, err := fitted(&e, 3, Sequencer{Long: runtime.Truncate, Cutting: CutFirst, MaxTokens: room}, 0)
		if a+b > room && b >= room {
			require.ErrorIs(t, err, runtime.ErrInput)
			require.ErrorContains(t, err, "tokens of the second part")
			require.ErrorIs(t, err, runtime.ErrTooLong)
		} else {
			require.NoError(t, err)
			require.Equal(t, max(0, a+b-room), cut)
			require.Equal(t, []int{0, a, a + b}, []int{list[0].First, list[0].Second, list[0].SecondEnd})
		}
		list, _, err = fitted(&e, 3, Sequencer{Long: runtime.Windows(stride), Cutting: CutFirst, MaxTokens: room}, 0)
		if err != nil {
			require.Greater(t, a+b, room)
			require.LessOrEqual(t, room-b, stride)
			return
		}
		end := 0
		for i, w := range list {
			require.Equal(t, []int{a, a + b}, []int{w.Second, w.SecondEnd})
			if i > 0 {
				require.Equal(t, end-stride, w.First)
			}
			end = w.FirstEnd
		}
		require.Equal(t, a, end)
	})
}

// TestWholeWords checks windows of whole words, and the messages about words and overlaps that do not fit.
func TestWholeWords(t *testing.T) {
	words := func(sizes ...int) *Encoded {
		e := &Encoded{}
		for w, n := range sizes {
			for range n {
				e.IDs, e.Spans = append(e.IDs, 1), append(e.Spans, tokenizer.Span{Word: int32(w)})
			}
		}
		e.Split = len(e.IDs)
		return e
	}
	q := Sequencer{WholeWords: true, MaxTokens: 5, Long: runtime.Windows(1), FrameName: "the labels"}
	list, seen, err := q.Cut(nil, 0, words(2, 2, 2, 1))
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 7, Windows: 2}, seen)
	var cuts [][2]int
	for _, w := range list {
		cuts = append(cuts, [2]int{w.First, w.FirstEnd})
	}
	require.Equal(t, [][2]int{{0, 4}, {2, 7}}, cuts)
	for want, c := range map[string]struct {
		policy runtime.LongPolicy
		most   int
		e      *Encoded
	}{
		"its first word has 6 tokens, beside the labels there is room for 5":       {runtime.Windows(0), 0, words(6, 1)},
		"word 2 has 7 tokens, beside the labels there is room for 5":               {runtime.Windows(0), 0, words(2, 7)},
		"word 3 has 6 tokens, beside the labels there is room for 5":               {runtime.Windows(1), 0, words(2, 2, 6)},
		"windows of 5 tokens beside the labels cannot overlap by 4: choose a smal": {runtime.Windows(4), 0, words(3, 2, 2)},
		"8 tokens are too long, the limit is 5":                                    {runtime.Reject, 9, words(4, 4)},
		"3 words are too long, the limit is 2":                                     {runtime.Reject, 2, words(1, 1, 1)},
	} {
		q.Long, q.MaxWords = c.policy, c.most
		_, _, err := q.Cut(nil, 4, c.e)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorIs(t, err, runtime.ErrTooLong)
		require.ErrorContains(t, err, "text 4: "+want)
	}
	q.Long, q.MaxWords = runtime.Truncate, 2
	_, seen, err = q.Cut(nil, 0, words(1, 1, 1))
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 2, Truncated: 1, Windows: 1}, seen)
}

// TestRowsOfWords checks where a sequence holds each word: in the rows of its tokens, after the special tokens before them. Words of the second text count
// anew.
func TestRowsOfWords(t *testing.T) {
	e := &Encoded{IDs: []int32{11, 12, 13, 14, 15}, Split: 3, Pair: true}
	for _, w := range []int32{0, 1, 1, 0, 1} {
		e.Spans = append(e.Spans, tokenizer.Span{Word: w})
	}
	frame := tokenizer.Frame{Open: []int32{1}, Middle: []int32{2, 3}, Close: []int32{2}}
	for _, words := range []bool{true, false} {
		q := Sequencer{Words: words, MaxTokens: 20, Frame: frame}
		list, _, err := q.Cut(nil, 0, e)
		require.NoError(t, err)
		require.Len(t, list, 1)
		var s Sequence
		q.Sequence(&s, &list[0], e)
		require.Equal(t, []int32{1, 11, 12, 13, 2, 3, 14, 15, 2}, s.IDs)
		if words {
			require.Equal(t, []int32{1, 2, 2, 4, 6, 7, 7, 8}, s.Words, "[from, to) of each word")
		} else {
			require.Empty(t, s.Words)
		}
	}
}

// TestInvalidBytes checks that texts that are not UTF-8 are refused by the place of the byte, and that U+FFFD itself is a character like others.
func TestInvalidBytes(t *testing.T) {
	var q Sequencer
	for text, want := range map[string]string{"a\xffb": "byte 1 (0xff)", "\ufffd\xe2\x82": "byte 3 (0xe2)", "\x80": "byte 0 (0x80)"} {
		err := CheckUTF8("the label", text)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "the label: "+want)
		require.ErrorContains(t, q.Encode(&Encoded{}, 5, runtime.Text{First: text}), "text 5: "+want)
		require.ErrorContains(t, q.Encode(&Encoded{}, 5, runtime.Text{First: "x", Second: text, Pair: true}), "text 5: its second part: "+want)
	}
	require.NoError(t, CheckUTF8("the label", "\ufffd é"))
}
