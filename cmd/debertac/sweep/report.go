package sweep

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
)

// Report draws and prints the results, and compares them with earlier ones.
func (v *Sweep) Report(c *console.Console, before, results []measure.Result) error {
	if v.Plot != "" {
		drawn, err := measure.Plot(v.Plot, results)
		if err != nil {
			return fault.Ours(err)
		}
		if err := disk.WriteFile(v.Plot, drawn, 0o666); err != nil {
			return err
		}
	}
	if err := v.print(c, results); err != nil || v.Against == "" {
		return err
	}
	return v.compare(c, before, results)
}

// print writes the results in the format that the flags select.
func (v *Sweep) print(c *console.Console, results []measure.Result) error {
	format := v.Format
	switch {
	case v.JSON:
		format = "json"
	case format == "" && len(results) > 1:
		format = "table"
	}
	if format != "" {
		if err := measure.Write(c.Out, format, results); err != nil {
			return err
		}
	}
	for i := range results {
		if format == "" {
			if _, err := fmt.Fprint(c.Out, paragraph(&results[i])); err != nil {
				return err
			}
		}
		if v.Steps && (format == "" || format == "table") {
			if len(results) > 1 {
				if _, err := fmt.Fprintf(c.Out, "\n%d × %.4g tokens, threads %d, %s\n", results[i].Batch, results[i].Tokens, results[i].Threads,
					results[i].ISA); err != nil {
					return err
				}
			}
			if err := measure.WriteSteps(c.Out, &results[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

// paragraph describes one result for people.
func paragraph(m *measure.Result) string {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s "+format+"\n", append([]any{name}, args...)...)
	}
	name, call := m.Model, "call"
	if m.Train != "" {
		name, call = "training "+m.Train, "step"
	}
	fmt.Fprintf(&b, "%s: %d × %.4g tokens per %s, %s, %s, %s, %s\n", name, m.Batch, m.Tokens, call, wording.Counted(m.Threads, "thread", "threads"),
		m.ISA, m.Precision, wording.Counted(m.Calls, call, call+"s"))
	line("latency", "min %.3f ms, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms", m.MinMS, m.P50MS, m.P90MS, m.P99MS)
	if m.Rounds > 1 {
		line("", "p50 of %s: standard deviation %.3f ms (%.1f %%)", wording.Counted(m.Rounds, "round", "rounds"), m.DeviationMS, 100*m.DeviationMS/m.P50MS)
	}
	if m.Train != "" {
		line("parts", "forward %.3f ms, backward %.3f ms, optimizer %.3f ms", m.ForwardMS, m.BackwardMS, m.OptimizerMS)
	}
	line("throughput", "%.0f tokens/s, %.1f sequences/s", m.TokensPerS, m.SequencesPerS)
	line("arithmetic", "%.1f GFLOP/s of %.3g useful GFLOP", m.GFLOPS, m.GFLOP)
	if m.PeakShare > 0 {
		line("", "%.0f %% of this machine's peak, %.0f %% of its roofline (%.3g GFLOP are needed)", 100*m.PeakShare, 100*m.RooflineShare, m.Needs)
	}
	line("allocations", "%.4g per %s", m.Allocs, call)
	if m.Train != "" {
		line("peak memory", "%.1f MiB", m.RSSMiB)
		return b.String()
	}
	line("peak memory", "%.1f MiB, of which %.1f MiB are the mapped weights", m.RSSMiB, m.WeightsRSSMiB)
	line("first result", "%.1f ms from start", m.StartMS)
	return b.String()
}

// mostResults is the largest size of a file of results, in bytes.
const mostResults = 64 << 20

// Before reads the earlier results to compare with. It returns nil without --against.
func (v *Sweep) Before() ([]measure.Result, error) {
	if v.Against == "" {
		return nil, nil
	}
	text, err := disk.ReadFile(v.Against, mostResults)
	if err != nil {
		return nil, err
	}
	before, err := measure.Read(text)
	if err != nil {
		return nil, fault.Input(v.Against, "%v", err)
	}
	return before, nil
}

// compare compares the medians with the earlier ones.
func (v *Sweep) compare(c *console.Console, before, results []measure.Result) error {
	slower := false
	for i := range results {
		r := &results[i]
		compared, err := measure.Compare(before, r, measure.Allow{Machine: v.AnyMachine, Spec: v.AnySpec})
		if other, ok := err.(*measure.MachineError); ok {
			return fault.Input(v.Against, "%v", other).Hint("--any-machine compares nevertheless")
		}
		if other, ok := err.(*measure.SpecError); ok {
			return fault.Input(v.Against, "%v", other).Hint("--any-spec compares nevertheless")
		}
		if err != nil {
			return fault.Input(v.Against, "%v", err)
		}
		verdict := ""
		if compared.Slower(v.tolerance() / 100) {
			slower, verdict = true, ": slower"
		}
		c.Note("%d × %.4g tokens, threads %d, %s: %v; %.4g %% are tolerated%s", r.Batch, r.Tokens, r.Threads, r.ISA, compared, v.tolerance(), verdict)
	}
	if slower {
		return fault.NotHeld()
	}
	return nil
}
