package engine

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
)

func TestArena(t *testing.T) {
	a := NewArena(10 << 20)
	defer a.Free()
	require.Zero(t, a.Bytes())
	for _, size := range []int64{1, 1000, 300 << 10, 3 << 20, 9 << 20, 10 << 20} {
		require.NoError(t, a.Grow(size))
		require.GreaterOrEqual(t, a.Bytes(), size)
		require.LessOrEqual(t, a.Bytes(), a.Limit())
		require.Zero(t, uintptr(unsafe.Pointer(a.F32(0)))%Alignment)
		require.Zero(t, *a.I32(size / 8 * 4), "new memory is zero")
		*a.F32((size - 1) / 4 * 4) = 1
	}
	before := a.F32(64)
	*before = 5
	require.NoError(t, a.Grow(100))
	require.Same(t, before, a.F32(64), "a smaller call keeps the block")
	require.ErrorContains(t, a.Grow(10<<20+1), "the bound from the spec is 10485760")
	require.Equal(t, float32(5), *a.F32(64), "a refused call keeps the block")
	require.Zero(t, testing.AllocsPerRun(10, func() { _ = a.Grow(10 << 20) }))
	a.Free()
	a.Free()
	require.Zero(t, a.Bytes())
	require.NoError(t, a.Grow(5))
}

// TestArenaStep checks that rising lengths grow the arena in steps, not each time.
func TestArenaStep(t *testing.T) {
	a := NewArena(64 << 20)
	defer a.Free()
	grown, last := 0, int64(0)
	for size := int64(1000); size <= 64<<20; size += 64 << 10 {
		require.NoError(t, a.Grow(size))
		if a.Bytes() != last {
			grown, last = grown+1, a.Bytes()
		}
	}
	require.Less(t, grown, 20)
}

func TestBlocks(t *testing.T) {
	for _, size := range []int{0, 1, 63, 64, 4096, hugePage - 1, hugePage, hugePage + 1} {
		b, drop, err := block(size)
		require.NoError(t, err)
		require.Len(t, b, size)
		require.True(t, aligned(b))
		for i := range b {
			b[i] = 1
		}
		drop()
	}
}
