// Package interrupt ends a program in good order at Ctrl-C (SIGINT) and SIGTERM: the program's context ends, running work stops at the next
// layer or file, and the exit code names the signal.
package interrupt

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Exit codes of a program that a signal has stopped: 128 plus the number of the signal, as shells report it.
const (
	CodeInterrupt = 130 // SIGINT, Ctrl-C
	CodeTerminate = 143 // SIGTERM
)

// Grace is how long a program may continue after a signal, to stop its children and to remove its temporary files.
const Grace = 10 * time.Second

// Together is how long after the first signal further ones count as the same. A terminal, a shell and programs such as timeout may each send theirs to
// the process and to its group within microseconds.
const Together = 500 * time.Millisecond

// Error is the cause of a context that a signal has ended.
type Error struct{ Signal os.Signal }

// Error returns a message that names the signal.
func (e *Error) Error() string { return fmt.Sprintf("stopped by a signal: %v", e.Signal) }

// Context returns a context that ends at the first SIGINT or SIGTERM of the process. A signal that comes later than Together after the
// first ends the process at once; earlier ones count as the first. The process also ends when Grace is over, so a read that never returns cannot keep it
// alive. stop releases the signals; call it when the work is done.
func Context() (ctx context.Context, stop context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			time.AfterFunc(Together, func() { signal.Stop(signals) }) // until then they are received and ignored
			cancel(&Error{s})
			time.AfterFunc(Grace, func() {
				for held.Load() > 0 {
					time.Sleep(Together)
				}
				os.Exit(Code(ctx))
			})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// held counts the calls of Hold that are not released.
var held atomic.Int32

// Hold keeps the process alive after a signal for longer than Grace, until release is called. It is for work that writes down what it has done, however
// long that takes. A second signal still ends the process at once.
func Hold() (release func()) {
	held.Add(1)
	return sync.OnceFunc(func() { held.Add(-1) })
}

// Signal returns the signal that ended ctx, or nil if no signal did.
func Signal(ctx context.Context) os.Signal {
	if e, ok := context.Cause(ctx).(*Error); ok {
		return e.Signal
	}
	return nil
}

// Code returns the exit code of a program whose context ctx has ended: CodeTerminate after SIGTERM, CodeInterrupt in all other cases.
func Code(ctx context.Context) int {
	if Signal(ctx) == syscall.SIGTERM {
		return CodeTerminate
	}
	return CodeInterrupt
}

// Forward passes the end of ctx on to a child prepared by exec.CommandContext. The child receives the signal that ended ctx (os.Interrupt if no
// signal did) and has five seconds to stop; then it is killed. Ctrl-C on a terminal reaches all processes of the terminal. If terminal is set,
// the process has one, and Forward does not send Ctrl-C again, which a program may take as a second signal.
func Forward(ctx context.Context, cmd *exec.Cmd, terminal bool) {
	cmd.WaitDelay = 5 * time.Second
	cmd.Cancel = func() error {
		s := Signal(ctx)
		switch {
		case s == os.Interrupt && terminal:
			return nil
		case s == nil:
			s = os.Interrupt
		}
		if err := cmd.Process.Signal(s); err != nil { // not every system can send it
			return cmd.Process.Kill()
		}
		return nil
	}
}
