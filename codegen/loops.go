package codegen

import (
	"fmt"
	"math"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir/loop"
)

// nestPrinter prints one loop nest as the body of a Go function.
type nestPrinter struct {
	elem map[string]loop.Type // element type of pointer arguments and slices
	vars map[string]loop.Type // types of local variables and counts
	used map[string]bool      // names that the body reads
	err  error
}

// nestBody prints a nest's statements.
func nestBody(name string, n *loop.Nest) (*nestPrinter, []jen.Code, error) {
	p := &nestPrinter{elem: map[string]loop.Type{}, vars: map[string]loop.Type{}, used: map[string]bool{}}
	for _, a := range n.Args {
		switch a.Kind {
		case loop.FloatPtr:
			p.elem[a.Name] = loop.Float
		case loop.IntPtr:
			p.elem[a.Name] = loop.Int
		default:
			p.vars[a.Name] = loop.Int
		}
	}
	body := p.stmts(n.Body)
	if p.err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, p.err)
	}
	return p, body, nil
}

// nestFunc returns the declaration of the portable kernel: a function with the nest's arguments.
func nestFunc(name string, n *loop.Nest) (*jen.Statement, error) {
	_, body, err := nestBody(name, n)
	if err != nil {
		return nil, err
	}
	var params []jen.Code
	for i, a := range n.Args {
		s := jen.Id(a.Name)
		if i+1 == len(n.Args) || n.Args[i+1].Kind != a.Kind {
			s.Add(argType(a.Kind))
		}
		params = append(params, s)
	}
	return jen.Func().Id(name).Params(params...).Block(body...), nil
}

// nestCall returns the declaration of the portable kernel as a function of one struct, whose fields are named by the nest's arguments.
func nestCall(name string, n *loop.Nest, typ jen.Code, fields map[string]string) (*jen.Statement, error) {
	p, body, err := nestBody(name, n)
	if err != nil {
		return nil, err
	}
	var args, values []jen.Code
	for _, a := range n.Args {
		if !p.used[a.Name] {
			continue
		}
		if fields[a.Name] == "" {
			return nil, fmt.Errorf("%s: no field for the argument %s", name, a.Name)
		}
		args, values = append(args, jen.Id(a.Name)), append(values, jen.Id("call").Dot(fields[a.Name]))
	}
	return jen.Func().Id(name).Params(jen.Id("call").Add(typ)).Block(append([]jen.Code{jen.List(args...).Op(":=").List(values...)}, body...)...), nil
}

// nestDoc returns the comment of a nest's function.
func nestDoc(name string, n *loop.Nest) *jen.Statement {
	return comment(name + ": " + n.Doc)
}

// argType returns the Go type of a kind of argument.
func argType(k loop.ArgKind) jen.Code {
	switch k {
	case loop.FloatPtr:
		return jen.Op("*").Float32()
	case loop.IntPtr:
		return jen.Op("*").Int32()
	}
	return jen.Int()
}

func (p *nestPrinter) fail(format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format, args...)
	}
}

// stmts prints a body.
func (p *nestPrinter) stmts(list []loop.Stmt) []jen.Code {
	var out []jen.Code
	for _, s := range list {
		out = append(out, p.stmt(s))
	}
	return out
}

// clears returns the window whose first elements a loop sets to zero, if it does nothing else: the compiler of Go fills memory by instructions of its own only
// where the code has the word clear.
func clears(s *loop.For) string {
	from, first := s.From.(loop.IntLit)
	if !first || from.Value != 0 || s.Step != 1 || len(s.Body) != 1 {
		return ""
	}
	store, ok := s.Body[0].(*loop.Store)
	if !ok {
		return ""
	}
	at, all := store.Index.(loop.Var)
	x, zero := store.Value.(loop.FloatLit)
	if all && at.Name == s.Var && zero && x.Value == 0 && !math.Signbit(float64(x.Value)) {
		return store.Slice
	}
	return ""
}

func (p *nestPrinter) stmt(s loop.Stmt) jen.Code {
	switch s := s.(type) {
	case *loop.Slice:
		return p.slice(s)
	case *loop.For:
		p.vars[s.Var] = loop.Int
		if window := clears(s); window != "" {
			return jen.Id("clear").Call(jen.Id(window).Index(jen.Op(":").Add(p.expr(s.To))))
		}
		head := jen.Id(s.Var).Op(":=").Add(p.expr(s.From))
		post := jen.Id(s.Var).Op("++")
		if s.Step != 1 {
			post = jen.Id(s.Var).Op("+=").Lit(s.Step)
		}
		if from, ok := s.From.(loop.IntLit); ok && from.Value == 0 && s.Step == 1 {
			return jen.For(jen.Id(s.Var).Op(":=").Range().Add(p.expr(s.To))).Block(p.stmts(s.Body)...)
		}
		return jen.For(head, jen.Id(s.Var).Op("<").Add(p.expr(s.To)), post).Block(p.stmts(s.Body)...)
	case *loop.Let:
		t := p.typeOf(s.Value)
		p.vars[s.Name] = t
		if _, lit := s.Value.(loop.FloatLit); lit {
			return jen.Id(s.Name).Op(":=").Float32().Call(p.expr(s.Value))
		}
		return jen.Id(s.Name).Op(":=").Add(p.expr(s.Value))
	case *loop.Assign:
		if b, ok := s.Value.(loop.Bin); ok && (b.Op == "+" || b.Op == "-") {
			if v, ok := b.X.(loop.Var); ok && v.Name == s.Name {
				return jen.Id(s.Name).Op(b.Op + "=").Add(p.expr(b.Y))
			}
		}
		return jen.Id(s.Name).Op("=").Add(p.expr(s.Value))
	case *loop.Store:
		v := p.expr(s.Value)
		if p.elem[s.Slice] == loop.Int {
			v = jen.Int32().Call(v)
		}
		return jen.Id(s.Slice).Index(p.expr(s.Index)).Op("=").Add(v)
	case *loop.If:
		st := jen.If(p.expr(s.Cond)).Block(p.stmts(s.Then)...)
		if len(s.Else) > 0 {
			st.Else().Block(p.stmts(s.Else)...)
		}
		return st
	}
	p.fail("unknown statement %T", s)
	return jen.Null()
}

// slice prints a window: unsafe.Slice for a window of a pointer, a slice expression for a window of a slice.
func (p *nestPrinter) slice(s *loop.Slice) jen.Code {
	p.used[s.Of] = true
	elem := p.elem[s.Of]
	_, isSlice := p.vars["[]"+s.Of]
	p.elem[s.Name] = elem
	p.vars["[]"+s.Name] = elem
	off, zero := s.Off.(loop.IntLit)
	zero = zero && off.Value == 0
	if isSlice {
		if zero {
			return jen.Id(s.Name).Op(":=").Id(s.Of).Index(jen.Empty(), p.expr(s.Len))
		}
		return jen.Id(s.Name).Op(":=").Id(s.Of).Index(p.expr(s.Off), jen.Empty()).Index(jen.Empty(), p.expr(s.Len))
	}
	ptr := jen.Id(s.Of)
	if !zero {
		t := jen.Op("*").Float32()
		if elem == loop.Int {
			t = jen.Op("*").Int32()
		}
		ptr = jen.Parens(t).Call(jen.Qual("unsafe", "Add").Call(jen.Qual("unsafe", "Pointer").Call(jen.Id(s.Of)), jen.Lit(4).Op("*").Add(p.factor(s.Off))))
	}
	return jen.Id(s.Name).Op(":=").Qual("unsafe", "Slice").Call(ptr, p.expr(s.Len))
}

// typeOf returns the type of an expression.
func (p *nestPrinter) typeOf(e loop.Expr) loop.Type {
	switch e := e.(type) {
	case loop.FloatLit:
		return loop.Float
	case loop.IntLit:
		return loop.Int
	case loop.Var:
		return p.vars[e.Name]
	case loop.Load:
		return p.elem[e.Slice]
	case loop.Bin:
		switch e.Op {
		case "<", "<=", "==", "&&":
			return loop.Bool
		}
		return p.typeOf(e.X)
	case loop.Call:
		if t, ok := loop.Result(e.Fn); ok {
			return t
		}
		return p.typeOf(e.Args[0])
	}
	return loop.Bool
}

// factor prints an expression as an operand, with parentheses around a compound one.
func (p *nestPrinter) factor(e loop.Expr) jen.Code {
	b, ok := e.(loop.Bin)
	if !ok || (b.Op == "*" && p.typeOf(e) == loop.Float) {
		return p.expr(e)
	}
	return jen.Parens(p.expr(e))
}

// expr prints an expression. A product of floats is converted, which keeps the compiler from fusing it with a sum.
func (p *nestPrinter) expr(e loop.Expr) jen.Code {
	switch e := e.(type) {
	case loop.FloatLit:
		return jen.Lit(e.Value)
	case loop.IntLit:
		return jen.Lit(e.Value)
	case loop.Var:
		p.used[e.Name] = true
		return jen.Id(e.Name)
	case loop.Load:
		v := jen.Id(e.Slice).Index(p.expr(e.Index))
		if p.elem[e.Slice] == loop.Int {
			return jen.Int().Call(v)
		}
		return v
	case loop.IsNil:
		p.used[e.Arg] = true
		return jen.Id(e.Arg).Op("==").Nil()
	case loop.Bin:
		x, y := p.factor(e.X), p.factor(e.Y)
		if e.Op == "+" || e.Op == "&&" { // chains from left to right are easier to read without parentheses
			if b, ok := e.X.(loop.Bin); ok && (b.Op == e.Op || (e.Op == "+" && (b.Op == "*" || b.Op == "-"))) {
				x = p.expr(e.X)
			}
			if b, ok := e.Y.(loop.Bin); ok && b.Op == "*" {
				y = p.expr(e.Y)
			}
		}
		s := jen.Add(x).Op(e.Op).Add(y)
		if e.Op == "*" && p.typeOf(e) == loop.Float {
			return jen.Float32().Call(s)
		}
		return s
	case loop.Call:
		return p.call(e)
	}
	p.fail("unknown expression %T", e)
	return jen.Null()
}

// call prints a function call: a function of package math in float64 with the result rounded, or one of Go's own.
func (p *nestPrinter) call(e loop.Call) jen.Code {
	var args []jen.Code
	for _, a := range e.Args {
		args = append(args, p.expr(a))
	}
	switch e.Fn {
	case "float":
		return jen.Float32().Call(args[0])
	case "int":
		return jen.Int().Call(args[0])
	case "round":
		return jen.Qual(bf16Path, "Round").Call(args...)
	case "pair":
		return jen.Int().Call(jen.Qual(bf16Path, "Pair").Call(args...))
	case "lower", "upper":
		return jen.Qual(bf16Path, title(e.Fn)).Call(jen.Int32().Call(args[0]))
	case "max", "min":
		return jen.Id(e.Fn).Call(args...)
	}
	if loop.Math(e.Fn) != nil {
		return jen.Float32().Call(jen.Qual("math", title(e.Fn)).Call(jen.Float64().Call(args[0])))
	}
	p.fail("unknown function %q", e.Fn)
	return jen.Null()
}
