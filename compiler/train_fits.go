package compiler

import (
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// leastLength is the shortest length that a hint suggests, in tokens.
const leastLength = 8

// OverBounds returns the faults of calls and trainings that need more memory than their bounds. It compiles what the targets of a spec emit under such a bound,
// and nothing else. The spec must have no fault that [NotYet] finds. An error is an internal error of the compiler.
func OverBounds(s *spec.Spec) (out diag.List, err error) {
	seen := map[string]bool{}
	for _, t := range s.Targets {
		for _, w := range workOf(s, t).emits {
			if w.Train != nil && w.Train.Memory == 0 || w.Train == nil && t.Memory == 0 {
				continue
			}
			_, faults, err := Compile(s, Options{Target: t.Name, Emit: w.name})
			if err != nil {
				return out, err
			}
			for _, d := range faults {
				if d.Code == "memory-bound" && !seen[d.String()] {
					seen[d.String()] = true
					out = append(out, d)
				}
			}
		}
	}
	out.Sort()
	return out, nil
}

// hintThatFits returns statements that let a step fit its memory bound: smaller parts of the batch, shorter texts, adapters, or several of them. Each is
// tried: a training with these statements was compiled, and it fits. If none fits, the hint is the bound that suffices. p is the program in which the backward
// pass computes all layers again, and again is their number.
func (t *targetWork) hintThatFits(p *ir.Program, w *work, o Options, again int) (string, error) {
	for _, tr := range []*spec.Train{w.Train, withAdapters(w.Train)} {
		if tr == nil {
			continue
		}
		if tr != w.Train {
			var err error
			if p, err = t.triedStep(tr, w, o, again); err != nil {
				return "", err
			}
		}
		for _, c := range smaller(tr) {
			if p == nil || !likely(p, c) {
				continue
			}
			if q, err := t.triedStep(c, w, o, again); err != nil {
				return "", err
			} else if q != nil && trainingFault(q, c) == nil {
				return changes(w.Train, c), nil
			}
		}
	}
	return "", nil
}

// triedStep compiles the step of another training in place of that of a line. It returns nil if the training cannot be compiled.
func (t *targetWork) triedStep(tr *spec.Train, w *work, o Options, again int) (*ir.Program, error) {
	other, first := *w, w.parts[0]
	other.Train = tr
	u := &Unit{Model: first.model, Head: first.head, Target: t.Target, Training: tr}
	o.Lora = tr.Lora
	if faults, err := t.compileStep(u, &other, o, again); err != nil || len(faults) > 0 {
		return nil, err
	}
	return u.Program, nil
}

// withAdapters returns a training of adapters and the head in place of one of all weights, or nil if it has words that exclude adapters.
func withAdapters(tr *spec.Train) *spec.Train {
	list := tr.Head.Model.Encoder.Attention.Projections
	i := slices.IndexFunc(list, func(p *spec.Proj) bool { return p.Reuse == nil && p.Kind == spec.Linear })
	if i < 0 || tr.Lora != nil || tr.Replace != nil || tr.Freeze != nil || tr.Optimizer.Touched {
		return nil
	}
	c := *tr
	c.Lora = &spec.Lora{Of: list[i : i+1], Rank: min(8, tr.Head.Model.Hidden-1), Alpha: 16}
	return &c
}

// smaller returns the trainings of smaller passes: with parts of the batch from the largest one, with shorter texts, and with both. A training with adapters is
// tried as it is first.
func smaller(tr *spec.Train) (list []*spec.Train) {
	add := func(part, length int) {
		c := *tr
		c.Part, c.Length = part, length
		list = append(list, &c)
	}
	if tr.Lora != nil {
		add(tr.Part, tr.Length)
	}
	least := tr.Part
	for part := tr.Part - 1; part > 0; part-- {
		if tr.Batch%part == 0 && tr.Divides(part) && (tr.Sift == nil || !divergenceOf(tr.Head).whole) {
			add(part, tr.Length)
			least = part
		}
	}
	for _, part := range slices.Compact([]int{tr.Part, least}) {
		for length := tr.Length / 2; length >= leastLength; length /= 2 {
			add(part, length)
		}
	}
	return list
}

// likely reports whether a smaller pass may fit, by the sizes of a program with larger passes.
func likely(p *ir.Program, c *spec.Train) bool {
	b := p.Bounds
	b.Sequences, b.Tokens, b.Length = c.Part, c.Part*c.Length, min(b.Length, c.Length)
	b.Rows = int(int64(b.Rows) * int64(b.Tokens) / int64(max(p.Bounds.Tokens, 1)))
	list := KeptBy(p, b)
	return bytesOf(list[:3]) < c.Memory && bytesOf(list) <= c.Memory+c.Memory/8
}

// changes returns the statements of a training that another one does not have, as they are written.
func changes(from, to *spec.Train) (text string) {
	add := func(format string, args ...any) {
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf(format, args...)
	}
	if to.Part != from.Part {
		add("batch %d sequences in parts of %d", to.Batch, to.Part)
	}
	if to.Length != from.Length {
		add("length %d tokens", to.Length)
	}
	if to.Lora != from.Lora {
		add("lora %s rank %d alpha %g", to.Lora.Of[0].Name, to.Lora.Rank, to.Lora.Alpha)
	}
	return text
}

// sufficient returns the bound of memory that a step fits, as it is written.
func sufficient(p *ir.Program) string {
	return fmt.Sprintf("memory <= %.0f MiB", math.Ceil(float64(bytesOf(KeptBy(p, p.Bounds)))/(1<<20)))
}
