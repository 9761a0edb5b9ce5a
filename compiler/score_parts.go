package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
)

// parts holds the terms of one attention's score, which are found in the sum that enters a softmax, and the nodes around them.
type parts struct {
	soft                *ir.Node
	drop                *ir.Node // dropout of the probabilities; nil: none
	mixScore, mixWeight *ir.Value
	index, pos          *ir.Value
	scale               float64 // the scale of the products
	cc                  []slot
	cp, pc              []offsetTerm
	biases              []lookup
	terms               []*ir.Node
}

// slot is a pair of projections whose product is a term. If a score has several such terms, a head is as wide as all of them side by side: q1·k1 + q2·k2 =
// (q1|q2)·(k1|k2). Either side may be missing.
type slot struct{ q, k *ir.Value }

// offsetTerm is a product of a content and a row of a relative table.
type offsetTerm struct {
	content, table *ir.Value
	flip           bool
	slot           int // the slot that holds the content
}

// lookup is a table of numbers, its index and the factor by which it is multiplied.
type lookup struct {
	table, index *ir.Value
	flip         bool
	by           float64
}

// partsOf returns the parts of the attention that ends in a weighted mean, or nil if there is no softmax before it.
func partsOf(weigh *ir.Node) (*parts, error) {
	p := &parts{}
	at := weigh.In[0]
	mixed := func() (w *ir.Value) {
		if at.Def != nil && at.Def.Op == "mix_heads" {
			at, w = at.Def.In[0], at.Def.In[1]
		}
		return w
	}
	p.mixWeight = mixed()
	if at.Def != nil && at.Def.Op == "drop_pairs" {
		p.drop = at.Def
		at = at.Def.In[0]
	}
	if at.Def == nil || at.Def.Op != "softmax" {
		return nil, nil
	}
	p.soft = at.Def
	at = p.soft.In[0]
	p.mixScore = mixed()
	return p, p.collect(at, 1)
}

// note returns the statement of the score.
func (p *parts) note() string {
	var list []string
	for _, n := range p.terms {
		list = append(list, n.Note)
	}
	return "score " + strings.Join(list, " + ")
}

// term is an op that a score may be a sum of, besides sums and products with a number.
type term struct {
	op, doc string
	scaled  bool // it is a product: all products of a score have one scale
	index   int  // the operand with the index of offsets, which all terms share; 0: it has none
	pos     int  // the operand with the positions, which all terms share; 0: it has none
	add     func(p *parts, n *ir.Node, by float64)
}

var terms = []term{
	{"score_cc", "two contents: a pair of projections in a slot of the head", true, 0, 0, func(p *parts, n *ir.Node, _ float64) {
		p.cc = append(p.cc, slot{n.In[0], n.In[1]})
	}},
	{"score_cp", "a query and the row of an offset: a table of position keys", true, 2, 4, func(p *parts, n *ir.Node, _ float64) {
		p.cp = append(p.cp, offsetTerm{content: n.In[0], table: n.In[1], flip: n.Flag("flip")})
	}},
	{"score_pc", "the row of an offset and a key: a table of position queries", true, 2, 4, func(p *parts, n *ir.Node, _ float64) {
		p.pc = append(p.pc, offsetTerm{content: n.In[0], table: n.In[1], flip: n.Flag("flip")})
	}},
	{"score_bias", "a number per offset, which has a factor of its own", false, 0, 3, func(p *parts, n *ir.Node, by float64) {
		p.biases = append(p.biases, lookup{n.In[0], n.In[1], n.Flag("flip"), by})
	}},
}

// collect walks through a sum of scaled terms.
func (p *parts) collect(v *ir.Value, by float64) error {
	n := v.Def
	if n == nil {
		return fmt.Errorf("a score that no node of the region computes")
	}
	switch n.Op {
	case "add":
		return first(p.collect(n.In[0], by), p.collect(n.In[1], by))
	case "scale":
		return p.collect(n.In[0], by*n.Float("by"))
	}
	i := slices.IndexFunc(terms, func(t term) bool { return t.op == n.Op })
	if i < 0 {
		return fmt.Errorf("%v: op %s is not a term of a score", n.Pos, n.Op)
	}
	t := terms[i]
	p.terms = append(p.terms, n)
	if t.scaled && p.scale != 0 && p.scale != by {
		return fmt.Errorf("%v: products with different scales", n.Pos)
	}
	if t.scaled {
		p.scale = by
	}
	for _, shared := range []struct {
		operand int
		place   **ir.Value
	}{{t.index, &p.index}, {t.pos, &p.pos}} {
		if shared.operand == 0 {
			continue
		}
		if v := n.In[shared.operand]; *shared.place != nil && *shared.place != v {
			return fmt.Errorf("%v: two different operands serve in one place of the score", n.Pos)
		}
		*shared.place = n.In[shared.operand]
	}
	t.add(p, n, by)
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

// slots finds a slot for every content that the score reads, and sets it in the terms with offsets.
func (p *parts) slots() []slot {
	list := slices.Clone(p.cc)
	place := func(v *ir.Value, side func(s *slot) **ir.Value) int {
		for k := range list {
			if *side(&list[k]) == v {
				return k
			}
		}
		if len(p.cc) == 0 { // the two sides are not multiplied with each other
			for k := range list {
				if x := side(&list[k]); *x == nil {
					*x = v
					return k
				}
			}
		}
		list = append(list, slot{})
		*side(&list[len(list)-1]) = v
		return len(list) - 1
	}
	for i := range p.cp {
		p.cp[i].slot = place(p.cp[i].content, func(s *slot) **ir.Value { return &s.q })
	}
	for i := range p.pc {
		p.pc[i].slot = place(p.pc[i].content, func(s *slot) **ir.Value { return &s.k })
	}
	if len(list) == 0 {
		list = append(list, slot{})
	}
	return list
}

// bothSigns reports whether terms of one kind look up i-j and j-i. Then their tables can be joined only if they have one row per offset.
func (p *parts) bothSigns() bool {
	for _, terms := range [][]offsetTerm{p.cp, p.pc} {
		for _, t := range terms {
			if t.flip != terms[0].flip {
				return true
			}
		}
	}
	return false
}
