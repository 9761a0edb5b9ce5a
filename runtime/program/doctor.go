package program

import (
	"context"
	"flag"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
)

type doctorReport struct {
	CPU       cpu.Description `json:"cpu"`
	Model     engine.Report   `json:"model"`
	Tokenizer string          `json:"tokenizer"` // kind, "" if the model takes ids only
	Hashes    bool            `json:"hashes_ok"` // every tensor has the values that were packed
}

func newDoctor(fs *flag.FlagSet) action {
	var o openFlags
	o.register(fs)
	asJSON := fs.Bool("json", false, "print a JSON object")
	modelOnly := fs.Bool("model-only", false, "print no lines about the machine, which debertac doctor has printed")
	return func(_ context.Context, s *session, _ []string) error {
		core, _, err := o.open(s)
		if err != nil {
			return err
		}
		defer core.Close()
		r := doctorReport{CPU: cpu.Describe(), Tokenizer: core.Meta().Tokenizer}
		if r.Model, err = core.Report(); err != nil {
			return err
		}
		damage := core.CheckWeights()
		r.Hashes = damage == nil
		if *asJSON {
			err = command.PrintJSON(s.Out, r)
		} else {
			r.print(s, !*modelOnly)
		}
		if damage != nil {
			return damage
		}
		return err
	}
}

// print writes the report for people, with or without the lines about the machine.
func (r *doctorReport) print(s *session, machine bool) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(s.Out, "%-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	c, m := &r.CPU, &r.Model
	if machine {
		row("processor", "%s, %s, %d logical processors, %d threads by default", known(c.Model), c.Arch, c.Logical, c.Threads)
		row("features", "%s", known(strings.Join(c.Features, " ")))
		var caches []string
		for _, k := range c.Caches {
			if k.Kind != "Instruction" {
				caches = append(caches, fmt.Sprintf("L%d %s (shared by %d)", k.Level, bytesText(k.Bytes), k.Shared))
			}
		}
		row("caches", "%s", known(strings.Join(caches, ", ")))
	}
	row("kernels", "%s (compiled: %s; usable here: %s)", m.ISA, strings.Join(m.Compiled, " "), strings.Join(both(m.Compiled, c.ISAs), " "))
	row("threads", "%d per call", m.Threads)
	row("model", "%s, spec sha256 %.12s…, up to %d tokens per text", m.Package, m.SpecHash, m.MaxTokens)
	row("weights", "%s, %s, layout %s", m.Weights, bytesText(m.WeightBytes), m.Layout)
	if len(m.Adapters) > 0 {
		row("adapters", "%s", strings.Join(m.Adapters, ", "))
	}
	hashes := "every tensor holds what was packed"
	if !r.Hashes {
		hashes = "DAMAGED"
	}
	row("hashes", "%s", hashes)
	tokenizer := r.Tokenizer
	if tokenizer == "" {
		tokenizer = "none: the model takes token ids only"
	}
	row("tokenizer", "%s", tokenizer)
	row("arena", "%s now, at most %s", bytesText(m.ArenaBytes), bytesText(m.ArenaLimit))
	test := fmt.Sprintf("first output %.6g, all finite; no result is recorded to compare with", m.SelfTest.Score)
	if m.SelfTest.Recorded {
		test = fmt.Sprintf("first output %.6g, largest relative difference to the recorded result %.2g", m.SelfTest.Score, m.SelfTest.Error)
	}
	row("self-test", "%s", test)
}

// known returns s, or a text that stands for it if the system does not report it.
func known(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// both returns the strings that are in a and in b.
func both(a, b []string) []string {
	var list []string
	for _, x := range a {
		for _, y := range b {
			if x == y {
				list = append(list, x)
			}
		}
	}
	return list
}

// bytesText returns a size in binary units.
func bytesText(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%d B", n)
}
