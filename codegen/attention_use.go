package codegen

import (
	"fmt"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// attentionConstants are the constants of an attention node's kernels.
func attentionConstants(n *ir.Node) kernel.AttentionParams {
	sign := func(use bool, flip string) kernel.Sign {
		switch {
		case !use:
			return kernel.Absent
		case n.Flag(flip):
			return kernel.Reverse
		}
		return kernel.Forward
	}
	p := kernel.AttentionParams{D: n.Int("d"), DP: n.Int("dp"), LDQ: n.In[0].LD, LDO: n.Out[0].LD, Terms: kernel.AttentionTerms{
		Content: n.Flag("cc"), KeyPosition: sign(n.Flag("cp"), "flip_cp"), QueryPosition: sign(n.Flag("pc"), "flip_pc"),
		Bias: sign(operand(n, 3) != nil, "flip_bias"),
	}}
	for i := 1; i <= 2; i++ {
		if t := n.In[i]; t != nil {
			p.R = t.Type.Shape[1].N * kernel.PanelWidth
		}
	}
	if t := operand(n, 3); t != nil && p.R == 0 {
		p.R = t.Type.Shape[1].N
	}
	return p
}

// attention finds the kernel of an attention step.
func (s *kernelSet) attention(st *step) (*kernelUse, error) {
	n := st.node
	p := attentionConstants(n)
	if err := p.Check(); err != nil {
		return nil, err
	}
	scattered, err := s.emitter.jumps(operand(n, 4))
	if err != nil {
		return nil, err
	}
	return s.use(baseName(kernel.AttentionName(p, kernel.Generic)), func(k *kernelUse) error {
		k.params = kernel.AttentionArgs()
		portable := kernel.AttentionName(p, kernel.Generic)
		k.portable = func(name string) (jen.Code, error) { return portableAttention(name, n) }
		if scattered {
			return nil
		}
		for _, isa := range s.isas {
			k.asm[isa.Name] = kernel.AttentionKernels(p, isa)
			k.driver[isa.Name] = func(name string) (jen.Code, error) { return AttentionDriver(name, portable, p, isa) }
		}
		return nil
	})
}

// portableStrip is how many queries the portable attention takes at a time: the scratch holds their scores.
const portableStrip = 16

// portableAttention is the op's loop nest on a strip of queries, and the function that cuts queries into strips. No bit depends on where a
// strip begins.
func portableAttention(name string, n *ir.Node) (jen.Code, error) {
	strip, err := portableOf(n)(name + "_strip")
	if err != nil {
		return nil, err
	}
	c := &attentionCode{AttentionParams: attentionConstants(n), name: name}
	return jen.Commentf("%s computes rows [i0, i1) of one head of an attention over n rows:", name).Line().
		Comment("o[i] = Σ_j p[i, j]·v[j], p = softmax over j of "+c.score()).Line().
		Commentf("in plain Go, %d queries at a time. Rows have the positions pos, or 0, 1, … if pos is nil.", portableStrip).Line().
		Func().Id(name).Params(attentionParams()...).Block(strips(name)).Line().Line().Add(strip), nil
}

// tracedAttention is the portable attention with one more parameter, p *float32 [n, n], into whose rows [i0, i1) it copies the probabilities
// that each strip leaves in the scratch.
func tracedAttention(name, portable string) jen.Code {
	return jen.Commentf("%s is %s that writes the probabilities to p [n, n].", name, portable).Line().
		Func().Id(name).Params(attentionParams(jen.Id("p").Op("*").Float32())...).Block(strips(portable,
		jen.Id("copy").Call(
			jen.Qual("unsafe", "Slice").Call(at(jen.Id("p"), raw("i*n")), raw("(last-i)*n")),
			jen.Qual("unsafe", "Slice").Call(jen.Id("scratch"), raw("(last-i)*n")),
		),
	))
}

// strips is the loop that computes queries [i0, i1) strip by strip, [i, last), and then does more.
func strips(portable string, more ...jen.Code) jen.Code {
	return jen.For(raw("i := i0; i < i1; i += %d", portableStrip)).Block(append([]jen.Code{
		raw("last := min(i+%d, i1)", portableStrip),
		raw("%s_strip(o, q, k, v, kr, qr, bias, index, pos, scratch, n, i, last)", portable),
	}, more...)...)
}

// scratchFunc declares how much scratch memory a worker needs.
func (e *emitter) scratchFunc(f *jen.File) {
	var nodes []*ir.Node
	for _, s := range e.attentions() {
		nodes = append(nodes, s.node)
	}
	if len(nodes) > 0 {
		f.Add(attentionScratch("attentionScratch", nodes))
	}
}

// attentionScratch prints func name(n int) int: the floats of scratch that each of the attentions needs for a sequence of n rows, whichever form
// computes it.
func attentionScratch(name string, nodes []*ir.Node) jen.Code {
	var texts []string
	each, fixed := 0, 0 // of the portable forms: floats for a row of the sequence, and others
	for _, n := range nodes {
		if t := lengths(kernel.AttentionLayout(attentionConstants(n))); !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
		least := ops.AttentionScratch(n, portableStrip, 0)
		each, fixed = max(each, ops.AttentionScratch(n, portableStrip, 1)-least), max(fixed, least)
	}
	var terms []jen.Code
	for _, t := range append(texts, fmt.Sprintf("%d*n + %d", each, fixed)) {
		terms = append(terms, raw("%s", t))
	}
	return jen.Comment(name+" is the length of an attention's scratch, in floats, for a sequence of n rows.").Line().
		Func().Id(name).Params(jen.Id("n").Int()).Int().Block(raw("rows := (n + 15) / 16 * 16"), jen.Return(jen.Id("max").Call(terms...)))
}
