package ir

import "fmt"

// Rule is a kind of node that a program cannot have, for [Verify].
type Rule struct {
	Is      func(n *Node) bool // reports whether a node is of the kind
	Packing bool               // such nodes can be in regions that run only when weights are packed
	Reason  string             // why the program cannot have it, for the error
}

// verifyRules returns an error for the first node that a rule forbids.
func verifyRules(p *Program, rules []Rule) error {
	runs := map[*Region]bool{}
	for _, c := range p.Run {
		runs[c.Region] = true
	}
	for _, r := range p.Regions {
		for i, n := range r.Nodes {
			for _, rule := range rules {
				if rule.Is(n) && (runs[r] || !rule.Packing) {
					return fmt.Errorf("region %s: node %d%s: op %s cannot be here: %s", r.Name, i, place(n), n.Op, rule.Reason)
				}
			}
		}
	}
	return nil
}
