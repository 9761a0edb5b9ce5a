package spec

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/zoo"
)

// Limits on a file, so that hostile input costs little.
const (
	maxModels = 1000
	maxDims   = 256
)

// Resolve looks up every name, merges `like`, evaluates every size and checks everything that can be checked without weights. The spec is nil if the list has
// an error. Features that this version cannot compile yet are not faults here; the compiler reports them.
func Resolve(f *File) (*Spec, diag.List) { return ResolveWith(f, Options{}) }

// Options holds what the use of a spec changes in its checks.
type Options struct {
	// Drawn means that the weights are drawn at random and not read from a checkpoint. Then a model whose tensors have no names in its published layout is not
	// a fault: it gets the layout own.
	Drawn bool
}

// ResolveWith resolves a file with options.
func ResolveWith(f *File, o Options) (*Spec, diag.List) {
	r := &resolver{file: f, Options: o, decls: map[string]*decl{}, spec: &Spec{Name: f.Name}, seen: map[string]bool{}, byLine: map[int]diag.List{},
		odd: map[*Head]bool{}, read: map[*Stmt]bool{}, tables: map[*Stmt]bool{}}
	r.run()
	r.faults = r.faults.Limit()
	if r.faults.HasErrors() {
		return nil, r.faults
	}
	return r.spec, r.faults
}

// ParseAndResolve parses and resolves a text. It returns the faults of both steps.
func ParseAndResolve(name string, text []byte) (*Spec, diag.List) {
	f, faults := Parse(name, text)
	s, more := Resolve(f)
	faults = append(faults, more...).Limit()
	if faults.HasErrors() {
		return nil, faults
	}
	return s, faults
}

// Sources returns a function that finds the text of this file and of the zoo's files, for [diag.Render].
func (f *File) Sources() diag.Sources {
	return func(name string) []byte {
		if name == f.Name {
			return f.Text
		}
		return zoo.Text(name)
	}
}

type resolver struct {
	Options
	file   *File
	spec   *Spec
	decls  map[string]*decl // models by name: those of the file, and those of the zoo that they are like
	model  *decl            // the model that is being resolved
	faults diag.List
	seen   map[string]bool // faults that have been reported; like repeats statements
	byLine map[int]diag.List
	read   map[*Stmt]bool // statements that were read, see effect.go
	tables map[*Stmt]bool // tables of absolute positions that a decoder reads
	meant  []string       // sizes that a misspelt name probably means
	odd    map[*Head]bool // heads with a loss that the language does not have

	headStmts []*Stmt  // see heads
	broken    []string // see brokenNames
}

// decl is a model's statement and its state.
type decl struct {
	stmt  *Stmt
	like  []string
	tree  *tree
	state uint8 // 0 new, 1 being merged, 2 merged
	bad   bool  // like names an unknown model: only what does not depend on it is checked
	model *Model

	faulty bool     // the model has faults of its own
	reads  []string // see dimReads
}

// add reports a fault once. A fault in a line of the zoo is reported at the place in the user's file that leads there.
func (r *resolver) add(d *diag.Diag) {
	if r.model != nil && d.Span.File != r.file.Name {
		r.bringHome(d)
	}
	key := string(d.Code) + d.Span.String() + d.Message
	if r.seen[key] {
		return
	}
	r.seen[key] = true
	r.faults = append(r.faults, d)
	if d.Span.File == r.file.Name {
		r.byLine[d.Span.Line] = append(r.byLine[d.Span.Line], d)
	}
}

// bringHome moves a fault to the place in the user's file that a note names, or else to the model's own line.
func (r *resolver) bringHome(d *diag.Diag) {
	there := d.Span
	d.Span = r.model.stmt.Pos
	for i, n := range d.Notes {
		if n.Span.File == r.file.Name {
			d.Span = n.Span
			d.Notes = slices.Delete(d.Notes, i, i+1)
			break
		}
	}
	d.Notes = slices.Insert(d.Notes, 0, diag.Note{Span: there, Message: "it comes from here: " + r.model.stmt.Name + " is like " + strings.Join(r.model.like,
		", ")})
}

// errorsSince reports whether there is an error after the first n faults.
func (r *resolver) errorsSince(n int) bool { return r.faults[n:].HasErrors() }

func (r *resolver) run() {
	names := map[string]map[string]*Stmt{}
	count := 0
	for _, s := range r.file.stmts() {
		if s.row == nil || !s.row.Named {
			continue
		}
		if names[s.Word] == nil {
			names[s.Word] = map[string]*Stmt{}
		}
		name := s.Name
		if form, ok := s.Form.(*onForm); ok && s.Word == "head" {
			name += " on " + strings.Join(form.On.Parts[:1], ".")
		}
		if before := names[s.Word][name]; before != nil && name != "" {
			r.add(diag.Errorf("twice", s.Pos, "there are two of the name %s %s", s.Word, s.Name).Note(before.Pos, "the first is here"))
			continue
		}
		names[s.Word][name] = s
		if s.Word == "model" {
			if count++; count > maxModels {
				r.add(diag.Errorf("too-large", s.Pos, "a file has at most %d models", maxModels))
				return
			}
			r.decls[s.Name] = &decl{stmt: s}
		}
	}
	for _, s := range r.file.stmts() {
		if d := r.decls[s.Name]; s.Word == "model" && d != nil && d.stmt == s {
			if m := r.resolveModel(d); m != nil {
				r.spec.Models = append(r.spec.Models, m)
			}
		}
	}
	r.model = nil
	r.each("head", r.head)
	r.each("ensemble", r.ensemble)
	r.each("train", r.train)
	r.each("target", r.target)
	r.idle()
	if len(r.spec.Targets) == 0 {
		r.spec.Targets = []*Target{r.defaultTarget()}
	}
}

// each calls resolve for the file's statements of one word.
func (r *resolver) each(word string, resolve func(*Stmt)) {
	for _, s := range r.file.stmts() {
		if s.Word == word && s.row != nil && !s.broken {
			before := len(r.faults)
			if resolve(s); r.errorsSince(before) {
				r.readAll(s)
			}
		}
	}
}

// zooModels returns the statements of the zoo's models by name.
var zooModels = sync.OnceValue(func() map[string]*Stmt {
	models := map[string]*Stmt{}
	for _, name := range zoo.Files() {
		f, _ := Parse(name, zoo.Text(name)) // a test checks that the zoo has no faults
		for _, s := range f.stmts() {
			if s.Word == "model" {
				models[s.Name] = s
			}
		}
	}
	return models
})

// Zoo returns the names of the models that like can name although they are not in the file.
func Zoo() []string {
	var names []string
	for n := range zooModels() {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// ZooModel returns the zoo's model of a name, or nil if there is no such model. All calls for a name return the same model, which must not be
// changed.
func ZooModel(name string) *Model {
	if zooModels()[name] == nil {
		return nil
	}
	once, _ := zooResolved.LoadOrStore(name, sync.OnceValue(func() *Model { return resolveZoo(name) }))
	return once.(func() *Model)()
}

// zooResolved holds a function for each name of the zoo that was asked for, which resolves the model once.
var zooResolved sync.Map

func resolveZoo(name string) *Model {
	f, _ := Parse("zoo", []byte("dspec 1\nmodel model like "+name+" { }\n"))
	s, _ := Resolve(f)
	if s == nil {
		return nil
	}
	m := s.Models[0]
	m.Name = name
	return m
}

// lookup returns the model of a name, from the file or else from the zoo.
func (r *resolver) lookup(name string) *decl {
	if d := r.decls[name]; d != nil {
		return d
	}
	if s := zooModels()[name]; s != nil {
		d := &decl{stmt: s}
		r.decls[name] = d
		return d
	}
	return nil
}

// merged returns a model's tree after like, or nil if like names an unknown model, which has been reported.
func (r *resolver) merged(d *decl) *tree {
	if d.state == 2 {
		return d.tree
	}
	d.state = 1
	t := &tree{}
	form, _ := d.stmt.Form.(*modelForm)
	switch {
	case form == nil:
		d.bad = d.stmt.broken
	case form.Like != nil:
		if base := r.base(d, form.Like); base != nil {
			t = base.copy()
		} else {
			d.bad, t.broken = true, true // what the base would have is not known
		}
	}
	if d.stmt.Block != nil {
		r.merge(t, d.stmt.Block.Stmts)
	}
	d.state = 2
	d.tree = t
	return t
}

// base returns the tree of the model that d is like.
func (r *resolver) base(d *decl, like *reference) *tree {
	at := spanOfAll(like.Tokens)
	b := r.lookup(like.Name)
	if b == nil {
		f := diag.Errorf("unknown-name", at, "there is no model %s in this file or in the zoo", like.Name)
		known := slices.DeleteFunc(append(r.modelNames(), Zoo()...), func(n string) bool { return n == d.stmt.Name })
		if near := Nearest(like.Name, known); near != "" {
			f.Hintf("%s", near)
		} else {
			f.Hintf("the zoo has %s", strings.Join(Zoo(), ", "))
		}
		r.add(f)
		return nil
	}
	if b.state == 1 {
		r.add(diag.Errorf("like-cycle", at, "%s is like itself", d.stmt.Name).Note(b.stmt.Pos, "%s is here", b.stmt.Name))
		return nil
	}
	t := r.merged(b)
	d.like = append([]string{like.Name}, b.like...)
	if b.bad {
		return nil
	}
	return t
}

func (r *resolver) modelNames() []string {
	var names []string
	for _, s := range r.file.stmts() {
		if s.Word == "model" && s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// source returns the place where an element was written.
func source(s *Stmt) Source {
	if s == nil {
		return Source{}
	}
	return Source{Pos: s.Pos, Text: s.text()}
}

// literal reads a number that is not part of an expression. It returns false if the number is too large, which has been reported.
func (r *resolver) literal(text string, at diag.Span) (float64, bool) {
	v, err := number(text)
	if err != nil || math.IsInf(v, 0) {
		r.add(diag.Errorf("too-large", at, "%s is too large", text))
		return 0, false
	}
	return v, true
}

// real reads a literal and checks its range, and that float32 holds it; bounds describes the range in words.
func (r *resolver) real(n *num, what, bounds string, in func(float64) bool) (float64, bool) {
	v, ok := r.wide(n, what, bounds, in)
	if a := math.Abs(v); ok && a != 0 && (a < leastFloat || a > math.MaxFloat32) {
		r.add(diag.Errorf("range", spanOfAll(n.Tokens), "%s = %s is not a number of float32: those above 0 are from %.2g to %.2g", what, textOf(n.Tokens),
			leastFloat, math.MaxFloat32))
		return 0, false
	}
	return v, ok
}

// wide does the same as real for a number that programs do not compute with in float32.
func (r *resolver) wide(n *num, what, bounds string, in func(float64) bool) (float64, bool) {
	at := spanOfAll(n.Tokens)
	v, ok := r.literal(n.Text, at)
	if n.Minus {
		v = -v
	}
	if ok && !in(v) {
		r.add(diag.Errorf("range", at, "%s = %s is not %s", what, textOf(n.Tokens), bounds))
		return 0, false
	}
	return v, ok
}

// leastFloat is the least number above 0 with all digits of float32. Programs compute in float32, where a smaller eps is 0.
const leastFloat = 0x1p-126

// whole reads a literal integer and checks that it is at least least.
func (r *resolver) whole(n *num, what string, least int) (int, bool) {
	v, ok := r.wide(n, what, "a whole number", func(v float64) bool { return v == math.Trunc(v) && math.Abs(v) < 1<<53 })
	if ok && int(v) < least {
		r.add(diag.Errorf("range", spanOfAll(n.Tokens), "%s = %d, it must be at least %d", what, int(v), least))
		return 0, false
	}
	return int(v), ok
}

// pick checks that a word is in a list. what is as for notOneOf.
func (r *resolver) pick(w *reference, what string, from []string) (string, bool) {
	if slices.Contains(from, w.Name) {
		return w.Name, true
	}
	r.notOneOf(spanOfAll(w.Tokens), what, w.Name, from)
	return "", false
}

// notOneOf reports a word that is not in a list. what names the kind of the word, or it is a sentence with %s in place of the word.
func (r *resolver) notOneOf(at diag.Span, what, got string, from []string) {
	if !strings.Contains(what, "%s") {
		what = "there is no " + what + " %s"
	}
	f := diag.Errorf("unknown-name", at, what, got)
	if near := Nearest(got, from); near != "" {
		f.Hintf("%s", near)
	} else if len(from) == 1 {
		f.Hintf("%s", from[0])
	} else {
		f.Hintf("one of %s", strings.Join(from, ", "))
	}
	r.add(f)
}

func positive(v float64) bool { return v > 0 }
func share(v float64) bool    { return v >= 0 && v < 1 }
func nonnegative(v float64) bool {
	return v >= 0
}
