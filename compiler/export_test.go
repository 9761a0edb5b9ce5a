package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Trained returns the tensors that a training changes.
var Trained = trained

// RunPass runs one pass on a program.
func RunPass(name string, p *ir.Program) error {
	for _, ps := range passes {
		if ps.name == name {
			return ps.run(p)
		}
	}
	return fmt.Errorf("no pass is named %q", name)
}

// FuseCounting runs fuse on a program and counts the patterns that it replaces, by name.
func FuseCounting(p *ir.Program, found map[string]int) error {
	for _, r := range p.Regions {
		if err := fuseRegion(r, func(p pattern) { found[p.name]++ }); err != nil {
			return err
		}
	}
	return nil
}

// Patterns returns the names of fuse's patterns with their reasons, and of the terms of scores with what they are.
func Patterns() (patterns, scores map[string]string) {
	patterns, scores = map[string]string{}, map[string]string{}
	for _, round := range rounds {
		for _, p := range round {
			patterns[p.name] = p.reason
		}
	}
	for _, t := range terms {
		scores[t.op] = t.doc
	}
	return patterns, scores
}

// Lives returns the rows of the table of what exists after which passes.
func Lives() (whats []string) {
	for _, l := range lives {
		whats = append(whats, l.what)
	}
	return whats
}

// VerifyAfter checks a program as it is checked after a pass.
func VerifyAfter(p *ir.Program, last string) error { return verifyAfter(p, last) }

// SiftFault returns why scale-invariant fine-tuning has no meaning for a head, or nil.
func SiftFault(h *spec.Head) *diag.Diag { return siftFault(h, h.Source) }

// LossFault returns what is wrong with the loss of a unit, or nil.
func LossFault(u *Unit) *diag.Diag { return u.lossFault(Targets{}) }
