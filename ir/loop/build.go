package loop

import (
	"slices"
	"strconv"
)

// Builder writes a nest statement by statement; [Builder.Nest] checks it.
//
// Let and For return the variable that they define. Its name is the name asked for, or, if a variable, slice or argument of that name is visible, the name
// and a number. So a part of a nest that is written by another function, such as the activation in a product's epilogue, can be written more than once in one
// body.
type Builder struct {
	nest    *Nest
	into    *[]Stmt
	visible []string // names that are visible in the body that is being written
}

// New returns a builder for a new nest.
func New(doc string, args ...Arg) *Builder {
	n := &Nest{Doc: doc, Args: args}
	b := &Builder{nest: n, into: &n.Body}
	for _, a := range args {
		b.visible = append(b.visible, a.Name)
	}
	return b
}

// Floats returns *float32 arguments of the given names.
func Floats(names ...string) []Arg { return args(FloatPtr, names) }

// Ints returns *int32 arguments of the given names.
func Ints(names ...string) []Arg { return args(IntPtr, names) }

// Counts returns int arguments of the given names.
func Counts(names ...string) []Arg { return args(Count, names) }

// args makes arguments of one kind.
func args(k ArgKind, names []string) []Arg {
	out := make([]Arg, len(names))
	for i, n := range names {
		out[i] = Arg{n, k}
	}
	return out
}

// Nest returns the finished nest, or the first error that Check finds in it.
func (b *Builder) Nest() (*Nest, error) {
	if err := Check(b.nest); err != nil {
		return nil, err
	}
	return b.nest, nil
}

// add appends a statement to the body that is being written.
func (b *Builder) add(s Stmt) { *b.into = append(*b.into, s) }

// body writes a nested body. Names that it defines are not visible after it.
func (b *Builder) body(list *[]Stmt, write func()) {
	outer, visible := b.into, len(b.visible)
	b.into = list
	write()
	b.into, b.visible = outer, b.visible[:visible]
}

// fresh returns the name, or the name and the least number from 2 on that makes it new, and makes it visible.
func (b *Builder) fresh(name string) string {
	free := name
	for n := 2; slices.Contains(b.visible, free); n++ {
		free = name + "_" + strconv.Itoa(n)
	}
	b.visible = append(b.visible, free)
	return free
}

// Slice appends name := of[off : off+n]. Slices are read by their names, so a name that is visible already is an error of the nest.
func (b *Builder) Slice(name, of string, off, n Expr) {
	b.add(&Slice{name, of, off, n})
	b.visible = append(b.visible, name)
}

// For appends a loop over from ≤ i < to. v is the name of i.
func (b *Builder) For(v string, from, to Expr, step int, write func(i Expr)) {
	f := &For{From: from, To: to, Step: step}
	b.add(f)
	b.body(&f.Body, func() {
		f.Var = b.fresh(v)
		write(Var{f.Var})
	})
}

// Let appends a definition and returns the variable.
func (b *Builder) Let(name string, value Expr) Var {
	v := Var{b.fresh(name)}
	b.add(&Let{v.Name, value})
	return v
}

// Assign appends v = value.
func (b *Builder) Assign(v Var, value Expr) { b.add(&Assign{v.Name, value}) }

// AddTo appends v = v + value.
func (b *Builder) AddTo(v Var, value Expr) { b.Assign(v, Add(v, value)) }

// Store appends slice[index] = value.
func (b *Builder) Store(slice string, index, value Expr) { b.add(&Store{slice, index, value}) }

// If appends a condition; other may be nil.
func (b *Builder) If(cond Expr, then, other func()) {
	s := &If{Cond: cond}
	b.add(s)
	b.body(&s.Then, then)
	if other != nil {
		b.body(&s.Else, other)
	}
}

// F returns a float constant.
func F(v float64) Expr { return FloatLit{v} }

// I returns an integer constant.
func I(v int) Expr { return IntLit{v} }

// V returns an expression that reads an integer argument. Other variables are read by what Let and For return.
func V(name string) Expr { return Var{name} }

// At returns an expression that reads an element of a slice.
func At(slice string, index Expr) Expr { return Load{slice, index} }

// Add returns the sum of the terms from left to right.
func Add(x Expr, more ...Expr) Expr { return fold("+", x, more) }

// Mul returns the product of the factors from left to right.
func Mul(x Expr, more ...Expr) Expr { return fold("*", x, more) }

// Sub returns x - y.
func Sub(x, y Expr) Expr { return simple("-", x, y) }

// Div returns x / y.
func Div(x, y Expr) Expr { return simple("/", x, y) }

// Mod returns x % y.
func Mod(x, y Expr) Expr { return Bin{"%", x, y} }

// Less returns x < y.
func Less(x, y Expr) Expr { return Bin{"<", x, y} }

// Fn returns a call of a function.
func Fn(name string, args ...Expr) Expr { return Call{name, args} }

// fold joins a chain from left to right.
func fold(op string, x Expr, more []Expr) Expr {
	for _, y := range more {
		x = simple(op, x, y)
	}
	return x
}

// simple returns an operation. It computes integer constants and drops 0 and 1, so that printed strides are easy to read.
func simple(op string, x, y Expr) Expr {
	a, ok1 := x.(IntLit)
	b, ok2 := y.(IntLit)
	switch {
	case ok1 && ok2 && op == "+":
		return I(a.Value + b.Value)
	case ok1 && ok2 && op == "-":
		return I(a.Value - b.Value)
	case ok1 && ok2 && op == "*":
		return I(a.Value * b.Value)
	case ok2 && b.Value == 0 && (op == "+" || op == "-"):
		return x
	case ok1 && a.Value == 0 && op == "+":
		return y
	case ok1 && a.Value == 0 && op == "*", ok2 && b.Value == 0 && op == "*":
		return I(0)
	case ok2 && b.Value == 1 && (op == "*" || op == "/"):
		return x
	case ok1 && a.Value == 1 && op == "*":
		return y
	}
	return Bin{op, x, y}
}
