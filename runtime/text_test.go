package runtime

import (
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestTruncatePair: what is kept fills the room; the shorter text loses nothing before
// the longer one has come down to its length.
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

// TestSlideCovers: windows are in order, full but for the last, overlap by the stride
// and together hold every token of the longer text and all of the other.
func TestSlideCovers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.IntRange(0, 60).Draw(t, "a"), rapid.IntRange(0, 60).Draw(t, "b")
		stride := rapid.IntRange(0, 5).Draw(t, "stride")
		room := rapid.IntRange(min(a, b)+stride+1, 80).Draw(t, "room")
		if a+b <= room {
			return
		}
		e := encoded{ids: make([]int32, a+b), split: a, pair: b > 0}
		list, err := e.slide(nil, 7, stride, room)
		require.NoError(t, err)
		end := -1
		for i, w := range list {
			require.Equal(t, 7, w.text)
			lo, hi, other := w.first, w.last, w.behind-w.second
			if b > a {
				lo, hi, other = w.second-a, w.behind-a, w.last-w.first
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
}

func TestAppendSequence(t *testing.T) {
	f := Frame{Open: []int32{1}, Middle: []int32{2, 2}, Close: []int32{3}, SecondType: 1}
	var b Batch
	pair := encoded{ids: []int32{10, 11, 12, 20, 21}, split: 3, pair: true}
	single := encoded{ids: []int32{30}, split: 1}
	l := Limits{Types: 2, Prefix: true}
	appendSequence(&b, &pair, window{0, 0, 2, 3, 5}, &f, l)
	appendSequence(&b, &single, window{1, 0, 1, 1, 1}, &f, l)
	require.Equal(t, Batch{
		IDs:    []int32{1, 10, 11, 2, 2, 20, 21, 3, 1, 30, 3},
		Starts: []int32{0, 8, 11},
		Types:  []int32{0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0},
		Prefix: []int32{5, 0},
	}, b)
	b.Reset()
	appendSequence(&b, &single, window{0, 0, 1, 1, 1}, &f, Limits{})
	require.Equal(t, []int32{1, 30, 3}, b.IDs)
	require.Empty(t, b.Types)
	require.Empty(t, b.Prefix)
}

// TestNoRoom: what leaves nothing for the text is said so, and no smaller stride is asked for.
func TestNoRoom(t *testing.T) {
	e := encoded{ids: []int32{5, 6, 7}, split: 3}
	for _, c := range []struct {
		policy LongPolicy
		limit  int
	}{{Truncate, 1}, {Windows(0), 1}, {Windows(0), 2}} {
		_, _, err := e.fit(nil, 4, c.policy, c.limit, 2)
		require.ErrorIs(t, err, ErrInput)
		require.ErrorContains(t, err, "text 4: the limit of")
		require.ErrorContains(t, err, "leaves no room beside 2 special tokens")
	}
	_, cut, err := e.fit(nil, 4, Truncate, 2, 2)
	require.NoError(t, err)
	require.Equal(t, 3, cut, "cutting may leave nothing, and says so")
}
