package reference

import (
	"encoding/json"
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
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Trainings prints what a step of each training of a spec computes, moves and keeps in memory, for the largest batch of one pass. A training that this version
// does not compile has the reason, with its place and its hint, in place of these.
func Trainings(c *console.Console, src *source.Source) error {
	return eachTraining(c, src, func(t *spec.Train, u *compiler.Unit, why *diag.Diag) error {
		if u != nil {
			return printStep(c.Out, u)
		}
		fmt.Fprintf(c.Out, "\nstep of %s: not compiled\n  %s\n", t.Name, why)
		if why.Hint != "" {
			fmt.Fprintf(c.Out, "  hint: %s\n", why.Hint)
		}
		return nil
	})
}

// eachTraining calls a function with each training of a spec, and with its program or the reason why it is not compiled.
func eachTraining(c *console.Console, src *source.Source, do func(t *spec.Train, u *compiler.Unit, why *diag.Diag) error) error {
	quiet := *c
	quiet.Err = io.Discard // warnings about the target were printed
	for _, t := range src.Spec.Trains {
		u, err := source.TrainingOf(&quiet, src, "", t.Name, compiler.Options{})
		var why *diag.Diag
		if f := (*fault.Error)(nil); errors.As(err, &f) && f.Code == fault.ExitInput && len(f.List) > 0 {
			u, why, err = nil, f.List[0], nil
		}
		if err == nil {
			err = do(t, u, why)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// stepSums is the JSON form of a step of a training.
type stepSums struct {
	Training    string  `json:"training"`
	Head        string  `json:"head"`
	Passes      int     `json:"passes"`    // of a step
	Sequences   int     `json:"sequences"` // of a pass
	Tokens      int     `json:"tokens"`    // of a pass
	Masked      int     `json:"masked,omitempty"`
	GFLOP       float64 `json:"gflop"` // of a pass and the optimizer
	BF16        float64 `json:"bf16_gflop,omitempty"`
	Bytes       float64 `json:"bytes_moved"`
	Parameters  int64   `json:"parameter_bytes"`
	Gradients   int64   `json:"gradient_bytes"`
	Optimizer   int64   `json:"optimizer_bytes"`
	Activations int64   `json:"activation_bytes"`
	Again       int     `json:"layers_again,omitempty"`
	Fault       string  `json:"fault,omitempty"` // why it is not compiled; then there are no sums
}

// TrainingSums prints what a step of each training of a spec computes, moves and keeps, as one JSON object per training.
func TrainingSums(c *console.Console, src *source.Source) error {
	enc := json.NewEncoder(c.Out)
	return eachTraining(c, src, func(t *spec.Train, u *compiler.Unit, why *diag.Diag) error {
		s := stepSums{Training: t.Name, Head: t.Head.FullName(), Passes: t.Batch / t.Part, Sequences: t.Part, Tokens: t.Part * t.Length}
		if u == nil {
			s.Fault = why.String()
			return enc.Encode(s)
		}
		p := u.Program
		b := counted(p)
		if p.Training.Masking != nil {
			s.Masked = b.Rows
		}
		for _, l := range measure.Work(p, b.Sizes()) {
			s.GFLOP, s.BF16, s.Bytes = s.GFLOP+l.FLOPs/1e9, s.BF16+l.BF16/1e9, s.Bytes+l.Bytes
		}
		kept := compiler.KeptBy(p, p.Bounds)
		for i, to := range []*int64{&s.Parameters, &s.Gradients, &s.Optimizer, &s.Activations} {
			*to = 4 * kept[i].Room
		}
		s.Again = compiler.Again(p)
		return enc.Encode(s)
	})
}

// counted returns the bounds of the largest pass, with the masked tokens that such a pass usually has. The bound is for more of them, see package masking.
func counted(p *ir.Program) ir.Bounds {
	b := p.Bounds
	if m := p.Training.Masking; m != nil {
		b.Rows = min(b.Rows, int(math.Round(m.Share*float64(b.Tokens))))
	}
	return b
}

// parts are those of a training step, as measure.Work counts them.
var parts = [3]string{"forward", "backward", "optimizer"}

// printStep prints the operations and the memory of a training step.
func printStep(out io.Writer, u *compiler.Unit) error {
	p := u.Program
	b := counted(p)
	fmt.Fprintf(out, "\nstep of %s: a pass over %s of %d tokens", u.Training.Name, wording.Counted(b.Sequences, "sequence", "sequences"), b.Length)
	if p.Training.Masking != nil {
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
