package runtime

import (
	goruntime "runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"
)

// MaxThreads bounds the threads of a pool.
const MaxThreads = 1024

const (
	// slotCount is the number of teams that can have work on offer at once. A team
	// that finds no free slot works alone: at such a load the threads are busy.
	slotCount = 8

	// spinTime is how long an idle worker looks for work before it sleeps. It
	// bridges the serial parts between two steps of a call (some microseconds) and
	// costs little at a call's end. Waking a sleeper takes 5–50 µs.
	spinTime = 60 * time.Microsecond

	// waitSpin is how long a caller spins for the last units of others before it
	// sleeps. Units are short unless the system took a worker's processor away.
	waitSpin = 30 * time.Microsecond

	spinsPerClock = 256 // looks (about 5 ns each) between two readings of the clock
)

// Pool is a set of persistent worker goroutines. Each caller works along with
// them, so a pool of n threads has n-1 workers. Several models may share one, and
// any number of goroutines may run work at the same time.
type Pool struct {
	slots   [slotCount]atomic.Pointer[Team] // one cache line, all that idle workers look at
	_       [64]byte
	parked  atomic.Int32
	closing atomic.Bool
	spin    bool
	workers []*worker
	done    sync.WaitGroup
	teams   chan *Team // for Run
}

type worker struct {
	index  int // from 1; the caller is 0
	cpu    int // that it is bound to, or -1
	asleep atomic.Bool
	wake   chan struct{} // capacity 1
	_      [64]byte
}

// NewPool starts a pool of n threads, the caller included: n-1 workers.
func NewPool(n int) (*Pool, error) { return startPool(n, nil) }

// NewPinnedPool is NewPool with each worker bound to a physical core of its own, as
// far as there are so many and the system is Linux. See PinThreads.
func NewPinnedPool(n int) (*Pool, error) { return startPool(n, workerCPUs()) }

// startPool starts a pool whose workers are bound to the given processors in turn.
func startPool(n int, cpus []int) (*Pool, error) {
	if n < 1 || n > MaxThreads {
		return nil, input("a pool of %d threads: it must be from 1 to %d", n, MaxThreads)
	}
	p := &Pool{teams: make(chan *Team, slotCount)}
	// Spinning pays only where every thread can have a processor.
	p.spin = n <= goruntime.GOMAXPROCS(0) && n <= goruntime.NumCPU()
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

// Threads is the number of threads, the caller included: worker numbers given to
// tasks lie in [0, Threads).
func (p *Pool) Threads() int { return len(p.workers) + 1 }

// Close ends the workers and waits for them. Work that is going on is finished,
// by its caller if need be; later work is done by its caller alone. Further calls
// do nothing.
func (p *Pool) Close() {
	p.closing.Store(true)
	for _, w := range p.workers {
		p.rouse(w)
	}
	p.done.Wait()
}

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

// Team is a caller's place in a pool. It runs one piece of work at a time; callers
// that run at the same time need a Team each. Its memory is reused, so Run
// allocates nothing.
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
	open    atomic.Bool  // whether they may
	waiting atomic.Bool  // the caller sleeps until inside is 0
	_       [40]byte
}

// NewTeam returns a Team for one caller.
func (p *Pool) NewTeam() *Team { return &Team{pool: p, done: make(chan struct{}, 1)} }

// Threads is the pool's number of threads.
func (t *Team) Threads() int { return t.pool.Threads() }

// Run calls task(worker, unit) once for each unit in [0, units), on the caller and
// whatever workers are free, and returns when all are done. Units are handed out
// in rising order to whoever is free; worker, in [0, Threads), is the caller's (0)
// or the worker's number, the same for no two tasks at a time, so it can choose
// scratch memory. A panic in a task (memory faults of the weight file's mapping
// included) ends the work early and is returned as a *PanicError. Keep a unit
// below about 100 µs per kernel call: assembly cannot be preempted.
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

// offer shows the work to the workers; -1 if all slots are taken.
func (p *Pool) offer(t *Team) int {
	for i := range p.slots {
		if p.slots[i].Load() == nil && p.slots[i].CompareAndSwap(nil, t) {
			return i
		}
	}
	return -1
}

// take works off units until none is left.
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

// catch turns a panic into the team's fault; the units that are left are dropped.
func (t *Team) catch(panicOnFault bool) {
	debug.SetPanicOnFault(panicOnFault)
	if v := recover(); v != nil {
		t.fault.CompareAndSwap(nil, newPanicError(v))
		t.next.Store(t.units.Load())
	}
}

// wait returns when no worker is inside. Workers that come later find the team
// closed and touch nothing.
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

// unfinished reports whether there are units for a worker to take.
func (t *Team) unfinished() bool {
	return t != nil && t.open.Load() && t.next.Load() < t.units.Load()
}

// leave ends a worker's visit and wakes the caller if it was the last.
func (t *Team) leave() {
	if t.inside.Add(-1) == 0 && t.waiting.CompareAndSwap(true, false) {
		t.done <- struct{}{}
	}
}

// help takes part in one team's work, if any is on offer.
func (p *Pool) help(w *worker) bool {
	for i := range p.slots {
		t := p.slots[i].Load()
		if !t.unfinished() {
			continue
		}
		t.inside.Add(1)
		// Only now can the caller not go on to its next work: look again.
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

// work is a worker's life: help, spin a while, sleep.
func (p *Pool) work(w *worker) {
	defer p.done.Done()
	if w.cpu >= 0 {
		// The thread ends with the goroutine, so its binding touches nothing else.
		goruntime.LockOSThread()
		bindThread(w.cpu)
	}
	for !p.closing.Load() {
		if p.help(w) || p.spin && p.spinForWork(w) {
			continue
		}
		p.sleep(w)
	}
}

// spinForWork looks for work for spinTime.
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
			if w.cpu < 0 { // for a goroutine bound to its thread this is slow
				goruntime.Gosched() // other goroutines have a right to this processor
			}
		}
	}
}

// sleep parks a worker until rouse. It looks once more after announcing itself, so
// that work offered in between is not missed.
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

// rouse wakes a worker if it sleeps.
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
