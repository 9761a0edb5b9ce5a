package spec

import (
	"reflect"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// A statement without an effect is an error. Otherwise a misspelt name would describe another model than the user meant, without a message. Three rules find
// such statements.
//
//   - Every statement must be read by the resolver. It marks what it reads, so a word of the schema that no code reads cannot be forgotten.
//   - A size must be read by a statement of a model, of a head or of a training, or be one that the language knows.
//   - A word that is read and then ignored has a check where it is ignored.
//
// What like has copied is exempt: a copied size may lose its last reader when a statement is replaced.

// maxIdle bounds the search. Beyond this number of faults no more are shown.
const maxIdle = 2 * diag.MaxFaults

// knownDims are the sizes that the language itself knows. Setting one is never a misspelling.
var knownDims = []string{"vocab", "hidden", "heads", "head", "inner", "layers", "span", "reach", "seq"}

// words holds the statements of a block by word, for words that may occur only once.
type words struct {
	r  *resolver
	of map[string]*Stmt
}

// get returns the statement of a word, or nil, and marks it as read.
func (w words) get(name string) *Stmt {
	s := w.of[name]
	w.r.reads(s)
	return s
}

// reads marks a statement as read.
func (r *resolver) reads(s *Stmt) {
	if s != nil {
		r.read[s] = true
	}
}

// readAll marks everything in a block as read. It is for blocks with a fault: no one can tell what else in them has an effect.
func (r *resolver) readAll(s *Stmt) {
	if s.Block == nil {
		return
	}
	for _, t := range code(s.Block.Stmts) {
		r.reads(t)
		r.readAll(t)
	}
}

// readModel marks the statements of a merged model that were read, or all of them if the model has faults.
func (r *resolver) readModel(t *tree, clean bool) {
	for _, e := range t.entries {
		if e.body != nil {
			r.readModel(e.body, clean)
		}
		if isDim := strings.HasPrefix(e.key, "dim "); !isDim && (e.read || !clean) {
			r.reads(e.stmt)
		}
	}
}

// idle reports the statements that were not read.
func (r *resolver) idle() {
	r.readDims()
	r.idleTables()
	for _, s := range r.file.stmts() {
		if d := r.decls[s.Name]; s.Word == "model" && (d == nil || d.stmt != s) {
			continue // a second one of its name
		}
		r.idleIn(s, s)
	}
}

// idleTables reports tables of absolute positions that no decoder reads, in this model or in a model that is like this one.
func (r *resolver) idleTables() {
	for _, s := range r.file.stmts() {
		d := r.decls[s.Name]
		if s.Word != "model" || d == nil || d.stmt != s || d.model == nil || d.faulty {
			continue
		}
		for _, e := range d.tree.all("absolute") {
			if e.stmt.Pos.File == r.file.Name && !e.inherited && !r.tables[e.stmt] {
				r.add(diag.Errorf("no-effect", e.stmt.Pos, "absolute %s has no effect: no decoder adds its rows", e.stmt.Name).
					Hintf("remove it, or query encoder[-2] + %s in a decoder", e.stmt.Name))
			}
		}
	}
}

// idleIn reports the idle statements of a block. top is the statement of the file that contains the block.
func (r *resolver) idleIn(top, block *Stmt) {
	if block.Block == nil || block.broken && block != top {
		return
	}
	for _, s := range code(block.Block.Stmts) {
		switch {
		case s.row == nil || s.broken || s.row == dropRow:
		case s.row.Opens != "":
			r.idleIn(top, s)
		case r.read[s] || r.faultIn(s.Pos) || len(r.faults) > maxIdle:
		case s.Word == "dim":
			r.idleDim(top, s)
		default:
			r.add(diag.Errorf("no-effect", s.Pos, "%s has no effect: nothing reads it", describe(s.row)).Hintf("remove it"))
		}
	}
}

// faultIn reports whether a statement has a fault already. A second message about it would only distract.
func (r *resolver) faultIn(at diag.Span) bool {
	return at.File == r.file.Name && slices.ContainsFunc(r.byLine[at.Line], func(d *diag.Diag) bool {
		return d.Span.Col >= at.Col && d.Span.Col <= at.EndCol
	})
}

// idleDim reports a size that no statement reads. The hint is the nearest size that can be set here.
func (r *resolver) idleDim(model, s *Stmt) {
	d := diag.Errorf("no-effect", s.Pos, "dim %s has no effect: no statement reads %s", s.Name, s.Name)
	own := map[string]bool{}
	for _, t := range code(model.Block.Stmts) {
		if t.Word == "dim" {
			own[t.Name] = true
		}
	}
	var settable []string
	for _, n := range append(slices.Clone(knownDims), r.dimReads(r.decls[model.Name])...) {
		if !own[n] {
			settable = append(settable, n)
		}
	}
	form, _ := s.Form.(*dimForm)
	if near := Nearest(s.Name, settable); near != "" && form != nil {
		op := "="
		if near == "seq" {
			op = "<="
		}
		r.add(d.Hintf("dim %s %s %s", near, op, textOf(form.Value.Tokens)))
		return
	}
	r.add(d.Hintf("remove it"))
}

// readDims marks the sizes that some statement reads, directly or through other sizes.
func (r *resolver) readDims() {
	for _, d := range r.decls {
		if d.tree == nil {
			continue
		}
		reads := r.dimReads(d)
		for _, e := range d.tree.all("dim") {
			if slices.Contains(reads, e.stmt.Name) {
				r.reads(e.stmt)
			}
		}
	}
}

// dimReads returns the sizes that a model's statements, its heads and their trainings read. Statements with faults count as readers of every name in them.
func (r *resolver) dimReads(d *decl) []string {
	if d.reads == nil {
		d.reads = r.findDimReads(d)
	}
	return d.reads
}

func (r *resolver) findDimReads(d *decl) []string {
	found := map[string]bool{}
	var list []string
	add := func(names ...string) {
		for _, n := range names {
			if !found[n] {
				found[n] = true
				list = append(list, n)
			}
		}
	}
	add(knownDims...)
	add(r.meant...)
	d.tree.leaves(func(e *entry) {
		if !strings.HasPrefix(e.key, "dim ") || r.faultIn(e.stmt.Pos) {
			add(exprNames(e.stmt.Form)...)
		}
	})
	add(r.brokenNames()...)
	for _, s := range r.heads() {
		if form, ok := s.Form.(*onForm); ok && r.decls[form.On.Parts[0]] != d && r.decls[form.On.Parts[0]] != nil {
			continue // on another model
		}
		for _, t := range code(s.Block.Stmts) {
			add(exprNames(t.Form)...)
		}
	}
	dims := map[string]*entry{}
	for _, e := range d.tree.all("dim") {
		dims[e.stmt.Name] = e
	}
	for i := 0; i < len(list); i++ {
		if e := dims[list[i]]; e != nil {
			add(exprNames(e.stmt.Form)...)
		}
	}
	return list
}

// leaves calls f for every entry of the tree and of the blocks inside it.
func (t *tree) leaves(f func(*entry)) {
	for _, e := range t.entries {
		f(e)
		if e.body != nil {
			e.body.leaves(f)
		}
	}
}

// heads returns the file's heads and trainings that have a block.
func (r *resolver) heads() []*Stmt {
	if r.headStmts == nil {
		for _, s := range r.file.stmts() {
			if (s.Word == "head" || s.Word == "train") && s.Block != nil {
				r.headStmts = append(r.headStmts, s)
			}
		}
	}
	return r.headStmts
}

// brokenNames returns the names in all statements with faults, because these may be readers.
func (r *resolver) brokenNames() []string {
	if r.broken == nil {
		r.broken = []string{}
		for _, s := range r.file.stmts() {
			r.broken = append(r.broken, brokenNames(s)...)
		}
		slices.Sort(r.broken)
		r.broken = slices.Compact(r.broken)
	}
	return r.broken
}

// brokenNames returns the names in a statement with a fault, or in such statements of its block.
func brokenNames(s *Stmt) []string {
	var names []string
	if s.broken || s.row == nil {
		for _, t := range s.toks {
			if t.Type == tIdent {
				names = append(names, t.Value)
			}
		}
	}
	if s.Block != nil {
		for _, t := range code(s.Block.Stmts) {
			names = append(names, brokenNames(t)...)
		}
	}
	return names
}

// exprNames returns the sizes that the expressions in a statement's operands read. It walks forms by reflection, so that a new form cannot be forgotten.
func exprNames(form any) []string {
	var names []string
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer, reflect.Interface:
			if v.IsNil() {
				return
			}
			if a, ok := v.Interface().(*atom); ok && a.Name != nil {
				names = append(names, *a.Name)
			}
			walk(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if f := v.Type().Field(i); f.Name != "Tokens" {
					walk(v.Field(i))
				}
			}
		}
	}
	if form != nil {
		walk(reflect.ValueOf(form))
	}
	return names
}
