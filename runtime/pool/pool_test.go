package pool

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/ragged"
)

func newPool(t testing.TB, n int) *Pool {
	t.Helper()
	p, err := New(n)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// TestRunCoversUnits checks that each unit runs once and that no two tasks at a time have the same
// worker number.
func TestRunCoversUnits(t *testing.T) {
	for _, threads := range []int{1, 2, 3, 8} {
		for _, procs := range []int{1, 2, 4} {
			t.Run(fmt.Sprintf("threads=%d procs=%d", threads, procs), func(t *testing.T) {
				defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
				p := newPool(t, threads)
				require.Equal(t, threads, p.Threads())
				team := p.NewTeam()
				for _, units := range []int{0, 1, 2, 7, 100} {
					for range 20 {
						count := make([]atomic.Int32, units)
						busy := make([]atomic.Bool, threads)
						require.NoError(t, team.Run(units, func(worker, unit int) {
							if !busy[worker].CompareAndSwap(false, true) {
								t.Error("two tasks at a time with worker number", worker)
							}
							count[unit].Add(1)
							busy[worker].Store(false)
						}))
						for u := range count {
							require.EqualValues(t, 1, count[u].Load(), "unit %d", u)
						}
					}
				}
			})
		}
	}
}

// TestRunPublishes checks that the caller and the tasks of the next Run see what tasks write. The
// race detector watches plain memory here.
func TestRunPublishes(t *testing.T) {
	p := newPool(t, 4)
	team := p.NewTeam()
	const n = 64
	a, b := make([]int, n), make([]int, n)
	for round := range 300 {
		require.NoError(t, team.Run(n, func(_, u int) { a[u] = b[n-1-u] + 1 }))
		require.NoError(t, team.Run(n, func(_, u int) { b[u] = a[n-1-u] }))
		require.Equal(t, round+1, b[round%n])
	}
}

// TestPinned checks that bound workers do the same work and leave the process's affinity as it is.
func TestPinned(t *testing.T) {
	before := cpu.Allowed()
	p, err := NewPinned(3)
	require.NoError(t, err)
	for range 200 {
		n := atomic.Int32{}
		require.NoError(t, p.Run(10, func(_, _ int) { n.Add(1) }))
		require.EqualValues(t, 10, n.Load())
	}
	p.Close()
	require.Equal(t, before, cpu.Allowed())
}

func TestManyCallers(t *testing.T) {
	p := newPool(t, 3)
	var wg sync.WaitGroup
	for range 2 * slotCount {
		wg.Go(func() {
			team := p.NewTeam()
			for range 100 {
				sum := atomic.Int64{}
				if err := team.Run(20, func(_, u int) { sum.Add(int64(u)) }); err != nil || sum.Load() != 190 {
					t.Error(sum.Load(), err)
				}
				if err := p.Run(5, func(_, u int) { sum.Add(1) }); err != nil || sum.Load() != 195 {
					t.Error(sum.Load(), err)
				}
			}
		})
	}
	wg.Wait()
}

// TestNested checks that a task may run work of its own, by another team.
func TestNested(t *testing.T) {
	p := newPool(t, 3)
	n := atomic.Int32{}
	require.NoError(t, p.Run(4, func(_, _ int) {
		if err := p.Run(5, func(_, _ int) { n.Add(1) }); err != nil {
			t.Error(err)
		}
	}))
	require.EqualValues(t, 20, n.Load())
}

// TestWorkersTakePart checks that workers take part if there are processors for them.
func TestWorkersTakePart(t *testing.T) {
	p := newPool(t, 3)
	var seen [3]atomic.Int32
	require.Eventually(t, func() bool {
		_ = p.Run(30, func(w, _ int) {
			seen[w].Add(1)
			time.Sleep(100 * time.Microsecond)
		})
		return seen[0].Load() > 0 && seen[1].Load() > 0 && seen[2].Load() > 0
	}, 20*time.Second, time.Millisecond)
}

func TestPanicBecomesError(t *testing.T) {
	for _, threads := range []int{1, 3} {
		p := newPool(t, threads)
		team := p.NewTeam()
		cause := errors.New("seventh")
		for range 20 {
			const units = 1000
			ran := atomic.Int32{}
			joined := make(chan struct{})
			var once sync.Once
			err := team.Run(units, func(_, u int) {
				ran.Add(1)
				switch {
				case u == 7:
					if threads > 1 {
						<-joined
					}
					panic(cause)
				case u > 7: // on another thread, and long enough that this thread cannot run all units before the panic is caught
					once.Do(func() { close(joined) })
					time.Sleep(time.Millisecond)
				}
			})
			if threads == 1 {
				require.EqualValues(t, 8, ran.Load(), "units are done in order, and none after the panic")
			} else {
				require.Less(t, ran.Load(), int32(units), "the units that are left when a panic is caught are dropped")
			}
			var e *PanicError
			require.ErrorAs(t, err, &e)
			require.Equal(t, cause, e.Value)
			require.Contains(t, string(e.Stack), "TestPanicBecomesError")
			require.ErrorContains(t, err, "internal error: seventh")
			require.NoError(t, team.Run(1000, func(_, _ int) {}), "the next work is not affected")
		}
		err := team.Run(3, func(_, u int) { _ = make([]int, 3)[u+3] })
		require.ErrorContains(t, err, "out of range")
	}
}

func TestCloseEndsWorkers(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 5 {
		p, err := New(5)
		require.NoError(t, err)
		require.NoError(t, p.Run(10, func(_, _ int) {}))
		p.Close()
		p.Close()
		n := atomic.Int32{}
		require.NoError(t, p.Run(10, func(w, _ int) { n.Add(1 + int32(w)) }))
		require.EqualValues(t, 10, n.Load(), "after Close the caller works alone")
	}
	for deadline := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "%d goroutines, %d before", runtime.NumGoroutine(), before)
	}
	_, err := New(0)
	require.ErrorIs(t, err, ragged.ErrInput)
	_, err = New(MaxThreads + 1)
	require.ErrorIs(t, err, ragged.ErrInput)
}

// TestCloseDuringRun checks that the caller finishes the work on offer.
func TestCloseDuringRun(t *testing.T) {
	p, err := New(3)
	require.NoError(t, err)
	n := atomic.Int32{}
	started := make(chan struct{})
	var once sync.Once
	go func() {
		<-started
		p.Close()
	}()
	require.NoError(t, p.Run(200, func(_, _ int) {
		once.Do(func() { close(started) })
		n.Add(1)
		time.Sleep(50 * time.Microsecond)
	}))
	require.EqualValues(t, 200, n.Load())
	p.Close()
}

// TestSleepAndWake checks, many times, that work offered while all workers sleep is still shared.
func TestSleepAndWake(t *testing.T) {
	p := newPool(t, 2)
	asleep := func() bool { return p.parked.Load() == 1 }
	for range 30 {
		require.Eventually(t, asleep, 5*time.Second, 50*time.Microsecond)
		other := make(chan struct{})
		var once sync.Once
		require.NoError(t, p.Run(2, func(w, _ int) {
			if w == 0 { // the caller's unit ends only when the worker has one too
				<-other
				return
			}
			once.Do(func() { close(other) })
		}))
	}
}

// TestCallerSleeps checks that a caller that is done long before its workers sleeps and wakes.
func TestCallerSleeps(t *testing.T) {
	for _, procs := range []int{1, 2, 4} {
		func() {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
			p := newPool(t, 4)
			team := p.NewTeam()
			for range 50 {
				n := atomic.Int32{}
				require.NoError(t, team.Run(8, func(w, _ int) {
					if w > 0 {
						time.Sleep(200 * time.Microsecond)
					}
					n.Add(1)
				}))
				require.EqualValues(t, 8, n.Load())
			}
		}()
	}
}

// TestGarbageCollectionDuringRun checks that a collection does not wait for spinning workers.
func TestGarbageCollectionDuringRun(t *testing.T) {
	p := newPool(t, 2)
	stop := atomic.Bool{}
	var wg sync.WaitGroup
	wg.Go(func() {
		team := p.NewTeam()
		for !stop.Load() {
			_ = team.Run(8, func(_, _ int) {})
		}
	})
	begin := time.Now()
	for range 10 {
		runtime.GC()
	}
	took := time.Since(begin)
	stop.Store(true)
	wg.Wait()
	require.Less(t, took, 5*time.Second)
}

func TestRunAllocatesNothing(t *testing.T) {
	p := newPool(t, 2)
	team := p.NewTeam()
	sink := make([]int, 8)
	task := func(_, u int) { sink[u]++ }
	require.Zero(t, testing.AllocsPerRun(200, func() { _ = team.Run(8, task) }))
}

// BenchmarkForkJoin measures one Run of empty tasks while the workers spin.
func BenchmarkForkJoin(b *testing.B) {
	for _, threads := range []int{1, 2} {
		for _, units := range []int{2, 16} {
			b.Run(fmt.Sprintf("threads=%d/units=%d", threads, units), func(b *testing.B) {
				p := newPool(b, threads)
				team := p.NewTeam()
				task := func(_, _ int) {}
				b.ReportAllocs()
				for b.Loop() {
					_ = team.Run(units, task)
				}
			})
		}
	}
}

// BenchmarkForkJoinShared makes each of two threads run one unit of about 5 µs. The cost of fork
// and join is the difference between the smallest or the median time and the time of one unit
// alone. The mean tells little on a machine that other programs use.
func BenchmarkForkJoinShared(b *testing.B) {
	var sink atomic.Int64
	unit := func(_, _ int) {
		x := int64(1)
		for range 5000 {
			x = x*6364136223846793005 + 1442695040888963407
		}
		sink.Store(x)
	}
	measure := func(name string, before func(p *Pool), pool func(n int) (*Pool, error), units int) {
		b.Run(name, func(b *testing.B) {
			p, err := pool(2)
			require.NoError(b, err)
			defer p.Close()
			team := p.NewTeam()
			var times []time.Duration
			for b.Loop() {
				before(p)
				begin := time.Now()
				_ = team.Run(units, unit)
				times = append(times, time.Since(begin))
			}
			slices.Sort(times)
			b.ReportMetric(float64(times[0]), "min-ns")
			b.ReportMetric(float64(times[len(times)/2]), "p50-ns")
		})
	}
	hot := func(*Pool) {}
	asleep := func(p *Pool) {
		for p.parked.Load() == 0 {
			time.Sleep(spinTime)
		}
	}
	measure("one unit alone", hot, New, 1)
	measure("hot", hot, New, 2)
	measure("hot and bound", hot, NewPinned, 2)
	measure("asleep", asleep, New, 2)
	measure("asleep and bound", asleep, NewPinned, 2)
}
