package graph

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// groups has the parts of each operation that the pass fuse joins from several, in the order of computation. Other operations have no parts.
var groups = map[string]func(*ir.Node) []string{
	"gemm":      gemmParts,
	"attention": attentionParts,
}

// fused returns the parts of an operation, nil if it has no parts.
func fused(n *ir.Node) []string {
	if parts := groups[n.Op]; parts != nil {
		return parts(n)
	}
	return nil
}

// given reports whether a node has the optional operand of that name.
func given(n *ir.Node, name string) bool {
	op := ir.Lookup(n.Op)
	if op == nil {
		return false
	}
	for i, o := range op.In {
		if o.Name == name {
			return i < len(n.In) && n.In[i] != nil
		}
	}
	return false
}

func gemmParts(n *ir.Node) []string {
	parts := []string{fmt.Sprintf("%d → %d", n.Int("k"), n.Int("n"))}
	if given(n, "bias") {
		parts = append(parts, "bias")
	}
	if act := n.Str("act"); act != "" {
		parts = append(parts, act)
	}
	if given(n, "residual") {
		parts = append(parts, "residual")
	}
	return parts
}

func attentionParts(n *ir.Node) []string {
	var parts []string
	for _, t := range []struct{ flag, text, flip string }{
		{"cc", "q·k", ""}, {"cp", "c2p", "flip_cp"}, {"pc", "p2c", "flip_pc"},
	} {
		if n.Flag(t.flag) {
			text := t.text
			if t.flip != "" && n.Flag(t.flip) {
				text += " (j-i)"
			}
			parts = append(parts, text)
		}
	}
	if given(n, "bias") {
		parts = append(parts, "bias")
	}
	if mask := n.Str("mask"); mask != "" {
		parts = append(parts, mask+" mask")
	}
	if given(n, "mix_score") {
		parts = append(parts, "mix")
	}
	parts = append(parts, "softmax")
	if given(n, "mix_weight") {
		parts = append(parts, "mix")
	}
	return append(parts, "· v")
}
