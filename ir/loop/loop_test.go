package loop_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir/loop"
)

// sum returns the nest of y[i] = Σ_j x[i·4+j]·w[pick[j]] for m rows of 4, where each product is rounded by itself.
func sum(t *testing.T) *loop.Nest {
	b := loop.New("rows times picked weights", append(append(loop.Floats("y", "x", "w"), loop.Ints("pick")...), loop.Counts("m")...)...)
	b.Slice("out", "y", loop.I(0), loop.V("m"))
	b.If(loop.IsNil{Arg: "w"}, func() {
		b.For("z", loop.I(0), loop.V("m"), 1, func(i loop.Expr) { b.Store("out", i, loop.F(-1)) })
	}, func() {
		b.Slice("weights", "w", loop.I(-2), loop.I(5))
		b.Slice("picks", "pick", loop.I(0), loop.I(4))
		b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
			b.Slice("row", "x", loop.Mul(i, loop.I(4)), loop.I(4))
			s := b.Let("s", loop.F(0))
			b.For("j", loop.I(0), loop.I(4), 2, func(j loop.Expr) {
				for c := range 2 {
					at := loop.Add(j, loop.I(c))
					b.AddTo(s, loop.Mul(loop.At("row", at), loop.At("weights", loop.Add(loop.At("picks", at), loop.I(2)))))
				}
			})
			b.Store("out", i, s)
		})
	})
	n, err := b.Nest()
	require.NoError(t, err)
	return n
}

func TestRun(t *testing.T) {
	n := sum(t)
	y := make([]float32, 3)
	w := []float32{9, 1, 10, 100, 1000, 10000, 9}
	x := []float32{1, 2, 3, 4, 5, 6, 7, 8}
	mem := map[string]loop.Memory{"y": {F: y, At: 1}, "x": {F: x}, "w": {F: w, At: 3}, "pick": {I: []int32{-2, -1, 0, 2}}}
	require.NoError(t, loop.Run(n, mem, map[string]int{"m": 2}))
	require.Equal(t, []float32{0, 40321, 80765}, y)

	delete(mem, "w") // a missing pointer is nil
	require.NoError(t, loop.Run(n, mem, map[string]int{"m": 1}))
	require.Equal(t, []float32{0, -1, 80765}, y)
}

func TestRunErrors(t *testing.T) {
	n := sum(t)
	mem := func(change func(m map[string]loop.Memory)) map[string]loop.Memory {
		m := map[string]loop.Memory{"y": {F: make([]float32, 2)}, "x": {F: make([]float32, 8)}, "w": {F: make([]float32, 5), At: 2},
			"pick": {I: []int32{0, 0, 0, 0}}}
		change(m)
		return m
	}
	two := map[string]int{"m": 2}
	for _, c := range []struct {
		m    map[string]loop.Memory
		n    map[string]int
		want string
	}{
		{mem(func(m map[string]loop.Memory) { m["x"] = loop.Memory{F: make([]float32, 7)} }), two, "slice row = x[4 : 8] of 7 elements"},
		{mem(func(m map[string]loop.Memory) { m["w"] = loop.Memory{F: make([]float32, 5), At: 1} }), two, "slice weights = w[-1 : 4] of 5 elements"},
		{mem(func(m map[string]loop.Memory) { m["pick"].I[2] = 3 }), two, "load of weights[5] of 5"},
		{mem(func(m map[string]loop.Memory) { m["pick"] = loop.Memory{F: []float32{1}} }), two, "the memory of argument pick is not *int32"},
		{mem(func(m map[string]loop.Memory) { delete(m, "x") }), two, "slice row = x[0 : 4] of 0 elements"},
		{mem(func(map[string]loop.Memory) {}), nil, "no value for the argument m"},
	} {
		require.ErrorContains(t, loop.Run(n, c.m, c.n), c.want)
	}
}

// TestRounding checks that each operation rounds to float32 by itself: a fused multiply-add would return another number here.
func TestRounding(t *testing.T) {
	b := loop.New("a·a - 1", loop.Floats("y")...)
	b.Slice("out", "y", loop.I(0), loop.I(1))
	a := b.Let("a", loop.F(1+1.0/4096))
	b.Store("out", loop.I(0), loop.Sub(loop.Mul(a, a), loop.F(1)))
	n, err := b.Nest()
	require.NoError(t, err)
	y := []float32{0}
	require.NoError(t, loop.Run(n, map[string]loop.Memory{"y": {F: y}}, nil))
	require.Equal(t, float32(2.0/4096), y[0])
}

// value evaluates an expression of floats.
func value(t *testing.T, e func(b *loop.Builder) loop.Expr) float32 {
	b := loop.New("a value", loop.Floats("y")...)
	b.Slice("out", "y", loop.I(0), loop.I(1))
	b.Store("out", loop.I(0), e(b))
	n, err := b.Nest()
	require.NoError(t, err)
	y := []float32{0}
	require.NoError(t, loop.Run(n, map[string]loop.Memory{"y": {F: y}}, nil))
	return y[0]
}

func TestFunctions(t *testing.T) {
	x := 0.7
	for fn, want := range map[string]float64{"exp": math.Exp(x), "log": math.Log(x), "erf": math.Erf(x), "erfc": math.Erfc(x),
		"tanh": math.Tanh(x), "sqrt": math.Sqrt(x), "abs": x} {
		require.InDelta(t, want, value(t, func(*loop.Builder) loop.Expr { return loop.Fn(fn, loop.F(x)) }), 1e-7, fn)
	}
	require.EqualValues(t, 3, value(t, func(*loop.Builder) loop.Expr { return loop.Fn("abs", loop.F(-3)) }))
	require.EqualValues(t, 2, value(t, func(*loop.Builder) loop.Expr { return loop.Fn("max", loop.F(-3), loop.F(2)) }))
	require.EqualValues(t, -3, value(t, func(*loop.Builder) loop.Expr { return loop.Fn("min", loop.F(-3), loop.F(2)) }))
	require.EqualValues(t, -1.5, value(t, func(*loop.Builder) loop.Expr { return loop.Div(loop.F(-3), loop.F(2)) }))
}

// TestIntegers checks integer operations as in Go, such as 7/2 = 3, -7/2 = -3 and 7%4 = 3, and that a condition chooses the branch that runs.
func TestIntegers(t *testing.T) {
	got := value(t, func(b *loop.Builder) loop.Expr {
		r := b.Let("r", loop.F(0))
		seven := b.Let("seven", loop.I(7))
		and := func(x, y loop.Expr) loop.Expr { return loop.Bin{Op: "&&", X: x, Y: y} }
		eq := func(x loop.Expr, v int) loop.Expr { return loop.Bin{Op: "==", X: x, Y: loop.I(v)} }
		cond := and(eq(loop.Div(seven, loop.I(2)), 3), and(eq(loop.Div(loop.Sub(loop.I(0), seven), loop.I(2)), -3), eq(loop.Mod(seven, loop.I(4)), 3)))
		cond = and(cond, and(loop.Less(loop.I(6), seven), loop.Bin{Op: "<=", X: seven, Y: loop.Fn("max", loop.I(7), loop.I(1))}))
		b.If(cond, func() { b.Assign(r, loop.F(1)) }, func() { b.Assign(r, loop.F(2)) })
		return r
	})
	require.EqualValues(t, 1, got)
}

// TestFreshNames checks that a part of a nest can be written more than once: its variables get new names if theirs are already visible, and each copy reads its
// own variables.
func TestFreshNames(t *testing.T) {
	square := func(b *loop.Builder, x loop.Expr) loop.Expr {
		e := b.Let("e", x)
		y := b.Let("y", loop.F(0))
		b.For("i", loop.I(0), loop.I(1), 1, func(i loop.Expr) { b.AddTo(y, loop.Mul(e, e)) })
		b.If(loop.Less(loop.F(5), y), func() { b.Assign(y, loop.F(5)) }, nil)
		return y
	}
	got := value(t, func(b *loop.Builder) loop.Expr { // "y" is an argument, "e" and "i" are visible
		sum := b.Let("sum", loop.F(0))
		b.For("i", loop.I(0), loop.I(2), 1, func(i loop.Expr) {
			e := b.Let("e", loop.Fn("float", i))
			b.AddTo(sum, loop.Add(square(b, loop.F(2)), square(b, loop.Add(e, loop.F(1))), e))
		})
		return loop.Add(sum, square(b, loop.F(9)))
	})
	require.EqualValues(t, (4+1+0)+(4+4+1)+5, got)
}

func TestCheck(t *testing.T) {
	for _, c := range []struct {
		write func(b *loop.Builder)
		want  string
	}{
		{func(b *loop.Builder) { b.Let("a", loop.F(1)) }, "a is never read"},
		{func(b *loop.Builder) { b.Slice("s", "x", loop.I(0), loop.I(1)) }, "s is never read"},
		{func(b *loop.Builder) { b.Slice("x", "x", loop.I(0), loop.I(1)) }, "x is defined twice"},
		{func(b *loop.Builder) { b.Let("a", loop.V("q")) }, "q is unknown"},
		{func(b *loop.Builder) { b.Let("a", loop.V("x")) }, "x is memory, not a number"},
		{func(b *loop.Builder) { b.Let("a", loop.At("x", loop.I(0))) }, "x is not a slice"},
		{func(b *loop.Builder) { b.Let("a", loop.Add(loop.F(1), loop.I(1))) }, "int, want float32"},
		{func(b *loop.Builder) { b.Let("a", loop.Mod(loop.F(1), loop.F(1))) }, "operator % on float32"},
		{func(b *loop.Builder) { b.Let("a", loop.Less(loop.F(1), loop.F(1))) }, "a condition is not a value"},
		{func(b *loop.Builder) { b.Let("a", loop.Fn("sin", loop.F(1))) }, "the unknown function sin"},
		{func(b *loop.Builder) { b.Let("a", loop.Fn("exp", loop.I(1))) }, "int, want float32"},
		{func(b *loop.Builder) { b.Let("a", loop.F(math.Inf(1))) }, "the constant +Inf"},
		{func(b *loop.Builder) { b.Assign(loop.Var{Name: "m"}, loop.I(1)) }, "m cannot be assigned"},
		{func(b *loop.Builder) { b.Assign(loop.Var{Name: "q"}, loop.I(1)) }, "assignment to the unknown q"},
		{func(b *loop.Builder) { b.Slice("s", "m", loop.I(0), loop.I(1)) }, "slice s of m, which is a number"},
		{func(b *loop.Builder) { b.If(loop.IsNil{Arg: "m"}, func() {}, nil) }, "m is not a pointer argument"},
		{func(b *loop.Builder) { b.If(loop.V("m"), func() {}, nil) }, "int, want bool"},
		{func(b *loop.Builder) {
			b.For("i", loop.I(0), loop.I(1), 1, func(i loop.Expr) { b.Assign(i.(loop.Var), i) })
		}, "i cannot be assigned"},
		{func(b *loop.Builder) { b.For("i", loop.I(0), loop.I(1), 0, func(loop.Expr) {}) }, "the step is 0"},
		{func(b *loop.Builder) {
			b.Slice("s", "k", loop.I(0), loop.I(1))
			b.Store("s", loop.I(0), loop.F(1))
		}, "float32, want int"},
	} {
		b := loop.New("faulty", append(append(loop.Floats("x"), loop.Ints("k")...), loop.Counts("m")...)...)
		c.write(b)
		_, err := b.Nest()
		require.ErrorContains(t, err, c.want)
	}
}
