// Package pool runs units of work on persistent threads, which several models can share: make a Pool with New, and pass it to each
// model with the option runtime.SharePool. A model without this option has a pool of its own.
package pool

import (
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/ragged"

	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// MaxThreads is the largest number of threads that a pool may have.
const MaxThreads = 1024

const (
	// slotCount is the number of teams that can offer work at the same time. A team that finds no
	// free slot works alone: at such a load the threads are busy anyway.
	slotCount = 8

	// spinTime is how long an idle worker looks for work before it sleeps. It bridges the serial
	// parts between two steps of a call (some microseconds) and costs little at the end of a call.
	// Waking a sleeping worker takes 5–50 µs.
	spinTime = 60 * time.Microsecond

	// waitSpin is how long a caller spins while others finish their last units, before it sleeps.
	// Units are short unless the system took a worker's processor away.
	waitSpin = 30 * time.Microsecond

	spinsPerClock = 256 // iterations (about 5 ns each) between two readings of the clock
)

// Pool is a set of persistent worker goroutines. Each caller works along with them, so a pool of n
// threads has n-1 workers. Several models may share one pool, and any number of goroutines may run
// work at the same time.
type Pool struct {
	slots   [slotCount]atomic.Pointer[Team] // one cache line, all that idle workers read
	_       [64]byte
	parked  atomic.Int32
	closing atomic.Bool
	spin    bool
	workers []*worker
	done    sync.WaitGroup
	teams   chan *Team // reused by Pool.Run
}

type worker struct {
	index  int // worker number from 1; the caller is 0
	cpu    int // processor that it is bound to, or -1
	asleep atomic.Bool
	wake   chan struct{} // capacity 1
	_      [64]byte
}

// New starts a pool of n threads: n-1 workers, because each caller is a thread too.
func New(n int) (*Pool, error) { return startPool(n, nil) }

// NewPinned is New with each worker bound to its own physical core. Workers beyond the number of
// cores are not bound, and outside Linux no worker is. See runtime.PinThreads.
func NewPinned(n int) (*Pool, error) { return startPool(n, cpu.SpareCores()) }

// startPool starts a pool. Worker i is bound to cpus[i-1]; workers without an entry are not bound.
func startPool(n int, cpus []int) (*Pool, error) {
	if n < 1 || n > MaxThreads {
		return nil, ragged.Errorf("a pool of %d threads: it must be from 1 to %d", n, MaxThreads)
	}
	p := &Pool{teams: make(chan *Team, slotCount)}
	// Spinning pays only if every thread can have a processor.
	p.spin = n <= runtime.GOMAXPROCS(0) && n <= runtime.NumCPU()
	for i := 1; i < n; i++ {
		w := &worker{index: i, wake: make(chan struct{}, 1), cpu: -1}
		if i <= len(cpus) {
			w.cpu = cpus[i-1]
		}
		p.workers = append(p.workers, w)
		p.done.Add(1)
		go p.work(w)
	}
	return p, nil
}

// Threads returns the number of threads, including the caller. Worker numbers passed to tasks lie
// in [0, Threads).
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Close ends the workers and waits for them. Running work is still finished, by its caller if
// necessary. Later work is done by its caller alone. Closing again does nothing.
func (p *Pool) Close() {
	p.closing.Store(true)
	for _, w := range p.workers {
		p.rouse(w)
	}
	p.done.Wait()
}

// Closed reports whether Close was called.
func (p *Pool) Closed() bool { return p.closing.Load() }

// Run is Team.Run for callers that keep no Team.
func (p *Pool) Run(units int, task func(worker, unit int)) error {
	var t *Team
	select {
	case t = <-p.teams:
	default:
		t = p.NewTeam()
	}
	err := t.Run(units, task)
	select {
	case p.teams <- t:
	default:
	}
	return err
}

// Team is a caller's place in a pool. It runs one piece of work at a time, so callers that run at
// the same time need one Team each. Its memory is reused: Run allocates nothing.
type Team struct {
	pool  *Pool
	task  func(worker, unit int)
	done  chan struct{} // capacity 1
	fault atomic.Pointer[PanicError]

	_       [64]byte
	next    atomic.Int64 // the next unit to be taken
	_       [56]byte
	units   atomic.Int64
	inside  atomic.Int64 // workers that may be using task
	open    atomic.Bool  // workers may enter
	waiting atomic.Bool  // the caller sleeps until inside is 0
	_       [40]byte
}

// NewTeam returns a Team for one caller.
func (p *Pool) NewTeam() *Team { return &Team{pool: p, done: make(chan struct{}, 1)} }

// Threads returns the pool's number of threads.
func (t *Team) Threads() int { return t.pool.Threads() }

// Run calls task(worker, unit) once for each unit in [0, units), on the caller and on the workers
// that are free, and returns when all are done. Units start in rising order. worker lies in [0,
// Threads): 0 for the caller, else the worker's number. No two tasks that run at the same time have
// the same number, so a task can use it to choose scratch memory. A panic in a task, including a
// memory fault of the mapped weight file, ends the work early and is returned as a *PanicError.
// Keep each kernel call in a unit below about 100 µs, because assembly cannot be preempted.
func (t *Team) Run(units int, task func(worker, unit int)) error {
	p := t.pool
	t.task = task
	t.units.Store(int64(units))
	t.next.Store(0)
	slot := -1
	if units > 1 && len(p.workers) > 0 && !p.closing.Load() {
		t.open.Store(true)
		if slot = p.offer(t); slot >= 0 && p.parked.Load() > 0 {
			p.rouseSome(units - 1)
		}
	}
	t.take(0)
	if slot >= 0 {
		p.slots[slot].Store(nil)
	}
	t.open.Store(false)
	t.wait()
	t.task = nil
	if f := t.fault.Swap(nil); f != nil {
		return f
	}
	return nil
}

// offer makes the work visible to the workers and returns its slot, or -1 if all slots are taken.
func (p *Pool) offer(t *Team) int {
	for i := range p.slots {
		if p.slots[i].Load() == nil && p.slots[i].CompareAndSwap(nil, t) {
			return i
		}
	}
	return -1
}

// take runs units until none is left.
func (t *Team) take(worker int) {
	defer t.catch(debug.SetPanicOnFault(true))
	for {
		u := t.next.Add(1) - 1
		if u >= t.units.Load() {
			return
		}
		t.task(worker, int(u))
	}
}

// catch records a panic as the team's fault and drops the units that are left.
func (t *Team) catch(panicOnFault bool) {
	debug.SetPanicOnFault(panicOnFault)
	if v := recover(); v != nil {
		t.fault.CompareAndSwap(nil, Recovered(v))
		t.next.Store(t.units.Load())
	}
}

// wait returns when no worker is inside. Workers that come later find the team closed and touch
// nothing.
func (t *Team) wait() {
	if t.inside.Load() == 0 {
		return
	}
	if t.pool.spin {
		begin := time.Now()
		for i := 1; ; i++ {
			if t.inside.Load() == 0 {
				return
			}
			if i%spinsPerClock == 0 && time.Since(begin) > waitSpin {
				break
			}
		}
	}
	// A worker that left in the previous Run may signal late, hence the loop.
	for t.inside.Load() != 0 {
		t.waiting.Store(true)
		if t.inside.Load() == 0 && t.waiting.CompareAndSwap(true, false) {
			return
		}
		<-t.done
	}
}

// unfinished reports whether a worker can take a unit.
func (t *Team) unfinished() bool {
	return t != nil && t.open.Load() && t.next.Load() < t.units.Load()
}

// leave ends a worker's visit. The last worker to leave wakes the caller.
func (t *Team) leave() {
	if t.inside.Add(-1) == 0 && t.waiting.CompareAndSwap(true, false) {
		t.done <- struct{}{}
	}
}

// help takes part in one team's work and reports whether any was on offer.
func (p *Pool) help(w *worker) bool {
	for i := range p.slots {
		t := p.slots[i].Load()
		if !t.unfinished() {
			continue
		}
		t.inside.Add(1)
		// From here on the caller cannot go on to its next work, so check again.
		helped := t.open.Load()
		if helped {
			t.take(w.index)
		}
		t.leave()
		if helped {
			return true
		}
	}
	return false
}

// work is the loop of a worker: help, spin for a while, sleep.
func (p *Pool) work(w *worker) {
	defer p.done.Done()
	if w.cpu >= 0 {
		// The thread ends with the goroutine, so binding it affects nothing else.
		runtime.LockOSThread()
		cpu.Bind(w.cpu)
	}
	for !p.closing.Load() {
		if p.help(w) || p.spin && p.spinForWork(w) {
			continue
		}
		p.sleep(w)
	}
}

// spinForWork looks for work for spinTime and reports whether it found any.
func (p *Pool) spinForWork(w *worker) bool {
	begin := time.Now()
	for i := 1; ; i++ {
		if p.help(w) {
			return true
		}
		if i%spinsPerClock == 0 {
			if p.closing.Load() || time.Since(begin) > spinTime {
				return false
			}
			if w.cpu < 0 { // not if bound: Gosched is slow for a goroutine that is bound to its thread
				runtime.Gosched() // lets other goroutines use this processor
			}
		}
	}
}

// sleep parks a worker until rouse. After marking the worker as asleep, it looks for work once
// more, so that work offered in between is not missed.
func (p *Pool) sleep(w *worker) {
	w.asleep.Store(true)
	p.parked.Add(1)
	for i := range p.slots {
		if p.slots[i].Load().unfinished() && w.asleep.CompareAndSwap(true, false) {
			p.parked.Add(-1)
			return
		}
	}
	if p.closing.Load() && w.asleep.CompareAndSwap(true, false) {
		p.parked.Add(-1)
		return
	}
	<-w.wake
}

// rouse wakes a worker if it sleeps and reports whether it did.
func (p *Pool) rouse(w *worker) bool {
	if w.asleep.Load() && w.asleep.CompareAndSwap(true, false) {
		p.parked.Add(-1)
		w.wake <- struct{}{}
		return true
	}
	return false
}

// rouseSome wakes up to n sleeping workers.
func (p *Pool) rouseSome(n int) {
	for _, w := range p.workers {
		if n <= 0 || p.parked.Load() == 0 {
			return
		}
		if p.rouse(w) {
			n--
		}
	}
}
