// Package graph draws a program of the intermediate representation: one panel per call of the schedule, with the operations of its region as boxes. A
// box has the parts that are fused in it, the shape of its result, and the result's slot in the arena. A layer that is called many times is drawn
// once.
package graph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
)

// Picture is the picture of one program.
type Picture struct {
	Title  string
	Notes  []string // lines below the title: bounds, outputs
	Panels []*Panel // calls in the order of the schedule
	Links  []Link   // values that calls pass to later ones
	Slots  []Slot   // of the arena; empty before the pass memory
}

// Panel is one call of the schedule.
type Panel struct {
	Name  string
	About string // what the region is for, with its place in the spec
	Times int    // how often it is called, one layer after another
	First int    // the layer of the first call
	Pack  bool   // it is computed when weights are packed
	Boxes []*Box // in the order of computation, after the ends
}

// Box is an operation, or an end: a value that comes from an earlier call or is passed to a later one.
type Box struct {
	Op    string
	Parts []string // the operations that are fused in it, in the order of computation
	Lines []Text
	Slot  int    // of its result, -1 if it has none
	Tip   string // the text of the tooltip, with everything about the box
	End   bool
	To    []Edge

	value *ir.Value // of an end

	run  bool // it depends on the batch or on an earlier call, not only on weights
	rank int
	x, y float64 // of the upper left corner
	w, h float64
}

// Text is a line of a box.
type Text struct {
	Text string
	Role Role
}

// Role is what a line is about.
type Role uint8

// The roles of lines.
const (
	Shape   Role = iota // the type of the result, with its slot
	Weights             // a tensor that it reads
	Reads               // parts of the batch that it reads
	Source              // the statement of the spec
	Kernel              // how it runs
)

// Edge leads to a box that reads the result.
type Edge struct {
	To *Box

	via     []point // where the edge passes the ranks in between
	through []*place
}

// Link leads from the end of a call to the end of a later one.
type Link struct {
	From, To     *Box
	Source, Dest *Panel
}

// Slot is a place of the arena with the values that share it.
type Slot struct {
	Number int
	Size   string // how it grows with the batch
	Values []string
}

// Options selects what is drawn.
type Options struct {
	Pack bool // what is computed when weights are packed, too
}

// Of returns the picture of a program. pass is the name of the last pass that ran, for the title.
func Of(p *ir.Program, pass string, o Options) *Picture {
	b := &builder{program: p, slots: map[[2]string]int{}, steps: map[string]ir.Step{}}
	b.plan()
	d := &Picture{Title: fmt.Sprintf("%s from %s, after %s", p.Name, p.File, pass), Slots: b.arena()}
	limits := fmt.Sprintf("at most %d sequences (B), %d tokens (T), %d tokens per sequence (N)", p.Bounds.Sequences, p.Bounds.Tokens, p.Bounds.Length)
	if p.Bounds.Rows > 0 {
		limits += fmt.Sprintf(", %d rows that are asked for (M)", p.Bounds.Rows)
	}
	d.Notes = []string{limits, "outputs: " + strings.Join(p.Outputs, ", ")}
	written := map[string]end{}
	calls := p.Run
	if o.Pack {
		calls = slices.Concat(p.Pack, p.Run)
	}
	for i, c := range calls {
		panel := b.panel(c)
		panel.Pack = o.Pack && i < len(p.Pack)
		d.Panels = append(d.Panels, panel)
		for _, box := range panel.Boxes {
			if !box.End || len(box.To) == 0 && !isInput(c.Region, box.value) {
				continue
			}
			if from, ok := written[ir.At(box.value.Name, c.First)]; ok {
				d.Links = append(d.Links, Link{From: from.box, To: box, Source: from.panel, Dest: panel})
			}
		}
		for _, box := range panel.Boxes {
			if box.End && !isInput(c.Region, box.value) {
				written[ir.At(box.value.Name, c.First+c.Count-1)] = end{box, panel}
			}
		}
	}
	return d
}

// end is the place where a value of the store was written.
type end struct {
	box   *Box
	panel *Panel
}

func isInput(r *ir.Region, v *ir.Value) bool { return slices.Contains(r.In, v) }

// builder makes the panels of one program.
type builder struct {
	program *ir.Program
	slots   map[[2]string]int // by region and value
	steps   map[string]ir.Step
}

// plan makes an index of the decisions of the passes tile, memory and threads.
func (b *builder) plan() {
	if b.program.Plan == nil {
		return
	}
	for _, x := range b.program.Plan.Buffers {
		b.slots[[2]string{x.Region, x.Value}] = x.Slot
	}
	for _, s := range b.program.Plan.Steps {
		b.steps[fmt.Sprintf("%s %d", s.Region, s.Node)] = s
	}
}

// arena lists the slots.
func (b *builder) arena() []Slot {
	if b.program.Plan == nil {
		return nil
	}
	space, values := map[int]ir.Space{}, map[int][]string{}
	for _, x := range b.program.Plan.Buffers {
		space[x.Slot] = space[x.Slot].Union(x.Space)
		name := x.Value
		if x.Region != "" {
			name = x.Region + ": " + x.Value
		}
		if !slices.Contains(values[x.Slot], name) {
			values[x.Slot] = append(values[x.Slot], name)
		}
	}
	var out []Slot
	for n, s := range space {
		var parts []string
		for _, p := range s.Parts() {
			part := fmt.Sprint(p.Floats)
			if !p.Rows.Const() {
				part = p.Rows.String() + " · " + part
			}
			parts = append(parts, part)
		}
		size := strings.Join(parts, ", ")
		if len(parts) > 1 {
			size = "the largest of " + size
		}
		out = append(out, Slot{n, fmt.Sprintf("%s floats, at most %s", size, bytes(4*int64(s.Floats(b.program.Bounds.Sizes())))), values[n]})
	}
	slices.SortFunc(out, func(x, y Slot) int { return cmp.Compare(x.Number, y.Number) })
	return out
}

// bytes writes a size with its unit.
func bytes(n int64) string {
	if n < 1<<20 {
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	}
	return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
}

// panel makes the panel of a call.
func (b *builder) panel(c ir.Call) *Panel {
	r := c.Region
	p := &Panel{Name: r.Name, About: strings.TrimPrefix(r.Doc, r.Name+" "), Times: c.Count, First: c.First}
	if !r.Pos.IsZero() {
		p.About += " (" + r.Pos.String() + ")"
	}
	of := map[*ir.Value]*Box{}
	for _, v := range r.In {
		if v.Kind != ir.State {
			continue
		}
		box := b.end(r, v)
		of[v] = box
		p.Boxes = append(p.Boxes, box)
	}
	for i, n := range r.Nodes {
		box := b.box(r, i, n)
		p.Boxes = append(p.Boxes, box)
		for _, v := range n.In {
			from := of[v]
			box.run = box.run || from != nil && from.run
			if from != nil && !slices.ContainsFunc(from.To, func(e Edge) bool { return e.To == box }) {
				from.To = append(from.To, Edge{To: box})
			}
		}
		for _, v := range n.Out {
			of[v] = box
		}
	}
	for _, v := range r.Out {
		from := of[v]
		if from == nil { // a tensor that is packed unchanged
			continue
		}
		box := b.end(r, v)
		from.To = append(from.To, Edge{To: box})
		p.Boxes = append(p.Boxes, box)
	}
	return p
}

// end makes the box of a value that enters or leaves a region.
func (b *builder) end(r *ir.Region, v *ir.Value) *Box {
	box := &Box{Op: v.Name, End: true, run: true, Slot: b.slot(r, v), value: v, Tip: v.Name + " " + typeOf(v)}
	box.Lines = []Text{{v.Type.String() + b.place(r, v), Shape}}
	return box
}

// slot returns the slot of a value, -1 if it has none.
func (b *builder) slot(r *ir.Region, v *ir.Value) int {
	if s, ok := b.slots[[2]string{r.Name, v.Name}]; ok {
		return s
	}
	if s, ok := b.slots[[2]string{"", v.Name}]; ok {
		return s
	}
	return -1
}

// place returns a text that names a value's slot.
func (b *builder) place(r *ir.Region, v *ir.Value) string {
	if s := b.slot(r, v); s >= 0 {
		return fmt.Sprintf(" · slot %d", s)
	}
	return ""
}

func typeOf(v *ir.Value) string {
	if v.LD != 0 {
		return fmt.Sprintf("%s, rows %d apart", v.Type, v.LD)
	}
	return v.Type.String()
}

// box makes the box of a region's node i.
func (b *builder) box(r *ir.Region, i int, n *ir.Node) *Box {
	box := &Box{Op: n.Op, Parts: fused(n), Slot: -1}
	tip := []string{n.Op}
	for _, a := range n.Attrs {
		tip = append(tip, fmt.Sprintf("%s = %v", a.Key, a.Value))
	}
	for _, v := range n.Out {
		box.Slot = b.slot(r, v)
		box.Lines = append(box.Lines, Text{v.Type.String() + b.place(r, v), Shape})
		tip = append(tip, "makes "+v.Name+" "+typeOf(v))
	}
	var batch []string
	for _, v := range n.In {
		if v == nil {
			continue
		}
		switch v.Kind {
		case ir.Tensor, ir.Packed:
			box.Lines = append(box.Lines, Text{v.Name + " " + v.Type.Shape.String(), Weights})
		case ir.Batch:
			batch = append(batch, v.Name)
			box.run = true
		}
		tip = append(tip, "reads "+v.Name+" "+typeOf(v))
	}
	if len(batch) > 0 {
		box.Lines = append(box.Lines, Text{"of the batch: " + strings.Join(batch, ", "), Reads})
	}
	if n.Note != "" {
		box.Lines = append(box.Lines, Text{n.Note, Source})
	}
	if !n.Pos.IsZero() {
		tip = append(tip, n.Pos.String()+": "+n.Note)
	}
	if s, ok := b.steps[fmt.Sprintf("%s %d", r.Name, i)]; ok {
		kernel := s.Kernel
		if kernel == "" {
			kernel = "plain Go"
		}
		if s.Split != ir.SplitNone && s.Split != "" {
			kernel += ", divided by " + string(s.Split)
		}
		box.Lines = append(box.Lines, Text{kernel, Kernel})
	}
	box.Tip = strings.Join(tip, "\n")
	return box
}
