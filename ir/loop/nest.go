// Package loop is the portable form of a kernel as data: a loop nest over float32 and int32 memory. An op lowers to a [Nest]; codegen prints
// it as Go, and [Run] interprets it, so that tests hold it to the op's reference without a compiler in between.
//
// Memory is only reached through slices: a [Slice] statement cuts a window out of a pointer argument or of another slice, and [Load] and
// [Store] index it. In Go a window of a pointer is unsafe.Slice, a window of a slice is s[off:off+len], so the bounds of a row are checked
// once and not at every element.
//
// Arithmetic is float32, each operation rounded for itself, in the order that the nest says: printers must keep products and sums apart
// (float32(x*y) + z), so that no platform joins them, and must not reorder sums. Integers are Go's int; an int32 loaded becomes an int.
package loop

// Type is the type of an expression or local variable.
type Type uint8

// The types.
const (
	Float Type = iota // float32
	Int               // int
	Bool              // conditions; no variable has it
)

// String returns the Go type.
func (t Type) String() string { return [...]string{"float32", "int", "bool"}[t] }

// ArgKind is the Go type of an argument.
type ArgKind uint8

// The kinds of arguments.
const (
	FloatPtr ArgKind = iota // *float32, the first element of what it points at; may be nil where the nest asks with IsNil or never touches it
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

// For counts Var from From (included) to To (excluded) in steps of Step > 0. From and To are evaluated once, and the body cannot assign Var.
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

// Assign gives a local variable a new value of its type: Name = Value.
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

// If runs Then or Else (which may be empty).
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

// Bin is X Op Y with both sides of one type. Op is + - * / on floats and ints (integers divide towards zero), % on ints, < <= == on either,
// giving a Bool, and && on conditions.
type Bin struct {
	Op   string
	X, Y Expr
}

// Call is a function of floats: exp, erf, erfc, tanh and sqrt of one (computed in float64 and rounded, so that every platform agrees to the last
// place or so), abs of one; max and min of two floats or two ints (as Go's built-in functions).
type Call struct {
	Fn   string
	Args []Expr
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
