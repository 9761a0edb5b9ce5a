package trainer

import (
	"context"
	"fmt"
	"runtime/debug"
	"slices"
	"time"
	"unsafe"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// Exec is what a generated training step works on.
type Exec struct {
	engine.Sizes
	// Batch is the step's batch, already validated. Its slices belong to the caller. If the model has token types, Types is never empty.
	runtime.Batch

	// Keys holds the keys of dropout of the pass, two numbers each.
	Keys []int32

	owner   *Trainer
	arena   *engine.Arena
	team    *pool.Team
	updates []Step
	ctx     context.Context
	batch   *Batch
	err     error            // first panic of a task; the step has failed from then on
	steps   *[]time.Duration // durations of the nodes, if asked for
	out     map[string]float32
	numbers map[string][]float32
	counts  map[string][]int32 // of the whole batch
	zeros   []int32            // token types for callers that pass none
	noise   []float32          // the delta for callers that pass none
	traced  map[string]Traced
	none    []int32           // targets for callers that pass none
	part    int               // number of the part of the batch that runs
	carried map[carry][]int32 // see Carry
}

// carry is a value of a part of a batch.
type carry struct {
	name string
	part int
}

// F32 returns a pointer into the arena at a byte offset of the generated plan. The pointer changes from step to step.
func (x *Exec) F32(off int64) *float32 { return x.arena.F32(off) }

// I32 is F32 for integers.
func (x *Exec) I32(off int64) *int32 { return x.arena.I32(off) }

// Holes returns the original positions of the rows of the sequence that begins at row first if some of its rows may be missing, else nil.
func (x *Exec) Holes(first int) *int32 {
	if len(x.Positions) == 0 {
		return nil
	}
	return &x.Positions[first]
}

// Integers returns the numbers of a target, or a number of the whole batch.
func (x *Exec) Integers(name string) []int32 {
	if n := x.counts[name]; n != nil {
		return n
	}
	list := x.batch.Integers[name]
	for i := range x.owner.program.Targets {
		if t := &x.owner.program.Targets[i]; t.Name == name && t.Optional && list == nil {
			for len(x.none) < t.Want(x.Sizes) {
				x.none = append(x.none, -1) // nobody writes to it
			}
			return x.none[:t.Want(x.Sizes)]
		}
	}
	return list
}

// Carry keeps n numbers that a pass has computed for that of the next optimizer, which follows when this pass has run over all parts of the batch.
func (x *Exec) Carry(name string, p *int32, n int) {
	key := carry{name, x.part}
	x.carried[key] = append(x.carried[key][:0], unsafe.Slice(p, n)...)
}

// Recall writes what Carry has kept for this part of the batch.
func (x *Exec) Recall(name string, p *int32, n int) {
	copy(unsafe.Slice(p, n), x.carried[carry{name, x.part}])
}

// Floats returns the numbers of a target.
func (x *Exec) Floats(name string) []float32 { return x.batch.Floats[name] }

// Numbers returns the numbers of the step, such as the learning rate, for which the program has room of its own.
func (x *Exec) Numbers(name string) []float32 {
	if x.numbers[name] == nil {
		x.numbers[name] = make([]float32, numbersOfStep)
	}
	return x.numbers[name]
}

// Zero reports whether n numbers from p on are 0.
func Zero(p *float32, n int) bool {
	return !slices.ContainsFunc(unsafe.Slice(p, n), func(x float32) bool { return x != 0 })
}

// numbersOfStep is the room for the numbers of one name: a whole vector.
const numbersOfStep = 16

// Set records a number that the step has computed, such as the loss.
func (x *Exec) Set(name string, v float32) { x.out[name] = v }

// Kept returns the places of what is kept from step to step: of all tensors, then of the gradients of those that are trained, of
// their sums over the parts of a batch, and of what the optimizer keeps.
func (x *Exec) Kept() []*float32 {
	t := x.owner
	var list []*float32
	for _, b := range []*block{&t.values, &t.grads, &t.sums, &t.states} {
		for i := range b.params {
			list = append(list, b.arena.F32(b.at[i]))
		}
	}
	return list
}

// Rows returns a table of pointers of the shape of a table of places, see [Fill].
func Rows(places [][]int) [][]*float32 {
	table := make([][]*float32, len(places))
	for i, row := range places {
		table[i] = make([]*float32, len(row))
	}
	return table
}

// Fill sets the entries of a table to the places with the numbers in another table of the same shape.
func Fill(table [][]*float32, place []*float32, numbers [][]int) {
	for i, row := range numbers {
		for k, n := range row {
			table[i][k] = place[n]
		}
	}
}

// Run runs units of work on the pool and waits for them. After a panic in a task, this call and all later calls of Run do nothing; Layer and the step itself
// report the panic.
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

// Layer must be called before each region. Its error reports that the caller's context is done or that a task panicked. The step must return this error at
// once.
func (x *Exec) Layer(name string) error {
	err := x.err
	if err == nil {
		err = x.ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s, before %s: %w", x.owner.program.Name, name, err)
	}
	return nil
}

// begin prepares a pass over a part of a valid batch.
func (x *Exec) begin(ctx context.Context, b *Batch, part int) error {
	x.batch, x.Batch, x.ctx, x.part = b, b.Batch, ctx, part
	x.Sizes = b.Sizes()
	x.Threads = x.team.Threads()
	clear(x.out)
	x.Keys = x.Keys[:0]
	for site := range x.owner.program.Keys {
		k := dropout.KeyOf(x.owner.options.Seed, x.owner.step, part, site, 0)
		x.Keys = append(x.Keys, int32(k[0]), int32(k[1]))
	}
	if x.owner.program.Limits.Types > 0 && len(x.Types) == 0 {
		if len(x.zeros) < x.T {
			x.zeros = make([]int32, x.T) // nobody writes to it, so it stays 0
		}
		x.Types = x.zeros[:x.T]
	}
	if err := x.drawDelta(part); err != nil {
		return err
	}
	return x.arena.Grow(x.owner.program.Arena(x.Sizes))
}

// Traced is a copy of a value that a pass has computed: rows of numbers.
type Traced struct {
	Rows, Columns int
	Numbers       []float32
}

// Trace keeps a copy of a value, whose rows lie ld floats apart.
func (x *Exec) Trace(name string, p *float32, rows, columns, ld int) {
	t := Traced{Rows: rows, Columns: columns}
	for r := range rows {
		t.Numbers = append(t.Numbers, unsafe.Slice(engine.At(p, r*ld), columns)...)
	}
	x.traced[name] = t
}

// call runs a part of a step.
func (x *Exec) call(part func() error) (err error) {
	defer x.finish(debug.SetPanicOnFault(true), &err)
	if err := part(); err != nil {
		return err
	}
	if x.err != nil {
		return fmt.Errorf("%s: %w", x.owner.program.Name, x.err)
	}
	return nil
}

// release drops references to what belongs to the caller.
func (x *Exec) release() { x.Batch, x.batch, x.ctx, x.steps = runtime.Batch{}, nil, nil, nil }

// finish turns a panic into an error.
func (x *Exec) finish(panicOnFault bool, err *error) {
	debug.SetPanicOnFault(panicOnFault)
	if v := recover(); v != nil {
		*err = fmt.Errorf("%s: %w", x.owner.program.Name, pool.Recovered(v))
	}
}
