package compiler

import (
	"math"
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
	i := slices.IndexFunc(loss.Nodes, func(n *ir.Node) bool { return crossEntropyOf(loss, n, z) != nil })
	w, bias := n.In[1], operandOf(n, 2)
	if i < 0 || z.Type.Shape[1].N < least || w.Kind != ir.Tensor || bias != nil && bias.Kind != ir.Tensor {
		return nil
	}
	x := n.In[0]
	if x.Kind == ir.Temp && !slices.Contains(head.Out, x) {
		x.Name = storeLogits + ".rows"
		head.Out = append(head.Out, x)
	}
	old, nodes := loss.Nodes[i], loss.Nodes
	picked := crossEntropyOf(loss, old, z)
	loss.Nodes = slices.Clone(nodes[:i+1])
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
	var attrs []ir.Attr
	if old.Op == "add" {
		attrs = []ir.Attr{ir.A("smooth", math.Round((1+picked.by)*1e12)/1e12)} // without the rounding of 1-smooth
	}
	of := []*ir.Value{input(x, kind), input(w, ir.Tensor), input(bias, ir.Tensor)}
	each := e.Op("token_loss", old.Pos, old.Note, attrs, append(of, picked.target)...)
	if e.Err() != nil {
		return e.Err()
	}
	loss.Nodes = append(loss.Nodes, nodes[i+1:]...)
	replace(loss, old.Out[0], each)
	for _, n := range loss.Nodes {
		if n.Op == "sample_row" && n.In[0] == z {
			n.Op, n.In = "sample_token", append(slices.Clone(of), n.In[1:]...)
		}
	}
	return dead(p)
}

// picks is the logarithm of the probability of each row's class, times a number.
type picks struct {
	logs   *ir.Node
	target *ir.Value
	by     float64
}

// crossEntropyOf returns what a node picks from the logarithms of the softmax of logits, if the node is the cross entropy of each row with class numbers,
// smooth or not, as [Unit.AddLoss] writes it, and nothing else reads the logits but what draws from them. Otherwise it returns nil.
func crossEntropyOf(r *ir.Region, n *ir.Node, z *ir.Value) *picks {
	reads := r.Reads()
	for _, n := range r.Nodes {
		if n.Op == "sample_row" && n.In[0] == z {
			reads[z]--
		}
	}
	def := func(v *ir.Value, op string, times int) *ir.Node {
		if v != nil && v.Def != nil && v.Def.Op == op && reads[v] == times {
			return v.Def
		}
		return nil
	}
	picked := func(scaled *ir.Node, times int) *picks {
		if scaled == nil || scaled.Op != "scale" {
			return nil
		}
		column := def(scaled.In[0], "pick_column", 1)
		if column == nil {
			return nil
		}
		logs := def(column.In[0], "log_softmax_rows", times)
		if logs == nil || logs.In[0] != z || reads[z] != 1 {
			return nil
		}
		return &picks{logs, column.In[1], scaled.Float("by")}
	}
	if n.Op == "scale" {
		if p := picked(n, 1); p != nil && p.by == -1 {
			return p
		}
		return nil
	}
	if n.Op != "add" {
		return nil
	}
	p, spread := picked(def(n.In[0], "scale", 1), 2), def(n.In[1], "scale", 1)
	if p == nil || spread == nil {
		return nil
	}
	sum := def(spread.In[0], "row_sum", 1)
	if sum == nil || sum.In[0] != p.logs.Out[0] {
		return nil
	}
	return p
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
		each := e.Like(n, "sub", nil, e.Like(n, "join_parts", nil, parts), ops.TargetLogits(e.Builder, n))
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
