package ir

import (
	"fmt"
	"slices"
	"sort"

	"github.com/debertac/debertac/ir/loop"
)

// Class says how an op moves data. Passes ask for the class, never for the name.
type Class uint8

// The classes.
const (
	Elementwise  Class = iota // each element of the output from the same element of the operands
	Rowwise                   // each row of the output from the same row of the operands (and whole vectors)
	Contraction               // a matrix product: each row of the output from the same row of the first operand and a whole matrix
	Gather                    // rows of an operand picked by integers
	Reduction                 // a sum over rows or columns
	Sequencewise              // the rows of each sequence from the rows of the same sequence, one sequence at a time
	Pairs                     // one number a head and pair of tokens of one sequence, [A, P]
	Attention                 // rows of a sequence read all rows of it
	Recurrent                 // rows of a sequence one after the other, in one direction or in both
	Wordwise                  // a row for each word, or pair of a word and a label, from rows of the same sequence
	Layout                    // moves numbers (and adds zeros); done when weights are packed
	Constant                  // no operands
)

var classNames = [...]string{"elementwise", "rowwise", "contraction", "gather", "reduction", "sequencewise", "pairs", "attention", "recurrent", "wordwise", "layout", "constant"}

// String names the class.
func (c Class) String() string { return classNames[c] }

// AttrType is the Go type of an attribute's value.
type AttrType string

// The attribute types.
const (
	AttrInt    AttrType = "int"
	AttrFloat  AttrType = "float"
	AttrString AttrType = "string"
	AttrBool   AttrType = "bool"
	AttrInts   AttrType = "ints"
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
	Variadic bool // only the last: one or more of it
	Doc      string
}

// Sizes are the extents of one batch: tokens, sequences, pairs of tokens, rows asked for, words, labels, and pairs of a word and a label.
type Sizes struct{ T, B, P, M, W, C, G int }

// Dim returns the extent's size in such a batch; 0 for an unknown symbol.
func (s Sizes) Dim(d Dim) int {
	switch d.Sym {
	case "":
		return d.N
	case "T":
		return s.T + d.N
	case "B":
		return s.B + d.N
	case "P":
		return s.P + d.N
	case "M":
		return s.M + d.N
	case "W":
		return s.W + d.N
	case "C":
		return s.C + d.N
	case "G":
		return s.G + d.N
	}
	return 0
}

// Elements returns the number of elements of a shape in such a batch.
func (s Sizes) Elements(shape Shape) int {
	n := 1
	for _, d := range shape {
		n *= s.Dim(d)
	}
	return n
}

// Cost is the work of one node: floating-point operations (a multiply-add counts two, exp and its like ten) and bytes read and written when
// every operand is read once and every result written once.
type Cost struct {
	FLOPs float64
	Bytes float64
}

// Op is the definition of an operation, all of it in one literal.
type Op struct {
	Name  string
	Doc   string // what it computes, with shapes
	Class Class
	In    []Operand
	Attrs []AttrDef

	// Shape gives the types of the results from the node's operands and attributes, or says what does not fit; the error is reported at the
	// spec's line. Define puts a check of the operands' number and element types and of the attributes in front of it.
	Shape func(n *Node) ([]Type, error)

	// Ref is the meaning: naive, in float64. A missing operand is nil. Operands are never changed; a result may share memory with one.
	Ref func(n *Node, in []*Array) ([]*Array, error)

	// Grad appends what gives the gradient of each operand from those of the results and returns it, nil for operands that have none
	// (integers). Nil if the op has no gradient at all, for the reason in NoGrad.
	Grad   func(b *Builder, n *Node, dy []*Value) ([]*Value, error)
	NoGrad string

	// Rows is for ops of Constant class whose result, of integers, are rows of a table in its order: how many rows the table has. Nil for all others.
	Rows func(n *Node) int

	// Cost is the work in a batch of the given sizes. Nil: one operation for each element of the results, see [Op.CostOf].
	Cost func(n *Node, s Sizes) Cost

	// Lower gives the portable form as a loop nest whose arguments are those of the op's kernels. Nil if the op never runs in a forward
	// call, for the reason in NoLower.
	Lower   func(n *Node) (*loop.Nest, error)
	NoLower string

	// Launches are the calls of Lower's nest that compute a node, given the first rows of the sequences and the operands, of which it may look
	// at integers. Nil: one call, whose arguments are y
	// (the result), m (its rows) and operands by their names. A y that points at an operand works in place: the result takes its memory.
	Launches func(n *Node, starts []int32, in []*Array) []Launch

	// Kernels are the families of codegen/kernel that can replace Lower, best first.
	Kernels []string

	// Sample gives nodes for the generic tests: every branch of the op at small sizes.
	Sample func() []Sample
}

// Launch is one call of a node's kernel: where its pointer arguments point and its counts. Arguments without an entry are nil.
type Launch struct {
	Memory map[string]Place
	Counts map[string]int
}

// Place is an element of a node's result or of one of its operands, counted in memory, where rows lie LD apart.
type Place struct {
	Operand int // an index of In, or Result, or Scratch
	At      int // the element; of Scratch the number of floats that the kernel may use
}

// Places that are not operands.
const (
	Result  = -1 // the node's first result
	Scratch = -2 // memory that holds nothing before and after
)

// Sample is one node for the generic tests, with operands that the test makes up.
type Sample struct {
	Attrs []Attr
	In    []Arg
	Lens  []int // tokens of each sequence; nil: [3 1 4]
	Holes bool  // original positions with gaps
}

// Fill says what numbers a test puts into an operand.
type Fill uint8

// The fills.
const (
	FillNormal     Fill = iota // random numbers of both signs
	FillPositive               // random numbers in 0.5 … 2
	FillBelow                  // integers 0 … Max-1
	FillIndex                  // a row index as the op buckets gives it: non-decreasing in 0 … Max-1 in steps of 0 or 1
	FillStarts                 // first rows of the sequences and T
	FillPos                    // original positions
	FillPanels                 // random numbers as the op panels would give them for Max columns: zeros beyond
	FillProb                   // random numbers that sum to 1 over each row of pairs
	FillRows                   // rows of the batch, rising: [M] or [C]
	FillWords                  // rows of words, [W, 2]
	FillWordStarts             // first words of the sequences and W
	FillMarkStarts             // first labels of the sequences and C
	FillPrefix                 // a part of each sequence's tokens, one number a sequence
	FillMissing                // no operand
)

// Arg is an operand of a sample.
type Arg struct {
	Type Type
	Fill Fill
	Max  int
}

var registry = map[string]*Op{}

// Define adds an op to the registry and returns it. It is called while packages are initialised; a faulty definition panics there, so that
// a binary with one does not start.
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

// Lookup finds an op by name, or gives nil. Ops are there once package ir/ops is imported.
func Lookup(name string) *Op { return registry[name] }

// Ops lists all ops by name.
func Ops() []*Op {
	out := make([]*Op, 0, len(registry))
	for _, op := range registry {
		out = append(out, op)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out
}

// check holds the operands and attributes of a node to the op's definition.
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

// checkOperands holds the number and the element types of the operands to the definition.
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

// checkAttr holds one attribute to its definition.
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

// CostOf returns the work of a node: the op's Cost, or, without one, an operation for each element of the results. Bytes that Cost leaves at 0 are those of the
// operands and results, 4 an element.
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
