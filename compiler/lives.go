package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// beforePasses is the name of the program as the spec describes it, before any pass.
const beforePasses = "build"

// life states which nodes exist after which passes. Nodes without a row can exist after any pass.
type life struct {
	what    string // the nodes, for lists
	is      func(n *ir.Node) bool
	from    string // the pass that makes the first of them
	until   string // the pass that leaves none of them; "": they stay
	packing bool   // the pass until leaves such nodes in regions that run when weights are packed
	reason  string // what the pass does with them
}

// lives is the table of what exists after which passes. [ir.Verify] checks the program against it before the first pass and after each pass.
var lives = []life{
	{"fused ops", fused, "fuse", "", false, "makes them by its patterns"},
	{"head_panels", named("head_panels"), "fuse", "", false, "brings the tables of an attention into their layout"},
	{"weights in pairs of bfloat16", named("gemm_bf16", "embed_bf16", "panels_bf16", "head_panels_bf16"), "bf16", "", false, "rounds what products read"},
	{"embed_panels", named("embed_panels"), "tile", "", false, "lets a lookup read the panels of a tied table"},
	{"terms of a score", isTerm, beforePasses, "fuse", false, "joins the terms of a score to one attention"},
	{"softmax, weigh, mix_heads", named("softmax", "weigh", "mix_heads"), beforePasses, "fuse", false,
		"joins the softmax, the weighted mean and mixed heads to an attention"},
	{"linear of rows of the batch", func(n *ir.Node) bool { return n.Op == "linear" && n.In[0].Batched() }, beforePasses, "fuse", false,
		"turns each product of the batch's rows into a gemm"},
	{"layouts and constants", func(n *ir.Node) bool { return classOf(n) == ir.Layout || classOf(n) == ir.Constant }, beforePasses, "fold", true,
		"moves what depends on weights alone to the time when weights are packed"},
	{"nodes without a portable form", noForm, beforePasses, "fold", true, "leaves in calls what code generation can print"},
}

// named returns a function that reports whether a node's op is one of the names.
func named(names ...string) func(n *ir.Node) bool {
	return func(n *ir.Node) bool { return slices.Contains(names, n.Op) }
}

// classOf returns the class of a node's op.
func classOf(n *ir.Node) ir.Class { return ir.Lookup(n.Op).Class }

// isTerm reports whether a node is a term of a score.
func isTerm(n *ir.Node) bool {
	return slices.ContainsFunc(terms, func(t term) bool { return t.op == n.Op })
}

// noForm reports whether a node has no portable form.
func noForm(n *ir.Node) bool { return ir.Lookup(n.Op).Lower == nil }

// place returns the number of a pass in the pipeline; beforePasses has 0. It returns -1 for a name that no pass has.
func place(name string) int {
	if name == beforePasses {
		return 0
	}
	if i := slices.IndexFunc(passes, func(p pass) bool { return p.name == name }); i >= 0 {
		return i + 1
	}
	return -1
}

// rulesAfter returns what [ir.Verify] forbids after a pass.
func rulesAfter(last string) []ir.Rule {
	var rules []ir.Rule
	for _, l := range lives {
		if place(last) < place(l.from) {
			rules = append(rules, ir.Rule{Is: l.is, Reason: fmt.Sprintf("pass %s, which %s, has not run", l.from, l.reason)})
		}
		if l.until != "" && place(last) >= place(l.until) {
			rules = append(rules, ir.Rule{Is: l.is, Packing: l.packing, Reason: fmt.Sprintf("pass %s %s", l.until, l.reason)})
		}
	}
	return rules
}

// verifyAfter checks a program after a pass.
func verifyAfter(p *ir.Program, last string) error { return ir.Verify(p, rulesAfter(last)...) }
