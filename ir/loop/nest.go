// Package loop holds the portable form of a kernel as data: a loop nest over float32 and int32 memory. An op lowers to a [Nest]; codegen prints it as Go, and
// [Run] interprets it, so that tests can compare it with the op's reference without a compiler.
//
// Memory is reached through slices only: a [Slice] statement cuts a window out of a pointer argument or of another slice, and [Load] and [Store] index it. In
// Go a window of a pointer is unsafe.Slice, and a window of a slice is s[off:off+len]. So the bounds of a row are checked once and not at every element.
//
// Arithmetic is float32. Each operation is rounded by itself, in the order of the nest: printers must keep products and sums apart (float32(x*y) + z), so that
// no platform fuses them, and must not reorder sums. Integers are Go's int; an int32 that is loaded becomes an int.
package loop

import "math"

// Type is the type of an expression or local variable.
type Type uint8

// The types.
const (
	Float Type = iota // float32
	Int               // int
	Bool              // conditions; no variable has this type
)

// String returns the Go type.
func (t Type) String() string { return [...]string{"float32", "int", "bool"}[t] }

// ArgKind is the Go type of an argument.
type ArgKind uint8

// The kinds of arguments.
const (
	FloatPtr ArgKind = iota // *float32, the first element of the memory; may be nil where the nest asks with IsNil or never touches it
	IntPtr                  // *int32
	Count                   // int
)

// String returns the Go type.
func (k ArgKind) String() string { return [...]string{"*float32", "*int32", "int"}[k] }

// Arg is one argument of the kernel.
type Arg struct {
	Name string
	Kind ArgKind
}

// Nest is a function without results.
type Nest struct {
	Doc  string // what it computes, with shapes
	Args []Arg
	Body []Stmt
}

// Stmt is a statement: *Slice, *For, *Let, *Assign, *Store or *If.
type Stmt interface{ stmt() }

// Slice names a window: Name := Of[Off : Off+Len]. Of is a pointer argument, where Off may be negative and counts elements, or a slice.
type Slice struct {
	Name string
	Of   string
	Off  Expr
	Len  Expr
}

// For counts Var from From to To-1 in steps of Step > 0. From and To are evaluated once, and the body cannot assign Var.
type For struct {
	Var      string
	From, To Expr
	Step     int
	Body     []Stmt
}

// Let defines a local variable of the type of its value: Name := Value. It lives to the end of the enclosing body.
type Let struct {
	Name  string
	Value Expr
}

// Assign sets a local variable to a new value of its type: Name = Value.
type Assign struct {
	Name  string
	Value Expr
}

// Store writes an element: Slice[Index] = Value, a float to a float32 slice, an int to an int32 slice.
type Store struct {
	Slice string
	Index Expr
	Value Expr
}

// If runs Then if Cond holds, and Else otherwise; Else may be empty.
type If struct {
	Cond       Expr
	Then, Else []Stmt
}

func (*Slice) stmt()  {}
func (*For) stmt()    {}
func (*Let) stmt()    {}
func (*Assign) stmt() {}
func (*Store) stmt()  {}
func (*If) stmt()     {}

// Expr is an expression: FloatLit, IntLit, Var, Load, Bin, Call or IsNil.
type Expr interface{ expr() }

// FloatLit is a float32 constant, rounded from the value.
type FloatLit struct{ Value float64 }

// IntLit is an integer constant.
type IntLit struct{ Value int }

// Var reads an integer argument, a loop's variable or a local variable.
type Var struct{ Name string }

// Load reads an element of a slice: Slice[Index].
type Load struct {
	Slice string
	Index Expr
}

// Bin is X Op Y; both sides have one type. Op is + - * / on floats and ints (integers divide towards zero), % on ints, < <= == on either (the result is a
// Bool), and && on conditions.
type Bin struct {
	Op   string
	X, Y Expr
}

// Call calls a function. The functions of [Math] take one float; they are computed in float64 and rounded, so that platforms agree to about the last place. max
// and min take two floats or two ints, as Go's built-in functions do. float converts an int. int converts a float that is a whole number. round, pair, lower
// and upper are the functions of package runtime/bf16: round takes a float, pair two of them, and the other two the int that pair returns.
type Call struct {
	Fn   string
	Args []Expr
}

// mathematics holds the functions of package math that a nest can call, by the package's names in lower case.
var mathematics = map[string]func(float64) float64{
	"abs": math.Abs, "ceil": math.Ceil, "erf": math.Erf, "erfc": math.Erfc, "exp": math.Exp, "log": math.Log, "sqrt": math.Sqrt, "tanh": math.Tanh,
}

// Math returns the function of package math that a [Call] of this name calls, or nil. Its name in package math begins with a capital.
func Math(name string) func(float64) float64 { return mathematics[name] }

// functionTypes holds the types of the arguments and of the result of functions that take one list of types.
var functionTypes = map[string]struct {
	args   []Type
	result Type
}{
	"float": {[]Type{Int}, Float}, "int": {[]Type{Float}, Int},
	"round": {[]Type{Float}, Float}, "pair": {[]Type{Float, Float}, Int}, "lower": {[]Type{Int}, Float}, "upper": {[]Type{Int}, Float},
}

// Result returns the type of what a function returns whose arguments have one list of types, and whether name is such a function.
func Result(name string) (Type, bool) {
	f, ok := functionTypes[name]
	return f.result, ok
}

// IsNil reports whether a pointer argument is nil.
type IsNil struct{ Arg string }

func (FloatLit) expr() {}
func (IntLit) expr()   {}
func (Var) expr()      {}
func (Load) expr()     {}
func (Bin) expr()      {}
func (Call) expr()     {}
func (IsNil) expr()    {}
