package trial

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/wording"
)

// tally counts what was compared.
type tally struct {
	cases, held      int
	left             int // training runs that were left out
	tensors, missing int
	isas             map[string]bool
}

// add counts the results of a case on an instruction set.
func (t *tally) add(isa string, results []golden.Result) {
	t.isas[isa] = true
	for _, r := range results {
		switch {
		case r.Left != "":
		case r.Reason != "":
			t.missing++
		default:
			t.tensors++
		}
	}
}

// names returns the instruction sets, sorted.
func (t *tally) names() []string {
	var names []string
	for n := range t.isas {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// line returns the summary.
func (t *tally) line() string {
	s := fmt.Sprintf("%d of %d cases hold", t.held, t.cases)
	if len(t.isas) > 0 {
		s += fmt.Sprintf(" on %s: %s compared", wording.List(t.names()), wording.Counted(t.tensors, "tensor", "tensors"))
	}
	if t.missing > 0 {
		s += fmt.Sprintf(", %d not produced", t.missing)
	}
	if t.left > 0 {
		s += fmt.Sprintf("; %d training run%s left out", t.left, map[bool]string{true: "s"}[t.left > 1])
	}
	return s
}

// ok reports whether all cases passed. It is false if there were no cases.
func (t *tally) ok() bool { return t.cases > 0 && t.held == t.cases }

// json returns the summary as a JSON object.
func (t *tally) json() map[string]any {
	return map[string]any{"cases": t.cases, "held": t.held, "isas": t.names(), "tensors": t.tensors, "missing": t.missing, "left": t.left, "ok": t.ok()}
}
