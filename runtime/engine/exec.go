package engine

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/pool"
)

// Exec is one execution: the state that the generated forward pass works on. One call at a time
// uses it, and the next call reuses it.
type Exec struct {
	Sizes
	// Batch is the call's batch, already validated. Its slices belong to the caller. If the model
	// has token types, Types is never empty.
	runtime.Batch
	// Head is the index, into Program.Heads, of the output to compute.
	Head int
	// Out receives the outputs, row-major: [B, C], [T, C], [M, C], [W, C] or [G, C] by the head's
	// Rows.
	Out []float32

	core    *Core
	arena   *Arena
	team    *pool.Team
	forward []Forward // without an adapter, and with each of them
	ctx     context.Context
	trace   runtime.TraceFunc
	past    []*Past          // Call.Past
	err     error            // first panic of a task; the call has failed from then on
	steps   *[]time.Duration // Call.Steps
	rows    []float32        // memory of TraceRows
	zeros   []int32          // token types for callers that pass none
}

// F32 returns a pointer into the arena at a byte offset of the generated plan. The pointer changes
// from call to call.
func (x *Exec) F32(off int64) *float32 { return x.arena.F32(off) }

// I32 is F32 for integers.
func (x *Exec) I32(off int64) *int32 { return x.arena.I32(off) }

// Holes returns the original positions of the rows of the sequence that begins at row first if
// some of its rows may be missing, else nil.
func (x *Exec) Holes(first int) *int32 {
	if len(x.Positions) == 0 {
		return nil
	}
	return &x.Positions[first]
}

// Run runs units of work on the pool and waits for them, see Team.Run. Make task once, in
// NewForward, so that nothing is allocated here. After a panic in a task, this call and all later
// calls of Run do nothing; Layer and the call itself report the panic.
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

// RunIf is Run for a step that only some calls need. Without on nothing runs, and the step takes no
// time.
func (x *Exec) RunIf(on bool, units int, task func(worker, unit int)) {
	switch {
	case on:
		x.Run(units, task)
	case x.steps != nil && x.err == nil:
		*x.steps = append(*x.steps, 0)
	}
}

// Layer must be called before each layer. name is the layer's name for messages. Its error reports
// that the caller's context is done, that the model is being closed, or that a task panicked. The
// forward pass must return this error at once.
func (x *Exec) Layer(name string) error {
	switch {
	case x.err != nil:
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, x.err)
	case x.core.closed.Load():
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, runtime.ErrClosed)
	}
	if err := x.ctx.Err(); err != nil {
		return fmt.Errorf("%s, before %s: %w", x.core.program.Name, name, err)
	}
	return nil
}

// Tracing reports whether results are to be passed to Trace. Code that only serves tracing checks
// it first.
func (x *Exec) Tracing() bool { return x.trace != nil && x.err == nil }

// Trace passes a result of the given shape, contiguous and row-major, to the trace hook, if there
// is one.
func (x *Exec) Trace(name string, data []float32, shape ...int) {
	if x.Tracing() {
		// A copy, so that the callers' argument lists stay off the heap when there is no hook.
		x.show(name, slices.Clone(shape), data)
	}
}

// show calls the trace hook. It names the hook in the panic of a hook, which finish turns into the error of the call.
func (x *Exec) show(name string, shape []int, data []float32) {
	defer func() {
		if v := recover(); v != nil {
			p := *pool.Recovered(v)
			p.Caller = "Trace"
			panic(&p)
		}
	}()
	x.trace(name, shape, data)
}

// TraceRows is Trace for an activation [rows, cols] whose rows start ld elements apart.
func (x *Exec) TraceRows(name string, a *float32, rows, cols, ld int) {
	if !x.Tracing() {
		return
	}
	x.rows = x.rows[:0]
	for r := range rows {
		x.rows = append(x.rows, unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(a), 4*r*ld)), cols)...)
	}
	x.show(name, []int{rows, cols}, x.rows)
}

// run computes one call whose batch is valid, with an adapter or without one (0).
func (x *Exec) run(ctx context.Context, c *Call, adapter int) (err error) {
	b := c.Batch
	x.Batch, x.Head, x.Out, x.ctx, x.trace, x.err = *b, c.Head, c.Out, ctx, c.Trace, nil
	if x.steps = c.Steps; x.steps != nil {
		*x.steps = (*x.steps)[:0]
	}
	x.past = c.Past
	x.Sizes = b.Sizes()
	x.Threads = x.team.Threads()
	for s := range x.past {
		x.N = max(x.N, b.Length(s)+x.pastTokens(s))
	}
	if x.trace == nil {
		x.trace = x.core.options.Trace
	}
	if x.core.program.Limits.Types > 0 && len(x.Types) == 0 {
		x.zeros = resize(x.zeros, x.T) // nobody writes to it, so it stays 0
		x.Types = x.zeros
	}
	defer x.finish(debug.SetPanicOnFault(true), &err)
	if err := x.arena.Grow(x.core.program.Arena(x.Sizes)); err != nil {
		return err
	}
	if err := x.forward[adapter](); err != nil {
		return err
	}
	if x.err != nil {
		return fmt.Errorf("%s: %w", x.core.program.Name, x.err)
	}
	return nil
}

// finish turns a panic into an error and drops references to what belongs to the caller.
func (x *Exec) finish(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	if v := recover(); v != nil {
		*err = fmt.Errorf("%s: %w", x.core.program.Name, pool.Recovered(v))
	}
	x.Batch, x.past, x.Out, x.ctx, x.trace, x.steps = runtime.Batch{}, nil, nil, nil, nil, nil
}
