package engine

import (
	"fmt"
	"unsafe"
)

// arenaStep is the granularity, in bytes, in which an arena grows.
const arenaStep = 256 << 10

// Arena is one block of memory, aligned to [Alignment], that holds the activations of one call. The
// generated plan assigns an offset in it to each buffer. An Arena belongs to one Exec and is not
// safe for concurrent use.
type Arena struct {
	mem   []byte
	free  func()
	limit int64
}

// NewArena returns an empty arena that will not grow beyond limit bytes.
func NewArena(limit int64) *Arena { return &Arena{limit: limit} }

// Grow makes room for size bytes. If the block is large enough, Grow keeps it. Otherwise it
// allocates a new block, which is zeroed: the old contents are lost. A size beyond the limit is an
// error and leaves the arena as it is; after any other error the arena is empty.
func (a *Arena) Grow(size int64) error {
	if size <= int64(len(a.mem)) {
		return nil
	}
	if size > a.limit {
		return fmt.Errorf("the call needs an arena of %d bytes, the bound from the spec is %d", size, a.limit)
	}
	// The block grows by at least half, so that slowly rising lengths do not grow it each time.
	want := min(roundUp(max(size, int64(len(a.mem))*3/2), arenaStep), max(size, a.limit))
	if int64(int(want)) != want {
		return fmt.Errorf("the call needs an arena of %d bytes, more than this machine can address", size)
	}
	a.Free()
	mem, free, err := block(int(want))
	if err != nil {
		return fmt.Errorf("the arena: %w", err)
	}
	a.mem, a.free = mem, free
	return nil
}

// Bytes returns the size of the block.
func (a *Arena) Bytes() int64 { return int64(len(a.mem)) }

// Limit returns the bound that was passed to NewArena, in bytes.
func (a *Arena) Limit() int64 { return a.limit }

// F32 returns a pointer to byte offset off. The generated plan promises that off lies below the
// size passed to Grow. The pointer is valid until Free, or until a Grow that allocates.
func (a *Arena) F32(off int64) *float32 { return (*float32)(unsafe.Pointer(&a.mem[off])) }

// I32 is F32 for integers.
func (a *Arena) I32(off int64) *int32 { return (*int32)(unsafe.Pointer(&a.mem[off])) }

// Free releases the memory. The arena can grow again.
func (a *Arena) Free() {
	if a.free != nil {
		a.free()
	}
	a.mem, a.free = nil, nil
}
