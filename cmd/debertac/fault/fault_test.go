package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/resource"
)

// TestClassify checks that the kind of an error decides whose fault it is, however the error is wrapped. An error of no known kind is an internal error.
func TestClassify(t *testing.T) {
	missing := &fs.PathError{Op: "open", Path: "a.dspec", Err: fs.ErrNotExist}
	for name, x := range map[string]struct {
		err  error
		code int
		text string
	}{
		"input":        {fault.Input("m.dspec", "line %d", 3), fault.ExitInput, "m.dspec: line 3\n"},
		"usage":        {fault.Usage("debertac help", "no verb"), fault.ExitUsage, "debertac: no verb\n     hint: debertac help\n"},
		"not held":     {fault.NotHeld(), fault.ExitNotHeld, ""},
		"a file":       {missing, fault.ExitInput, "a.dspec: file does not exist\n"},
		"an input":     {&fs.PathError{Op: "create", Path: "out", Err: &disk.InputError{}}, fault.ExitUsage, ""},
		"no toolchain": {&build.ToolchainError{}, fault.ExitInput, ""},
		"no space":     {&resource.Error{}, fault.ExitInput, ""},
		"no numbers":   {&runtime.TextError{Err: runtime.ErrNoNumbers}, fault.ExitInput, ""},
		"a bug":        {errors.New("index out of range"), fault.ExitOurs, "please report it"},
	} {
		for _, err := range []error{x.err, fmt.Errorf("while it worked: %w", x.err)} {
			got := fault.Classify(t.Context(), err)
			require.Equal(t, x.code, got.Code, name)
			require.Contains(t, got.Render(false), x.text, name)
		}
	}
	require.Empty(t, fault.Classify(t.Context(), fault.NotHeld()).Render(false))
	require.Equal(t, "exit code 3", fault.NotHeld().Error())
}

// TestClassifyAfterASignal checks that an error after the end of the context is reported as the end of the context.
func TestClassifyAfterASignal(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	got := fault.Classify(ctx, errors.New("broken"))
	require.Equal(t, interrupt.Code(ctx), got.Code)
	require.Equal(t, "debertac: stopped\n", got.Render(false))
}

// TestRender checks that lines after the first are printed below the message, without control characters.
func TestRender(t *testing.T) {
	f := fault.Input("go", "it does not build\nfirst\x1b[31m\n\tsecond\n").Hint("go %s", "vet")
	require.Equal(t, "go: it does not build\n     hint: go vet\nfirst\ufffd[31m\n\tsecond\n", f.Render(false))
}
