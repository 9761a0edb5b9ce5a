package codegen

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dave/jennifer/jen"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// productCase is a product of the test: the op, its flags, and its sizes. The first extent of a is that of the batch, 37 rows.
type productCase struct {
	op         string
	ta, tb     bool
	k, n       int // columns of a, and of the result
	bias, plus bool
}

// pairs reports whether the product is one of bfloat16. Steps of its region then make the pairs.
func (c productCase) pairs() bool { return strings.HasSuffix(c.op, "_bf16") }

// productCases reach each width of the last unit, each chunk of the terms, and blocks at the edges of a result.
var productCases = []productCase{
	{op: "linear", tb: true, k: 7, n: 5, bias: true}, {op: "linear", tb: true, k: 48, n: 64, bias: true, plus: true}, {op: "linear", tb: true, k: 33, n: 41},
	{op: "linear", tb: true, k: 4100, n: 20, bias: true}, {op: "matmul", tb: true, k: 9, n: 16, plus: true},
	{op: "matmul", k: 5, n: 45}, {op: "matmul", k: 48, n: 96, plus: true}, {op: "matmul", k: 8200, n: 33}, {op: "matmul", k: 8192, n: 7, plus: true},
	{op: "matmul", ta: true, k: 300, n: 150}, {op: "matmul", ta: true, k: 16, n: 64, plus: true},
	{op: "product_bf16", tb: true, k: 7, n: 5, bias: true}, {op: "product_bf16", tb: true, k: 48, n: 64, bias: true, plus: true},
	{op: "product_bf16", tb: true, k: 33, n: 41}, {op: "product_bf16", tb: true, k: 4101, n: 20, bias: true},
	{op: "product_bf16", tb: true, k: 9, n: 16, plus: true}, {op: "product_bf16", k: 5, n: 45}, {op: "product_bf16", k: 48, n: 96, plus: true},
	{op: "product_bf16", k: 8203, n: 33}, {op: "product_bf16", k: 8192, n: 7, plus: true},
	{op: "product_tn_bf16", ta: true, k: 300, n: 150}, {op: "product_tn_bf16", ta: true, k: 16, n: 64, plus: true},
}

// region returns a region with the product as its last node. Rows are whole vectors.
func (c productCase) region(t *testing.T) *ir.Region {
	r := &ir.Region{Name: "layer"}
	b := ir.NewBuilder(r)
	in := func(name string, dims ...ir.Dim) *ir.Value {
		return b.Input(name, ir.State, ir.Type{DType: ir.F32, Shape: dims})
	}
	first := in("a", ir.T, ir.N(c.k))
	second, out := []ir.Dim{ir.N(c.n), ir.N(c.k)}, ir.T
	if !c.tb {
		second = []ir.Dim{ir.N(c.k), ir.N(c.n)}
	}
	if c.ta {
		second, out = []ir.Dim{ir.T, ir.N(c.n)}, ir.N(c.k)
	}
	operands := []*ir.Value{first, in("b", second...)}
	if c.pairs() {
		for i := range operands {
			if i == 0 || c.ta {
				operands[i] = b.Op("bf16_pairs", r.Pos, "pairs", map[bool][]ir.Attr{true: {ir.A("rows", true)}}[c.ta], operands[i])
			}
		}
	}
	if c.op == "linear" || c.op == "product_bf16" {
		operands = append(operands, nil)
		if c.bias {
			operands[2] = in("bias", ir.N(c.n))
		}
	}
	if c.plus {
		operands = append(operands, in("plus", out, ir.N(c.n)))
	}
	var list []ir.Attr
	for key, on := range map[string]bool{"ta": c.ta, "tb": c.tb} {
		if on && (c.op == "matmul" || c.op == "product_bf16") {
			list = append(list, ir.Attr{Key: key, Value: true})
		}
	}
	b.Node(c.op, r.Pos, "product", list, operands...)
	require.NoError(t, b.Err())
	for _, n := range r.Nodes {
		for _, v := range slices.Concat(n.In, n.Out) {
			if v != nil && len(v.Type.Shape) == 2 {
				v.LD = ir.RowFloats(v.Type.Shape[1].N)
			}
		}
	}
	for i, n := range r.Nodes[:len(r.Nodes)-1] { // integers are read through fields
		n.Out[0].Kind, n.Out[0].Name = ir.Batch, fmt.Sprintf("pairs%d", i)
	}
	return r
}

// productProgram is a program that computes products in plain Go and with each instruction set, and compares them with float64.
const productProgram = `package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"unsafe"

	"github.com/debertac/debertac/runtime/bf16"
)

type exec struct {
	slot0, slot1, slot2, slot3 *float32
	pairs0, pairs1 *int32
	tokens int
	memory []float32
	k *kernels
}

func (e *exec) scratch(int) *float32 { return &e.memory[0] }

type step struct {
	call func(e *exec, worker, unit int)
	units func(e *exec) int
}

type test struct {
	steps []step
	scratch, k, n int
	ta, tb, bias, plus, pairs bool
}

func round(n int) int { return (n + 15) / 16 * 16 }

// matrix returns random numbers with NaN between rows and after the last.
func matrix(r *rand.Rand, rows, cols int, pad float32) []float32 {
	x := make([]float32, rows*round(cols)+64)
	for i := range x {
		if x[i] = pad; i < rows*round(cols) && i%round(cols) < cols {
			x[i] = float32(r.NormFloat64())
		}
	}
	return x
}

func main() {
	const m = 37
	nan := float32(math.NaN())
	bad := 0
	for i, c := range tests {
		r := rand.New(rand.NewPCG(1, uint64(i)))
		rows, second := m, [2]int{c.k, c.n}
		if c.tb {
			second = [2]int{c.n, c.k}
		}
		if c.ta {
			rows, second = c.k, [2]int{m, c.n}
		}
		a, b, bias, plus := matrix(r, m, c.k, nan), matrix(r, second[0], second[1], nan), matrix(r, 1, c.n, 0), matrix(r, rows, c.n, nan)
		want, square := make([]float64, rows*c.n), make([]float64, rows*c.n)
		for i := range want {
			n, k, terms := i/c.n, i%c.n, c.k
			if c.ta {
				terms = m
			}
			add := func(x float64) { want[i] += x; square[i] += x * x }
			rounded := func(x float32) float64 {
				if c.pairs {
					x = bf16.Round(x)
				}
				return float64(x)
			}
			for t := range terms {
				left, right := n*round(c.k)+t, t*round(second[1])+k
				if c.ta {
					left = t*round(c.k) + n
				}
				if c.tb {
					right = k*round(second[1]) + t
				}
				add(rounded(a[left]) * rounded(b[right]))
			}
			if c.bias {
				add(float64(bias[k]))
			}
			if c.plus {
				add(float64(plus[n*round(c.n)+k]))
			}
		}
		for _, isa := range instructionSets {
			table := tableFor(isa)
			if !isa.Supported() {
				fmt.Println("left out:", isa)
				continue
			}
			y := matrix(r, rows, c.n, nan)
			if c.plus {
				copy(y, plus)
			}
			e := &exec{tokens: m, memory: make([]float32, c.scratch+1), k: table}
			var pairs [2][]int32
			for k, width := range [2]int{c.k, c.n} {
				pairs[k] = make([]int32, m*round(width))
				for i := range pairs[k] {
					pairs[k][i] = -1
				}
			}
			e.pairs0, e.pairs1 = unsafe.SliceData(pairs[0]), unsafe.SliceData(pairs[1])
			slots := []**float32{&e.slot0, &e.slot1, &e.slot2, &e.slot3}
			list := [][]float32{a, b}
			if c.bias {
				list = append(list, bias)
			}
			if c.plus {
				list = append(list, y)
			}
			for k, x := range append(list, y) {
				*slots[min(k, 3)] = unsafe.SliceData(x)
			}
			for _, s := range c.steps {
				for unit := range s.units(e) {
					s.call(e, 0, unit)
				}
			}
			for i, w := range want {
				got := float64(y[i/c.n*round(c.n)+i%c.n])
				if tol := 4 * math.Sqrt(float64(c.k+1)*square[i]) * 0x1p-24; !(math.Abs(got-w) <= tol) {
					fmt.Printf("test %d, %v: element %d is %g, want %g ± %g\n", i, isa, i, got, w, tol)
					bad++
					break
				}
			}
			for i := rows * round(c.n); i < len(y); i++ {
				if y[i] == y[i] {
					fmt.Printf("%v: wrote after the last row\n", isa)
					bad++
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

// TestProducts prints the forms and the units of products, builds them into a program, and runs it. The program compares the results of all instruction sets
// of the machine with float64.
func TestProducts(t *testing.T) {
	e := kernelEmitter(t)
	f := e.newFile()
	f.Var().Id("tests").Op("=").Index().Id("test").ValuesFunc(func(g *jen.Group) {
		for _, c := range productCases {
			r := c.region(t)
			last := r.Nodes[len(r.Nodes)-1]
			for k, v := range slices.Concat(r.In, last.Out) {
				e.slot[r.Name+"\x00"+v.Name] = min(k, 3)
			}
			if c.plus { // the result lies in its memory
				e.slot[r.Name+"\x00"+last.Out[0].Name] = e.slot[r.Name+"\x00plus"]
			}
			steps, scratch := "", "0"
			for _, n := range r.Nodes {
				st := &step{e: e, region: r, node: n, lower: lowerOf(n), split: ir.SplitRows, block: 8}
				require.NoError(t, st.lower.kernels(e.kernels, st))
				for _, size := range st.lower.scratch(st) {
					scratch = size
				}
				steps += fmt.Sprintf("{func(e *exec, worker, unit int) {\n%s\n}, func(e *exec) int { return %s }},\n",
					strings.Join(st.lower.unit(st), "\n"), st.lower.units(st).count)
			}
			g.Add(raw("{[]step{\n%s}, %s, %d, %d, %t, %t, %t, %t, %t}", steps, scratch, c.k, c.n, c.ta, c.tb, c.bias, c.plus, c.pairs()))
		}
	})
	require.NoError(t, e.add("tests.go", f))
	runKernels(t, e, productProgram, len(productCases))
}

// TestProductBlock checks that the blocks of units are those that the kernel is measured with.
func TestProductBlock(t *testing.T) {
	for _, isa := range kernel.ISAs() {
		for _, rows := range []int{1, 100, 168, 169, 768, 3072} {
			n := &ir.Node{Out: []*ir.Value{{Type: ir.Type{Shape: ir.Shape{ir.N(rows), ir.N(768)}}}}}
			height, width := ops.ProductBlock(n)
			block := kernel.BlockTN(isa)
			require.LessOrEqual(t, height, block.Rows)
			require.Equal(t, block.Cols, width)
			require.LessOrEqual(t, float64(block.Rows*block.Cols*block.Terms)/isa.Rate, 100e3, "one call takes at most 100 µs")
		}
	}
}

// kernelEmitter returns an emitter for a program of kernels alone, for all instruction sets. It skips the test if no program can be built.
func kernelEmitter(t *testing.T) *emitter {
	t.Helper()
	if testing.Short() {
		t.Skip("builds a program")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	sets := []string{kernel.AVX512BF16, kernel.AVX512, kernel.AVX2}
	e := &emitter{p: &ir.Program{Meta: ir.Meta{ISAs: sets}}, pkg: &Package{Name: "main"}, slot: map[string]int{}}
	e.kernels = newKernelSet(e, e.p)
	return e
}

// runKernels builds the emitter's kernels and a main file into a program and runs it. It must say how many tests it ran.
func runKernels(t *testing.T, e *emitter, program string, tests int) {
	t.Helper()
	require.NoError(t, e.kernelFiles())
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	require.NoError(t, err)
	module := fmt.Sprintf("module kernels\n\ngo 1.26\n\nrequire github.com/debertac/debertac v0.0.0\n\nreplace github.com/debertac/debertac => %s\n", root)
	files := []File{{"main.go", []byte(program)}, {"go.mod", []byte(module)}, {"go.sum", sums}}
	for _, file := range append(files, e.pkg.Files...) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, file.Name), file.Text, 0o666))
	}
	run := exec.CommandContext(t.Context(), "go", "run", "-mod=mod", ".")
	run.Dir = dir
	out, err := run.CombinedOutput()
	require.NoError(t, err, string(out))
	t.Log(string(out))
	require.Contains(t, string(out), fmt.Sprintf("%d tests\n", tests))
}
