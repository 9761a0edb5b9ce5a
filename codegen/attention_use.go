package codegen

import (
	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
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
	p := attentionConstants(st.node)
	if err := p.Check(); err != nil {
		return nil, err
	}
	scattered, err := s.emitter.jumps(operand(st.node, 4))
	if err != nil {
		return nil, err
	}
	return s.use(baseName(kernel.AttentionName(p, kernel.Generic)), func(k *kernelUse) error {
		k.params = kernel.AttentionArgs()
		portable := kernel.AttentionName(p, kernel.Generic)
		k.portable = func(name string) (jen.Code, error) { return AttentionPortable(name, p, false) }
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

// scratchFunc declares how much scratch memory a worker needs.
func (e *emitter) scratchFunc(f *jen.File) {
	var ps []kernel.AttentionParams
	for _, s := range e.attentions() {
		ps = append(ps, attentionConstants(s.node))
	}
	if len(ps) > 0 {
		f.Add(AttentionScratch("attentionScratch", ps))
	}
}
