package main

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

type explainVerb struct {
	What   string `arg:"" optional:"" help:"Message code, word of the language, published model, or spec; - is the standard input."`
	Tokens *int   `placeholder:"N" help:"With --json: count the operations of one sequence of N tokens. Default: the model's seq."`
	JSON   bool   `name:"json" help:"Of a spec: print the sums, one JSON object per model and head."`
}

// Help is the long help.
func (explainVerb) Help() string {
	return `Of a message code: what it means, with an example. Of a word: how it is written, and where. Of a spec or of a published
model: every statement that makes numbers, with its place, shape, parameters and operations (a multiply-add counts as
two). With --json: parameters, and the useful operations by which bench counts. Without an argument: the message codes.

Examples:
  debertac explain index-kind
  debertac explain score
  debertac explain model.dspec --json --tokens 512
  debertac explain deberta_v3_base`
}

// Run explains.
func (v *explainVerb) Run(c *console.Console) error {
	if err := flags.Within(flags.Whole("--tokens", v.Tokens, 1, math.MaxInt)); err != nil {
		return err
	}
	switch {
	case v.Tokens != nil && !v.JSON:
		return fault.Usage("debertac explain --help", "--tokens belongs to --json")
	}
	if v.What == "" {
		return v.codes(c)
	}
	if there, err := disk.Exists(v.What); v.What == "-" || there || err != nil {
		src, err := source.Load(c, v.What)
		if err != nil {
			return err
		}
		return v.spec(c, src.Spec)
	}
	if info, ok := diag.Find(diag.Code(v.What)); ok {
		_, err := fmt.Fprint(c.Out, info.Page())
		return err
	}
	if rows := rowsOf(v.What); len(rows) > 0 {
		return words(c, rows)
	}
	if m := spec.ZooModel(v.What); m != nil {
		return v.spec(c, &spec.Spec{Name: v.What, Models: []*spec.Model{m}})
	}
	return fault.Input(v.What, "this is no file, no message code, no word of the language and no model of the zoo").Hint("debertac explain")
}

// codes lists the message codes.
func (v *explainVerb) codes(c *console.Console) error {
	w := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
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
func words(c *console.Console, rows []*spec.Row) error {
	for i, r := range rows {
		if i > 0 {
			fmt.Fprintln(c.Out)
		}
		where := "in " + r.Block
		if r.Block == "file" {
			where = "at the top of a file"
		}
		fmt.Fprintf(c.Out, "%s, %s\n  %s\n  %s\n", r.Word, where, r.Usage(), r.Doc)
		if r.Unit != "" {
			fmt.Fprintf(c.Out, "  unit: %s\n", strings.ReplaceAll(r.Unit, " ", " or "))
		}
		if r.Default != "" {
			fmt.Fprintf(c.Out, "  without it: %s\n", r.Default)
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
		fmt.Fprintf(c.Out, "  inside: %s\n", strings.Join(inside, " "))
	}
	return nil
}

// spec prints the resolved spec, or with --json the sums.
func (v *explainVerb) spec(c *console.Console, s *spec.Spec) error {
	if !v.JSON {
		_, err := fmt.Fprint(c.Out, spec.Explain(s))
		return err
	}
	for _, m := range s.Models {
		if v.Tokens != nil && *v.Tokens > m.Seq {
			return fault.Usage(fmt.Sprintf("--tokens %d, or raise seq in the spec", m.Seq), "--tokens %d: the seq of %s allows %d", *v.Tokens, m.Name, m.Seq)
		}
	}
	enc := json.NewEncoder(c.Out)
	for _, m := range s.Models {
		for _, h := range append([]*spec.Head{nil}, s.HeadsOf(m)...) {
			if err := enc.Encode(v.sums(m, h)); err != nil {
				return err
			}
		}
	}
	return nil
}

// sums is the JSON form of a model, or of a model with one of its heads.
type sums struct {
	Model      string  `json:"model"`
	Head       string  `json:"head,omitempty"`
	Params     int64   `json:"params"`                // of input and encoder
	HeadParams *int64  `json:"head_params,omitempty"` // absent without a head
	Tokens     int     `json:"tokens"`
	GFLOP      float64 `json:"gflop"` // useful operations of one sequence of so many tokens, as bench counts them
}

func (v *explainVerb) sums(m *spec.Model, h *spec.Head) sums {
	s := sums{Model: m.Name, Params: spec.Params(m), Tokens: m.Seq}
	if v.Tokens != nil {
		s.Tokens = *v.Tokens
	}
	s.GFLOP = cost.Flops(m, h, []int{s.Tokens}) / 1e9
	if h != nil {
		s.Head = h.Name
		n := spec.HeadParams(h)
		s.HeadParams = &n
	}
	return s
}
