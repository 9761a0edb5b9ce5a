package ir

import (
	"fmt"

	"github.com/debertac/debertac/spec/diag"
)

// Builder appends nodes to a region. It keeps the first error: later calls return values without a type, and [Builder.Err] returns the error. So a sequence of
// calls is checked once, at its end.
type Builder struct {
	r      *Region
	names  map[string]bool
	serial int
	err    error
}

// NewBuilder returns a builder that appends to the end of a region.
func NewBuilder(r *Region) *Builder {
	b := &Builder{r: r, names: map[string]bool{}}
	for _, v := range r.In {
		b.names[v.Name] = true
	}
	for _, n := range r.Nodes {
		for _, o := range n.Out {
			b.names[o.Name] = true
		}
		b.serial++
	}
	return b
}

// Region returns the region to which the builder appends.
func (b *Builder) Region() *Region { return b.r }

// Err returns the first error, or nil.
func (b *Builder) Err() error { return b.err }

// Input returns the region's input of that name and makes it at first use. A second use with another kind or type is an error.
func (b *Builder) Input(name string, kind Kind, t Type) *Value {
	if v := b.r.Input(name); v != nil {
		if v.Kind != kind || !v.Type.Equal(t) {
			b.fail(fmt.Errorf("region %s: input %s is %s %s, not %s %s", b.r.Name, name, v.Kind, v.Type, kind, t))
		}
		return v
	}
	v := &Value{Name: name, Kind: kind, Type: t}
	if b.names[name] {
		b.fail(fmt.Errorf("region %s: input %s has the name of a value", b.r.Name, name))
	}
	b.names[name] = true
	b.r.In = append(b.r.In, v)
	return v
}

// Node appends a node and returns its results. Missing operands are nil. Errors name the op and the spec's position.
func (b *Builder) Node(op string, pos diag.Span, note string, attrs []Attr, in ...*Value) []*Value {
	n := &Node{Op: op, In: in, Pos: pos, Note: note}
	for _, a := range attrs {
		n.Set(a.Key, a.Value)
	}
	def := Lookup(op)
	var types []Type
	if def == nil {
		b.fail(fmt.Errorf("%v: no op is named %q", pos, op))
	} else if b.err == nil {
		var err error
		if types, err = def.Shape(n); err != nil {
			b.fail(fmt.Errorf("%v: op %s: %w", pos, op, err))
		}
	}
	if b.err != nil {
		return []*Value{{Name: op, Def: n}}
	}
	for range types {
		n.Out = append(n.Out, &Value{Name: b.fresh(op), Def: n})
	}
	for i, t := range types {
		n.Out[i].Type = t
	}
	b.r.Nodes = append(b.r.Nodes, n)
	return n.Out
}

// Op appends a node and returns its first result.
func (b *Builder) Op(op string, pos diag.Span, note string, attrs []Attr, in ...*Value) *Value {
	return b.Node(op, pos, note, attrs, in...)[0]
}

// Like calls Op with the position and the note of another node.
func (b *Builder) Like(n *Node, op string, attrs []Attr, in ...*Value) *Value {
	return b.Op(op, n.Pos, n.Note, attrs, in...)
}

// Output marks a value as an output of the region, which is stored under name after the region has run. A value that already has a store name keeps it and is
// stored under that name only.
func (b *Builder) Output(name string, v *Value) {
	if v.Kind == Temp && v.Name != name {
		if b.names[name] {
			b.fail(fmt.Errorf("region %s: output %s has the name of another value", b.r.Name, name))
		}
		delete(b.names, v.Name)
		b.names[name] = true
		v.Name = name
	}
	b.r.Out = append(b.r.Out, v)
}

// fresh returns a name that no value of the region has.
func (b *Builder) fresh(op string) string {
	for {
		name := fmt.Sprintf("%s%d", op, b.serial)
		b.serial++
		if !b.names[name] {
			b.names[name] = true
			return name
		}
	}
}

// fail keeps the first error.
func (b *Builder) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

// A returns an attribute: a key with an int, float64, string, bool, []int or []float64.
func A(key string, value any) Attr { return Attr{Key: key, Value: value} }
