package runtime

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"
)

// TraceFunc receives a named intermediate result: row-major, of that shape. data is
// reused after it returns; it must copy what it keeps. It must not call the model.
type TraceFunc func(name string, shape []int, data []float32)

// Exec is one execution: what the generated forward pass works on. It is used by
// one call at a time and reused by the next.
type Exec struct {
	Sizes
	// Batch is the call's batch, validated. Its slices belong to the caller. If the
	// model has token types, Types is never empty.
	Batch
	// Head is the output asked for, an index into Program.Heads.
	Head int
	// Out is to be filled, row-major: [B, C], [T, C], [M, C] or [G, C] by the head's Rows.
	Out []float32

	core    *Core
	arena   *Arena
	team    *Team
	forward Forward
	ctx     context.Context
	trace   TraceFunc
	err     error            // first panic of a task; the call is lost from there on
	steps   *[]time.Duration // Call.Steps
	rows    []float32        // of TraceRows
	zeros   []int32          // token types of callers that give none
}

// F32 points into the arena at a byte offset of the generated plan. It changes from
// call to call.
func (x *Exec) F32(off int64) *float32 { return x.arena.F32(off) }

// I32 is F32 for integers.
func (x *Exec) I32(off int64) *int32 { return x.arena.I32(off) }

// Run runs units of work on the pool and waits, see Team.Run. task should be made
// once, in NewForward, so that nothing is allocated here. After a panic in a task
// this and all later calls of Run do nothing; Layer and the call report it.
func (x *Exec) Run(units int, task func(worker, unit int)) {
	switch {
	case x.err != nil:
	case x.steps == nil:
		x.err = x.team.Run(units, task)
	default:
		begin := time.Now()
		x.err = x.team.Run(units, task)
		*x.steps = append(*x.steps, time.Since(begin))
	}
}

// Layer is to be called before each layer, with its name for messages. Its error
// says that the caller's context is done, that the model is being closed, or that
// a task panicked; the forward pass must return it at once.
func (x *Exec) Layer(name string) error {
	switch {
	case x.err != nil:
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, x.err)
	case x.core.closed.Load():
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, ErrClosed)
	}
	if err := x.ctx.Err(); err != nil {
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, err)
	}
	return nil
}

// Tracing reports whether results are to be shown to Trace. Code that only serves
// tracing asks it first.
func (x *Exec) Tracing() bool { return x.trace != nil && x.err == nil }

// Trace shows a result of the given shape, contiguous and row-major, to the trace
// hook, if there is one.
func (x *Exec) Trace(name string, data []float32, shape ...int) {
	if x.Tracing() {
		// A copy, so that callers' argument lists stay off the heap when nobody traces.
		x.trace(name, slices.Clone(shape), data)
	}
}

// TraceRows shows an activation [rows, cols] whose rows start ld elements apart.
func (x *Exec) TraceRows(name string, a *float32, rows, cols, ld int) {
	if !x.Tracing() {
		return
	}
	src := unsafe.Slice(a, (rows-1)*ld+cols)
	x.rows = x.rows[:0]
	for r := range rows {
		x.rows = append(x.rows, src[r*ld:r*ld+cols]...)
	}
	x.trace(name, []int{rows, cols}, x.rows)
}

// run computes one call whose batch is valid.
func (x *Exec) run(ctx context.Context, c *Call) (err error) {
	b := c.Batch
	x.Batch, x.Head, x.Out, x.ctx, x.trace, x.err = *b, c.Head, c.Out, ctx, c.Trace, nil
	if x.steps = c.Steps; x.steps != nil {
		*x.steps = (*x.steps)[:0]
	}
	x.past = c.Past
	x.Sizes = Sizes{
		B: b.Sequences(), T: b.Tokens(), N: b.Longest(), Threads: x.team.Threads(),
		M: len(b.Rows), W: len(b.Words) / 2, C: len(b.Marks), G: b.Pairs(),
	}
	for s := range x.past {
		x.N = max(x.N, b.rowsOf(s)+x.pastTokens(s))
	}
	if x.trace == nil {
		x.trace = x.core.options.Trace
	}
	if x.core.program.Limits.Types > 0 && len(x.Types) == 0 {
		x.zeros = resize(x.zeros, x.T) // nobody writes them: they stay 0
		x.Types = x.zeros
	}
	defer x.finish(debug.SetPanicOnFault(true), &err)
	if err := x.arena.Grow(x.core.program.Arena(x.Sizes)); err != nil {
		return err
	}
	if err := x.forward(); err != nil {
		return err
	}
	if x.err != nil {
		return fmt.Errorf("%s: %w", x.core.program.Name, x.err)
	}
	return nil
}

// finish turns a panic into an error and lets go of what belongs to the caller.
func (x *Exec) finish(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	if v := recover(); v != nil {
		*err = fmt.Errorf("%s: %w", x.core.program.Name, newPanicError(v))
	}
	x.Batch, x.Out, x.ctx, x.trace, x.steps = Batch{}, nil, nil, nil, nil
}
