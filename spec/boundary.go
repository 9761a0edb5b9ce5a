package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// The words of this file are for heads that read the tasks of a schema, score the boundaries between words, choose spans between them and score these
// (GLiNER2.5). A span may have any number of words.

// boundaryForm is a head that has names in GLiNER2.5's layout.
const boundaryForm = "take words(first); prompt schema; classes layers 2 * hidden; boundaries 128 refine 1 ffn 256; pool <= 384 from 64 least 8; " +
	"candidates 128 content 64 film 64 inside; absent above 0.5; loss binary_cross_entropy"

// boundaryOrder lists the steps of such heads in their order.
var boundaryOrder = []StepKind{StepClasses, StepBounds, StepPool, StepCandidates, StepAbsent}

// ownBoundaryWords lists the words of the language for the steps that only such heads have.
var ownBoundaryWords = map[StepKind]string{StepBounds: "boundaries", StepPool: "pool", StepCandidates: "candidates", StepAbsent: "absent"}

// Bounds describes how boundaries are made and scored.
type Bounds struct {
	Size   int // columns of a boundary's row
	Attend int // layers of attention among boundaries
	Heads  int // their heads
	Window int // the greatest distance of a boundary that one reads; 0: all are read
	Refine int // blocks that refine the rows
	Inner  int // their inner columns
}

// Pool describes the choice of spans.
type Pool struct {
	Most  int // candidates of a text
	Top   int // boundaries that spans start from, or end at
	Least int // spans of each query that are chosen before all others
}

// Candidates describes how a candidate is scored.
type Candidates struct {
	Size    int  // columns of a candidate's row
	Content int  // columns of the rows of words that a candidate's content is the mean of; 0: none
	Soft    bool // the content has the log of the sum of exp too
	Film    int  // inner columns of the layers on a row that the query changes
	Inside  bool // the inside scores of a candidate's words are added
}

// Decoding holds how the numbers of a head that scores boundaries become results. No number depends on it.
type Decoding struct {
	Pairs, Classes float64 // temperatures: logits are divided by them
	Above          float64 // a query whose probability of having no result is above it has none, if the head has such a number
	Overlap        string  // one of Overlaps
}

// Overlaps lists which spans of a label stay if they share words.
var Overlaps = []string{"flat", "nested", "longest"}

// Dropout returns the rate of a head's dropout, or 0.
func (h *Head) Dropout() float64 {
	for _, s := range h.Steps {
		if s.Kind == StepDropout {
			return s.Rate
		}
	}
	return 0
}

// boundaryStep resolves a statement of a head that scores boundaries. step reports whether it is a step.
func (b *headBuilder) boundaryStep(step *Step, form any) bool {
	switch form := form.(type) {
	case *boundsForm:
		step.Kind, step.Bounds = StepBounds, &Bounds{Size: b.count(form.Width, "boundaries", 1)}
		b.boundsAttend(step, form.Attend)
		if form.Refine != nil {
			step.Bounds.Refine, step.Bounds.Inner = b.count(form.Refine, "refine", 1), b.count(form.FFN, "ffn", 1)
		}
	case *poolForm:
		step.Kind, step.Pool = StepPool, &Pool{Most: b.count(form.Most, "pool", 1), Top: b.count(form.Top, "from", 1)}
		if form.Least != nil {
			step.Pool.Least = b.count(form.Least, "least", 0)
		}
		if p := step.Pool; p.Most > 0 && p.Least > p.Most {
			b.r.add(diag.Errorf("range", step.Pos, "%d spans of each query, of %d that are chosen in all", p.Least, p.Most).
				Hintf("pool <= %d from %d least %d", p.Most, p.Top, p.Most))
		}
	case *candidatesForm:
		step.Kind = StepCandidates
		step.Candidates = &Candidates{Size: b.count(form.Width, "candidates", 1), Soft: form.Soft, Film: b.count(form.Film, "film", 1), Inside: form.Inside}
		if form.Content != nil {
			step.Candidates.Content = b.count(form.Content, "content", 1)
		}
	case *absentForm:
		step.Kind = StepAbsent
		b.decoding().Above, _ = b.r.real(form.Above, "absent", "in [0, 1]", func(v float64) bool { return v >= 0 && v <= 1 })
	case *temperatureForm:
		for _, t := range []struct {
			of string
			n  *num
			to *float64
		}{{"pairs", form.Pairs, &b.decoding().Pairs}, {"classes", form.Classes, &b.decoding().Classes}} {
			if t.n != nil {
				*t.to, _ = b.r.real(t.n, t.of, "above 0", func(v float64) bool { return v > 0 })
			}
		}
		return false
	case *wordForm:
		if word, ok := b.r.pick(form.Value, "overlap", Overlaps); ok {
			b.decoding().Overlap = word
		}
		return false
	}
	return true
}

// attendSizes lists the sizes of attention among boundaries, and whether they may be missing.
var attendSizes = map[string]bool{"repeat": false, "heads": false, "window": true}

// boundsAttend resolves the attention among boundaries.
func (b *headBuilder) boundsAttend(step *Step, list []*sizeForm) {
	const hint = "attend(repeat: 2, heads: 4, window: 128)"
	given := map[string]int{}
	for _, a := range list {
		_, known := attendSizes[a.Key]
		_, again := given[a.Key]
		switch at := spanOfAll(a.Tokens); {
		case !known:
			b.r.add(diag.Errorf("no-effect", at, "%s has no effect: it is no size of attend", a.Key).Hintf("%s", hint))
		case again:
			b.r.add(diag.Errorf("twice", at, "%s is set twice", a.Key).Hintf("remove one of the two"))
		}
		given[a.Key] = b.count(a.Value, a.Key, 1)
	}
	for _, name := range []string{"repeat", "heads"} {
		if _, ok := given[name]; !ok && list != nil {
			b.r.add(diag.Errorf("missing", step.Pos, "attend does not say its %s", name).Hintf("boundaries 128 %s", hint))
			return
		}
	}
	s := step.Bounds
	s.Attend, s.Heads, s.Window = given["repeat"], given["heads"], given["window"]
	if s.Heads > 0 && s.Size%s.Heads != 0 {
		b.r.add(diag.Errorf("shapes", step.Pos, "%d heads do not divide %d columns", s.Heads, s.Size).Hintf("boundaries 128 %s", hint))
	}
}

// decoding returns the head's settings of decoding, and makes them at first use.
func (b *headBuilder) decoding() *Decoding {
	if b.h.Decoding == nil {
		b.h.Decoding = &Decoding{Pairs: 1, Classes: 1, Overlap: Overlaps[0]}
	}
	return b.h.Decoding
}

// byBoundaries reports whether the head has a word that only heads that score boundaries have.
func (b *headBuilder) byBoundaries() bool {
	return b.h.Decoding != nil || slices.ContainsFunc(b.h.Steps, func(s *Step) bool { return ownBoundaryWords[s.Kind] != "" })
}

// boundaryMeaning checks that the words of a head that scores boundaries fit each other.
func (b *headBuilder) boundaryMeaning() {
	steps := map[StepKind]*Step{}
	last := -1
	for _, s := range b.h.Steps {
		at := slices.Index(boundaryOrder, s.Kind)
		switch {
		case s.Kind == StepDropout:
		case at < 0:
			b.r.add(diag.Errorf("take-loss", s.Pos, "%s is no step of a head that scores boundaries: these are classes, boundaries, pool, candidates and "+
				"absent", strings.Fields(s.Text)[0]).Hintf("remove it"))
		case at < last:
			b.r.add(diag.Errorf("take-loss", s.Pos, "%s stands after a step that reads what it computes, or whose numbers follow its own",
				strings.Fields(s.Text)[0]).Hintf("%s", boundaryForm))
		}
		if before := steps[s.Kind]; before != nil && s.Kind == StepDropout {
			b.r.add(diag.Errorf("twice", s.Pos, "dropout is set twice: such a head has one rate").
				Note(before.Pos, "the first time here").Hintf("remove one of the two"))
		}
		steps[s.Kind], last = s, max(last, at)
	}
	hints := map[StepKind]string{StepBounds: "boundaries 128 refine 1 ffn 256", StepPool: "pool <= 384 from 64 least 8",
		StepCandidates: "candidates 128 content 64 film 64 inside"}
	for _, k := range []StepKind{StepBounds, StepPool, StepCandidates} {
		if steps[k] == nil {
			b.r.add(diag.Errorf("missing", b.h.Pos, "%s does not say its %s", b.h.Name, ownBoundaryWords[k]).Hintf("%s", hints[k]))
			break
		}
	}
	b.decoding()
}

// boundaryText describes a step of a head that scores boundaries, in the resolved dump.
func boundaryText(s *Step) string {
	switch s.Kind {
	case StepBounds:
		return fmt.Sprintf("boundaries %d -> %d attend %d heads %d window %d refine %d inner %d", s.In, s.Bounds.Size, s.Bounds.Attend, s.Bounds.Heads,
			s.Bounds.Window, s.Bounds.Refine, s.Bounds.Inner)
	case StepPool:
		return fmt.Sprintf("pool of %d from %d least %d", s.Pool.Most, s.Pool.Top, s.Pool.Least)
	case StepCandidates:
		c := s.Candidates
		return fmt.Sprintf("candidates %d content %d soft %v film %d inside %v", c.Size, c.Content, c.Soft, c.Film, c.Inside)
	}
	return "absent"
}

// boundaryLines returns what a step of a head that scores boundaries contributes. size is the number of columns of a boundary's row.
func (h *Head) boundaryLines(s *Step, l Line, size int) []Line {
	in := h.Model.Hidden
	shape := func(rows string, columns int) string { return "[" + rows + ", " + itoa(columns) + "]" }
	second, third := l, l
	switch s.Kind {
	case StepBounds:
		d := s.Bounds.Size
		l.What, l.Shape, l.Per = "boundaries", shape("boundaries", d), "a boundary"
		sides, side := mlp(in, d)
		join, joined := mlp(2*d, d)
		first, one := mlp(d, 2*s.Bounds.Inner)
		last, two := mlp(s.Bounds.Inner, d)
		attend, attended := mlp(d, 3*d)
		out, read := mlp(d, d)
		l.Params = 2*sides + join + int64(2*in+2*d) + int64(s.Bounds.Attend)*(attend+out+int64(2*d)) + int64(s.Bounds.Refine)*(first+last+int64(2*d))
		l.Flops = 2*side + joined + float64(s.Bounds.Attend)*(attended+read) + float64(s.Bounds.Refine)*(one+two)
		second.What, second.Per = "start, end and inside", "a query and boundary"
		second.Shape = fmt.Sprintf("[queries, boundaries, %d]", tasktable.BoundColumns)
		word, _ := mlp(in, d)
		bound, _ := mlp(d, d)
		second.Params, second.Flops = 4*word+2*bound, float64(6*d)
		return []Line{l, second}
	case StepPool:
		l.What, l.Shape, l.Per = "up to "+itoa(s.Pool.Most)+" spans", "[candidates, 2]", "a boundary"
		p, f := mlp(size, size)
		l.Params, l.Flops = 2*p, 2*f
	case StepCandidates:
		c := s.Candidates
		content := c.Content
		if c.Soft {
			content *= 2
		}
		l.What, l.Shape, l.Per = "candidates", shape("candidates", c.Size), "a candidate"
		ends, end := mlp(size, c.Size)
		length, a := mlp(3, c.Size)
		prior, b := mlp(1, c.Size)
		l.Params, l.Flops = 2*ends+length+prior+int64(2*c.Size), 2*end+a+b
		if content > 0 {
			value, v := mlp(in, c.Content)
			project, w := mlp(content, c.Size)
			l.Params, l.Flops = l.Params+value+project+int64(2*content), l.Flops+v+w
		}
		second.What, second.Shape, second.Per = "queries", shape("queries", 3*c.Size), "a query"
		query, q := mlp(in, c.Size)
		film, g := mlp(c.Size, 2*c.Size)
		second.Params, second.Flops = query+film, q+g
		third.What, third.Shape, third.Per = "queries with candidates", "[queries, candidates, 1]", "a query and candidate"
		third.Params, third.Flops = mlp(c.Size, c.Film, 1)
		third.Flops += float64(2 * c.Size)
		return []Line{l, second, third}
	case StepAbsent:
		l.What, l.Shape, l.Per = "no result", "[queries, 1]", "a query"
		l.Params, l.Flops = mlp(in, 1)
	}
	return []Line{l}
}

// boundarySize returns the number of columns of a boundary's row after steps.
func boundarySize(steps []*Step) int {
	for _, s := range steps {
		if s.Kind == StepBounds {
			return s.Bounds.Size
		}
	}
	return 0
}
