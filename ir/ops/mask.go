package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// A mask hides keys that follow the query. The rows of one sequence are in the order of their tokens' positions, even if positions have gaps, so comparing rows
// compares positions. A prefix counts rows, which are the tokens that are present.

// maskAttr describes which keys a query sees.
var maskAttr = ir.AttrDef{Name: "mask", Type: ir.AttrString, Words: []string{"live", "causal", "prefix"},
	Doc: "the keys j that query i sees: all of its sequence (live, the default), those with j ≤ i, or those with j ≤ i or j < prefix"}

// prefixIn is the operand of the mask prefix.
var prefixIn = ir.Operand{Name: "prefix", DType: ir.I32, Optional: true,
	Doc: "[B] rows at the start of each sequence that all its queries see; with the mask prefix"}

// masked reports whether some queries do not see all keys.
func masked(n *ir.Node) bool { return n.Str("mask") == "causal" || n.Str("mask") == "prefix" }

// maskShape checks that the operand i, prefix, is there exactly if the mask reads it.
func maskShape(n *ir.Node, i int) error {
	if (n.Str("mask") == "prefix") != (in(n, i) != nil) {
		return fmt.Errorf("the mask prefix and the operand %s go together", operand(n, i))
	}
	return shaped(n, i, ir.B)
}

// seenKeys returns how many of its n keys query i of sequence s sees. They are the first keys.
func seenKeys(node *ir.Node, prefix *ir.Array, s, i, n int) int {
	switch node.Str("mask") {
	case "causal":
		return i + 1
	case "prefix":
		return min(n, max(i+1, int(prefix.I[s])))
	}
	return n
}
