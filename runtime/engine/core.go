package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// Core is an open model: weights, threads and a bounded number of executions. It is safe for
// concurrent use and allocates nothing in steady state.
type Core struct {
	*state
	weights *Weights // those of the file, or as a call with an adapter reads them
	adapter int      // number of the adapter, from 1; 0: none
}

// state is what the views of a model share.
type state struct {
	program *Program
	options runtime.Options // resolved: defaults are filled in
	limited bool            // MaxTokens was set by an option
	isa     cpu.ISA
	base    *Weights // those of the file
	views   []*Core  // without an adapter, and with each of them
	pool    *pool.Pool
	ownPool bool
	token   tokenizer.Tokenizer // nil: ids only
	execs   []*Exec
	free    chan *Exec
	test    TestResult

	closed  atomic.Bool
	closing chan struct{}
	life    sync.RWMutex // calls hold it for reading, Close for writing
}

// Call is one forward pass.
type Call struct {
	Head  int               // index into the program's heads
	Batch *runtime.Batch    // input tokens
	Out   []float32         // outputs, row-major, one row for each of the head's Rows; it must have exactly this length
	Past  []*Past           // for each sequence what was computed before its tokens, or nil for nothing; empty: no sequence has a past
	Trace runtime.TraceFunc // overrides the model's option Trace; nil: the option is used

	// Steps, if not nil, receives the duration of each step of the call, in the order of the
	// schedule. It is emptied first. If its capacity is large enough, nothing is allocated.
	Steps *[]time.Duration
}

// Open opens the model in the packed weight file at path. It maps the file, checks the header, the
// sizes and the hashes of header and spec, chooses kernels, starts the threads and runs the
// self-test.
func Open(p *Program, path string, opts ...runtime.Option) (*Core, error) {
	return OpenAt(p, path, 0, -1, opts...)
}

// OpenBytes is Open for a packed weight file in memory, such as one embedded with go:embed.
func OpenBytes(p *Program, name string, data []byte, opts ...runtime.Option) (*Core, error) {
	return open(p, opts, func(*runtime.Options) (*Weights, error) { return WeightsFromBytes(name, data, p.Want) })
}

// OpenAt is Open for weights that lie inside another file, such as the program itself. They start
// at byte offset and are size bytes long; a negative size means up to the end of the file.
func OpenAt(p *Program, path string, offset, size int64, opts ...runtime.Option) (*Core, error) {
	return open(p, opts, func(o *runtime.Options) (*Weights, error) {
		w, err := OpenWeightsAt(path, offset, size, p.Want)
		if err != nil || !o.Copy {
			return w, err
		}
		defer w.Close()
		return w.copied()
	})
}

func open(p *Program, opts []runtime.Option, load func(*runtime.Options) (*Weights, error)) (_ *Core, err error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	c := &Core{state: &state{program: p, closing: make(chan struct{})}}
	c.views = []*Core{c}
	for i, o := range opts {
		if o == nil {
			return nil, ragged.Errorf("option %d of %d is nil: leave it out", i+1, len(opts))
		}
		if err := o(&c.options); err != nil {
			return nil, err
		}
	}
	if err := c.options.Check(); err != nil { // callers can write options of their own
		return nil, err
	}
	if c.isa, err = cpu.PickISA(os.Getenv(cpu.EnvISA), c.options.ISA, p.ISAs); err != nil {
		err = fmt.Errorf("package %s: %w", p.Name, err)
		if c.options.ISA != "" && c.options.ISA != "auto" { // the caller forced it, not the environment
			err = &ragged.Error{Text: err.Error(), Cause: err}
		}
		return nil, err
	}
	c.options.ISA = c.isa.String()
	if c.weights, err = load(&c.options); err != nil {
		return nil, err
	}
	c.base = c.weights
	if err = c.resolve(); err == nil && c.options.Verify {
		err = c.weights.checkAll(c.options.Threads)
	}
	if err == nil {
		c.weights.inPlace = true
		err = c.weights.explain(guard(c.start))
		c.weights.inPlace = false
	}
	if err == nil && !c.options.SkipTest {
		trace := c.options.Trace // meant for the user's calls
		c.options.Trace = nil
		c.test, err = c.selfTest()
		c.options.Trace = trace
		if err != nil && !errors.Is(err, runtime.ErrChanged) {
			err = fmt.Errorf("%s: the self-test failed: %w", c.weights.Name(), err)
		}
	}
	if err != nil {
		c.release() // err is the error that matters
		return nil, err
	}
	return c, nil
}

// resolve replaces zero options by their defaults and checks the options against the limits.
func (c *Core) resolve() error {
	o, l := &c.options, c.program.Limits
	if o.Pool != nil {
		o.Threads = o.Pool.Threads()
	}
	if o.Threads == 0 {
		o.Threads = cpu.DefaultThreads()
		if most := c.program.Threads; most > 0 {
			o.Threads = min(o.Threads, most)
		}
	}
	if most := c.program.Threads; most > 0 && o.Threads > most {
		return ragged.Errorf("%d threads: the spec's target allows %d; raise it and compile again", o.Threads, most)
	}
	if o.Concurrency == 0 {
		o.Concurrency = max(1, cpu.DefaultThreads()/o.Threads)
	}
	if o.MaxTokens > l.SequenceTokens {
		return ragged.Errorf("MaxTokens(%d): the spec's seq allows %d; raise it and compile again", o.MaxTokens, l.SequenceTokens)
	}
	if c.limited = o.MaxTokens != 0; !c.limited {
		o.MaxTokens = l.SequenceTokens
		if own := c.weights.Meta().MaxTokens; own > 0 {
			o.MaxTokens = min(own, o.MaxTokens)
		}
	}
	if o.BatchTokens > l.BatchTokens {
		return ragged.Errorf("BatchTokens(%d): the spec allows %d; raise it and compile again", o.BatchTokens, l.BatchTokens)
	}
	if o.BatchTokens == 0 {
		o.BatchTokens = min(l.BatchTokens, max(o.MaxTokens, defaultBatchTokens))
	}
	return nil
}

// defaultBatchTokens is the number of tokens per pass above which more tokens bring no more speed:
// up to here the activations fit a typical L3 cache, and the cost of reading the weights is spread
// over many rows.
const defaultBatchTokens = 2048

// start makes everything that a call needs.
func (c *Core) start() (err error) {
	o, p := &c.options, c.program
	if c.pool = o.Pool; c.pool == nil {
		start := pool.New
		if o.Pin {
			start = pool.NewPinned
		}
		if c.pool, err = start(o.Threads); err != nil {
			return err
		}
		c.ownPool, o.Pool = true, c.pool
	}
	if c.token = o.Tokenizer; c.token == nil && p.Tokenizer != nil && c.weights.Has(TokenizerTensor) {
		// A copy, because tokenizers may keep parts of it. They are used outside of calls too, when
		// Close may have unmapped the file.
		data, err := c.weights.bytes(TokenizerTensor, 0)
		if err != nil {
			return err
		}
		if c.token, err = p.Tokenizer(c.weights.Meta().Tokenizer, bytes.Clone(data)); err != nil {
			reason := "the packed tokenizer is damaged, or this package cannot read it: " + again
			return &runtime.WeightsError{File: c.weights.Name(), Tensor: TokenizerTensor, Reason: reason, Err: err}
		}
	}
	o.Tokenizer = c.token
	if err := c.checkRoom(c.limited); err != nil {
		return err
	}
	newForward, err := c.bindAll()
	if err != nil {
		return fmt.Errorf("%s: %w", c.weights.Name(), err)
	}
	l := p.Limits
	limit := p.Arena(l.Sizes(o.Threads))
	c.free = make(chan *Exec, o.Concurrency)
	for range o.Concurrency {
		x := &Exec{core: c, arena: NewArena(limit), team: c.pool.NewTeam()}
		for _, f := range newForward {
			forward, err := f(x)
			if err != nil {
				return fmt.Errorf("%s: %w", c.weights.Name(), err)
			}
			x.forward = append(x.forward, forward)
		}
		c.execs = append(c.execs, x)
		c.free <- x
	}
	return nil
}

// bind lets the generated package read weights and returns the function that makes its forward passes.
func (c *Core) bind(w *Weights) (newForward NewForward, err error) {
	err = guard(func() error {
		newForward, err = c.program.Bind(w, c.isa)
		return err
	})
	if err == nil {
		err = w.Err()
	}
	return newForward, err
}

// Run computes one forward pass. While all executions are busy, it waits for one until ctx is done.
// Errors in the batch wrap ErrInput.
func (c *Core) Run(ctx context.Context, call Call) error {
	if ctx == nil {
		return ragged.Errorf("the context is nil")
	}
	if call.Head < 0 || call.Head >= len(c.program.Heads) {
		return ragged.Errorf("head %d: this model has %d", call.Head, len(c.program.Heads))
	}
	if call.Batch == nil {
		return ragged.Errorf("the batch is nil")
	}
	if err := call.Batch.Validate(c.program.Limits); err != nil {
		return err
	}
	head := &c.program.Heads[call.Head]
	switch want := head.OutLen(call.Batch); {
	case want == 0 && head.Parts != nil:
		return ragged.Errorf("the batch has neither labels nor queries for head %q", head.Name)
	case want == 0:
		return ragged.Errorf("the batch has no row for head %q, which has one row per %v", head.Name, head.Rows)
	case len(call.Out) != want:
		return ragged.Errorf("room for %d outputs, head %q computes %d", len(call.Out), head.Name, want)
	}
	c.life.RLock()
	defer c.life.RUnlock()
	x, err := c.acquire(ctx)
	if err != nil {
		return err
	}
	defer func() { c.free <- x }()
	if err := c.takePasts(&call); err != nil {
		return err
	}
	if err = x.run(ctx, &call, c.adapter); err != nil {
		err = c.weights.explain(err)
	} else if !c.weights.mem.Whole() { // explain would check again, and the file may be whole by now
		err = unreadable(c.weights.name, "", runtime.ErrChanged)
	}
	call.leavePasts(err == nil)
	return err
}

// acquire waits for an idle execution.
func (c *Core) acquire(ctx context.Context) (*Exec, error) {
	if c.closed.Load() {
		return nil, runtime.ErrClosed
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case x := <-c.free:
		return x, nil
	default:
	}
	select {
	case x := <-c.free:
		return x, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-c.closing:
		return nil, runtime.ErrClosed
	}
}

// Close stops running calls at their next layer, waits for them, and frees weights, memory and
// threads. Later calls return ErrClosed. Closing again does nothing. Closing a view that Adapter has
// returned closes the model and all its views.
func (c *Core) Close() error {
	if !c.closed.CompareAndSwap(false, true) {
		return nil
	}
	close(c.closing)
	c.life.Lock()
	defer c.life.Unlock()
	return c.release()
}

func (c *Core) release() error {
	for _, x := range c.execs {
		x.arena.Free()
	}
	if c.ownPool {
		c.pool.Close()
	}
	if c.base == nil {
		return nil
	}
	return c.base.Close()
}

// CheckWeights compares every tensor of the weights with the hash recorded when it was packed, and
// names the first tensor that differs. If the model maps its file, CheckWeights reads all of the
// file with system calls. If the weights were copied into memory (CopyWeights, OpenBytes, or a
// system that cannot map files), the model has no file any more: CheckWeights reads the copy, which
// is what the model computes with, and a later change of the file does not count.
func (c *Core) CheckWeights() error {
	c.life.RLock()
	defer c.life.RUnlock()
	if c.closed.Load() {
		return runtime.ErrClosed
	}
	return c.base.checkAll(c.options.Threads)
}

// Program returns the program that the model was opened with.
func (c *Core) Program() *Program { return c.program }

// Options returns the settings in force, with defaults filled in. ISA is the instruction set in use. Pool is the
// model's own pool if it shares none, and Close closes it. Tokenizer is what Tokenizer returns.
func (c *Core) Options() runtime.Options { return c.options }

// Tokenizer returns the model's tokenizer, or nil if the model takes ids only.
func (c *Core) Tokenizer() tokenizer.Tokenizer { return c.token }

// Tensor returns a copy of an F32 tensor of the weights. Callers use it to compute on a head's
// outputs after the forward pass.
func (c *Core) Tensor(name string) ([]float32, error) {
	c.life.RLock()
	defer c.life.RUnlock()
	if c.closed.Load() {
		return nil, runtime.ErrClosed
	}
	if !c.weights.Has(name) {
		return nil, &runtime.WeightsError{File: c.weights.Name(), Tensor: name, Reason: unknownTensor}
	}
	return c.weights.floats(name)
}

// Meta returns the metadata of the packed file.
func (c *Core) Meta() Meta { return c.weights.Meta() }

// HeadIndex returns the index of the head with this name; "" means the first head.
func (c *Core) HeadIndex(name string) (int, error) {
	if name == "" {
		return 0, nil
	}
	var names []string
	for i, h := range c.program.Heads {
		if h.Name == name {
			return i, nil
		}
		names = append(names, h.Name)
	}
	if names == nil {
		return 0, ragged.Errorf("no head %q in package %s, which has no heads: it returns the rows of the last layer", name, c.program.Name)
	}
	return 0, ragged.Errorf("no head %q in package %s (there is: %s)", name, c.program.Name, strings.Join(names, ", "))
}

// Report describes an open model. The verbs doctor and bench print it.
type Report struct {
	Package     string     `json:"package"`
	Weights     string     `json:"weights"`      // path
	WeightBytes int64      `json:"weight_bytes"` // size of the file
	Layout      string     `json:"layout"`
	SpecHash    string     `json:"spec_sha256"`
	ISA         string     `json:"isa"`      // instruction set in use
	Compiled    []string   `json:"compiled"` // instruction sets of the package
	Threads     int        `json:"threads"`
	Concurrency int        `json:"concurrency"`
	ArenaBytes  int64      `json:"arena_bytes"` // present size of the arenas of all executions
	ArenaLimit  int64      `json:"arena_limit"` // upper bound of ArenaBytes
	MaxTokens   int        `json:"max_tokens"`  // limit on the tokens of a text
	SelfTest    TestResult `json:"self_test"`
	Adapters    []string   `json:"adapters,omitempty"` // names
	Adapter     string     `json:"adapter,omitempty"`  // in use
}

// Report describes the open model. It waits for running calls, because their arenas may grow.
func (c *Core) Report() (Report, error) {
	c.life.Lock()
	defer c.life.Unlock()
	if c.closed.Load() {
		return Report{}, runtime.ErrClosed
	}
	r := Report{
		Package: c.program.Name, Weights: c.weights.Name(), WeightBytes: c.weights.Size(),
		Layout: c.weights.Meta().Layout, SpecHash: c.weights.Meta().SpecHash,
		ISA: c.isa.String(), Threads: c.options.Threads, Concurrency: c.options.Concurrency,
		MaxTokens: c.options.MaxTokens, SelfTest: c.test, Adapters: c.Adapters(), Adapter: c.AdapterInUse(),
	}
	for _, i := range c.program.ISAs {
		r.Compiled = append(r.Compiled, i.String())
	}
	for _, x := range c.execs {
		r.ArenaBytes += x.arena.Bytes()
		r.ArenaLimit += x.arena.Limit()
	}
	return r, nil
}
