package spec

import (
	"maps"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// tree is a block after merging: first what `like` has copied, then the block's own statements.
type tree struct {
	entries []*entry
	gone    map[string]*Stmt // what drop has removed, by key
	broken  bool             // one of its statements had a fault, so a missing statement may only be unreadable
}

// entry is a statement of a merged block.
type entry struct {
	key       string // the word; a word with a name, as in "dim hidden", "decoder emd", "mix score"; "=q" for an assignment
	name      string // the name that an assignment defines
	stmt      *Stmt
	body      *tree // the entries of its block
	inherited bool
	read      bool // the resolver has read it
}

// find returns the entry of a key, or nil, and marks it as read.
func (t *tree) find(key string) *entry {
	e := t.at(key)
	if e != nil {
		e.read = true
	}
	return e
}

// at returns the entry of a key, or nil.
func (t *tree) at(key string) *entry {
	if t == nil {
		return nil
	}
	for _, e := range t.entries {
		if e.key == key {
			return e
		}
	}
	return nil
}

// all returns the entries of a word that has names, such as dim or decoder, and marks them as read.
func (t *tree) all(word string) []*entry {
	var out []*entry
	if t != nil {
		for _, e := range t.entries {
			if strings.HasPrefix(e.key, word+" ") {
				e.read = true
				out = append(out, e)
			}
		}
	}
	return out
}

func (t *tree) copy() *tree {
	c := &tree{broken: t.broken, entries: make([]*entry, len(t.entries)), gone: maps.Clone(t.gone)}
	for i, e := range t.entries {
		d := *e
		d.inherited, d.read = true, false
		if e.body != nil {
			d.body = e.body.copy()
		}
		c.entries[i] = &d
	}
	return c
}

// isBroken reports whether the block or one inside of it had a fault.
func (t *tree) isBroken() bool {
	if t == nil {
		return false
	}
	if t.broken {
		return true
	}
	for _, e := range t.entries {
		if e.body.isBroken() {
			return true
		}
	}
	return false
}

// merger applies the statements of one body to a tree.
type merger struct {
	r     *resolver
	first map[string]*Stmt // statements that the body itself has set, to find words that occur twice
	gone  map[string]*Stmt // what the body has dropped, by key
}

// merge applies a model's own statements to the tree of the model that it is like: first what is dropped, then what is set.
func (r *resolver) merge(t *tree, stmts []*Stmt) {
	m := &merger{r: r, first: map[string]*Stmt{}, gone: map[string]*Stmt{}}
	m.body(t, stmts, "", true)
	m.body(t, stmts, "", false)
}

func (m *merger) body(t *tree, stmts []*Stmt, prefix string, drops bool) {
	for _, s := range code(stmts) {
		if s.row == nil {
			t.broken = true
			continue
		}
		m.apply(t, s, s.Path, prefix, drops)
	}
}

// apply follows the statement's path and drops or sets the entry at its end.
func (m *merger) apply(t *tree, s *Stmt, path []string, prefix string, drops bool) {
	if len(path) > 0 {
		if s.Word == "drop" && !drops {
			return
		}
		e := t.at(path[0])
		if e == nil {
			if drops {
				if s.Word == "drop" {
					m.r.dropNothing(s, prefix+path[0], t)
				}
				return
			}
			e = &entry{key: path[0], stmt: s}
			t.entries = append(t.entries, e)
		}
		if e.body == nil {
			e.body = &tree{}
		}
		m.apply(e.body, s, path[1:], prefix+path[0]+".", drops)
		return
	}
	switch {
	case s.Word == "drop":
		if form, ok := s.Form.(*dropForm); ok && drops {
			for _, p := range form.Paths {
				m.drop(t, s, p, prefix)
			}
		}
	case s.row.Opens != "":
		m.block(t, s, prefix, drops)
	case !drops:
		m.leaf(t, s, prefix)
	}
}

func (m *merger) block(t *tree, s *Stmt, prefix string, drops bool) {
	key := keyOf(s)
	e := t.at(key)
	if drops && e == nil {
		e = &entry{body: &tree{}} // nothing is there, so every drop inside finds nothing
	}
	if e == nil {
		e = &entry{key: key, stmt: s}
		t.entries = append(t.entries, e)
	}
	if e.body == nil {
		e.body = &tree{}
	}
	if !drops {
		m.again(s, e, prefix+key)
		if s.Form != nil || e.stmt.Form == nil || s.broken {
			e.stmt = s
		}
		e.inherited = false
		t.broken = t.broken || s.broken
	}
	if s.Block != nil {
		m.body(e.body, s.Block.Stmts, prefix+key+".", drops)
	}
}

// again reports operands of a block that the same body has set before, and a block that sets nothing.
func (m *merger) again(s *Stmt, e *entry, full string) {
	operands := s.Form != nil && !s.row.Named
	if before := m.first[full]; before != nil && operands {
		m.r.add(diag.Errorf("twice", s.Pos, "the operands of %s are set twice", s.Word).Note(before.Pos, "the first time here").Hintf("remove one of the two"))
	}
	if operands {
		m.first[full] = s
	}
	changes := e.stmt == s && s.Word != "defaults" // a block that did not exist before
	if s.Block != nil && len(s.Block.Stmts) == 0 && s.Block.Trail == "" && !changes && !operands && !s.broken {
		m.r.add(diag.Errorf("no-effect", s.Pos, "the block of %s is empty, so it changes nothing", s.Word).Hintf("remove it"))
	}
}

func (m *merger) leaf(t *tree, s *Stmt, prefix string) {
	if s.broken {
		t.broken = true
	}
	form, ok := s.Form.(*assignForm)
	if !ok {
		m.set(t, &entry{key: keyOf(s), stmt: s}, s.Pos, prefix)
		return
	}
	for _, n := range form.Names {
		m.set(t, &entry{key: "=" + n.Name, name: n.Name, stmt: s}, spanOfAll(n.Tokens), prefix)
	}
}

// set replaces the statement of the same key, or appends it.
func (m *merger) set(t *tree, e *entry, at diag.Span, prefix string) {
	full := prefix + e.key
	if before := m.first[full]; before != nil {
		if e.stmt.broken {
			return
		}
		m.r.add(diag.Errorf("twice", at, "%s is set twice", strings.TrimPrefix(e.key, "=")).Note(before.Pos, "the first time here").
			Hintf("remove one of the two"))
		return
	}
	m.first[full] = e.stmt
	if d := m.gone[full]; d != nil {
		m.r.add(diag.Errorf("no-effect", d.Pos, "drop has no effect: %s is set again", strings.TrimPrefix(e.key, "=")).Note(at, "it is set here").
			Hintf("remove it: what is set replaces what like has copied"))
	}
	for i, old := range t.entries {
		if old.key == e.key {
			t.entries[i] = e
			return
		}
	}
	t.entries = append(t.entries, e)
}

// keyOf returns the name by which like finds a statement.
func keyOf(s *Stmt) string {
	if form, ok := s.Form.(*mixForm); ok {
		return s.Word + " " + form.What
	}
	if s.row.Named {
		return s.Word + " " + s.Name
	}
	return s.Word
}

// drop removes the entry that a path names from a tree; prefix is the path of the tree.
func (m *merger) drop(t *tree, s *Stmt, p *path, prefix string) {
	at := *s
	at.Pos = spanOfAll(p.Tokens)
	remove := func(e *entry) {
		t.remove(e)
		m.gone[prefix+e.key] = &at
		if t.gone == nil {
			t.gone = map[string]*Stmt{}
		}
		t.gone[e.key] = &at
	}
	for len(p.Parts) > 0 {
		first := p.Parts[0]
		if len(p.Parts) >= 2 {
			if e := t.at(first + " " + p.Parts[1]); e != nil {
				if len(p.Parts) == 2 {
					remove(e)
					return
				}
				prefix += e.key + "."
				t, p = e.body, &path{Tokens: p.Tokens, Parts: p.Parts[2:]}
				continue
			}
			if e := t.at(first); e != nil && e.body != nil {
				prefix += e.key + "."
				t, p = e.body, &path{Tokens: p.Tokens, Parts: p.Parts[1:]}
				continue
			}
			break
		}
		found := false
		for _, e := range append([]*entry{t.at(first), t.at("=" + first), t.at("dim " + first)}, t.all(first)...) {
			if e != nil {
				remove(e)
				found = true
			}
		}
		if found {
			return
		}
		break
	}
	m.r.dropNothing(&at, strings.Join(p.Parts, "."), t)
}

func (t *tree) remove(e *entry) {
	for i, o := range t.entries {
		if o == e {
			t.entries = append(t.entries[:i:i], t.entries[i+1:]...)
			return
		}
	}
}

func (r *resolver) dropNothing(s *Stmt, what string, t *tree) {
	if t.isBroken() {
		return
	}
	var names []string
	for _, e := range t.entries {
		names = append(names, strings.ReplaceAll(strings.TrimPrefix(strings.TrimPrefix(e.key, "="), "dim "), " ", "."))
	}
	d := diag.Errorf("drop-nothing", s.Pos, "there is no %s to drop", what)
	switch near := Nearest(what, names); {
	case near != "":
		d.Hintf("%s", near)
	case len(names) > 0:
		d.Hintf("what is copied here: %s", strings.Join(names, ", "))
	default:
		d.Hintf("drop removes what like has copied")
	}
	r.add(d)
}
