package ops

import "github.com/debertac/debertac/ir"

// attentionLaunches returns the kernel's calls. There are calls for each head of each sequence: for the queries in two halves, for the first query alone, or
// for each picked query. Where heads are mixed, one call computes all heads.
func attentionLaunches(n *ir.Node, starts []int32, operands []*ir.Array) []ir.Launch {
	_, ldq, err := row(n.In[AttnQKV])
	_, ldo, err2 := row(n.Out[0])
	if first(err, err2) != nil {
		return nil
	}
	l := &attentionCalls{n: n, ldq: ldq, ldo: ldo, operands: operands}
	for s := 0; s+1 < len(starts); s++ {
		from, count := int(starts[s]), int(starts[s+1]-starts[s])
		switch n.Str("rows") {
		case "first":
			l.add(s, from, count, s, 0, 1)
		case "picked":
			for r, t := range operands[AttnPicked].I {
				if i := int(t) - from; i >= 0 && i < count {
					l.add(s, from, count, r, i, i+1)
				}
			}
		default:
			l.add(s, from, count, from, 0, count/2)
			l.add(s, from, count, from+count/2, count/2, count)
		}
	}
	return l.list
}

// attentionCalls collects the calls of one node.
type attentionCalls struct {
	n        *ir.Node
	ldq, ldo int
	operands []*ir.Array
	list     []ir.Launch
}

// add appends the calls for queries i0 … i1-1 of sequence s. The sequence has count rows and begins at row from; the result begins at row result.
func (l *attentionCalls) add(s, from, count, result, i0, i1 int) {
	n := l.n
	a, dp, panels := n.Int("heads"), n.Int("dp"), tablePanels(n)
	calls := a
	if mixes(n) {
		calls = 1
	}
	for h := range calls {
		at := map[string]ir.Place{"o": {Operand: ir.Result, At: result*l.ldo + h*dp}}
		parts := []string{"q", "k", "v"}
		if v := in(n, AttnQ); v != nil {
			_, ld, _ := row(v)
			at["q"] = ir.Place{Operand: AttnQ, At: from*ld + h*dp}
			parts = parts[1:]
		}
		for c, name := range parts {
			at[name] = ir.Place{Operand: AttnQKV, At: from*l.ldq + c*a*dp + h*dp}
		}
		if n.Flag("bf16") {
			at["krpairs"] = ir.Place{Operand: AttnKRPairs, At: h * panels * dp * 8}
			at["qrpairs"] = ir.Place{Operand: AttnQRPairs, At: h * panels * dp * 8}
		} else {
			at["kr"] = ir.Place{Operand: AttnKR, At: h * panels * dp * 16}
			at["qr"] = ir.Place{Operand: AttnQR, At: h * panels * dp * 16}
		}
		if v := in(n, AttnBias); v != nil {
			at["bias"] = ir.Place{Operand: AttnBias, At: h*v.Type.Shape[1].N + v.Type.Shape[1].N/2}
		}
		if v := in(n, AttnIndex); v != nil {
			at["index"] = ir.Place{Operand: AttnIndex, At: v.Type.Shape[0].N / 2}
		}
		at["pos"] = ir.Place{Operand: AttnPos, At: from}
		at["mixscore"], at["mixweight"] = ir.Place{Operand: AttnMixScore}, ir.Place{Operand: AttnMixWeight}
		at["scratch"] = ir.Place{Operand: ir.Scratch, At: AttentionScratch(n, i1-i0, count)}
		counts := map[string]int{"n": count, "i0": i0, "i1": i1}
		if p := data(l.operands, AttnPrefix); p != nil {
			counts["prefix"] = int(p.I[s])
		} else if masked(n) {
			counts["prefix"] = 0
		}
		l.list = append(l.list, ir.Launch{Memory: at, Counts: counts})
	}
}
