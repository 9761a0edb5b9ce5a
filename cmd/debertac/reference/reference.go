// Package reference explains the message codes, the words of the language, and what the models of a spec cost.
package reference

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Codes lists the message codes.
func Codes(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, c := range diag.Codes {
		fmt.Fprintf(w, "%s\t%s\n", c.Code, c.Meaning)
	}
	return w.Flush()
}

// Rows returns the rows of a word in all blocks of the language, and then those that have it among their operands.
func Rows(word string) []*spec.Row {
	var rows, inside []*spec.Row
	for _, r := range spec.Schema {
		other := func(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }
		if r.Word == word {
			rows = append(rows, r)
		} else if slices.Contains(strings.FieldsFunc(r.Operands, other), word) {
			inside = append(inside, r)
		}
	}
	return append(rows, inside...)
}

// Words prints how words are written in each block that has them.
func Words(out io.Writer, rows []*spec.Row) error {
	for i, r := range rows {
		if i > 0 {
			fmt.Fprintln(out)
		}
		where := "in " + r.Block
		if r.Block == "file" {
			where = "at the top of a file"
		}
		fmt.Fprintf(out, "%s, %s\n  %s\n  %s\n", r.Word, where, r.Usage(), r.Doc)
		if r.Unit != "" {
			fmt.Fprintf(out, "  unit: %s\n", strings.ReplaceAll(r.Unit, " ", " or "))
		}
		if r.Default != "" {
			fmt.Fprintf(out, "  without it: %s\n", r.Default)
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
		fmt.Fprintf(out, "  inside: %s\n", strings.Join(inside, " "))
	}
	return nil
}

// Sums prints the parameters and operations of a spec as JSON objects: one per model, and one per head. tokens is the length of a sequence; nil means
// the seq of the model.
func Sums(out io.Writer, s *spec.Spec, tokens *int) error {
	for _, m := range s.Models {
		if tokens != nil && *tokens > m.Seq {
			return fault.Usage(fmt.Sprintf("--tokens %d, or raise seq in the spec", m.Seq), "--tokens %d: the seq of %s allows %d", *tokens, m.Name, m.Seq)
		}
	}
	enc := json.NewEncoder(out)
	for _, m := range s.Models {
		for _, h := range append([]*spec.Head{nil}, s.HeadsOf(m)...) {
			if err := enc.Encode(sumsOf(tokens, m, h)); err != nil {
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
	GFLOP      float64 `json:"gflop"` // useful operations of one sequence of that many tokens, as bench counts them
}

func sumsOf(tokens *int, m *spec.Model, h *spec.Head) sums {
	s := sums{Model: m.Name, Params: spec.Params(m), Tokens: m.Seq}
	if tokens != nil {
		s.Tokens = *tokens
	}
	s.GFLOP = cost.Flops(m, h, []int{s.Tokens}) / 1e9
	if h != nil {
		s.Head = h.Name
		n := spec.HeadParams(h)
		s.HeadParams = &n
	}
	return s
}
