package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

type explainVerb struct {
	What   string `arg:"" optional:"" help:"A message code, a word of the language, a model of the zoo, or a spec; - is the standard input."`
	Tokens int    `default:"128" help:"Length of the one sequence that operations are counted for."`
	JSON   bool   `name:"json" help:"Of a spec: one JSON object a statement."`
}

// Help is the long help.
func (explainVerb) Help() string {
	return `Of a message code: what it means, with an example. Of a word: how it is written, and where. Of a spec or of a published
model: every statement that makes numbers, with its place, shape, parameters and operations (a multiply-add counts as
two; nothing is counted for padding or for what is computed when weights are packed).
Without an argument: the message codes.

Examples:
  debertac explain index-kind
  debertac explain score
  debertac explain model.dspec --tokens 512
  debertac explain deberta_v3_base`
}

// Run explains.
func (v *explainVerb) Run(a *app) error {
	if v.Tokens < 1 {
		return usage("debertac explain --help", "--tokens %d: a sequence has at least one token", v.Tokens)
	}
	if v.What == "" {
		return v.codes(a)
	}
	if _, err := os.Stat(v.What); v.What == "-" || err == nil {
		src, err := a.load(v.What)
		if err != nil {
			return err
		}
		return v.spec(a, src.spec)
	}
	if info, ok := diag.Find(diag.Code(v.What)); ok {
		_, err := fmt.Fprint(a.out, info.Page())
		return err
	}
	if rows := rowsOf(v.What); len(rows) > 0 {
		return words(a, rows)
	}
	if m := spec.ZooModel(v.What); m != nil {
		return v.model(a, m, nil)
	}
	return inputFault(v.What, "this is no file, no message code, no word of the language and no model of the zoo").hint("debertac explain")
}

// codes lists the message codes.
func (v *explainVerb) codes(a *app) error {
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	for _, c := range diag.Codes {
		fmt.Fprintf(w, "%s\t%s\n", c.Code, c.Meaning)
	}
	return w.Flush()
}

// rowsOf finds a word in all blocks of the language.
func rowsOf(word string) []*spec.Row {
	var rows []*spec.Row
	for _, r := range spec.Schema {
		if r.Word == word {
			rows = append(rows, r)
		}
	}
	return rows
}

// words prints how a word is written in each block that has it.
func words(a *app, rows []*spec.Row) error {
	for i, r := range rows {
		if i > 0 {
			fmt.Fprintln(a.out)
		}
		where := "in " + r.Block
		if r.Block == "file" {
			where = "at the top of a file"
		}
		fmt.Fprintf(a.out, "%s, %s\n  %s\n  %s\n", r.Word, where, r.Usage(), r.Doc)
		if r.Unit != "" {
			fmt.Fprintf(a.out, "  unit: %s\n", strings.ReplaceAll(r.Unit, " ", " or "))
		}
		if r.Default != "" {
			fmt.Fprintf(a.out, "  without it: %s\n", r.Default)
		}
		if r.Opens == "" {
			continue
		}
		var inside []string
		for _, o := range spec.Schema {
			if o.Block == r.Opens && !slices.Contains(inside, o.Word) {
				inside = append(inside, o.Word)
			}
		}
		fmt.Fprintf(a.out, "  inside: %s\n", strings.Join(inside, " "))
	}
	return nil
}

// spec prints every model with each of its heads.
func (v *explainVerb) spec(a *app, s *spec.Spec) error {
	for i, m := range s.Models {
		if i > 0 && !v.JSON {
			fmt.Fprintln(a.out)
		}
		if err := v.model(a, m, s.HeadsOf(m)); err != nil {
			return err
		}
	}
	return nil
}

// row is a line of the table, and its JSON form.
type row struct {
	Model     string  `json:"model"`
	Head      string  `json:"head,omitempty"` // the statement belongs to this head
	Place     string  `json:"place"`
	Statement string  `json:"statement"`
	Shape     string  `json:"shape"`
	Params    int64   `json:"params"`
	GFLOP     float64 `json:"gflop"` // at the asked number of tokens
}

// model prints one model: the encoder's lines, then what each head adds.
func (v *explainVerb) model(a *app, m *spec.Model, heads []*spec.Head) error {
	lengths := []int{v.Tokens}
	encoder := cost.Lines(m, nil, lengths)
	rows := rowsFor(m, "", encoder)
	for _, h := range heads {
		rows = append(rows, rowsFor(m, h.Name, cost.Lines(m, h, lengths)[len(encoder):])...)
	}
	if v.JSON {
		enc := json.NewEncoder(a.out)
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
		return nil
	}
	like := ""
	if len(m.Like) > 0 {
		like = ", like " + m.Like[0]
	}
	fmt.Fprintf(a.out, "model %s%s: %d layers, hidden %d, %d heads of %d, inner %d, vocabulary %d, sequences of up to %d tokens\n",
		m.Name, like, m.Layers, m.Hidden, m.Heads, m.Head, m.Inner, m.Vocab, m.Seq)
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "place\tstatement\tshape\tparameters\tGFLOP, %d tokens\n", v.Tokens)
	head := ""
	for _, r := range rows {
		if r.Head != head {
			fmt.Fprintf(w, "head %s\t\t\t\t\n", r.Head)
			head = r.Head
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", r.Place, r.Statement, r.Shape, count(r.Params), gflop(r.GFLOP))
	}
	params, flops := cost.Total(encoder)
	fmt.Fprintf(w, "encoder\t\t\t%s\t%s\n", count(params), gflop(flops/1e9))
	return w.Flush()
}

func rowsFor(m *spec.Model, head string, lines []cost.Line) []row {
	var rows []row
	for _, l := range lines {
		place := ""
		if !l.Source.Pos.IsZero() {
			place = fmt.Sprintf("%s:%d", l.Source.Pos.File, l.Source.Pos.Line)
		}
		rows = append(rows, row{m.Name, head, place, l.Source.Text, l.Shape, l.Params, l.Flops / 1e9})
	}
	return rows
}

// count writes a whole number with spaces between thousands; "" for 0.
func count(n int64) string {
	if n == 0 {
		return ""
	}
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + " " + s[i:]
	}
	return s
}

func gflop(x float64) string {
	if x == 0 {
		return ""
	}
	return fmt.Sprintf("%.3g", x)
}
