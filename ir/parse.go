package ir

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// Parse reads the text that [Print] writes. It checks the form only, so that a test can write down a faulty program; [Verify] checks the rest. Errors begin
// with the line's number.
func Parse(text string) (*Program, error) {
	r := &reader{p: &Program{}}
	for i, line := range strings.Split(text, "\n") {
		if err := r.line(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", i+1, err)
		}
	}
	switch {
	case r.region != nil:
		return nil, fmt.Errorf("region %s has no end", r.region.Name)
	case !r.begun:
		return nil, fmt.Errorf("the text has no line that begins with program")
	}
	return r.p, nil
}

// reader holds the state between lines.
type reader struct {
	p      *Program
	begun  bool
	region *Region           // the region that is being read; nil outside of regions
	values map[string]*Value // the values of the region, by name
}

// line reads one line.
func (r *reader) line(text string) error {
	if word, rest, _ := strings.Cut(strings.TrimSpace(text), " "); r.region == nil && r.begun {
		switch word { // the rest of the line is JSON
		case "meta":
			return decode(rest, &r.p.Meta)
		case "buffer", "step":
			if r.p.Plan == nil {
				return fmt.Errorf("a %s in front of the line plan", word)
			}
			if word == "buffer" {
				r.p.Plan.Buffers = append(r.p.Plan.Buffers, Buffer{})
				return decode(rest, &r.p.Plan.Buffers[len(r.p.Plan.Buffers)-1])
			}
			r.p.Plan.Steps = append(r.p.Plan.Steps, Step{})
			return decode(rest, &r.p.Plan.Steps[len(r.p.Plan.Steps)-1])
		}
	}
	tokens, err := scan(text)
	if err != nil {
		return err
	}
	c := &cursor{list: tokens}
	switch {
	case c.peek().kind == lexEnd:
	case r.region != nil:
		r.inside(c)
	case c.is("program"):
		if r.begun {
			c.fail("a second line that begins with program")
		}
		r.begun = true
		r.p.Name = c.name()
		c.want("from")
		r.p.File = c.string()
	case !r.begun:
		c.fail("the first line begins with program, not with %s", c.peek())
	default:
		r.outside(c)
	}
	c.end()
	return c.err
}

// outside reads a line between regions.
func (r *reader) outside(c *cursor) {
	switch word := c.next(); {
	case word.kind != lexName:
		c.fail("got %s, want a word", word)
	case word.text == "bounds":
		r.p.Bounds.Sequences = c.int()
		c.want("sequences")
		r.p.Bounds.Tokens = c.int()
		c.want("tokens")
		r.p.Bounds.Length = c.int()
		c.want("length")
		for c.peek().kind == lexNumber {
			n := c.int()
			switch word := c.name(); word {
			case "rows":
				r.p.Bounds.Rows = n
			case "steps":
				r.p.Bounds.Steps = n
			case "candidates":
				r.p.Bounds.Candidates = n
			default:
				c.fail("got %s, want rows, steps or candidates", word)
			}
		}
	case word.text == "keep":
		c.items(func() { r.p.Keep = append(r.p.Keep, c.name()) })
	case word.text == "outputs":
		c.items(func() { r.p.Outputs = append(r.p.Outputs, c.name()) })
	case word.text == "region":
		g := &Region{Name: c.name()}
		if c.peek().kind == lexString {
			g.Doc = c.string()
		}
		g.Pos = r.pos(c)
		c.want("{")
		if r.p.Region(g.Name) != nil {
			c.fail("two regions are named %s", g.Name)
		}
		r.p.Regions = append(r.p.Regions, g)
		r.region, r.values = g, map[string]*Value{}
	case word.text == "pack" || word.text == "adapt" || word.text == "run":
		name := c.name()
		call := Call{Region: r.p.Region(name), First: c.int(), Count: c.int()}
		if call.Region == nil {
			c.fail("no region above is named %s", name)
		}
		switch word.text {
		case "pack":
			r.p.Pack = append(r.p.Pack, call)
		case "adapt":
			r.p.Adapt = append(r.p.Adapt, call)
		default:
			r.p.Run = append(r.p.Run, call)
		}
	case word.text == "plan":
		if r.p.Plan != nil {
			c.fail("a second plan")
		}
		r.p.Plan = &Plan{}
	default:
		c.fail("%s does not begin a line", word)
	}
}

// inside reads a line of a region.
func (r *reader) inside(c *cursor) {
	switch {
	case c.is("}"):
		r.region = nil
	case c.is("in"):
		kind := r.kind(c)
		v := r.define(c)
		v.Kind = kind
		r.region.In = append(r.region.In, v)
	case c.is("out"):
		c.items(func() { r.region.Out = append(r.region.Out, r.value(c, c.name())) })
	default:
		r.node(c)
	}
}

// node reads a node: results = op(operands) {attributes} @position "note".
func (r *reader) node(c *cursor) {
	n := &Node{}
	var outs []*Value
	if !c.is("=") {
		c.items(func() { outs = append(outs, r.declare(c)) })
		c.want("=")
	}
	n.Op = c.name()
	c.want("(")
	if !c.is(")") {
		c.items(func() {
			if c.is("_") {
				n.In = append(n.In, nil)
			} else {
				n.In = append(n.In, r.value(c, c.name()))
			}
		})
		c.want(")")
	}
	if c.is("{") {
		c.items(func() {
			key := c.name()
			c.want("=")
			if v := r.literal(c); c.err == nil {
				if n.Attr(key) != nil {
					c.fail("attribute %s is given twice", key)
				}
				n.Set(key, v)
			}
		})
		c.want("}")
	}
	n.Pos = r.pos(c)
	if c.peek().kind == lexString {
		n.Note = c.string()
	}
	for _, v := range outs { // only now, because a node does not read its own results
		v.Def = n
		r.enter(c, v)
	}
	n.Out = outs
	r.region.Nodes = append(r.region.Nodes, n)
}

// kind reads the kind of an input.
func (r *reader) kind(c *cursor) Kind {
	t := c.next()
	for k, name := range kindNames {
		if t.kind == lexName && name == t.text && Kind(k) != Temp {
			return Kind(k)
		}
	}
	c.fail("%[2]s is not a kind of input (kinds: %[1]v)", kindNames[1:], t)
	return Temp
}

// declare reads a value with its type and row distance.
func (r *reader) declare(c *cursor) *Value {
	v := &Value{Name: c.name()}
	switch t := c.next(); t.text {
	case "f32":
	case "i32":
		v.Type.DType = I32
	default:
		c.fail("got %s, want a type (f32 or i32)", t)
	}
	c.want("[")
	if !c.is("]") {
		c.items(func() { v.Type.Shape = append(v.Type.Shape, r.dim(c)) })
		c.want("]")
	}
	if c.is("ld") {
		v.LD = c.int()
	}
	return v
}

// define reads a value as declare does, and makes it known to later lines.
func (r *reader) define(c *cursor) *Value {
	v := r.declare(c)
	r.enter(c, v)
	return v
}

// enter adds a value to those that later lines can name.
func (r *reader) enter(c *cursor, v *Value) {
	if r.values[v.Name] != nil {
		c.fail("two values are named %s", v.Name)
	}
	r.values[v.Name] = v
}

// value returns the region's value of that name.
func (r *reader) value(c *cursor, name string) *Value {
	v := r.values[name]
	if v == nil {
		c.fail("no value above is named %q", name)
	}
	return v
}

// dim reads an extent: 768, T, B+1.
func (r *reader) dim(c *cursor) Dim {
	if c.peek().kind == lexNumber {
		return N(c.int())
	}
	t := c.next()
	if t.kind != lexName {
		c.fail("got %s, want an extent", t)
	}
	d := Dim{Sym: t.text}
	if c.is("+") {
		d.N = c.int()
	}
	return d
}

// literal reads an attribute's value.
func (r *reader) literal(c *cursor) any {
	switch t := c.peek(); {
	case t.kind == lexString:
		return c.string()
	case c.is("true"):
		return true
	case c.is("false"):
		return false
	case c.is("["):
		return r.list(c)
	case t.kind == lexNumber && !strings.ContainsAny(t.text, ".e"):
		return c.int()
	case t.kind == lexNumber:
		c.next()
		f, err := strconv.ParseFloat(t.text, 64)
		if err != nil {
			c.fail("%s is not a number", t)
		}
		return f
	}
	c.fail("got %s, want a value", c.peek())
	return nil
}

// list reads the rest of a list of integers, or of floats if one of its numbers has a point or an exponent.
func (r *reader) list(c *cursor) any {
	ints, floats, whole := []int{}, []float64{}, true
	if c.is("]") {
		return ints
	}
	c.items(func() {
		switch v := r.literal(c).(type) {
		case int:
			ints, floats = append(ints, v), append(floats, float64(v))
		case float64:
			floats, whole = append(floats, v), false
		default:
			c.fail("%v is not a number", v)
		}
	})
	c.want("]")
	if whole {
		return ints
	}
	return floats
}

// pos reads a position, if one comes next.
func (r *reader) pos(c *cursor) diag.Span {
	if !c.is("@") {
		return diag.Span{}
	}
	s := diag.Span{File: r.p.File}
	if c.peek().kind == lexString {
		s.File = c.string()
		c.want(":")
	}
	s.Line = c.int()
	c.want(":")
	s.Col = c.int()
	c.want(":")
	s.EndCol = c.int()
	return s
}

// decode reads JSON and refuses unknown fields.
func decode(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one value after the word")
	}
	return nil
}
