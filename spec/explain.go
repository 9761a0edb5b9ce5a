package spec

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/spec/diag"
)

// ExplainCode returns the page for a message's code, and false if there is no such code.
func ExplainCode(code string) (string, bool) {
	i, ok := diag.Find(diag.Code(code))
	if !ok {
		return "", false
	}
	return i.Page(), true
}

// Explain returns the resolved spec for people. It lists each statement that adds parameters or operations, with what it chooses, its shape, its parameters
// over all layers, and the floating-point operations for one sequence of seq tokens. A multiplication and an addition count as two operations. Operations of
// heads are per row. Trainings and targets are listed with their defaults.
func Explain(s *Spec) string {
	var b strings.Builder
	for i, m := range s.Models {
		if i > 0 {
			b.WriteByte('\n')
		}
		explainModel(&b, m)
		for _, h := range s.HeadsOf(m) {
			b.WriteByte('\n')
			explainHead(&b, h)
		}
	}
	for _, e := range s.Ensembles {
		b.WriteByte('\n')
		fmt.Fprintf(&b, "ensemble %s, mean of %s\n", e.Name, e.Mean)
		for _, m := range e.Members {
			fmt.Fprintf(&b, "  %s weight %s\n", m.Head.FullName(), float(m.Weight))
		}
	}
	for _, t := range s.Trains {
		b.WriteByte('\n')
		explainTrain(&b, t)
	}
	for _, t := range s.Targets {
		b.WriteByte('\n')
		explainTarget(&b, t)
	}
	return b.String()
}

// explainTarget writes a target as a spec would, with its defaults.
func explainTarget(b *strings.Builder, t *Target) {
	weights := t.Weights.Kind
	if t.Weights.Channel {
		weights += " per channel"
	}
	fmt.Fprintf(b, "target %s\n  isa %s\n  weights %s\n  batch <= %d sequences\n  tokens <= %d\n", t.Name, strings.Join(t.ISA, ", "), weights, t.Batch,
		t.Tokens)
	if t.Threads > 0 {
		fmt.Fprintf(b, "  threads <= %d\n", t.Threads)
	}
	if t.Memory > 0 {
		fmt.Fprintf(b, "  memory <= %s MiB\n", float(float64(t.Memory)/(1<<20)))
	}
	if t.Rank > 0 {
		fmt.Fprintf(b, "  adapters rank <= %d\n", t.Rank)
	}
	if t.HasVectors() {
		b.WriteString("  vectors\n")
	}
	fmt.Fprintf(b, "  agree %s with reference\n", float(t.Agree))
	for _, e := range t.Emit {
		fmt.Fprintf(b, "  emit %s", e.Name())
		if e.Package != "" {
			fmt.Fprintf(b, " as package %q", e.Package)
		}
		b.WriteByte('\n')
	}
}

func explainModel(b *strings.Builder, m *Model) {
	like := ""
	if len(m.Like) > 0 {
		like = " like " + strings.Join(m.Like, ", ")
	}
	fmt.Fprintf(b, "model %s%s\n", m.Name, like)
	rows := [][]string{explainColumns}
	for _, d := range m.Dims {
		rows = append(rows, []string{d.Pos.String(), d.Text, "", "= " + grouped(int64(d.Value)), "", ""})
	}
	var params int64
	var flops float64
	add := func(lines []Line) {
		for _, l := range lines {
			params += l.Params
			flops += l.Flops
			rows = append(rows, l.row())
		}
	}
	total := func(what string) {
		rows = append(rows, []string{"", "", "", what, grouped(params), Operations(flops)})
	}
	add(m.Lines())
	total("total of " + grouped(int64(m.Seq)) + " tokens")
	for _, d := range m.Decoders {
		flops = 0
		add(m.DecoderLines(d))
		total("total with " + d.Name + ", operations of " + d.Name)
	}
	table(b, rows)
}

var explainColumns = []string{"place", "statement", "what", "shape", "parameters", "FLOP"}

// row returns the columns of a line in a table.
func (l Line) row() []string {
	flops := Operations(l.Flops)
	if flops != "" && l.Per != "" {
		flops += " " + l.Per
	}
	return []string{l.At.Pos.String(), l.At.Text, l.What, l.Shape, count(l.Params), flops}
}

func explainHead(b *strings.Builder, h *Head) {
	fmt.Fprintf(b, "head %s\n", h.FullName())
	rows := [][]string{explainColumns}
	for _, l := range h.Lines() {
		rows = append(rows, l.row())
	}
	rows = append(rows, []string{"", "", "", "total", grouped(HeadParams(h)), ""})
	table(b, rows)
}

// count returns a number as text, or "" for 0, which is not worth showing.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return grouped(n)
}

// grouped returns a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Operations returns a number of operations with three digits and a unit, or "" for 0, as Explain prints it.
func Operations(v float64) string {
	units := []string{"", " k", " M", " G", " T", " P"}
	i := 0
	for v >= 1000 && i < len(units)-1 {
		v /= 1000
		i++
	}
	if v == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g%s", v, units[i])
}

// table prints columns side by side. The last two are numbers and are aligned to the right.
func table(b *strings.Builder, rows [][]string) {
	widths := make([]int, len(rows[0]))
	for _, r := range rows {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, r := range rows {
		var line strings.Builder
		for i, c := range r {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c))
			if i >= len(r)-2 {
				line.WriteString("  " + space + c)
			} else {
				line.WriteString("  " + c + space)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
}

// SchemaPage returns the table of the language for people: every word by block, with its operands, unit, default and meaning.
func SchemaPage() string {
	var b strings.Builder
	var blocks []string
	for _, r := range Schema {
		if !slices.Contains(blocks, r.Block) {
			blocks = append(blocks, r.Block)
		}
	}
	for _, block := range blocks {
		fmt.Fprintf(&b, "%s\n", block)
		for _, r := range Schema {
			if r.Block != block {
				continue
			}
			fmt.Fprintf(&b, "    %s\n        %s", r.Usage(), r.Doc)
			if r.Default != "" {
				fmt.Fprintf(&b, " (default: %s)", r.Default)
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}
