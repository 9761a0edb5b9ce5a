// Command paper computes the tables and figures of the DeBERTa paper (He et al. 2020, arXiv 2006.03654v6) at toy scale, and exactly where no training
// is needed. It makes synthetic data by seed or reads the mails of the spam example, trains tiny models with `debertac train`, evaluates them with `debertac
// eval`, and prints a table in Markdown beside the paper's numbers. A table that has requirements fails if one of them does not hold. docs/paper.md holds the
// results, and what they show.
//
// Usage: paper [-short] [-debertac PROGRAM] [-seeds N] [-jobs N] [-spam DIR] [-pictures DIR] [-keep DIR] TABLE …
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/picture"
)

// table is one table or figure of the paper.
type table struct {
	name  string
	about string
	make  func(context.Context, *lab) (*result, error)
}

// tables are the tables in the paper's order.
var tables = []table{
	{"f1", "figure 1: accuracy over the steps of a training", progress},
	{"f3", "figures 3 to 5: attention maps of the last layer, on the mails of the spam example", patterns},
	{"t4", "ablations: the enhanced mask decoder, content to position, position to content", ablations},
	{"t10", "perplexity of the next token: positions in the input or the decoder, and MLM beside it", generation},
	{"t11", "reading at 1.5 and 4 times the length of the training", longer},
	{"t12", "scale-invariant fine-tuning on and off: accuracy, and labels that noise flips", tuning},
	{"t13", "parameters of the steps from v1 to v2, counted exactly", parameters},
	{"t14", "RoBERTa and DeBERTa over five seeds, with a p-value", variance},
	{"t15", "replaced-token detection against masked tokens at equal compute, and how tables are shared", detection},
	{"a7", "cost of each term of the score and of the mask decoder, computed and measured", complexity},
}

// result is a table as it is printed.
type result struct {
	columns []string
	rows    [][]string
	notes   []string
	faults  []string // requirements that do not hold

	pictures map[string]*picture.Heat // by name
}

// add appends a row.
func (r *result) add(cells ...string) { r.rows = append(r.rows, cells) }

// require records a fault if something does not hold.
func (r *result) require(holds bool, format string, args ...any) {
	if !holds {
		r.faults = append(r.faults, fmt.Sprintf(format, args...))
	}
}

// print writes the table in Markdown. The first column is of text, the others are of numbers.
func (r *result) print(w io.Writer) {
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(r.columns)
	rule := make([]string, len(r.columns))
	for i := range rule {
		if rule[i] = "---:"; i == 0 {
			rule[i] = "---"
		}
	}
	line(rule)
	for _, cells := range r.rows {
		line(cells)
	}
	fmt.Fprintln(w)
	for _, note := range r.notes {
		fmt.Fprintln(w, note)
	}
}

// write writes the pictures as PNG and SVG into a folder; "": none is written.
func (r *result) write(dir string) error {
	if dir == "" || len(r.pictures) == 0 {
		return nil
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for name, h := range r.pictures {
		for ending, format := range map[string]func() ([]byte, error){".png": h.PNG, ".svg": h.SVG} {
			b, err := format()
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, name+ending), b, 0o666); err != nil {
				return err
			}
		}
	}
	return nil
}

func main() {
	l := &lab{log: os.Stderr}
	flag.StringVar(&l.program, "debertac", "debertac", "the `PROGRAM` that trains and evaluates")
	flag.BoolVar(&l.short, "short", false, "the short form: one seed, fewer models and steps")
	flag.IntVar(&l.seeds, "seeds", 0, "`N` seeds per cell; 0 stands for the table's own number")
	flag.IntVar(&l.jobs, "jobs", 2, "train `N` models at the same time, with one thread each")
	flag.StringVar(&l.spam, "spam", filepath.Join("examples", "spam"), "the folder `DIR` of the spam example, with its mails")
	flag.StringVar(&l.pictures, "pictures", "", "write the pictures of figures into the folder `DIR`")
	keep := flag.String("keep", "", "keep specs, data and runs in the folder `DIR`; a model that it has from before is not trained again")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: paper [flags] TABLE …\n\nTables:")
		for _, t := range tables {
			fmt.Fprintf(os.Stderr, "  %-5s %s\n", t.name, t.about)
		}
		fmt.Fprintln(os.Stderr, "\nFlags:")
		flag.PrintDefaults()
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	chosen, err := choose(flag.Args())
	if err != nil || l.jobs < 1 || l.seeds < 0 {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		flag.Usage()
		os.Exit(2)
	}
	if err := compute(ctx, l, chosen, *keep, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// choose returns the tables with the given names.
func choose(names []string) ([]table, error) {
	var chosen []table
	for _, name := range names {
		found := false
		for _, t := range tables {
			if t.name == name {
				chosen, found = append(chosen, t), true
			}
		}
		if !found {
			return nil, fmt.Errorf("there is no table %q", name)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no table is named")
	}
	return chosen, nil
}

// compute computes tables and prints them. Its error names the requirements that do not hold.
func compute(ctx context.Context, l *lab, chosen []table, keep string, out io.Writer) error {
	if l.dir = keep; keep != "" {
		if err := os.MkdirAll(keep, 0o777); err != nil {
			return err
		}
	} else {
		dir, err := os.MkdirTemp("", "debertac-paper-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		l.dir = dir
	}
	var faults []string
	for _, t := range chosen {
		begin := time.Now()
		r, err := t.make(ctx, l)
		if err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		r.print(out)
		if err := r.write(l.pictures); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
		fmt.Fprintf(l.log, "%s: %v\n", t.name, time.Since(begin).Round(time.Second))
		for _, f := range r.faults {
			faults = append(faults, t.name+": "+f)
		}
	}
	if len(faults) > 0 {
		return fmt.Errorf("%s", strings.Join(faults, "\n"))
	}
	return nil
}
