package ops

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// UpdateChunk is the number of floats in memory that one call of a kernel on whole tensors covers, and one term of a sum over a tensor, such as a term of
// square_sum. The terms are added in their order, so the sum does not depend on how the chunks are divided among workers. A call takes about 50 µs.
const UpdateChunk = 1 << 14

// onlyLast is the reason why ops that update parameters have no gradient.
const onlyLast = "it comes after all gradients"

// The operands that optimizers share. The numbers of a step are computed by package runtime/rate.
var (
	paramIn   = float("p", "any fixed shape, a parameter")
	gradIn    = float("grad", "as p, the gradient")
	firstIn   = float("first", "as p, the moving mean of the gradient; 0 before the first step")
	secondIn  = float("second", "as p, the moving mean of the gradient's square; 0 before the first step")
	rateIn    = float("rate", "[1] learning rate of this step")
	clipIn    = float("clip", "[1] factor of the gradient, see clip")
	momentsIn = float("moments", "[3] factor of first, factor of √second, and the number that is added to the latter")
)

// The attributes of optimizers with moments.
var (
	beta1Attr = ir.AttrDef{Name: "beta1", Type: ir.AttrFloat, Required: true, Doc: "weight of the old mean of the gradient"}
	beta2Attr = ir.AttrDef{Name: "beta2", Type: ir.AttrFloat, Required: true, Doc: "weight of the old mean of the square"}
	decayAttr = ir.AttrDef{Name: "decay", Type: ir.AttrFloat, Required: true, Doc: "weight decay; 0: none"}
)

// touchedAttr lets rows without a gradient stay as they are.
var touchedAttr = ir.AttrDef{Name: "touched", Type: ir.AttrBool, Doc: "a row whose gradient is 0 in every column keeps its parameters, and what is kept for " +
	"them; p has rows"}

// hasRows returns an error if an update by rows has a parameter without rows.
func hasRows(n *ir.Node) error {
	if n.Flag("touched") && len(n.In[0].Type.Shape) != 2 {
		return fmt.Errorf("touched needs a parameter with rows, not %s", n.In[0].Type)
	}
	return nil
}

// keepRows puts the numbers of in back into out, in the rows whose gradient is 0, if an update is by rows. inPlace maps each of out to one of in.
func keepRows(n *ir.Node, in, out []*ir.Array, inPlace ...int) {
	if !n.Flag("touched") {
		return
	}
	columns := in[0].Shape[1]
	for r := range in[0].Shape[0] {
		if touched(in[1].Floats()[r*columns:][:columns]) {
			continue
		}
		for k, i := range inPlace {
			copy(out[k].F[r*columns:][:columns], in[i].Floats()[r*columns:][:columns])
		}
	}
}

// touched reports whether one of the numbers is not 0.
func touched(row []float64) bool {
	return slices.ContainsFunc(row, func(x float64) bool { return x != 0 })
}

// touchedLaunches returns the calls of an update: one for each chunk or, if it is by rows and the operands are known, one for each row that has a gradient.
func touchedLaunches(n *ir.Node, starts []int32, in []*ir.Array) []ir.Launch {
	list := chunkLaunches(0)(n, starts, in)
	if !n.Flag("touched") || in == nil || len(list) == 0 {
		return list
	}
	whole, columns := list[0], in[0].Shape[1]
	list = nil
	for r := range in[0].Shape[0] {
		if !touched(in[1].Floats()[r*columns:][:columns]) {
			continue
		}
		l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"n": max(columns, n.In[0].LD)}}
		for name, place := range whole.Memory {
			if n.In[place.Operand].Type.Shape.Equal(n.In[0].Type.Shape) {
				place.At = r * max(columns, n.In[0].LD)
			}
			l.Memory[name] = place
		}
		list = append(list, l)
	}
	return list
}

// floatsOf returns how many floats a value of fixed shape takes in memory: all rows with their padding.
func floatsOf(v *ir.Value) (int, error) {
	n := 1
	for _, d := range v.Type.Shape {
		if !d.Const() {
			return 0, fmt.Errorf("%s is %s, not of fixed size", v.Name, v.Type)
		}
		n *= d.N
	}
	if s := v.Type.Shape; v.LD != 0 && len(s) > 1 {
		n = n / s[len(s)-1].N * v.LD
	}
	return n, nil
}

// updated returns the types of the results of an update, which are those of operands. All of them have the shape of operand 0, and are of fixed size.
func updated(n *ir.Node, like []int, results ...int) ([]ir.Type, error) {
	if _, err := floatsOf(n.In[0]); err != nil {
		return nil, err
	}
	for _, i := range like {
		if err := shaped(n, i, n.In[0].Type.Shape...); err != nil {
			return nil, err
		}
	}
	var types []ir.Type
	for _, i := range results {
		types = append(types, n.In[i].Type)
	}
	return types, nil
}

// fraction returns an error unless attributes are in 0 ≤ x < 1.
func fraction(n *ir.Node, names ...string) error {
	for _, name := range names {
		if x := n.Float(name); x < 0 || x >= 1 {
			return fmt.Errorf("%s is %g, not at least 0 and below 1", name, x)
		}
	}
	return nil
}

// positiveDecay returns an error if the decay is below 0.
func positiveDecay(n *ir.Node) error {
	if d := n.Float("decay"); d < 0 {
		return fmt.Errorf("decay is %g, below 0", d)
	}
	return nil
}

// chunksOf returns how many chunks a value of fixed shape has. It counts the columns of a matrix rounded up to 16, whatever the distance between rows is, so
// that the number does not depend on passes.
func chunksOf(v *ir.Value) (int, error) {
	if _, err := floatsOf(v); err != nil {
		return 0, err
	}
	n := 1
	for i, d := range v.Type.Shape {
		if i == 1 && len(v.Type.Shape) == 2 {
			n *= round16(d.N)
		} else {
			n *= d.N
		}
	}
	return max(1, (n+UpdateChunk-1)/UpdateChunk), nil
}

// chunkOf returns the chunk of memory in which an element of an array lies, with the rows of matrices padded to 16 columns.
func chunkOf(shape []int, i int) int {
	if len(shape) == 2 {
		i = i/shape[1]*round16(shape[1]) + i%shape[1]
	}
	return i / UpdateChunk
}

// chunkLaunches returns the calls of an op on flat memory, one for each chunk. Its arguments are its operands, of which tensors are at the chunk, the number n
// of floats, and y, the place of the numbers that it computes for the chunk, per of them.
func chunkLaunches(per int) func(*ir.Node, []int32, []*ir.Array) []ir.Launch {
	return func(n *ir.Node, _ []int32, _ []*ir.Array) []ir.Launch {
		floats, err := floatsOf(n.In[0])
		chunks, err2 := chunksOf(n.In[0])
		if first(err, err2) != nil {
			return nil // Shape has reported it
		}
		var list []ir.Launch
		for c := range chunks {
			at := c * UpdateChunk
			l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{"n": min(UpdateChunk, floats-at)}}
			if per > 0 {
				l.Memory["y"] = ir.Place{Operand: ir.Result, At: c * per}
			}
			for i, v := range n.In {
				if v == nil {
					continue
				}
				place := ir.Place{Operand: i}
				if v.Type.Shape.Equal(n.In[0].Type.Shape) {
					place.At = at
				}
				l.Memory[ir.Lookup(n.Op).In[i].Name] = place
			}
			list = append(list, l)
		}
		return list
	}
}

// nestOf is a nest over all n floats of tensors. Windows of the tensors have the names of the arguments with an s after them.
type nestOf struct {
	*loop.Builder
	tensors []string
}

// newNest returns a nest with the arguments y, if it is a result with memory of its own, the tensors, the numbers, and n.
func newNest(doc string, y []string, tensors, numbers []string) nestOf {
	args := append(loop.Floats(append(append(append([]string{}, y...), tensors...), numbers...)...), loop.Counts("n")...)
	b := nestOf{loop.New(doc, args...), tensors}
	for _, t := range tensors {
		b.Slice(t+"s", t, loop.I(0), loop.V("n"))
	}
	return b
}

// number returns a variable with element i of an argument of size elements.
func (b nestOf) number(name, arg string, i int) loop.Expr {
	window := fmt.Sprintf("%s%d", arg, i)
	b.Slice(window, arg, loop.I(i), loop.I(1))
	return b.Let(name, loop.At(window, loop.I(0)))
}

// each writes a loop over the floats. at reads a tensor at the loop's index.
func (b nestOf) each(body func(i loop.Expr, at func(tensor string) loop.Expr)) {
	b.For("i", loop.I(0), loop.V("n"), 1, func(i loop.Expr) {
		body(i, func(tensor string) loop.Expr { return loop.At(tensor+"s", i) })
	})
}
