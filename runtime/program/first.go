package program

import (
	"bufio"
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/gauge"
)

// firstTokens is the length, in tokens, of the text that start-up is measured with.
const firstTokens = 16

// firstReady is printed when the result is computed.
const firstReady = "ready"

// newFirst makes the verb that bench starts in fresh processes. It does everything from the start of the process to one result.
func newFirst(fs *flag.FlagSet) action {
	var o openFlags
	o.register(fs)
	o.registerHead(fs)
	return func(ctx context.Context, s *session, _ []string) error {
		core, m, err := o.open(s, runtime.MaxTokens(firstLimit(&o, s)), runtime.Long(runtime.Truncate))
		if err != nil {
			return err
		}
		defer core.Close()
		tokens, err := firstResult(ctx, core, o.head)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(s.Out, firstReady); err != nil { // printed first, because bench takes the time here
			return err
		}
		if age := processAge(); age > 0 {
			fmt.Fprintf(s.Out, "%s: the result of %d tokens came about %.0f ms after the process began\n", m.Name, tokens, gauge.MS(age))
		}
		return nil
	}
}

// firstLimit returns firstTokens, or the model's limit if it is lower.
func firstLimit(o *openFlags, s *session) int {
	m, err := o.pick(s)
	if err != nil {
		return firstTokens // open reports what is wrong
	}
	return min(firstTokens, m.Program.Limits.SequenceTokens, m.Program.Limits.BatchTokens)
}

// firstResult computes one text, which is cut to the limit of firstLimit, and returns its number of tokens. For a model that takes ids only, it
// computes the same number of ids.
func firstResult(ctx context.Context, core *engine.Core, headName string) (int, error) {
	i, err := core.HeadIndex(headName)
	if err != nil {
		return 0, usage("--head: %v", err)
	}
	head := &core.Program().Heads[i]
	if core.Tokenizer() != nil && head.Rows == engine.PerSequence {
		k, err := engine.NewClassifier(core, headName)
		if err != nil {
			return 0, err
		}
		text := strings.Repeat("The quick brown fox jumps over the lazy dog. ", 4)
		r, err := k.Classify(ctx, []string{text})
		if err != nil {
			return 0, err
		}
		return r[0].Tokens, nil
	}
	l := core.Program().Limits
	b := &runtime.Batch{}
	n := min(firstTokens, l.SequenceTokens, l.BatchTokens)
	for t := range n {
		b.IDs = append(b.IDs, int32((7*t+1)%l.Vocab))
	}
	b.Starts = []int32{0, int32(n)}
	b.FillNeeded(l)
	out := make([]float32, head.OutLen(b))
	return n, core.Run(ctx, engine.Call{Head: i, Batch: b, Out: out})
}

// measureStart starts fresh processes of this binary and returns the median time, in milliseconds, from before exec to the first result. One more
// process runs before them and brings the files into the page cache.
func (b *benchFlags) measureStart(ctx context.Context, m *Model) (float64, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	args := []string{"first", "--model", m.Name, "--isa", b.isa, "--threads", strconv.Itoa(b.threads)}
	if b.weights != "" {
		args = append(args, "--weights", b.weights)
	}
	if b.head != "" {
		args = append(args, "--head", b.head)
	}
	var times []time.Duration
	for i := range b.starts + 1 {
		t, err := startOnce(ctx, exe, args)
		if err != nil {
			return 0, err
		}
		if i > 0 {
			times = append(times, t)
		}
	}
	slices.Sort(times)
	return gauge.MS(gauge.Quantile(times, 0.5)), nil
}

// startOnce starts one process and returns the time from before exec to the line that it prints with its first result.
func startOnce(ctx context.Context, exe string, args []string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, exe, args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	var faults bytes.Buffer
	cmd.Stderr = &faults
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	r := bufio.NewReader(out)
	line, readErr := r.ReadString('\n')
	took := time.Since(begin)
	_, drainErr := io.Copy(io.Discard, r)
	if err := cmd.Wait(); err != nil || readErr != nil || drainErr != nil || strings.TrimSpace(line) != firstReady {
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		return 0, fmt.Errorf("a fresh process of the program failed (%v): %s", err, strings.TrimSpace(faults.String()))
	}
	return took, nil
}
