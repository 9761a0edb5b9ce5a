package ir

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// Class describes how an op moves data. Passes ask for the class, never for the name.
type Class uint8

// The classes.
const (
	Elementwise  Class = iota // each element of the output from the same element of the operands
	Rowwise                   // each row of the output from the same row of the operands, and from whole vectors
	Contraction               // a matrix product: each row of the output from the same row of the first operand and a whole matrix
	Gather                    // rows of an operand picked by integers
	Reduction                 // a sum over rows or columns
	Sequencewise              // the rows of each sequence from the rows of the same sequence, one sequence at a time
	Pairs                     // one number per head and pair of tokens of one sequence, [A, P]
	Attention                 // each row of a sequence reads all rows of the sequence
	Recurrent                 // rows of a sequence one after the other, in one direction or in both
	Wordwise                  // a row for each word, or pair of a word and a label, from rows of the same sequence
	Layout                    // moves numbers and adds zeros; for weights it runs when they are packed
	Constant                  // no operands
	Flat                      // whole tensors of fixed size as they lie in memory, with zeros between rows: steps of optimizers
)

var classNames = [...]string{"elementwise", "rowwise", "contraction", "gather", "reduction",
	"sequencewise", "pairs", "attention", "recurrent", "wordwise", "layout", "constant", "flat"}

// String returns the name of the class.
func (c Class) String() string { return classNames[c] }

// ByRows reports whether ops of the class compute each row of their result by itself, so that blocks of rows can be divided between workers.
func (c Class) ByRows() bool {
	switch c {
	case Elementwise, Rowwise, Gather, Reduction, Layout, Constant:
		return true
	}
	return false
}

// CountRows and CountAt are the counts of nests that work on rows, see [Op.Lower].
const (
	CountRows = "m"
	CountAt   = "at"
)

// RowsOf returns the operand whose rows a count of a nest counts, or "" for a count that is not of the form xRows.
func RowsOf(count string) string {
	name, ok := strings.CutSuffix(count, "Rows")
	if !ok {
		return ""
	}
	return name
}

// AttrType is the Go type of an attribute's value.
type AttrType string

// The attribute types.
const (
	AttrInt    AttrType = "int"
	AttrFloat  AttrType = "float"
	AttrString AttrType = "string"
	AttrBool   AttrType = "bool"
	AttrInts   AttrType = "ints"
	AttrFloats AttrType = "floats"
)

// AttrDef describes an attribute of an op.
type AttrDef struct {
	Name     string
	Type     AttrType
	Required bool
	Words    []string // the values that a string may have; nil for any
	Doc      string
}

// Operand describes an operand of an op.
type Operand struct {
	Name     string
	DType    DType
	Optional bool // may be nil
	Variadic bool // only the last operand: it stands for one or more
	// Whole reports that a row of the result may need all of the operand, see [Op.Lower]. A row of the result needs the same row alone of other operands of
	// ops that work on rows.
	Whole bool
	// Constant reports that no gradient passes through the operand, though the result depends on it: it follows from the targets of a loss, or is a choice.
	Constant bool
	Doc      string
}

// Argument returns the name that operand i has among the arguments of kernels: its name, or, for an operand that stands for several, the name and its number
// from 0.
func (op *Op) Argument(i int) string {
	last := len(op.In) - 1
	if i >= last && op.In[last].Variadic {
		return op.In[last].Name + strconv.Itoa(i-last)
	}
	return op.In[i].Name
}

// Cost is the work of one node: floating-point operations, and bytes read and written if every operand is read once and every result is written once. A
// multiply-add counts as two operations, exp and similar functions as ten.
type Cost struct {
	FLOPs float64
	Bytes float64
	BF16  float64 // how many of FLOPs are those of products of bfloat16
}

// Op is the definition of an operation. One literal holds all of it.
type Op struct {
	Name  string
	Doc   string // what it computes, with shapes
	Class Class
	In    []Operand
	Attrs []AttrDef

	// Shape returns the types of the results from the node's operands and attributes, or an error, which is reported at the spec's line. Define puts a check in
	// front of it: of the operands' number and element types, and of the attributes.
	Shape func(n *Node) ([]Type, error)

	// Ref computes the results in float64, in the simplest way; it defines what the op means. A missing operand is nil. Ref never changes its operands; a
	// result may share memory with one.
	Ref func(n *Node, in []*Array) ([]*Array, error)

	// Grad appends nodes that compute the gradient of each operand from the gradients of the results. It returns those gradients, nil for an operand that has
	// none (integers). Grad is nil if the op has no gradient at all; NoGrad is the reason.
	Grad   func(b *Builder, n *Node, dy []*Value) ([]*Value, error)
	NoGrad string

	// Rows is for ops of class Constant whose result holds row numbers of a table: it returns the number of the table's rows. It is nil for all other ops.
	Rows func(n *Node) int

	// Cost returns the work in a batch of the given sizes. If it is nil, the work is one operation per element of the results, see [Op.CostOf].
	Cost func(n *Node, s Sizes) Cost

	// Lower returns the portable form as a loop nest; its arguments are those of the op's kernels. It is nil if no code is ever generated for the op from a
	// nest; NoLower is the reason.
	//
	// The nest of an op that works on rows (ByRows of its class) computes the rows at … at+m-1 of the result. Its arguments are y, at the first of these
	// rows; operands by their names, at the same row, or at their first element if they are Whole; and counts: m, at, and xRows for the number of rows of
	// an operand x. It has the arguments that it needs. A value with one extent has rows of one number.
	Lower   func(n *Node) (*loop.Nest, error)
	NoLower string

	// Results holds the names of the results among the arguments of kernels; nil stands for the only result, y.
	Results []string

	// Launches returns the calls of Lower's nest that compute a node. It is called with the first rows of the sequences and with the operands, of which it may
	// read integers. If it is nil, the node takes one call; the arguments are y (the result), m (its rows) and the operands by their names. A y that points at
	// an operand works in place: the result takes that operand's memory.
	Launches func(n *Node, starts []int32, in []*Array) []Launch

	// Cheap is true for ops with so little work per element that a gradient computes their result again rather than keep it: activations, norms of rows
	// and copies.
	Cheap bool

	// InPlace returns, for each result, the index of the operand whose memory it takes, or -1 if it has memory of its own. No later node may read that
	// operand. The arguments of Lower's nest for such a result are the operand's. If it is nil, all results have memory of their own.
	InPlace func(n *Node) []int

	// Kernels names the families of codegen/kernel that can replace Lower, best first.
	Kernels []string

	// Sample returns nodes for the generic tests. They reach every branch of the op at small sizes.
	Sample func() []Sample
}

// Replaces returns the operand in whose memory a node writes a value, or nil if the value has memory of its own.
func (v *Value) Replaces() *Value {
	if v.Def == nil {
		return nil
	}
	op := Lookup(v.Def.Op)
	if op.InPlace == nil {
		return nil
	}
	if of := op.InPlace(v.Def)[slices.Index(v.Def.Out, v)]; of >= 0 {
		return v.Def.In[of]
	}
	return nil
}

// Home returns the value whose memory a value of a region has. Results that take the memory of an operand form chains with these operands. The home of a chain
// that begins with an input of the region is the input; otherwise it is the last value of the chain, so that an output is computed in its place.
func (r *Region) Home(v *Value) *Value {
	for of := v.Replaces(); of != nil; of = v.Replaces() {
		v = of
	}
	if v.Kind != Temp {
		return v
	}
	for again := true; again; {
		again = false
		for _, n := range r.Nodes {
			for _, o := range n.Out {
				if o.Replaces() == v {
					v, again = o, true
				}
			}
		}
	}
	return v
}

// Launch is one call of a node's kernel: the places that its pointer arguments point at, and its counts. An argument without an entry is nil.
type Launch struct {
	Memory map[string]Place
	Counts map[string]int
}

// Place is an element of a node's result or of one of its operands. Elements are counted in memory, where rows lie LD apart.
type Place struct {
	Operand int // an index of In, or Result, or Scratch
	At      int // the element; for Scratch the number of floats that the kernel may use
}

// Places that are not operands:
const (
	Result  = -1 // the node's first result that has memory of its own
	Scratch = -2 // memory that holds nothing before and after the call
)

// ResultAt returns the place of a node's result k for [Place].
func ResultAt(k int) int {
	if k == 0 {
		return Result
	}
	return Scratch - k
}

// Sample is one node for the generic tests; the test makes up its operands.
type Sample struct {
	Attrs []Attr
	In    []Arg
	Lens  []int // tokens of each sequence; nil means [3 1 4]
	Holes bool  // the original positions have gaps
}

// SampleSteps is the greatest number of steps of a query in samples.
const SampleSteps = 4

// Fill describes the numbers that a test puts into an operand.
type Fill uint8

// The fills.
const (
	FillNormal   Fill = iota // random numbers of both signs
	FillPositive             // random numbers in 0.5 … 2
	FillBelow                // integers 0 … Max-1
	FillTarget               // integers -1 … Max-1, of which one at least is -1 and one is not, if there are two
	FillIndex                // row numbers as the op buckets returns them: in 0 … Max-1, non-decreasing in steps of 0 or 1
	FillPanels               // random numbers as the op panels returns them for Max columns: zeros in columns after Max
	FillProb                 // random numbers that sum to 1 over each row of pairs
	FillPart                 // a part of the batch, Part
	FillZero                 // zeros
	FillRole                 // 1 and 0 by turns
	FillShare                // numbers from 0 to 1, of which about half are 0 or 1, or -1
	FillBF16                 // pairs of random numbers, rounded to bfloat16
	FillMissing              // the operand is missing
	FillSome                 // random numbers of both signs, but zeros in every third row
)

// Arg is an operand of a sample.
type Arg struct {
	Type Type
	Fill Fill
	Max  int
	Part ragged.Part // for FillPart
}

// PartArg returns an operand that is a part of the batch.
func PartArg(p ragged.Part) Arg { return Arg{Type: partType(p), Fill: FillPart, Part: p} }

var registry = map[string]*Op{}

// Define adds an op to the registry and returns it. It is called while packages are initialised, and panics if the definition is faulty: a binary with a faulty
// op does not start.
func Define(op Op) *Op {
	switch {
	case op.Name == "" || op.Doc == "":
		panic("ir: an op needs a name and a doc: " + op.Name)
	case registry[op.Name] != nil:
		panic("ir: two ops are named " + op.Name)
	case op.Shape == nil || op.Ref == nil || op.Sample == nil:
		panic("ir: op " + op.Name + " lacks Shape, Ref or Sample")
	case (op.Grad == nil) == (op.NoGrad == ""):
		panic("ir: op " + op.Name + " needs either Grad or the reason in NoGrad")
	case (op.Lower == nil) == (op.NoLower == ""):
		panic("ir: op " + op.Name + " needs either Lower or the reason in NoLower")
	}
	sort.Slice(op.Attrs, func(i, j int) bool { return op.Attrs[i].Name < op.Attrs[j].Name })
	shape := op.Shape
	op.Shape = func(n *Node) ([]Type, error) {
		if err := op.check(n); err != nil {
			return nil, err
		}
		types, err := shape(n)
		if err != nil {
			return nil, err
		}
		return types, nil
	}
	registry[op.Name] = &op
	return &op
}

// Lookup returns the op of that name, or nil. The ops are registered when package ir/ops is imported.
func Lookup(name string) *Op { return registry[name] }

// Ops returns all ops, sorted by name.
func Ops() []*Op {
	out := make([]*Op, 0, len(registry))
	for _, op := range registry {
		out = append(out, op)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// check compares the operands and attributes of a node with the op's definition.
func (op *Op) check(n *Node) error {
	if err := op.checkOperands(n); err != nil {
		return err
	}
	for i, a := range n.Attrs {
		if i > 0 && n.Attrs[i-1].Key >= a.Key {
			return fmt.Errorf("attributes %s and %s are not sorted by key", n.Attrs[i-1].Key, a.Key)
		}
		if err := op.checkAttr(a); err != nil {
			return err
		}
	}
	for _, d := range op.Attrs {
		if d.Required && n.Attr(d.Name) == nil {
			return fmt.Errorf("attribute %s is missing: %s", d.Name, d.Doc)
		}
	}
	return nil
}

// checkOperands compares the number and the element types of the operands with the definition.
func (op *Op) checkOperands(n *Node) error {
	variadic := len(op.In) > 0 && op.In[len(op.In)-1].Variadic
	if len(n.In) > len(op.In) && !variadic {
		return fmt.Errorf("%d operands where %d are known", len(n.In), len(op.In))
	}
	for i := 0; i < max(len(n.In), len(op.In)); i++ {
		d := op.In[min(i, len(op.In)-1)]
		if i >= len(n.In) || n.In[i] == nil {
			if !d.Optional {
				return fmt.Errorf("operand %d (%s) is missing", i, d.Name)
			}
			continue
		}
		if got := n.In[i].Type.DType; got != d.DType {
			return fmt.Errorf("operand %d (%s) is %s, not %s", i, d.Name, got, d.DType)
		}
	}
	return nil
}

// checkAttr compares one attribute with its definition.
func (op *Op) checkAttr(a Attr) error {
	for _, d := range op.Attrs {
		if d.Name != a.Key {
			continue
		}
		var ok bool
		switch v := a.Value.(type) {
		case int:
			ok = d.Type == AttrInt
		case float64:
			ok = d.Type == AttrFloat && v-v == 0 // a finite number
		case bool:
			ok = d.Type == AttrBool
		case []int:
			ok = d.Type == AttrInts
		case []float64:
			ok = d.Type == AttrFloats && !slices.ContainsFunc(v, func(x float64) bool { return x-x != 0 })
		case string:
			ok = d.Type == AttrString && (d.Words == nil || slices.Contains(d.Words, v))
			if d.Type == AttrString && !ok {
				return fmt.Errorf("attribute %s is %q, not one of %v", a.Key, v, d.Words)
			}
		}
		if !ok {
			return fmt.Errorf("attribute %s is %v (%T), not a finite %s", a.Key, a.Value, a.Value, d.Type)
		}
		return nil
	}
	return fmt.Errorf("attribute %q is unknown", a.Key)
}

// CostOf returns the work of a node: the op's Cost, or, without one, one operation per element of the results. Where Cost leaves the bytes at 0, CostOf counts
// the operands and results, 4 bytes per element.
func (op *Op) CostOf(n *Node, s Sizes) Cost {
	var c Cost
	if op.Cost != nil {
		c = op.Cost(n, s)
	} else if op.Class != Layout && op.Class != Constant {
		for _, o := range n.Out {
			c.FLOPs += float64(s.Elements(o.Type.Shape))
		}
	}
	if c.Bytes == 0 {
		for _, list := range [][]*Value{n.In, n.Out} {
			for _, v := range list {
				if v != nil {
					c.Bytes += 4 * float64(s.Elements(v.Type.Shape))
				}
			}
		}
	}
	return c
}

// LooksUp reports whether the node looks rows up in a table, which is its first operand. Ops that do so are of the class Gather and call that operand table.
func (n *Node) LooksUp() bool {
	op := Lookup(n.Op)
	return op.Class == Gather && op.In[0].Name == "table"
}
