package reference

import (
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// Trainings prints what a step of each training of a spec computes, moves and keeps in memory, for the largest batch of one pass. A training that this version
// does not compile has the reason, with its place and its hint, in place of these.
func Trainings(c *console.Console, src *source.Source) error {
	quiet := *c
	quiet.Err = io.Discard // warnings about the target were printed
	for _, t := range src.Spec.Trains {
		u, err := source.TrainingOf(&quiet, src, "", t.Name, compiler.Options{})
		var f *fault.Error
		if errors.As(err, &f) && f.Code == fault.ExitInput && len(f.List) > 0 {
			fmt.Fprintf(c.Out, "\nstep of %s: not compiled\n  %s\n", t.Name, f.List[0])
			if h := f.List[0].Hint; h != "" {
				fmt.Fprintf(c.Out, "  hint: %s\n", h)
			}
			continue
		}
		if err != nil {
			return err
		}
		if err := printStep(c.Out, u); err != nil {
			return err
		}
	}
	return nil
}

// parts are those of a training step, as measure.Work counts them.
var parts = [3]string{"forward", "backward", "optimizer"}

// printStep prints the operations and the memory of a training step.
func printStep(out io.Writer, u *compiler.Unit) error {
	p, b := u.Program, u.Program.Bounds
	fmt.Fprintf(out, "\nstep of %s: a pass over %s of %d tokens", u.Training.Name, wording.Counted(b.Sequences, "sequence", "sequences"), b.Length)
	if m := p.Training.Masking; m != nil { // the bound is for more tokens, see package masking
		b.Rows = min(b.Rows, int(math.Round(m.Share*float64(b.Tokens))))
		fmt.Fprintf(out, ", of which %d are masked", b.Rows)
	}
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', tabwriter.AlignRight)
	if err := printWork(w, measure.Work(p, b.Sizes())); err != nil {
		return err
	}
	if err := printLines(out, measure.Lines(p, b.Sizes())); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nmemory\tnumbers\tMiB\t")
	var all compiler.Kept
	for _, m := range compiler.KeptBy(p, p.Bounds) {
		all.Floats, all.Room = all.Floats+m.Floats, all.Room+m.Room
		fmt.Fprintf(w, "%s\t%d\t%.4g\t\n", m.What, m.Floats, float64(m.Room)*4/(1<<20))
	}
	fmt.Fprintf(w, "together\t%d\t%.4g\t\n", all.Floats, float64(all.Room)*4/(1<<20))
	if n := compiler.Again(p); n > 0 {
		fmt.Fprintf(w, "\nTo fit, the backward pass computes %s again.\n", wording.Counted(n, "layer", "layers"))
	}
	return w.Flush()
}

// printWork prints the operations of the parts of a step, how many of them are those of products of bfloat16, if any, and the bytes.
func printWork(w *tabwriter.Writer, work [3]measure.Load) error {
	var sum measure.Load
	for _, l := range work {
		sum.Add(l)
	}
	row := func(what string, l measure.Load) {
		half := ""
		if sum.BF16 > 0 {
			half = fmt.Sprintf("%.4g\t", l.BF16/1e9)
		}
		fmt.Fprintf(w, "%s\t%.4g\t%s%.4g\t\n", what, l.FLOPs/1e9, half, l.Bytes/(1<<20))
	}
	head := "part\tGFLOP\tMiB moved\t"
	if sum.BF16 > 0 {
		head = "part\tGFLOP\tin bf16\tMiB moved\t"
	}
	fmt.Fprintln(w, head)
	for i, l := range work {
		row(parts[i], l)
	}
	row("together", sum)
	return w.Flush()
}

// printLines prints what each statement of the spec adds to a training step up to its gradients: operations, bytes of weights and gradients, and activations
// that the backward pass reads.
func printLines(out io.Writer, lines []measure.Line) error {
	fmt.Fprintln(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "place\tstatement\tFLOP forward\tFLOP backward\tMiB moved\tMiB kept")
	mebibytes := func(bytes float64) string {
		if bytes == 0 {
			return ""
		}
		return fmt.Sprintf("%.4g", bytes/(1<<20))
	}
	for _, l := range lines {
		place := "no statement"
		if !l.At.IsZero() {
			place = l.At.String()
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", place, l.Statement, spec.Operations(l.Forward.FLOPs), spec.Operations(l.Backward.FLOPs),
			mebibytes(l.Forward.Bytes+l.Backward.Bytes), mebibytes(l.Kept))
	}
	return w.Flush()
}
