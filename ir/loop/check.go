package loop

import (
	"fmt"
	"maps"
	"slices"
)

// scope holds the names that are visible in a body.
type scope struct {
	outer  *scope
	vars   map[string]Type
	slices map[string]ArgKind // windows and pointer arguments
	ptrs   map[string]bool    // the pointer arguments among them
	fixed  map[string]bool    // variables that cannot be assigned
	unread map[string]bool    // variables and windows that nothing has read yet
}

// inner opens a body.
func (s *scope) inner() *scope {
	return &scope{outer: s, vars: map[string]Type{}, slices: map[string]ArgKind{}, ptrs: map[string]bool{}, fixed: map[string]bool{}, unread: map[string]bool{}}
}

// find looks from the innermost body outwards for the scope that defines a name.
func (s *scope) find(name string) *scope {
	for ; s != nil; s = s.outer {
		if _, ok := s.vars[name]; ok {
			return s
		}
		if _, ok := s.slices[name]; ok {
			return s
		}
	}
	return nil
}

// define refuses a name that is visible already, because a printer may put several bodies into one block.
func (s *scope) define(name string) error {
	if name == "" {
		return fmt.Errorf("a name is empty")
	}
	if s.find(name) != nil {
		return fmt.Errorf("%s is defined twice", name)
	}
	return nil
}

// Check returns the first fault of a nest: a name that is unknown, defined twice or never read, a type that does not fit, or an unknown function.
func Check(n *Nest) error {
	s := (*scope)(nil).inner()
	for _, a := range n.Args {
		if err := s.define(a.Name); err != nil {
			return fmt.Errorf("arguments: %w", err)
		}
		if a.Kind == Count {
			s.vars[a.Name], s.fixed[a.Name] = Int, true
		} else {
			s.slices[a.Name], s.ptrs[a.Name] = a.Kind, true
		}
	}
	return s.body(n.Body)
}

// body checks a list of statements in a scope of its own.
func (s *scope) body(list []Stmt) error {
	in := s.inner()
	for i, st := range list {
		if err := in.stmt(st); err != nil {
			return fmt.Errorf("statement %d: %w", i, err)
		}
	}
	if len(in.unread) > 0 {
		return fmt.Errorf("%s is never read", slices.Min(slices.Collect(maps.Keys(in.unread))))
	}
	return nil
}

// stmt checks one statement.
func (s *scope) stmt(st Stmt) error {
	switch st := st.(type) {
	case *Slice:
		return s.slice(st)
	case *For:
		return s.loop(st)
	case *Let:
		t, err := s.typeOf(st.Value)
		if err != nil {
			return fmt.Errorf("let %s: %w", st.Name, err)
		}
		if t == Bool {
			return fmt.Errorf("let %s: a condition is not a value", st.Name)
		}
		if err := s.define(st.Name); err != nil {
			return err
		}
		s.vars[st.Name], s.unread[st.Name] = t, true
	case *Assign:
		at := s.find(st.Name)
		if at == nil {
			return fmt.Errorf("assignment to the unknown %s", st.Name)
		}
		t, ok := at.vars[st.Name]
		if !ok || at.fixed[st.Name] {
			return fmt.Errorf("%s cannot be assigned", st.Name)
		}
		if err := s.want(t, st.Value); err != nil {
			return fmt.Errorf("%s = : %w", st.Name, err)
		}
	case *Store:
		kind, err := s.window(st.Slice)
		if err != nil {
			return err
		}
		if err := s.want(Int, st.Index); err != nil {
			return fmt.Errorf("store to %s: %w", st.Slice, err)
		}
		if err := s.want(elem(kind), st.Value); err != nil {
			return fmt.Errorf("store to %s: %w", st.Slice, err)
		}
	case *If:
		if err := s.want(Bool, st.Cond); err != nil {
			return fmt.Errorf("if: %w", err)
		}
		if err := s.body(st.Then); err != nil {
			return fmt.Errorf("then: %w", err)
		}
		if err := s.body(st.Else); err != nil {
			return fmt.Errorf("else: %w", err)
		}
	default:
		return fmt.Errorf("a statement of type %T", st)
	}
	return nil
}

// slice checks the definition of a slice.
func (s *scope) slice(st *Slice) error {
	at := s.find(st.Of)
	if at == nil {
		return fmt.Errorf("slice %s of the unknown %s", st.Name, st.Of)
	}
	delete(at.unread, st.Of)
	kind, ok := at.slices[st.Of]
	if !ok {
		return fmt.Errorf("slice %s of %s, which is a number", st.Name, st.Of)
	}
	if err := s.want(Int, st.Off, st.Len); err != nil {
		return fmt.Errorf("slice %s: %w", st.Name, err)
	}
	if err := s.define(st.Name); err != nil {
		return err
	}
	s.slices[st.Name], s.unread[st.Name] = kind, true
	return nil
}

// loop checks a loop and its body.
func (s *scope) loop(st *For) error {
	if err := s.want(Int, st.From, st.To); err != nil {
		return fmt.Errorf("for %s: %w", st.Var, err)
	}
	if st.Step <= 0 {
		return fmt.Errorf("for %s: the step is %d", st.Var, st.Step)
	}
	if err := s.define(st.Var); err != nil {
		return err
	}
	in := s.inner()
	in.vars[st.Var], in.fixed[st.Var] = Int, true
	if err := in.body(st.Body); err != nil {
		return fmt.Errorf("for %s: %w", st.Var, err)
	}
	return nil
}

// elem returns the type of an element of a slice.
func elem(k ArgKind) Type {
	if k == IntPtr {
		return Int
	}
	return Float
}

// window returns the kind of a slice whose elements may be read. A pointer argument is not such a slice.
func (s *scope) window(name string) (ArgKind, error) {
	at := s.find(name)
	if at == nil {
		return 0, fmt.Errorf("%s is unknown", name)
	}
	delete(at.unread, name)
	kind, ok := at.slices[name]
	if !ok || at.ptrs[name] {
		return 0, fmt.Errorf("%s is not a slice", name)
	}
	return kind, nil
}

// want checks that expressions have a type.
func (s *scope) want(t Type, list ...Expr) error {
	for _, e := range list {
		got, err := s.typeOf(e)
		if err != nil {
			return err
		}
		if got != t {
			return fmt.Errorf("%s, want %s", got, t)
		}
	}
	return nil
}

// typeOf returns the type of an expression.
func (s *scope) typeOf(e Expr) (Type, error) {
	switch e := e.(type) {
	case FloatLit:
		if e.Value-e.Value != 0 {
			return 0, fmt.Errorf("the constant %v", e.Value)
		}
		return Float, nil
	case IntLit:
		return Int, nil
	case Var:
		at := s.find(e.Name)
		if at == nil {
			return 0, fmt.Errorf("%s is unknown", e.Name)
		}
		delete(at.unread, e.Name)
		t, ok := at.vars[e.Name]
		if !ok {
			return 0, fmt.Errorf("%s is memory, not a number", e.Name)
		}
		return t, nil
	case Load:
		kind, err := s.window(e.Slice)
		if err != nil {
			return 0, err
		}
		if err := s.want(Int, e.Index); err != nil {
			return 0, fmt.Errorf("%s[]: %w", e.Slice, err)
		}
		return elem(kind), nil
	case Bin:
		return s.typeOfBin(e)
	case Call:
		return s.typeOfCall(e)
	case IsNil:
		at := s.find(e.Arg)
		if at == nil || !at.ptrs[e.Arg] {
			return 0, fmt.Errorf("%s is not a pointer argument", e.Arg)
		}
		return Bool, nil
	}
	return 0, fmt.Errorf("an expression of type %T", e)
}

// typeOfBin returns the type of an operation.
func (s *scope) typeOfBin(e Bin) (Type, error) {
	t, err := s.typeOf(e.X)
	if err != nil {
		return 0, err
	}
	if err := s.want(t, e.Y); err != nil {
		return 0, fmt.Errorf("%s: %w", e.Op, err)
	}
	switch e.Op {
	case "+", "-", "*", "/":
		if t != Bool {
			return t, nil
		}
	case "%":
		if t == Int {
			return t, nil
		}
	case "<", "<=", "==":
		if t != Bool {
			return Bool, nil
		}
	case "&&":
		if t == Bool {
			return Bool, nil
		}
	}
	return 0, fmt.Errorf("operator %s on %s", e.Op, t)
}

// typeOfCall returns the type of a call.
func (s *scope) typeOfCall(e Call) (Type, error) {
	if f, ok := functionTypes[e.Fn]; ok {
		if len(e.Args) != len(f.args) {
			return 0, fmt.Errorf("%s of %d arguments", e.Fn, len(e.Args))
		}
		return f.result, s.want(f.args[0], e.Args...)
	}
	switch e.Fn {
	case "max", "min":
		if len(e.Args) != 2 {
			return 0, fmt.Errorf("%s of %d arguments", e.Fn, len(e.Args))
		}
		t, err := s.typeOf(e.Args[0])
		if err != nil {
			return 0, err
		}
		if t == Bool {
			return 0, fmt.Errorf("%s of conditions", e.Fn)
		}
		return t, s.want(t, e.Args[1])
	}
	if Math(e.Fn) == nil {
		return 0, fmt.Errorf("the unknown function %s", e.Fn)
	}
	if len(e.Args) != 1 {
		return 0, fmt.Errorf("%s of %d arguments", e.Fn, len(e.Args))
	}
	return Float, s.want(Float, e.Args...)
}
