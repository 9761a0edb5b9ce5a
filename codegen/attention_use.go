package codegen

import (
	"fmt"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// attentionConstants returns the constants of an attention node's kernels.
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
	p := kernel.AttentionParams{D: n.Int("d"), DP: n.Int("dp"), LDQ: n.In[ops.AttnQKV].LD, LDK: n.In[ops.AttnQKV].LD, LDO: n.Out[0].LD,
		Masked: ops.AttentionMasked(n), Terms: kernel.AttentionTerms{
			Content: n.Flag("cc"), KeyPosition: sign(n.Flag("cp"), "flip_cp"), QueryPosition: sign(n.Flag("pc"), "flip_pc"),
			Bias: operand(n, ops.AttnBias) != nil,
		}}
	if q := operand(n, ops.AttnQ); q != nil {
		p.LDQ = q.LD
	}
	for i := ops.AttnKR; i <= ops.AttnQR; i++ {
		if t := n.In[i]; t != nil {
			p.R = t.Type.Shape[1].N * kernel.PanelWidth
		}
	}
	return p
}

// attention finds the kernel of an attention step.
func (s *kernelSet) attention(st *step) (*kernelUse, error) {
	n := st.node
	p := attentionConstants(n)
	scattered, err := s.emitter.jumps(operand(n, ops.AttnIndex))
	if err != nil {
		return nil, err
	}
	portable := attentionName(n)
	return s.use(baseName(portable), func(k *kernelUse) error {
		k.params = attentionArgs(n)
		k.portable = func(name string) (jen.Code, error) { return portableAttention(name, n) }
		// In plain Go alone: all heads at once, sizes that the assembly is not made for, tables that it cannot read by windows.
		if scattered || ops.AttentionMixes(n) || p.Check() != nil {
			return nil
		}
		for _, isa := range s.isas {
			k.asm[isa.Name] = kernel.AttentionKernels(p, isa)
			k.driver[isa.Name] = func(name string) (jen.Code, error) { return AttentionDriver(name, portable, p, isa) }
		}
		return nil
	})
}

// attentionName returns the name of a node's portable function.
func attentionName(n *ir.Node) string {
	name := kernel.AttentionName(attentionConstants(n), kernel.Generic)
	if ops.AttentionMixes(n) {
		mixes := fmt.Sprintf("_%dheads", n.Int("heads"))
		for k, what := range []string{"_mixscore", "_mixweight"} {
			if operand(n, ops.AttnMixScore+k) != nil {
				mixes += what
			}
		}
		name = baseName(name) + mixes + "_" + kernel.Generic
	}
	return name
}

// attentionArgs returns the parameters of a node's function.
func attentionArgs(n *ir.Node) []kernel.Param {
	ps := kernel.AttentionArgs(attentionConstants(n))
	if !ops.AttentionMixes(n) {
		return ps
	}
	var out []kernel.Param
	for _, p := range ps {
		out = append(out, p)
		if p.Name == "bias" {
			out = append(out, kernel.Param{Name: "mixscore", Type: p.Type}, kernel.Param{Name: "mixweight", Type: p.Type})
		}
	}
	return out
}

// portableStrip is how many queries the portable attention takes at a time: the scratch holds their scores.
const portableStrip = 16

// portableAttention returns the op's loop nest on a strip of queries, and the function that cuts queries into strips. No bit depends on where a strip begins.
func portableAttention(name string, n *ir.Node) (jen.Code, error) {
	strip, err := portableOf(n)(name + "_strip")
	if err != nil {
		return nil, err
	}
	c := &attentionCode{AttentionParams: attentionConstants(n), name: name}
	what, mixed := "one head", ""
	if ops.AttentionMixes(n) {
		what, mixed = "all heads", ", scores or probabilities mixed over the heads"
	}
	return jen.Commentf("%s computes rows [i0, i1) of %s of an attention over n rows:", name, what).Line().
		Comment("o[i] = Σ_j p[i, j]·v[j], p = softmax over j of "+c.score()+mixed).Line().
		Commentf("in plain Go, %d queries at a time. Rows have the positions pos, or 0, 1, … if pos is nil.%s", portableStrip, c.maskDoc()).Line().
		Func().Id(name).Params(attentionParams(ops.AttentionMixes(n), c.Masked)...).Block(c.strips(name, ops.AttentionMixes(n))).Line().Line().Add(strip), nil
}

// tracedAttention returns the portable attention with one more parameter, p *float32 [n, n], into whose rows [i0, i1) it copies the probabilities that each
// strip leaves in the scratch. Where all heads are computed at once, the maps of the others lie after it, stride apart.
func tracedAttention(name, portable string, n *ir.Node) jen.Code {
	c := &attentionCode{AttentionParams: attentionConstants(n), name: name}
	mixes := ops.AttentionMixes(n)
	one := func(to, from string) jen.Code {
		return jen.Id("copy").Call(
			jen.Qual("unsafe", "Slice").Call(at(jen.Id("p"), raw("%s", to)), raw("(last-i)*n")),
			jen.Qual("unsafe", "Slice").Call(at(jen.Id("scratch"), raw("%s", from)), raw("(last-i)*n")),
		)
	}
	more, doc, params := one("i*n", "0"), "%s is %s that writes the probabilities to p [n, n].", []jen.Code{jen.Id("p").Op("*").Float32()}
	if mixes {
		doc = "%s is %s that writes the probabilities to p [n, n], those of head h to p + h·stride."
		params = append(params, jen.Id("stride").Int())
		more = jen.For(raw("h := range %d", n.Int("heads"))).Block(one("h*stride+i*n", "h*(last-i)*n"))
	}
	return jen.Commentf(doc, name, portable).Line().
		Func().Id(name).Params(attentionParams(mixes, c.Masked, params...)...).Block(c.strips(portable, mixes, more))
}

// strips returns the loop that computes queries [i0, i1) strip by strip, [i, last), and then does more.
func (c *attentionCode) strips(portable string, mixes bool, more ...jen.Code) jen.Code {
	mix := ""
	if mixes {
		mix = " mixscore, mixweight,"
	}
	return jen.For(raw("i := i0; i < i1; i += %d", portableStrip)).Block(append([]jen.Code{
		raw("last := min(i+%d, i1)", portableStrip),
		jen.Id(portable+"_strip").Call(at(jen.Id("o"), raw("(i-i0)*%d", c.LDO)), raw("q, k, v, kr, qr, bias,%s index, pos, scratch, n, i, last%s", mix, c.prefixArg())),
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
		p := attentionConstants(n)
		if t := lengths(kernel.AttentionLayout(p)); !ops.AttentionMixes(n) && p.Check() == nil && !slices.Contains(texts, t) {
			texts = append(texts, t)
		}
		least := ops.AttentionScratch(n, portableStrip, 0)
		each, fixed = max(each, ops.AttentionScratch(n, portableStrip, 1)-least), max(fixed, least)
	}
	var terms []jen.Code
	for _, t := range append(texts, fmt.Sprintf("%d*n + %d", each, fixed)) {
		terms = append(terms, raw("%s", t))
	}
	return jen.Comment(name + " is the length of an attention's scratch, in floats, for a sequence of n rows.").Line().
		Func().Id(name).Params(jen.Id("n").Int()).Int().BlockFunc(func(g *jen.Group) {
		if len(texts) > 0 {
			g.Add(raw("rows := (n + 15) / 16 * 16"))
		}
		g.Return(jen.Id("max").Call(terms...))
	})
}
