package measure

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// column is one column of tables: its title, its name in CSV files, and how a result fills it.
type column struct {
	title, name string
	text        func(*Result) string
	exact       func(*Result) string // for CSV; nil: text
}

func number(digits int, f func(*Result) float64) column {
	return column{
		text:  func(r *Result) string { return strconv.FormatFloat(f(r), 'f', digits, 64) },
		exact: func(r *Result) string { return strconv.FormatFloat(f(r), 'g', -1, 64) },
	}
}

func (c column) named(title, name string) column { c.title, c.name = title, name; return c }

// columns are the columns of all tables, in order.
var columns = []column{
	{title: "model", name: "model", text: func(r *Result) string { return r.Model }},
	number(0, func(r *Result) float64 { return float64(r.Batch) }).named("batch", "batch"),
	{title: "tokens", name: "tokens", text: func(r *Result) string { return strconv.FormatFloat(r.Tokens, 'g', 4, 64) },
		exact: func(r *Result) string { return strconv.FormatFloat(r.Tokens, 'g', -1, 64) }},
	number(0, func(r *Result) float64 { return float64(r.Threads) }).named("threads", "threads"),
	{title: "isa", name: "isa", text: func(r *Result) string { return r.ISA }},
	{title: "precision", name: "precision", text: func(r *Result) string { return r.Precision }},
	number(3, func(r *Result) float64 { return r.MinMS }).named("min ms", "min_ms"),
	number(3, func(r *Result) float64 { return r.P50MS }).named("median ms", "p50_ms"),
	{title: "± ms", name: "deviation_ms", text: func(r *Result) string {
		if r.Rounds < 2 {
			return "-"
		}
		return strconv.FormatFloat(r.DeviationMS, 'f', 3, 64)
	}, exact: func(r *Result) string {
		if r.Rounds < 2 {
			return ""
		}
		return strconv.FormatFloat(r.DeviationMS, 'g', -1, 64)
	}},
	number(3, func(r *Result) float64 { return r.P99MS }).named("p99 ms", "p99_ms"),
	number(0, func(r *Result) float64 { return r.TokensPerS }).named("tokens/s", "tokens_per_s"),
	number(1, func(r *Result) float64 { return r.SequencesPerS }).named("seq/s", "sequences_per_s"),
	number(1, func(r *Result) float64 { return r.GFLOPS }).named("GFLOP/s", "gflops"),
	{title: "peak", name: "peak_share", text: func(r *Result) string { return percent(r.PeakShare) },
		exact: func(r *Result) string { return share(r.PeakShare) }},
	{title: "roofline", name: "roofline_share", text: func(r *Result) string { return percent(r.RooflineShare) },
		exact: func(r *Result) string { return share(r.RooflineShare) }},
	number(2, func(r *Result) float64 { return r.Allocs }).named("allocs", "allocs"),
	number(1, func(r *Result) float64 { return r.RSSMiB }).named("RSS MiB", "rss_mib"),
	number(1, func(r *Result) float64 { return r.StartMS }).named("start ms", "start_ms"),
}

// percent writes a share in per cent. It returns a dash if the share is not known.
func percent(x float64) string {
	if x == 0 {
		return "-"
	}
	return strconv.FormatFloat(100*x, 'f', 0, 64) + " %"
}

func share(x float64) string {
	if x == 0 {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}

// Formats lists the formats that Write takes.
var Formats = []string{"table", "markdown", "csv", "json", "benchstat"}

// Write writes results in a format of Formats.
func Write(w io.Writer, format string, results []Result) error {
	switch format {
	case "table":
		return writeTable(w, results)
	case "markdown":
		return writeMarkdown(w, results)
	case "csv":
		return writeCSV(w, results)
	case "json":
		e := json.NewEncoder(w)
		for i := range results {
			if err := e.Encode(&results[i]); err != nil {
				return err
			}
		}
		return nil
	case "benchstat":
		return writeBenchstat(w, results)
	}
	return fmt.Errorf("unknown format %q (known: %s)", format, strings.Join(Formats, ", "))
}

// writeTable aligns the columns for a terminal, after the machine and the versions.
func writeTable(w io.Writer, results []Result) error {
	for _, line := range results[0].Environment.lines() {
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	for _, c := range columns {
		fmt.Fprint(t, c.title, "\t")
	}
	fmt.Fprintln(t)
	for i := range results {
		for _, c := range columns {
			fmt.Fprint(t, c.text(&results[i]), "\t")
		}
		fmt.Fprintln(t)
	}
	return t.Flush()
}

// lines returns a description of the environment for people.
func (e *Environment) lines() []string {
	var lines []string
	if m := e.Machine; m != nil {
		line := fmt.Sprintf("%s, %d logical processors, %s/%s", m.CPU, m.Logical, m.OS, m.Arch)
		for _, c := range m.Caches {
			if c.Kind != "Instruction" {
				line += fmt.Sprintf(", L%d %d KiB", c.Level, c.Bytes>>10)
			}
		}
		lines = append(lines, line)
	}
	if e.Debertac != "" {
		lines = append(lines, fmt.Sprintf("debertac %s, %s, spec %.12s, %s", e.Debertac, e.Go, e.SpecHash, e.Time))
	}
	return lines
}

// writeMarkdown writes a table of GitHub's kind.
func writeMarkdown(w io.Writer, results []Result) error {
	var b strings.Builder
	for _, line := range results[0].Environment.lines() {
		fmt.Fprintf(&b, "%s  \n", line)
	}
	b.WriteString("\n|")
	for _, c := range columns {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|")
	for i := range columns {
		if columns[i].exact == nil {
			b.WriteString("---|")
		} else {
			b.WriteString("---:|")
		}
	}
	b.WriteString("\n")
	for i := range results {
		b.WriteString("|")
		for _, c := range columns {
			b.WriteString(" " + strings.ReplaceAll(c.text(&results[i]), "|", "\\|") + " |")
		}
		b.WriteString("\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writeCSV writes a header line and one line per result, with all digits. The environment's fields follow the figures.
func writeCSV(w io.Writer, results []Result) error {
	c := csv.NewWriter(w)
	row := make([]string, 0, len(columns)+7)
	for _, col := range columns {
		row = append(row, col.name)
	}
	row = append(row, "rounds", "cpu", "os", "go", "debertac", "spec_sha256", "time")
	if err := c.Write(row); err != nil {
		return err
	}
	for i := range results {
		r := &results[i]
		row = row[:0]
		for _, col := range columns {
			f := col.exact
			if f == nil {
				f = col.text
			}
			row = append(row, f(r))
		}
		cpu, system := "", ""
		if r.Machine != nil {
			cpu, system = r.Machine.CPU, r.Machine.OS+"/"+r.Machine.Arch
		}
		if err := c.Write(append(row, strconv.Itoa(r.Rounds), cpu, system, r.Go, r.Debertac, r.SpecHash, r.Time)); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// writeBenchstat writes the format of Go benchmarks, one line per round, so that benchstat has samples to compare. A round's time is the
// median of its calls.
func writeBenchstat(w io.Writer, results []Result) error {
	var b strings.Builder
	e := &results[0].Environment
	if m := e.Machine; m != nil {
		fmt.Fprintf(&b, "goos: %s\ngoarch: %s\ncpu: %s\n", m.OS, m.Arch, m.CPU)
	}
	if e.Debertac != "" {
		fmt.Fprintf(&b, "debertac: %s\n", e.Debertac)
	}
	for i := range results {
		r := &results[i]
		if e.SpecHash != "" {
			fmt.Fprintf(&b, "spec: %s\n", r.SpecHash)
		}
		what := "BenchmarkForward"
		if r.Train != "" {
			what = "BenchmarkTrain/train=" + key(r.Train)
		}
		name := fmt.Sprintf("%s/model=%s/batch=%d/tokens=%.4g/precision=%s/isa=%s-%d", what, key(r.Model), r.Batch, r.Tokens, r.Precision,
			r.ISA, r.Threads)
		tokens := r.Tokens * float64(r.Batch) // per call
		for _, ms := range r.RoundsMS {
			fmt.Fprintf(&b, "%s\t%d\t%.0f ns/op\t%.0f tokens/s\t%g allocs/op\n", name, max(1, r.Calls/max(1, r.Rounds)), ms*1e6, tokens/ms*1e3, r.Allocs)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// key makes a name that can be a part of a benchmark's name.
func key(name string) string {
	return strings.Map(func(r rune) rune {
		if r == '/' || r == '=' || r <= ' ' {
			return '_'
		}
		return r
	}, name)
}
