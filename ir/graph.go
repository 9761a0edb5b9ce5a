package ir

import (
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/spec/diag"
)

// DType is the element type of a value.
type DType uint8

// The element types. F32 values are float64 in the oracle.
const (
	F32 DType = iota
	I32
)

// String returns the type's name in the text form: f32, i32.
func (t DType) String() string {
	if t == I32 {
		return "i32"
	}
	return "f32"
}

// Dim is one extent: a number, or a symbol whose size the batch decides (T, B, B+1, …).
type Dim struct {
	Sym string // "" for a constant
	N   int    // the constant, or the number added to the symbol
}

// N returns a constant extent.
func N(n int) Dim { return Dim{N: n} }

// String returns the extent as in the text form: 768, T, B+1.
func (d Dim) String() string {
	switch {
	case d.Sym == "":
		return strconv.Itoa(d.N)
	case d.N != 0:
		return fmt.Sprintf("%s+%d", d.Sym, d.N)
	}
	return d.Sym
}

// Const reports whether the extent is a number.
func (d Dim) Const() bool { return d.Sym == "" }

// Shape is a list of extents, outermost first.
type Shape []Dim

// String returns the shape as in the text form: [T, 768].
func (s Shape) String() string {
	parts := make([]string, len(s))
	for i, d := range s {
		parts[i] = d.String()
	}
	return "[" + strings.Join(parts, ", ") + "]"
}

// Equal reports whether two shapes are the same, extent by extent.
func (s Shape) Equal(o Shape) bool {
	if len(s) != len(o) {
		return false
	}
	for i := range s {
		if s[i] != o[i] {
			return false
		}
	}
	return true
}

// Type is the shape and element type of a value.
type Type struct {
	DType DType
	Shape Shape
}

// String returns the type as in the text form: f32[T, 768].
func (t Type) String() string { return t.DType.String() + t.Shape.String() }

// Equal reports whether two types are the same.
func (t Type) Equal(o Type) bool { return t.DType == o.DType && t.Shape.Equal(o.Shape) }

// Kind is the place that a region's input comes from.
type Kind uint8

// The kinds of values. Only Temp values have a defining node.
const (
	Temp      Kind = iota // computed by a node of the region
	Batch                 // part of every call: ids, pos, types, starts
	State                 // an activation that an earlier call wrote to the store
	Tensor                // a tensor of the checkpoint, under its published name
	Packed                // a tensor of the packed weights
	Optimizer             // what an optimizer keeps from one step of a training to the next
	Adapter               // a tensor of the adapter that a call chooses; without one, or if the adapter lacks it, the operand is missing
)

var kindNames = [...]string{"temp", "batch", "state", "tensor", "packed", "optimizer", "adapter"}

// String returns the kind's word in the text form.
func (k Kind) String() string { return kindNames[k] }

// Value is an edge of the graph.
type Value struct {
	// Name is unique in its region. An input or output of a region has its name in the store, where "{l}" stands for the layer.
	Name string
	Kind Kind
	Type Type
	Def  *Node // the node that computes it; nil for inputs

	// LD is the distance between rows in memory, in floats; 0 until a pass has chosen it. No one reads the numbers in the columns between the last extent and
	// LD.
	LD int
}

// Batched reports whether the first extent of the value depends on the batch.
func (v *Value) Batched() bool { return len(v.Type.Shape) > 0 && !v.Type.Shape[0].Const() }

// Attr is a named constant of a node. Value is an int, float64, string, bool, []int or []float64.
type Attr struct {
	Key   string
	Value any
}

// Node is one operation.
type Node struct {
	Op    string
	In    []*Value // a missing optional operand is nil
	Out   []*Value
	Attrs []Attr    // sorted by key
	Pos   diag.Span // the statement of the spec that asks for the node
	Note  string    // that statement, for comments in generated code; may be empty
}

// Attr returns the attribute's value, or nil.
func (n *Node) Attr(key string) any {
	for _, a := range n.Attrs {
		if a.Key == key {
			return a.Value
		}
	}
	return nil
}

// Int returns an integer attribute, 0 when absent.
func (n *Node) Int(key string) int { v, _ := n.Attr(key).(int); return v }

// Float returns a float attribute, 0 when absent.
func (n *Node) Float(key string) float64 { v, _ := n.Attr(key).(float64); return v }

// Str returns a string attribute, "" when absent.
func (n *Node) Str(key string) string { v, _ := n.Attr(key).(string); return v }

// Flag returns a boolean attribute, false when absent.
func (n *Node) Flag(key string) bool { v, _ := n.Attr(key).(bool); return v }

// Ints returns an integer list, nil when absent.
func (n *Node) Ints(key string) []int { v, _ := n.Attr(key).([]int); return v }

// FloatList returns a list of floats, nil when absent.
func (n *Node) FloatList(key string) []float64 { v, _ := n.Attr(key).([]float64); return v }

// Set sets an attribute and keeps the list sorted by key. A nil value removes it.
func (n *Node) Set(key string, value any) {
	for i, a := range n.Attrs {
		if a.Key >= key {
			switch {
			case a.Key == key && value == nil:
				n.Attrs = append(n.Attrs[:i], n.Attrs[i+1:]...)
			case a.Key == key:
				n.Attrs[i].Value = value
			case value != nil:
				n.Attrs = append(n.Attrs[:i], append([]Attr{{key, value}}, n.Attrs[i:]...)...)
			}
			return
		}
	}
	if value != nil {
		n.Attrs = append(n.Attrs, Attr{key, value})
	}
}

// Region is a graph that runs as a whole: nodes in execution order.
type Region struct {
	Name  string
	Doc   string // one line for the generated function
	Pos   diag.Span
	In    []*Value
	Out   []*Value // values of Nodes or In; each is stored under its name
	Nodes []*Node
}

// Reads returns how many times each value is read: once per operand of a node, and once as an output of the region.
func (r *Region) Reads() map[*Value]int {
	reads := map[*Value]int{}
	for _, n := range r.Nodes {
		for _, v := range n.In {
			if v != nil {
				reads[v]++
			}
		}
	}
	for _, v := range r.Out {
		reads[v]++
	}
	return reads
}

// Call runs a region Count times, with the layer numbers First, First+1, ….
type Call struct {
	Region *Region
	First  int
	Count  int
}

// Steps returns the runs of regions that calls stand for, in their order: each region with the number of the layer.
func Steps(calls []Call) iter.Seq2[*Region, int] {
	return func(yield func(*Region, int) bool) {
		for _, c := range calls {
			for l := c.First; l < c.First+c.Count; l++ {
				if !yield(c.Region, l) {
					return
				}
			}
		}
	}
}

// ShapesOf returns the shapes of the checkpoint's tensors that calls read, by their names in the store.
func ShapesOf(calls []Call) map[string][]int {
	shapes := map[string][]int{}
	for r, l := range Steps(calls) {
		for _, v := range r.In {
			if v.Kind != Tensor {
				continue
			}
			shape := make([]int, len(v.Type.Shape))
			for i, d := range v.Type.Shape {
				shape[i] = d.N
			}
			shapes[At(v.Name, l)] = shape
		}
	}
	return shapes
}

// Program is a model with one head, for one target.
type Program struct {
	Name    string // package name of the generated code
	File    string // the spec's file name, for comments
	Regions []*Region
	Pack    []Call
	Adapt   []Call // pack what an adapter has besides the weights: the adapter values of Run
	Run     []Call
	Outputs []string // names in the store that a forward call returns, such as "logits"
	Keep    []string // names in the store that no call reads, but the program that opens the packed weights does
	Bounds  Bounds
	Meta    Meta
	Plan    *Plan // set by the passes tile, memory and threads

	Training *Training // of a training step; nil: the program is a forward pass
}

// Training describes the numbers that a training program keeps from call to call.
type Training struct {
	Params  []Param  // in the order in which calls first read them
	Twins   []Twin   // second names of tensors
	Updates []Update // of the optimizers, in the order of their calls
	Counts  []Count  // if a pass is over a part of a batch: what the loss needs to know of the whole batch
	Merges  []Merge  // matrices that adapters change
	Models  []Model  // if it trains two: the generator and the detector
	Masking *Masking // how the tokens to predict are chosen; nil: the program predicts no masked tokens
	Noise   float64  // the standard deviation of the delta of a batch that has none, see package runtime/dropout; 0: no delta is read
	Traced  []string // values of the store, f32[., N], that a pass keeps for its caller
	Losses  []Loss   // the terms of the loss; none: it is one number
	Targets []Target // what holds for the numbers of targets

	Epochs int // passes over the data, if the spec counts them; otherwise 0
	Batch  int // sequences of a step

	// Negatives is the number of labels of other texts that are asked for besides each label of a text.
	Negatives float64

	// Sums maps sums of some shares of a gradient to the gradient, in whose memory they lie. A call that adds a share reads one sum and writes the next.
	Sums map[string]string
}

// Masking tells how the tokens to predict are chosen.
type Masking struct {
	masking.Rule
	Targets []string // that are the original tokens
}

// Stage is a part of a training step that follows the gradients. Calls that belong to no stage compute the loss and the gradients.
type Stage uint8

// The stages of an update, in their order.
//
// A trainer runs the calls without a stage and those of Accumulate for each part of a batch. Then it runs Norm, and reads the loss and the norm. If one of both
// is not a finite number, some gradient is not either, and the trainer leaves out the stages that follow: up to there nothing that outlives a step has been
// changed. Lookahead runs after every k-th step.
const (
	Accumulate Stage = iota + 1 // add the gradients of this part of the batch to the sums
	Norm                        // the norm of all gradients, and the factor that clips them
	Apply                       // change the parameters, and what the optimizer keeps
	Lookahead                   // mix parameters and slow weights
)

// SumPrefix begins the name of the sum of a gradient over the parts of a batch, among what an optimizer keeps. It means nothing between two steps.
const SumPrefix = "sum."

// Update describes the calls of one optimizer.
type Update struct {
	Name   string           // the first word of the names of its numbers, such as update.rate
	Stages map[string]Stage // by the name of the region
	Kept   []Param          // what it keeps from step to step, each of the type of a parameter; 0 before the first step, but slow weights are the parameters

	Numbers *UpdateNumbers // those that differ from step to step

	// InPlace maps values of the store to the tensors, or to what is kept, in whose memory they lie.
	InPlace map[string]string
}

// Calls returns the calls of a stage.
func (u *Update) Calls(p *Program, s Stage) []Call {
	return slices.DeleteFunc(slices.Clone(p.Run), func(c Call) bool { return u.Stages[c.Region.Name] != s })
}

// Gradients returns the calls that belong to no stage of an update.
func (t *Training) Gradients(p *Program) []Call {
	return slices.DeleteFunc(slices.Clone(p.Run), func(c Call) bool {
		return slices.ContainsFunc(t.Updates, func(u Update) bool { return u.Stages[c.Region.Name] != 0 })
	})
}

// KeyPrefix begins the names of the keys of dropout in the batch, i32[2].
const KeyPrefix = "dropout."

// Keys numbers the keys of dropout: it returns the number of each key's name as regions write it, and the count of all keys. A name that depends on the layer
// has a number for each layer; that of layer l is l more than that of layer 0.
func (p *Program) Keys() (first map[string]int, count int) {
	first = map[string]int{}
	layers := 0
	for _, l := range Steps(p.Run) {
		layers = max(layers, l+1)
	}
	for r := range Steps(p.Run) {
		for _, v := range r.In {
			if _, ok := first[v.Name]; ok || v.Kind != Batch || !strings.HasPrefix(v.Name, KeyPrefix) {
				continue
			}
			first[v.Name] = count
			if count++; strings.Contains(v.Name, "{l}") {
				count += layers - 1
			}
		}
	}
	return first, count
}

// UpdateNumbers describes the numbers of an optimizer that differ from step to step, see package runtime/rate.
type UpdateNumbers struct {
	Kind              string
	Beta1, Beta2, Eps float64
	Correct           bool
	Every             int // steps between two mixes with the slow weights; 0: no mix

	Peak, Final float64
	Steps       int     // 0: the spec counts epochs
	Warmup      float64 // steps
	Share       float64 // of the steps, if Warmup is 0
	Course      string
	Power       float64
	FromStart   bool
}

// Param is a tensor of the checkpoint in a training program.
type Param struct {
	Name  string
	Shape []int
	Grad  string // the store's name of its gradient; "": the tensor is not trained

	Init Init // how it begins in a training from scratch, and as a new tensor
	New  bool // the weights from which a training starts may lack it: it is of a head, or of an adapter
	Rows bool // the weights from which a training starts may have another number of its rows: a prompt adds tokens
}

// Twin is another name of a tensor, by which calls of a second optimizer read it. That optimizer has a gradient and a state of its own for it.
type Twin struct {
	Name string
	Of   string // the tensor in Params
	Grad string // the store's name of its gradient
}

// Init is the distribution of the numbers of a new tensor: Mean + Normal·n + Uniform·u with a standard normal n and u from -1 to 1.
type Init struct{ Mean, Normal, Uniform float64 }

// Held returns the names of the store's values that do not lie in the arena, because they are kept from call to call.
func (t *Training) Held() map[string]bool {
	held := map[string]bool{}
	for _, p := range t.Params {
		if p.Grad != "" {
			held[p.Grad] = true
		}
	}
	for _, w := range t.Twins {
		held[w.Grad] = true
	}
	for name := range t.Sums {
		held[name] = true
	}
	for _, u := range t.Updates {
		for name := range u.InPlace {
			held[name] = true
		}
	}
	return held
}

// Bounds are the largest sizes that a call may have.
type Bounds struct {
	Sequences int // greatest B
	Tokens    int // greatest T
	Length    int // greatest N of one sequence
	Rows      int // greatest M; 0: the program takes no rows
	Steps     int // greatest number of steps of a query; 0: the program takes no queries

	Candidates int // greatest number of candidates of one sequence; 0: the program chooses no spans
}

// At returns a store name for a layer: "{l}" is replaced by the number, "{l+1}" by the next one. A layer that maps the hidden states has the input
// "hidden_states.{l}" and the output "hidden_states.{l+1}", so no name is ever written twice.
func At(name string, layer int) string {
	name = strings.ReplaceAll(name, "{l+1}", strconv.Itoa(layer+1))
	return strings.ReplaceAll(name, "{l}", strconv.Itoa(layer))
}

// Maker returns the node that makes a value of the store from the spec alone, such as the rows of offsets: it has no operands. For other values it returns nil.
func (p *Program) Maker(name string) *Node {
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			if len(n.Out) == 1 && n.Out[0].Name == name && len(n.In) == 0 {
				return n
			}
		}
	}
	return nil
}

// HoldsPairs reports whether a packed value of a type holds pairs of bfloat16. Its other integers are indices, which follow from the spec alone.
func (p *Program) HoldsPairs(name string, t Type) bool { return t.DType == I32 && p.Maker(name) == nil }

// Region returns the region of that name, or nil.
func (p *Program) Region(name string) *Region {
	for _, r := range p.Regions {
		if r.Name == name {
			return r
		}
	}
	return nil
}

// Input returns the region's input of that name, or nil.
func (r *Region) Input(name string) *Value {
	for _, v := range r.In {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Result returns the program's result, which is the last of its outputs, and the region that computes it; nil if no region does.
func (p *Program) Result() (*Region, *Value) {
	if len(p.Outputs) == 0 {
		return nil, nil
	}
	return p.Writer(p.Outputs[len(p.Outputs)-1])
}

// Writer returns the region of the schedule that writes a value of the store, and its output; nil if none does.
func (p *Program) Writer(name string) (*Region, *Value) {
	for r, l := range Steps(p.Run) {
		for _, v := range r.Out {
			if At(v.Name, l) == name {
				return r, v
			}
		}
	}
	return nil, nil
}
