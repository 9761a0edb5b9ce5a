package compiler

import (
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// leastVocabulary is the least number of columns of a head whose loss is computed by chunks of columns. For fewer, storing the logits costs less than computing
// them again for the gradient.
const leastVocabulary = 4096

// vocabulary replaces the cross entropy of a head with many columns by a token_loss, so that the logits of all rows are never stored. It is a pass over
// programs with a loss, before gradients are made.
func vocabulary(p *ir.Program) error { return chunkedLoss(p, leastVocabulary) }

// chunkedLoss does the work of vocabulary for heads of at least least columns.
func chunkedLoss(p *ir.Program, least int) error {
	loss, _ := p.Writer(StoreLoss)
	head, logits := p.Writer(storeLogits)
	if loss == nil || logits == nil || logits.Def == nil || logits.Def.Op != "linear" || slices.Contains(p.Outputs, storeLogits) {
		return nil
	}
	z, n := loss.Input(storeLogits), logits.Def
	i := slices.IndexFunc(loss.Nodes, func(n *ir.Node) bool { return crossEntropyOf(loss, n, z) })
	w, bias := n.In[1], operandOf(n, 2)
	if i < 0 || z.Type.Shape[1].N < least || w.Kind != ir.Tensor || bias != nil && bias.Kind != ir.Tensor {
		return nil
	}
	x := n.In[0]
	if x.Kind == ir.Temp && !slices.Contains(head.Out, x) {
		x.Name = storeLogits + ".rows"
		head.Out = append(head.Out, x)
	}
	mean := loss.Nodes[i]
	nodes := loss.Nodes
	loss.Nodes = slices.Clone(nodes[:i])
	e := edit(loss)
	input := func(v *ir.Value, kind ir.Kind) *ir.Value {
		if v == nil {
			return nil
		}
		return e.Input(v.Name, kind, v.Type)
	}
	kind := x.Kind
	if kind == ir.Temp {
		kind = ir.State
	}
	of := []*ir.Value{input(x, kind), input(w, ir.Tensor), input(bias, ir.Tensor)}
	each := e.Op("token_loss", mean.Pos, mean.Note, nil, append(of, mean.In[1])...)
	if e.Err() != nil {
		return e.Err()
	}
	loss.Nodes = append(loss.Nodes, nodes[i:]...)
	mean.In[0] = each
	for _, n := range loss.Nodes {
		if n.Op == "sample_row" && n.In[0] == z {
			n.Op, n.In = "sample_token", append(slices.Clone(of), n.In[1:]...)
		}
	}
	return dead(p)
}

// crossEntropyOf reports whether a node is the mean of the cross entropy of logits with class numbers, as [Unit.AddLoss] writes it, and nothing else reads the
// logits but what draws from them.
func crossEntropyOf(r *ir.Region, n *ir.Node, z *ir.Value) bool {
	reads := r.Reads()
	for _, n := range r.Nodes {
		if n.Op == "sample_row" && n.In[0] == z {
			reads[z]--
		}
	}
	only := func(v *ir.Value, op string) *ir.Node {
		if v != nil && v.Def != nil && v.Def.Op == op && reads[v] == 1 {
			return v.Def
		}
		return nil
	}
	if n.Op != "mean" || len(n.In) < 2 {
		return false
	}
	negated := only(n.In[0], "scale")
	if negated == nil || negated.Float("by") != -1 {
		return false
	}
	picked := only(negated.In[0], "pick_column")
	if picked == nil || picked.In[1] != n.In[1] {
		return false
	}
	logs := only(picked.In[0], "log_softmax_rows")
	return logs != nil && logs.In[0] == z && reads[z] == 1
}

// operandOf returns an operand of a node, or nil if it is missing.
func operandOf(n *ir.Node, i int) *ir.Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}

// chunks replaces each token_loss by what computes it chunk by chunk. It is a pass over programs with gradients.
func chunks(p *ir.Program) error {
	for _, r := range p.Regions {
		i := slices.IndexFunc(r.Nodes, func(n *ir.Node) bool { return n.Op == "token_loss" })
		if i < 0 {
			continue
		}
		n, rest := r.Nodes[i], slices.Clone(r.Nodes[i+1:])
		r.Nodes = slices.Clone(r.Nodes[:i])
		e := edit(r)
		x, w, bias := n.In[0], n.In[1], n.In[2]
		parts := e.Like(n, "logit_parts", []ir.Attr{ir.A("chunk", ops.LossChunk)}, x, w, bias)
		each := e.Like(n, "sub", nil, e.Like(n, "join_parts", nil, parts), e.Like(n, "target_logit", nil, x, w, bias, n.In[3]))
		if e.Err() != nil {
			return e.Err()
		}
		each.Name = n.Out[0].Name
		for _, s := range rest {
			if s.Op == "sample_token" && slices.Equal(s.In[:3], n.In[:3]) {
				s.Op, s.In = "sample_parts", slices.Concat(s.In[:3], []*ir.Value{parts}, s.In[3:])
				s.Set("chunk", ops.LossChunk)
			}
		}
		r.Nodes = append(r.Nodes, rest...)
		replace(r, n.Out[0], each)
	}
	return nil
}
