package spec

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/spec/diag"
)

// ExplainCode is the page of a message's code; false if there is no such code.
func ExplainCode(code string) (string, bool) {
	i, ok := diag.Find(diag.Code(code))
	if !ok {
		return "", false
	}
	return i.Page(), true
}

// HeadParams counts a head's own parameters: a tied layer owns its bias only. Heads of the GLiNER form have hidden sizes that their layout
// fixes, so ok is false for them.
func HeadParams(h *Head) (n int64, ok bool) {
	for _, s := range h.Steps {
		c, known := stepParams(s)
		if !known {
			return 0, false
		}
		n += c
	}
	return n, true
}

func stepParams(s *Step) (int64, bool) {
	in, out := int64(s.In), int64(s.Out)
	switch s.Kind {
	case StepLinear:
		if s.Tied != "" {
			return out, true
		}
		return in*out + out, true
	case StepNorm:
		return 2 * in, true
	case StepLSTM: // four gates, two biases each
		if s.Both {
			return 2 * 4 * (in*out/2 + out/2*out/2 + out), true
		}
		return 4 * (in*out + out*out + 2*out), true
	case StepCRF: // transitions, first, last
		return in*in + 2*in, true
	case StepSpans, StepTokens:
		return 0, false
	}
	return 0, true
}

// Explain is the resolved spec for people: each statement that counts with its shape, its parameters over all layers and the floating-point
// operations of one sequence of seq tokens (a multiplication and an addition are two).
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
	for _, t := range s.Targets {
		b.WriteByte('\n')
		explainTarget(&b, t)
	}
	return b.String()
}

// explainTarget writes a target as a spec says it, with its defaults.
func explainTarget(b *strings.Builder, t *Target) {
	weights := t.Weights.Kind
	if t.Weights.Channel {
		weights += " per channel"
	}
	fmt.Fprintf(b, "target %s\n  isa %s\n  weights %s\n  batch <= %d sequences\n  tokens <= %d\n", t.Name, strings.Join(t.ISA, ", "), weights, t.Batch, t.Tokens)
	if t.Threads > 0 {
		fmt.Fprintf(b, "  threads <= %d\n", t.Threads)
	}
	if t.Memory > 0 {
		fmt.Fprintf(b, "  memory <= %s MiB\n", float(float64(t.Memory)/(1<<20)))
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
	rows := [][]string{{"place", "statement", "what", "shape", "parameters", "FLOP"}}
	for _, d := range m.Dims {
		rows = append(rows, []string{d.Pos.String(), d.Text, "", "= " + grouped(int64(d.Value)), "", ""})
	}
	var params int64
	var flops float64
	for _, p := range parts(m) {
		params += p.params
		flops += p.flops
		rows = append(rows, []string{p.at.Pos.String(), p.at.Text, p.note, p.shape, count(p.params), operations(p.flops)})
	}
	rows = append(rows, []string{"", "", "", "total of " + grouped(int64(m.Seq)) + " tokens", grouped(params), operations(flops)})
	table(b, rows)
}

func explainHead(b *strings.Builder, h *Head) {
	fmt.Fprintf(b, "head %s\n", h.FullName())
	lead := map[Rows]string{First: "B", Mean: "B", Words: "words"}[h.Take.Rows]
	if lead == "" {
		lead = "T"
	}
	rows := [][]string{
		{"place", "statement", "what", "shape", "parameters", "FLOP"},
		{h.Take.Pos.String(), h.Take.Text, "", "[" + lead + ", " + itoa(h.Model.Hidden) + "]", "", ""},
	}
	for _, s := range h.Steps {
		n, _ := stepParams(s)
		flops := ""
		if s.Kind == StepLinear {
			flops = operations(2*float64(s.In)*float64(s.Out)) + " a row"
		}
		rows = append(rows, []string{s.Pos.String(), s.Text, "", "[" + lead + ", " + itoa(s.Out) + "]", count(n), flops})
	}
	table(b, rows)
}

// count is a number that is not worth showing when it is 0.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	return grouped(n)
}

// grouped is a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// operations is a number of operations with three digits and a unit.
func operations(v float64) string {
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

// table prints columns side by side; the last two are numbers, so they stand on the right.
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

// SchemaPage is the language's table for people: every word by block, with its operands, unit, default and meaning.
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
