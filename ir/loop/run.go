package loop

import (
	"fmt"

	"github.com/debertac/debertac/runtime/bf16"
)

// Memory is the memory that a pointer argument points at: it begins at element At of F or of I. The zero value is nil.
type Memory struct {
	F  []float32
	I  []int32
	At int
}

// isNil reports whether the memory stands for a nil pointer.
func (m Memory) isNil() bool { return m.F == nil && m.I == nil }

// machine holds the variables and windows of one run.
type machine struct {
	floats map[string]float32
	ints   map[string]int
	mem    map[string]Memory // a window keeps only its own elements
	args   map[string]Memory
}

// Run interprets a nest. memory holds its pointer arguments (a missing one is nil) and counts its integers. An access outside a window is an error. Run is for
// tests and makes no attempt to be fast.
func Run(n *Nest, memory map[string]Memory, counts map[string]int) error {
	if err := Check(n); err != nil {
		return err
	}
	m := &machine{floats: map[string]float32{}, ints: map[string]int{}, mem: map[string]Memory{}, args: map[string]Memory{}}
	for _, a := range n.Args {
		if a.Kind == Count {
			c, ok := counts[a.Name]
			if !ok {
				return fmt.Errorf("no value for the argument %s", a.Name)
			}
			m.ints[a.Name] = c
			continue
		}
		mem := memory[a.Name]
		if mem.F != nil && a.Kind != FloatPtr || mem.I != nil && a.Kind != IntPtr {
			return fmt.Errorf("the memory of argument %s is not %s", a.Name, a.Kind)
		}
		m.args[a.Name] = mem
	}
	return m.body(n.Body)
}

// body runs statements.
func (m *machine) body(list []Stmt) error {
	for _, s := range list {
		if err := m.stmt(s); err != nil {
			return err
		}
	}
	return nil
}

// stmt runs one statement.
func (m *machine) stmt(s Stmt) error {
	switch s := s.(type) {
	case *Slice:
		return m.cut(s)
	case *For:
		from, err := m.int(s.From)
		if err != nil {
			return err
		}
		to, err := m.int(s.To)
		if err != nil {
			return err
		}
		for i := from; i < to; i += s.Step {
			m.ints[s.Var] = i
			if err := m.body(s.Body); err != nil {
				return err
			}
		}
	case *Let:
		return m.set(s.Name, s.Value)
	case *Assign:
		return m.set(s.Name, s.Value)
	case *Store:
		i, err := m.int(s.Index)
		if err != nil {
			return err
		}
		w := m.mem[s.Slice]
		if i < 0 || i >= max(len(w.F), len(w.I)) {
			return fmt.Errorf("store to %s[%d] of %d", s.Slice, i, max(len(w.F), len(w.I)))
		}
		v, err := m.eval(s.Value)
		if err != nil {
			return err
		}
		if w.F != nil {
			w.F[i] = v.f
		} else {
			w.I[i] = int32(v.i)
		}
	case *If:
		c, err := m.eval(s.Cond)
		if err != nil {
			return err
		}
		if c.b {
			return m.body(s.Then)
		}
		return m.body(s.Else)
	}
	return nil
}

// cut makes a window.
func (m *machine) cut(s *Slice) error {
	off, err := m.int(s.Off)
	if err != nil {
		return err
	}
	n, err := m.int(s.Len)
	if err != nil {
		return err
	}
	of, ok := m.mem[s.Of]
	if !ok {
		of = m.args[s.Of]
		off += of.At
	}
	size := max(len(of.F), len(of.I))
	if of.isNil() || n < 0 || off < 0 || off+n > size {
		return fmt.Errorf("slice %s = %s[%d : %d] of %d elements", s.Name, s.Of, off, off+n, size)
	}
	if of.F != nil {
		m.mem[s.Name] = Memory{F: of.F[off : off+n : off+n]}
	} else {
		m.mem[s.Name] = Memory{I: of.I[off : off+n : off+n]}
	}
	return nil
}

// value is a number or a condition.
type value struct {
	t Type
	f float32
	i int
	b bool
}

// set sets a variable to the value of an expression.
func (m *machine) set(name string, e Expr) error {
	v, err := m.eval(e)
	if err != nil {
		return err
	}
	if v.t == Float {
		m.floats[name] = v.f
		delete(m.ints, name)
	} else {
		m.ints[name] = v.i
		delete(m.floats, name)
	}
	return nil
}

// int evaluates an integer.
func (m *machine) int(e Expr) (int, error) {
	v, err := m.eval(e)
	return v.i, err
}

// eval evaluates an expression that Check has passed.
func (m *machine) eval(e Expr) (value, error) {
	switch e := e.(type) {
	case FloatLit:
		return value{t: Float, f: float32(e.Value)}, nil
	case IntLit:
		return value{t: Int, i: e.Value}, nil
	case Var:
		if f, ok := m.floats[e.Name]; ok {
			return value{t: Float, f: f}, nil
		}
		return value{t: Int, i: m.ints[e.Name]}, nil
	case Load:
		i, err := m.int(e.Index)
		if err != nil {
			return value{}, err
		}
		w := m.mem[e.Slice]
		if i < 0 || i >= max(len(w.F), len(w.I)) {
			return value{}, fmt.Errorf("load of %s[%d] of %d", e.Slice, i, max(len(w.F), len(w.I)))
		}
		if w.F != nil {
			return value{t: Float, f: w.F[i]}, nil
		}
		return value{t: Int, i: int(w.I[i])}, nil
	case Bin:
		return m.bin(e)
	case Call:
		return m.call(e)
	case IsNil:
		return value{t: Bool, b: m.args[e.Arg].isNil()}, nil
	}
	return value{}, fmt.Errorf("an expression of type %T", e)
}

// bin evaluates an operation. It evaluates the right side of && only if the left side holds.
func (m *machine) bin(e Bin) (value, error) {
	x, err := m.eval(e.X)
	if err != nil || e.Op == "&&" && !x.b {
		return x, err
	}
	y, err := m.eval(e.Y)
	if err != nil || e.Op == "&&" {
		return y, err
	}
	out := x
	switch e.Op {
	case "+":
		out.f, out.i = x.f+y.f, x.i+y.i
	case "-":
		out.f, out.i = x.f-y.f, x.i-y.i
	case "*":
		out.f, out.i = x.f*y.f, x.i*y.i
	case "/", "%":
		if x.t == Int && y.i == 0 {
			return value{}, fmt.Errorf("an integer divided by 0")
		}
		switch {
		case x.t == Float:
			out.f = x.f / y.f
		case e.Op == "/":
			out.i = x.i / y.i
		default:
			out.i = x.i % y.i
		}
	case "<":
		out = value{t: Bool, b: x.t == Float && x.f < y.f || x.t == Int && x.i < y.i}
	case "<=":
		out = value{t: Bool, b: x.t == Float && x.f <= y.f || x.t == Int && x.i <= y.i}
	case "==":
		out = value{t: Bool, b: x.t == Float && x.f == y.f || x.t == Int && x.i == y.i}
	}
	return out, nil
}

// call evaluates a function.
func (m *machine) call(e Call) (value, error) {
	x, err := m.eval(e.Args[0])
	if err != nil {
		return value{}, err
	}
	var y value
	if len(e.Args) > 1 {
		if y, err = m.eval(e.Args[1]); err != nil {
			return value{}, err
		}
	}
	out := value{t: x.t}
	switch e.Fn {
	case "float":
		out.t, out.f = Float, float32(x.i)
	case "int":
		out.t, out.i = Int, int(x.f)
	case "round":
		out.f = bf16.Round(x.f)
	case "pair":
		out.t, out.i = Int, int(bf16.Pair(x.f, y.f))
	case "lower":
		out.t, out.f = Float, bf16.Lower(int32(x.i))
	case "upper":
		out.t, out.f = Float, bf16.Upper(int32(x.i))
	case "max":
		out.f, out.i = max(x.f, y.f), max(x.i, y.i)
	case "min":
		out.f, out.i = min(x.f, y.f), min(x.i, y.i)
	default: // Check has found the function
		out.f = float32(Math(e.Fn)(float64(x.f)))
	}
	return out, nil
}
