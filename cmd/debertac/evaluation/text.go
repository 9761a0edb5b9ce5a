package evaluation

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rivo/uniseg"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/prediction"
)

// Print shows a report to people: the metrics with their intervals, each class, and the table of confusion. Control characters in labels are replaced.
func Print(w io.Writer, r *prediction.Report) {
	var b strings.Builder
	write(&b, r)
	fmt.Fprint(w, fault.Printable(b.String()))
}

func write(w io.Writer, r *prediction.Report) {
	width := 0
	for _, v := range r.Values {
		width = max(width, len(v.Name))
	}
	for _, v := range r.Values {
		if math.IsNaN(v.Value) {
			fmt.Fprintf(w, "%-*s  not defined\n", width, v.Name)
			continue
		}
		fmt.Fprintf(w, "%-*s  %9s", width, v.Name, number(v.Value))
		if v.Interval != nil {
			fmt.Fprintf(w, "  [%s, %s]", number(v.Interval.Low), number(v.Interval.High))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%-*s  %9d\n", width, "n", r.N)
	if r.Truncated > 0 {
		fmt.Fprintf(w, "%d of %d examples were too long, and their ends were cut\n", r.Truncated, r.N)
	}
	if r.CutLabels > 0 {
		fmt.Fprintln(w, CutLabels(r.CutLabels))
	}
	if r.Positive != "" {
		fmt.Fprintf(w, "f1, precision and recall are those of %q\n", r.Positive)
	}
	printClasses(w, r.Classes)
	if r.Confusion != nil && len(r.Confusion.Labels) > 1 {
		printConfusion(w, r.Confusion)
	}
}

// CutLabels tells what became of right labels that the model could not find.
func CutLabels(n int) string {
	if n == 1 {
		return "1 label of a word that was cut counts as missed"
	}
	return fmt.Sprintf("%d labels of words that were cut count as missed", n)
}

// number returns a number with four digits after the point, or in the short form if it is large.
func number(x float64) string {
	if math.Abs(x) >= 1e5 || x != 0 && math.Abs(x) < 1e-4 {
		return strconv.FormatFloat(x, 'g', 5, 64)
	}
	return strconv.FormatFloat(x, 'f', 4, 64)
}

// pad returns a text that fills a number of cells of a terminal.
func pad(text string, cells int) string {
	return text + strings.Repeat(" ", max(0, cells-uniseg.StringWidth(text)))
}

// shown is how many cells of a label are shown.
const shown = 24

// short returns a label as it is shown: without control characters, and cut.
func short(label string) string {
	label = strings.Map(func(r rune) rune {
		if strconv.IsPrint(r) {
			return r
		}
		return '�'
	}, label)
	if uniseg.StringWidth(label) <= shown {
		return label
	}
	cut := ""
	for g := uniseg.NewGraphemes(label); g.Next() && uniseg.StringWidth(cut+g.Str()) < shown; {
		cut += g.Str()
	}
	return cut + "…"
}

func printClasses(w io.Writer, classes []prediction.Class) {
	if len(classes) == 0 {
		return
	}
	width := len("label")
	for _, c := range classes {
		width = max(width, uniseg.StringWidth(short(c.Label)))
	}
	fmt.Fprintf(w, "\n%s  precision  recall      f1       n\n", pad("label", width))
	for _, c := range classes {
		fmt.Fprintf(w, "%s  %9.4f  %6.4f  %6.4f  %6d\n", pad(short(c.Label), width), c.Precision, c.Recall, c.F1, c.N)
	}
}

// wide is the number of classes up to which the table of confusion is a whole table. Of more classes the most frequent mistakes are listed.
const wide = 12

func printConfusion(w io.Writer, c *prediction.Confusion) {
	if len(c.Labels) > wide {
		printMistakes(w, c)
		return
	}
	width, cell := len("right \\ predicted"), 6
	for i, l := range c.Labels {
		width = max(width, uniseg.StringWidth(short(l)))
		cell = max(cell, uniseg.StringWidth(short(l)))
		for _, n := range c.Counts[i] {
			cell = max(cell, len(strconv.Itoa(n)))
		}
	}
	fmt.Fprintf(w, "\n%s", pad("right \\ predicted", width))
	for _, l := range c.Labels {
		l = short(l)
		fmt.Fprintf(w, "  %s%s", strings.Repeat(" ", cell-uniseg.StringWidth(l)), l)
	}
	fmt.Fprintln(w)
	for i, l := range c.Labels {
		fmt.Fprint(w, pad(short(l), width))
		for _, n := range c.Counts[i] {
			fmt.Fprintf(w, "  %*d", cell, n)
		}
		fmt.Fprintln(w)
	}
}

// mistake is a class that was predicted for examples of another one.
type mistake struct {
	gold, predicted string
	n               int
}

// printMistakes lists the most frequent mistakes.
func printMistakes(w io.Writer, c *prediction.Confusion) {
	var list []mistake
	for i, row := range c.Counts {
		for j, n := range row {
			if i != j && n > 0 {
				list = append(list, mistake{short(c.Labels[i]), short(c.Labels[j]), n})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b mistake) int { return cmp.Compare(b.n, a.n) })
	list = list[:min(len(list), 10)]
	width := len("right")
	for _, m := range list {
		width = max(width, uniseg.StringWidth(m.gold))
	}
	if len(list) > 0 {
		fmt.Fprintf(w, "\nmost frequent mistakes (--json prints the whole table, --plot draws it)\n     n  %s  predicted\n", pad("right", width))
	}
	for _, m := range list {
		fmt.Fprintf(w, "%6d  %s  %s\n", m.n, pad(m.gold, width), m.predicted)
	}
}
