package interrupt

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// envChild turns the test binary into a program that waits for a signal: "orderly" ends with its context, "slow" a little later, "stuck" never checks
// it.
const envChild = "INTERRUPT_TEST_CHILD"

func TestMain(m *testing.M) {
	switch os.Getenv(envChild) {
	case "orderly":
		ctx, stop := Context()
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
		os.Exit(Code(ctx))
	case "slow": // to clean up
		ctx, stop := Context()
		defer stop()
		fmt.Println("ready")
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond)
		os.Exit(Code(ctx))
	case "stuck":
		_, stop := Context()
		defer stop()
		fmt.Println("ready")
		select {}
	}
	os.Exit(m.Run())
}

// child starts the test binary as a program and waits until it listens for signals.
func child(t *testing.T, ctx context.Context, kind string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), envChild+"="+kind)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	Forward(ctx, cmd, false)
	require.NoError(t, cmd.Start())
	_, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return cmd
}

// TestCodes checks that the exit code names the signal.
func TestCodes(t *testing.T) {
	for s, want := range map[os.Signal]int{os.Interrupt: CodeInterrupt, syscall.SIGTERM: CodeTerminate} {
		cmd := child(t, t.Context(), "orderly")
		require.NoError(t, cmd.Process.Signal(s))
		require.Error(t, cmd.Wait())
		require.Equal(t, want, cmd.ProcessState.ExitCode(), "%v", s)
	}
}

// TestTogether checks that a program ends in good order if a signal comes several times at once, as timeout sends it, or with another one.
func TestTogether(t *testing.T) {
	for range 5 {
		cmd := child(t, t.Context(), "slow")
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		time.Sleep(20 * time.Millisecond)
		require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
		require.NoError(t, cmd.Process.Signal(os.Interrupt))
		require.Error(t, cmd.Wait())
		require.Equal(t, CodeTerminate, cmd.ProcessState.ExitCode())
	}
}

// TestForward checks that a child receives the signal that ended its parent's context.
func TestForward(t *testing.T) {
	for s, want := range map[os.Signal]int{os.Interrupt: CodeInterrupt, syscall.SIGTERM: CodeTerminate} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cmd := child(t, ctx, "orderly")
		cancel(&Error{s})
		require.Error(t, cmd.Wait())
		require.Equal(t, want, cmd.ProcessState.ExitCode(), "%v", s)
		require.Equal(t, want, Code(ctx))
	}
}

// TestStuck checks that a program that does not check its context ends too, at a second signal or after Grace.
func TestStuck(t *testing.T) {
	cmd := child(t, t.Context(), "stuck")
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for waiting := true; waiting; { // on a busy machine a second signal may come so early that it counts as the first
		select {
		case err := <-ended:
			require.Error(t, err)
			waiting = false
		case <-time.After(Together + 200*time.Millisecond):
			_ = cmd.Process.Signal(syscall.SIGTERM)
		}
	}
	require.Equal(t, syscall.SIGTERM, cmd.ProcessState.Sys().(syscall.WaitStatus).Signal())
	if testing.Short() {
		return
	}
	cmd = child(t, t.Context(), "stuck")
	start := time.Now()
	require.NoError(t, cmd.Process.Signal(syscall.SIGTERM))
	require.Error(t, cmd.Wait())
	require.Equal(t, CodeTerminate, cmd.ProcessState.ExitCode())
	require.GreaterOrEqual(t, time.Since(start), Grace)
}

// TestNoSignal checks that a context that ended without a signal has the code of Ctrl-C and no signal.
func TestNoSignal(t *testing.T) {
	ctx, stop := Context()
	stop()
	require.Nil(t, Signal(ctx))
	require.Equal(t, CodeInterrupt, Code(ctx))
}
