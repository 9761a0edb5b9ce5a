package spec

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// The words of this file are for heads that read the tasks of a schema in front of a text (GLiNER2). Such a head has several outputs: classes and counts have
// a row for each marker of the prompt, spans a row for each word and each field in each step.

// schemaForm is a head that has names in GLiNER2's layout.
const schemaForm = "take words(first); prompt schema; classes layers 2 * hidden; counts 20 layers 2 * hidden; gru 20 steps; fields layers 4 * hidden; " +
	"spans <= 8 markers; loss binary_cross_entropy"

// schemaOrder lists the steps of such heads in their order.
var schemaOrder = []StepKind{StepClasses, StepCounts, StepGRU, StepFields, StepSpans}

// fieldSizes lists the sizes in parentheses of each form of fields, and an example of the form.
var fieldSizes = map[string]struct {
	names   []string
	example string
}{
	"layers":  {nil, "fields layers 4 * hidden"},
	"experts": {[]string{"count"}, "fields experts(count: 4) 2 * hidden"},
	"attend":  {[]string{"repeat", "heads", "width", "ffn"}, "fields attend(repeat: 2, heads: 4, width: 128, ffn: 256) hidden, hidden"},
}

// schemaStep resolves a step of a head that reads a schema.
func (b *headBuilder) schemaStep(step *Step, form any) {
	widths := func(list []*expr) {
		for _, w := range list {
			step.Widths = append(step.Widths, b.count(w, "width", 1))
		}
	}
	switch form := form.(type) {
	case *layersForm:
		step.Kind = StepClasses
		widths(form.Widths)
	case *countsForm:
		step.Kind, step.Count = StepCounts, b.count(form.Count, "counts", 2)
		widths(form.Widths)
	case *gruForm:
		step.Kind, step.Count = StepGRU, b.count(form.Count, "steps", 1)
	case *fieldsForm:
		step.Kind = StepFields
		widths(form.Widths)
		b.fields(step, form)
	}
}

// fields resolves how the row of a field in a step is made.
func (b *headBuilder) fields(step *Step, form *fieldsForm) {
	kind, ok := b.r.pick(form.Kind, "form of fields", FieldForms)
	if !ok {
		return
	}
	step.Fields = kind
	known := fieldSizes[kind]
	given := map[string]int{}
	for _, a := range form.Args {
		at := spanOfAll(a.Tokens)
		n := b.count(a.Value, a.Key, 1)
		switch _, again := given[a.Key]; {
		case !slices.Contains(known.names, a.Key):
			b.r.add(diag.Errorf("no-effect", at, "%s has no effect: it is no size of %s", a.Key, kind).Hintf("%s", known.example))
		case again:
			b.r.add(diag.Errorf("twice", at, "%s is set twice", a.Key).Hintf("remove one of the two"))
		}
		given[a.Key] = n
	}
	for _, name := range known.names {
		if _, ok := given[name]; !ok {
			b.r.add(diag.Errorf("missing", step.Pos, "%s does not say its %s", kind, name).Hintf("%s", known.example))
			return
		}
	}
	step.Count, step.Heads, step.Size, step.Inner = given["count"]+given["repeat"], given["heads"], given["width"], given["ffn"]
	switch {
	case kind == "experts" && len(step.Widths) != 1:
		b.r.add(diag.Errorf("shapes", step.Pos, "experts have one inner layer, not %d", len(step.Widths)).Hintf("%s", known.example))
	case kind == "attend" && step.Heads > 0 && step.Size%step.Heads != 0:
		b.r.add(diag.Errorf("shapes", step.Pos, "%d heads do not divide %d columns", step.Heads, step.Size).Hintf("%s", known.example))
	}
}

// bySchema reports whether the head reads a schema.
func (b *headBuilder) bySchema() bool {
	return b.h.Prompt != nil && b.h.Prompt.Schema || b.byBoundaries() || slices.ContainsFunc(b.h.Steps, func(s *Step) bool {
		return s.Kind != StepSpans && slices.Contains(schemaOrder, s.Kind)
	})
}

// schemaMeaning checks that the words of a head that reads a schema fit each other.
func (b *headBuilder) schemaMeaning() {
	h := b.h
	h.As = BySchema
	missing := func(at diag.Span, what, hint string) {
		b.r.add(diag.Errorf("missing", at, "%s", what).Hintf("%s", hint))
	}
	switch {
	case h.Prompt == nil:
		missing(h.Pos, h.Name+" reads the tasks of a schema, but does not say how they precede the text", "prompt schema")
	case !h.Prompt.Schema:
		b.r.add(diag.Errorf("take-loss", h.Prompt.Pos, "classes, counts, gru and fields read the tasks of a schema").Hintf("prompt schema"))
	}
	if h.Take.Rows != Words {
		b.r.add(diag.Errorf("take-loss", h.Take.Pos, "spans score words, whose number a schema does not change").Hintf("take words(first)"))
	}
	if h.Text != nil {
		b.r.add(diag.Errorf("no-effect", h.Text.Pos, "text has no effect: a head that reads a schema has no row of a text").Hintf("remove it"))
	}
	if b.byBoundaries() {
		b.boundaryMeaning()
		return
	}
	steps := map[StepKind]*Step{}
	last := -1
	for _, s := range h.Steps {
		word := strings.Fields(s.Text)[0]
		at := slices.Index(schemaOrder, s.Kind)
		switch {
		case at < 0:
			b.r.add(diag.Errorf("take-loss", s.Pos, "%s is no step of a head that reads a schema: these are classes, counts, gru, fields and spans", word).
				Hintf("remove it"))
		case at < last:
			b.r.add(diag.Errorf("take-loss", s.Pos, "%s stands after a step that reads what it computes, or other rows", word).Hintf("%s", schemaForm))
		}
		steps[s.Kind], last = s, max(last, at)
	}
	gru, fields, spans, counts := steps[StepGRU], steps[StepFields], steps[StepSpans], steps[StepCounts]
	switch {
	case len(steps) == 0:
		missing(h.Pos, h.Name+" reads a schema, but computes nothing", "classes layers 2 * hidden")
	case gru == nil && (fields != nil || spans != nil):
		missing(h.Pos, h.Name+" has no row for a field in a step", "gru 20 steps")
	case fields == nil && gru != nil:
		missing(gru.Pos, h.Name+" does not say how the rows of fields are made", "fields layers 4 * hidden")
	case spans == nil && gru != nil:
		missing(gru.Pos, h.Name+" makes rows of fields, but scores no spans against them", "spans <= 8 markers")
	case gru != nil && counts == nil:
		missing(gru.Pos, h.Name+" does not count how many steps of a field hold", "counts 20 layers 2 * hidden")
	case gru != nil && gru.Count > 0 && gru.Count < counts.Count-1:
		b.r.add(diag.Errorf("range", gru.Pos, "%d steps for counts of up to %d", gru.Count, counts.Count-1).Note(counts.Pos, "the counts are here").
			Hintf("gru %d steps", counts.Count))
	}
}

// mlp counts the parameters of layers of the given widths with bias, and their operations per row.
func mlp(widths ...int) (params int64, flops float64) {
	for i := 1; i < len(widths); i++ {
		p, f := layers(int64(widths[i-1]), int64(widths[i]))
		params, flops = params+p, flops+f
	}
	return params, flops
}

// schemaLines returns what the steps of a head that reads a schema contribute.
func (h *Head) schemaLines() []Line {
	list := []Line{{At: h.Prompt.Source, What: "the markers of tasks, fields and labels", Shape: "[markers, " + itoa(h.Model.Hidden) + "]"}}
	for i, s := range h.Steps {
		l := Line{At: s.Source}
		in := s.In
		switch s.Kind {
		case StepBounds, StepPool, StepCandidates, StepAbsent:
			list = append(list, h.boundaryLines(s, l, boundarySize(h.Steps[:i]))...)
			continue
		case StepDropout:
			l.What = "in training"
		case StepClasses:
			l.What, l.Shape, l.Per = "classes", "[markers, 1]", "a marker"
			l.Params, l.Flops = mlp(slices.Concat([]int{in}, s.Widths, []int{1})...)
		case StepCounts:
			l.What, l.Shape, l.Per = "counts", fmt.Sprintf("[markers, %d]", s.Count), "a marker"
			l.Params, l.Flops = mlp(slices.Concat([]int{in}, s.Widths, []int{s.Count})...)
		case StepGRU:
			l.What, l.Shape, l.Per = "three gates", fmt.Sprintf("[queries, %d]", in), "a query"
			gates, work := mlp(in, 3*in)
			l.Params, l.Flops = int64(s.Count*in)+2*gates, work // the products with the table are constants
		case StepFields:
			l.What, l.Shape, l.Per = s.Fields, fmt.Sprintf("[queries, %d]", in), "a query"
			l.Params, l.Flops = s.fieldParams()
		case StepSpans:
			list = append(list, schemaSpanLines(l, int64(in), int64(s.Width))...)
			continue
		}
		list = append(list, l)
	}
	return list
}

// fieldParams counts the parameters of fields, and their operations per query.
func (s *Step) fieldParams() (params int64, flops float64) {
	in := s.In
	switch s.Fields {
	case "experts":
		expert, work := mlp(in, s.Widths[0], in)
		router, route := mlp(in, in, s.Count)
		return router + int64(s.Count)*expert, route + float64(s.Count)*work
	case "attend":
		first, a := mlp(in, s.Size)
		layer, b := mlp(s.Size, 3*s.Size)
		out, c := mlp(s.Size, s.Size)
		ffn, d := mlp(s.Size, s.Inner, s.Size)
		last, e := mlp(slices.Concat([]int{s.Size + in}, s.Widths, []int{in})...)
		return first + int64(s.Count)*(layer+out+ffn+4*int64(s.Size)) + last, a + float64(s.Count)*(b+c+d) + e
	}
	return mlp(slices.Concat([]int{2 * in}, s.Widths, []int{in})...)
}

// schemaSpanLines returns the parts of the span scorer: projections of a span's first and last word, the layer that joins them, and the product of each span
// with each query. The second layer of the joining part is applied to queries.
func schemaSpanLines(at Line, h, widths int64) []Line {
	lines := spanLines(at, h, h, widths)
	label, _ := layers(h, 4*h, 4*h, h)
	lines[2].What, lines[2].Shape, lines[2].Per = "queries", "[queries, "+itoa(int(4*h))+"]", "a query"
	lines[2].Params, lines[2].Flops = lines[2].Params-label, 2*float64(4*h*h)
	lines[3].What, lines[3].Shape = "spans with queries", "[words, queries, "+itoa(int(widths))+"]"
	return lines
}
