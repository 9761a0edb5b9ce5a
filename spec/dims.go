package spec

import (
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// maxDim is the largest value of a dim. Larger values are mistakes, and sizes in bytes stay within 64 bits.
const maxDim = 1 << 24

// dimTable evaluates the dims of a model, in any order of definition.
type dimTable struct {
	r     *resolver
	all   map[string]*dimState
	order []string
	tree  *tree
	open  bool // there may be dims that are not known here, so an unknown name is not a fault
}

type dimState struct {
	entry *entry
	form  *dimForm
	state uint8 // 0 new, 1 being evaluated, 2 done
	value int
	ok    bool
}

func (r *resolver) dims(t *tree, open bool) *dimTable {
	d := &dimTable{r: r, all: map[string]*dimState{}, tree: t, open: open}
	for _, e := range t.all("dim") {
		form, _ := e.stmt.Form.(*dimForm)
		d.all[e.stmt.Name] = &dimState{entry: e, form: form}
		d.order = append(d.order, e.stmt.Name)
	}
	for _, n := range d.order {
		d.get(n)
	}
	return d
}

// get returns a dim's value. It returns false if the dim does not exist or has a fault, which has been reported.
func (d *dimTable) get(name string) (int, bool) {
	s := d.all[name]
	if s == nil {
		return 0, false
	}
	if s.state == 1 {
		d.r.add(diag.Errorf("dim-cycle", s.entry.stmt.Pos, "%s is defined by itself", name))
		s.state, s.ok = 2, false
	}
	if s.state == 2 || s.form == nil {
		return s.value, s.ok
	}
	s.state = 1
	v, ok := d.integer(s.form.Value)
	if s.state == 2 { // the evaluation has found a cycle
		return 0, false
	}
	s.state, s.value, s.ok = 2, v, ok
	if ok && v < 1 {
		d.r.add(diag.Errorf("range", s.entry.stmt.Pos, "%s = %d, a size must be at least 1", name, v))
		s.ok = false
	}
	return s.value, s.ok
}

// pos returns the place where a dim is set.
func (d *dimTable) pos(name string) diag.Span {
	if s := d.all[name]; s != nil {
		return s.entry.stmt.Pos
	}
	return diag.Span{}
}

// integer evaluates an expression to an integer. It returns false if the expression has a fault, which has been reported.
func (d *dimTable) integer(e *expr) (int, bool) {
	v, ok := d.sum(e, true)
	if !ok {
		return 0, false
	}
	n := v.Num() // an integer: every division outside of floor had no remainder
	if !n.IsInt64() || n.Int64() > maxDim || n.Int64() < -maxDim {
		d.r.add(diag.Errorf("too-large", spanOfAll(e.Tokens), "%s is larger than %d, the most that a size may be", textOf(e.Tokens), maxDim))
		return 0, false
	}
	return int(n.Int64()), true
}

// sum evaluates a sum. exact demands that every division has no remainder; it is false inside of floor.
func (d *dimTable) sum(e *expr, exact bool) (*big.Rat, bool) {
	v, ok := d.product(e.Left, exact)
	for _, s := range e.Right {
		w, ok2 := d.product(s.Right, exact)
		if ok = ok && ok2; !ok {
			continue
		}
		if s.Op == "+" {
			v = new(big.Rat).Add(v, w)
		} else {
			v = new(big.Rat).Sub(v, w)
		}
	}
	return v, ok
}

func (d *dimTable) product(p *product, exact bool) (*big.Rat, bool) {
	v, ok := d.unary(p.Left, exact)
	left := p.Left
	for _, m := range p.Right {
		w, ok2 := d.unary(m.Right, exact)
		if ok = ok && ok2; !ok {
			left = nil
			continue
		}
		if m.Op == "*" {
			v = new(big.Rat).Mul(v, w)
			if v.Num().BitLen() > 256 || v.Denom().BitLen() > 256 {
				d.r.add(diag.Errorf("too-large", spanOfAll(p.Tokens), "%s is larger than %d, the most that a size may be", textOf(p.Tokens), maxDim))
				return nil, false
			}
			left = nil
			continue
		}
		if w.Sign() == 0 {
			d.r.add(diag.Errorf("dim-divides", spanOfAll(p.Tokens), "%s divides by 0", textOf(p.Tokens)))
			return nil, false
		}
		q := new(big.Rat).Quo(v, w)
		if exact && !q.IsInt() {
			d.r.notEven(d, p, left, m.Right, v, w)
			return nil, false
		}
		v, left = q, nil
	}
	return v, ok
}

// notEven reports a division that leaves a remainder. If the divisor is a dim, the place is the divisor, because that is the number that a user would change.
func (r *resolver) notEven(d *dimTable, p *product, left, right *unary, v, w *big.Rat) {
	ln, rn := dimName(left), dimName(right)
	lp, rp := d.pos(ln), d.pos(rn)
	if lp.IsZero() || rp.IsZero() {
		f := diag.Errorf("dim-divides", spanOfAll(p.Tokens), "%s does not come out even: %s / %s", textOf(p.Tokens), v.RatString(), w.RatString())
		for _, n := range []string{ln, rn} {
			if at := d.pos(n); !at.IsZero() {
				f.Note(at, "%s is set here", n)
			}
		}
		if at := spanOfAll(p.Tokens); at.File != r.file.Name && ln != "" && w.IsInt() && v.IsInt() { // the division is in the zoo; its operand can be set here
			q := new(big.Int).Add(new(big.Int).Quo(v.Num(), w.Num()), big.NewInt(1))
			r.add(f.Hintf("dim %s = %s", ln, q.Mul(q, w.Num())))
			return
		}
		r.add(f.Hintf("floor(%s)", textOf(p.Tokens)))
		return
	}
	at, note, noted := rp, lp, ln
	if d.all[rn].entry.inherited && !d.all[ln].entry.inherited {
		at, note, noted = lp, rp, rn
	}
	f := diag.Errorf("dim-divides", at, "%s = %s does not divide %s = %s", rn, w.RatString(), ln, v.RatString()).Note(note, "%s is set here", noted)
	what := "values of " + rn
	if rn == "heads" {
		what = "head counts"
	}
	if near := nearDivisors(v, w); near != "" {
		f.Hintf("the nearest %s that divide %s are %s", what, v.RatString(), near)
	}
	r.add(f)
}

// nearDivisors returns the divisors of v that are nearest to w, below and above it.
func nearDivisors(v, w *big.Rat) string {
	if !v.IsInt() || !w.IsInt() || !v.Num().IsInt64() || !w.Num().IsInt64() {
		return ""
	}
	n, k := v.Num().Int64(), w.Num().Int64()
	if n < 1 || n > 1<<20 || k < 1 || k > n {
		return ""
	}
	lo, hi := k, k
	for n%lo != 0 {
		lo--
	}
	for n%hi != 0 {
		hi++
	}
	return strconv.FormatInt(lo, 10) + " and " + strconv.FormatInt(hi, 10)
}

// dimName returns the name that a factor consists of, or "".
func dimName(u *unary) string {
	if u == nil || u.Minus || u.Atom.Name == nil {
		return ""
	}
	return *u.Atom.Name
}

func (d *dimTable) unary(u *unary, exact bool) (*big.Rat, bool) {
	v, ok := d.atom(u.Atom, exact)
	if ok && u.Minus {
		v = new(big.Rat).Neg(v)
	}
	return v, ok
}

func (d *dimTable) atom(a *atom, exact bool) (*big.Rat, bool) {
	at := spanOfAll(a.Tokens)
	switch {
	case a.Paren != nil:
		return d.sum(a.Paren, exact)
	case a.Name != nil:
		if d.all[*a.Name] == nil {
			d.unknown(*a.Name, at)
			return nil, false
		}
		v, ok := d.get(*a.Name)
		return new(big.Rat).SetInt64(int64(v)), ok
	case a.Number != nil:
		text := strings.ReplaceAll(*a.Number, "_", "")
		if strings.ContainsAny(text, ".eE") {
			d.r.add(diag.Errorf("syntax", at, "%s: sizes are integers", *a.Number))
			return nil, false
		}
		if len(text) > 30 {
			d.r.add(diag.Errorf("too-large", at, "a number of %d digits is larger than %d, the most that a size may be", len(text), maxDim))
			return nil, false
		}
		v, ok := new(big.Rat).SetString(text)
		return v, ok
	default:
		if a.Call.Func != "floor" {
			d.r.add(diag.Errorf("unknown-name", at, "there is no function %s for sizes", a.Call.Func).Hintf("floor(…) is the only one"))
			return nil, false
		}
		v, ok := d.sum(a.Call.Arg, false)
		if !ok {
			return nil, false
		}
		q := new(big.Int).Div(v.Num(), v.Denom()) // Euclidean division rounds down for a positive divisor, and Denom is positive
		return new(big.Rat).SetInt(q), true
	}
}

func (d *dimTable) unknown(name string, at diag.Span) {
	if d.open {
		return
	}
	if drop := d.tree.gone["dim "+name]; drop != nil {
		d.r.add(diag.Errorf("still-read", drop.Pos, "%s is dropped, but a statement still reads it", name).Note(at, "it is read here").Hintf("remove it"))
		return
	}
	f := diag.Errorf("unknown-name", at, "there is no dim %s", name)
	if near := Nearest(name, d.order); near != "" {
		d.r.meant = append(d.r.meant, near)
		f.Hintf("%s", near)
	} else if len(d.order) > 0 {
		names := slices.Clone(d.order)
		f.Hintf("the dims are %s", strings.Join(names[:min(len(names), 12)], ", "))
	} else {
		f.Hintf("dim %s = …", name)
	}
	d.r.add(f)
}

// float evaluates the expression of scale, which may contain dims, terms, sqrt and divisions with a remainder.
func (d *dimTable) float(e *expr, terms int) (float64, bool) {
	v, ok := d.floatProduct(e.Left, terms)
	for _, s := range e.Right {
		w, ok2 := d.floatProduct(s.Right, terms)
		ok = ok && ok2
		if s.Op == "-" {
			w = -w
		}
		v += w
	}
	return v, ok
}

func (d *dimTable) floatProduct(p *product, terms int) (float64, bool) {
	v, ok := d.floatUnary(p.Left, terms)
	for _, m := range p.Right {
		w, ok2 := d.floatUnary(m.Right, terms)
		ok = ok && ok2
		if m.Op == "*" {
			v *= w
		} else {
			v /= w
		}
	}
	return v, ok
}

func (d *dimTable) floatUnary(u *unary, terms int) (v float64, ok bool) {
	a := u.Atom
	at := spanOfAll(a.Tokens)
	ok = true
	switch {
	case a.Paren != nil:
		v, ok = d.float(a.Paren, terms)
	case a.Number != nil:
		v, ok = d.r.literal(*a.Number, at)
	case a.Call != nil:
		v, ok = d.float(a.Call.Arg, terms)
		switch a.Call.Func {
		case "sqrt":
			v = math.Sqrt(v)
		case "floor":
			v = math.Floor(v)
		default:
			d.r.add(diag.Errorf("unknown-name", at, "there is no function %s", a.Call.Func).Hintf("sqrt and floor are known"))
			return 0, false
		}
	case *a.Name == "terms" && d.all["terms"] == nil:
		v = float64(terms)
	default:
		if d.all[*a.Name] == nil {
			d.unknown(*a.Name, at)
			return 0, false
		}
		n, found := d.get(*a.Name)
		v, ok = float64(n), found
	}
	if u.Minus {
		v = -v
	}
	return v, ok
}

// count evaluates an expression for a number of rows, columns or layers, which must be at least `least`. It returns 0 after a fault.
func (d *dimTable) count(e *expr, what string, least int) int {
	v, ok := d.integer(e)
	if !ok {
		return 0
	}
	if v < least {
		d.r.add(diag.Errorf("range", spanOfAll(e.Tokens), "%s = %d, it must be at least %d", what, v, least))
		return 0
	}
	return v
}
