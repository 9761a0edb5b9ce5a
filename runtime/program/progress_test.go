package program

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	in := &input{size: 1000, read: &countReader{}}
	p := newProgress(&session{Streams: Streams{Err: &b, ErrTerminal: true}}, in, false, false)
	clock := p.begin
	p.now = func() time.Time { return clock }
	p.update(0, 0)
	b.Reset()
	p.update(10, 250)
	require.Empty(t, b.String(), "not more often than a person can read")
	clock = clock.Add(2 * time.Second)
	p.update(10, 250)
	require.Equal(t, eraseLine+" 25 % |█████               | 10 texts, 5 a second, 6s left", b.String())
	in.size = -1 // a pipe
	b.Reset()
	clock = clock.Add(2 * time.Second)
	p.update(40, 500)
	p.finish()
	require.Equal(t, eraseLine+"40 texts, 10 a second"+eraseLine, b.String())
}

// TestProgressOnlyOnTerminals checks that the bar is drawn only on a terminal that does not show the results.
func TestProgressOnlyOnTerminals(t *testing.T) {
	w := fakeWeights(t, true)
	for _, c := range []struct {
		errs, out, quiet, few, want bool
	}{
		{errs: true, want: true}, {}, {errs: true, out: true}, {errs: true, quiet: true},
		{errs: true, out: true, few: true, want: true}, {out: true, few: true}, {errs: true, out: true, few: true, quiet: true},
	} {
		var out, errs bytes.Buffer
		args := []string{"run", "--weights", w, "--json", "--input", "-"}
		if c.quiet {
			args = append(args, "--quiet")
		}
		if c.few {
			args = append(args, "--examples", "0")
		}
		code := Run(context.Background(), []Model{{Name: "fake", Program: fakeProgram()}}, args,
			Streams{In: strings.NewReader("{\"text\":\"a\"}\n"), Out: &out, Err: &errs, ErrTerminal: c.errs, OutTerminal: c.out})
		require.Equal(t, ExitDone, code)
		require.Equal(t, c.want, strings.Contains(errs.String(), "a second"), "%+v: %q", c, errs.String())
	}
}
