package codegen

import (
	"slices"
	"strings"
	"testing"

	"github.com/dave/jennifer/jen"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
)

// rowCase is a node of the test: its op and attributes, and its number of columns. Operands and the result are named by their places.
type rowCase struct {
	op      string
	attrs   []ir.Attr
	columns int
	in      string // the operands: m is a matrix of the batch's rows, v a vector, s the moments of the rows
}

// rowCases are the gradients of norms and activations.
var rowCases = []rowCase{
	{"col_sum", nil, 300, "m"}, {"col_sum", nil, 5, "m"},
	{"layernorm_gain_grad", nil, 300, "mms"},
	{"moments", []ir.Attr{{Key: "eps", Value: 1e-5}}, 45, "m"},
	{"layernorm_grad", nil, 45, "mmvs"},
	{"act_grad", []ir.Attr{{Key: "act", Value: "gelu"}}, 45, "mm"},
}

// region returns a region with the node.
func (c rowCase) region(t *testing.T) *ir.Region {
	r := &ir.Region{Name: "layer"}
	b := ir.NewBuilder(r)
	var in []*ir.Value
	for i, kind := range c.in {
		shape := map[rune]ir.Shape{'m': {ir.T, ir.N(c.columns)}, 'v': {ir.N(c.columns)}, 's': {ir.T, ir.N(2)}}[kind]
		in = append(in, b.Input("in"+string(rune('0'+i)), ir.State, ir.Type{DType: ir.F32, Shape: shape}))
	}
	b.Node(c.op, r.Pos, "gradient", c.attrs, in...)
	require.NoError(t, b.Err())
	for _, v := range slices.Concat(r.In, r.Nodes[0].Out) {
		if len(v.Type.Shape) == 2 {
			v.LD = ir.RowFloats(v.Type.Shape[1].N)
		}
	}
	return r
}

// rowProgram is a program that compares the forms of all instruction sets with that in plain Go, which the tests of the ops compare with float64.
const rowProgram = `package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"unsafe"
)

type exec struct {
	slot0, slot1, slot2, slot3, slot4 *float32
	tokens int
	k *kernels
}

type test struct {
	call func(e *exec, worker, unit int)
	units func(e *exec) int
	columns int
	in string
}

func round(n int) int { return (n + 15) / 16 * 16 }

func main() {
	bad := 0
	for i, c := range tests {
		for _, m := range []int{1, 41, 5000, 0} {
			r := rand.New(rand.NewPCG(1, uint64(i)))
			var in [4][]float32
			for k, kind := range c.in {
				rows, cols := m, c.columns
				if kind == 'v' {
					rows = 1
				} else if kind == 's' {
					cols = 2
				}
				in[k] = make([]float32, rows*round(cols)+1)
				for i := range rows * round(cols) {
					if i%round(cols) < cols {
						in[k][i] = float32(r.NormFloat64())
					} else if kind != 'v' {
						in[k][i] = float32(math.NaN())
					}
				}
			}
			var want []float32
			for at := range instructionSets {
				isa := instructionSets[len(instructionSets)-1-at] // plain Go is the last
				if !isa.Supported() {
					fmt.Println("left out:", isa)
					continue
				}
				y := make([]float32, max(1, m)*round(c.columns))
				for i := range y {
					y[i] = 1e9
				}
				e := &exec{tokens: m, k: tableFor(isa)}
				p := func(k int) *float32 { return unsafe.SliceData(in[k]) }
				e.slot0, e.slot1, e.slot2, e.slot3, e.slot4 = p(0), p(1), p(2), p(3), unsafe.SliceData(y)
				for unit := range c.units(e) {
					c.call(e, 0, unit)
				}
				if at == 0 {
					want = y
					continue
				}
				for i := range y {
					got, w := float64(y[i]), float64(want[i])
					if w == 1e9 { // plain Go leaves columns after the last alone
						continue
					}
					if tol := 1e-5 * (1 + math.Abs(w)) * math.Sqrt(float64(m+1)); !(math.Abs(got-w) <= tol) {
						fmt.Printf("test %d, %d rows, %v: number %d is %g, want %g ± %g\n", i, m, isa, i, got, w, tol)
						bad++
						break
					}
				}
			}
		}
	}
	fmt.Println(len(tests), "tests")
	if bad > 0 {
		os.Exit(1)
	}
}
`

// TestGradientRows prints the forms and units of gradients of norms and activations, builds them into a program, and runs it.
func TestGradientRows(t *testing.T) {
	e := kernelEmitter(t)
	f := e.newFile()
	f.Var().Id("tests").Op("=").Index().Id("test").ValuesFunc(func(g *jen.Group) {
		for _, c := range rowCases {
			r := c.region(t)
			n := r.Nodes[0]
			for k, v := range r.In {
				e.slot[r.Name+"\x00"+v.Name] = k
			}
			e.slot[r.Name+"\x00"+n.Out[0].Name] = 4
			st := &step{e: e, region: r, node: n, lower: lowerOf(n), split: ir.SplitRows, block: 32}
			require.NoError(t, st.lower.kernels(e.kernels, st))
			g.Add(raw("{func(e *exec, worker, unit int) {\n%s\n}, func(e *exec) int { return %s }, %d, %q}",
				strings.Join(st.lower.unit(st), "\n"), st.lower.units(st).count, c.columns, c.in))
		}
	})
	require.NoError(t, e.add("tests.go", f))
	runKernels(t, e, rowProgram, len(rowCases))
}
