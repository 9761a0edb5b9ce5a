package codegen

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// kernelSet holds the kernels of a package: one row of the table each, for every instruction set.
type kernelSet struct {
	emitter *emitter
	isas    []kernel.ISA // those of the target that there is assembly for, best first
	list    []*kernelUse
}

// kernelUse is one kernel that the schedule calls.
type kernelUse struct {
	field    string // in the table of kernels: the kernel's name without the instruction set
	params   []kernel.Param
	doc      string
	operands []rowOperand // of a row-wise kernel, after the result
	maxRows  int          // of a product: rows in one call
	portable func(name string) (jen.Code, error)
	asm      map[string][]kernel.Kernel                     // by instruction set: the assembly functions
	driver   map[string]func(name string) (jen.Code, error) // by instruction set: a Go function around them; nil: the assembly is called itself
}

// rowOperand says which operand of the node an argument is, and whether it has the rows of the result.
type rowOperand struct {
	index int
	rows  bool
}

// newKernelSet reads the target's instruction sets.
func newKernelSet(e *emitter, p *ir.Program) *kernelSet {
	s := &kernelSet{emitter: e}
	for _, name := range p.Meta.ISAs {
		if isa, ok := kernel.FindISA(name); ok {
			s.isas = append(s.isas, isa)
		}
	}
	return s
}

// use returns the kernel of that name, made at first use.
func (s *kernelSet) use(field string, make func(*kernelUse) error) (*kernelUse, error) {
	for _, k := range s.list {
		if k.field == field {
			return k, nil
		}
	}
	k := &kernelUse{field: field, asm: map[string][]kernel.Kernel{}, driver: map[string]func(string) (jen.Code, error){}}
	if err := make(k); err != nil {
		return nil, err
	}
	s.list = append(s.list, k)
	return k, nil
}

// choose finds the kernels of a step.
func (s *kernelSet) choose(st *step) error {
	var err error
	switch st.node.Op {
	case "gemm":
		return s.chooseGemm(st)
	case "attention":
		st.kernel, err = s.attention(st)
		return err
	}
	if op, ok := wordOps[st.node.Op]; ok {
		st.kernel, err = op.choose(s, st.node)
		return err
	}
	st.kernel, err = s.rowwise(st)
	return err
}

// chooseGemm finds the kernel for two panels and, where their number is odd, the one for the last.
func (s *kernelSet) chooseGemm(st *step) error {
	n := st.node
	panels := panelsOf(n)
	var err error
	if panels > 1 {
		if st.kernel, err = s.gemm(st, 2); err != nil {
			return err
		}
	}
	if panels%2 == 1 {
		if st.narrow, err = s.gemm(st, 1); err != nil {
			return err
		}
		if st.kernel == nil {
			st.kernel = st.narrow
		}
		st.kernel.maxRows = min(st.kernel.maxRows, st.narrow.maxRows)
	}
	return nil
}

// gemm returns the product of a step, over one or two panels.
func (s *kernelSet) gemm(st *step, panels int) (*kernelUse, error) {
	n := st.node
	p := kernel.GemmParams{K: n.In[1].Type.Shape[1].N, LDA: n.In[0].LD, LDC: n.Out[0].LD, Panels: panels, Act: n.Str("act"), Residual: operand(n, 3) != nil}
	if p.Residual && n.In[3].LD != p.LDC {
		return nil, fmt.Errorf("the residual's rows are %d apart, the result's %d", n.In[3].LD, p.LDC)
	}
	return s.use(baseName(kernel.GemmName(p, kernel.Generic)), func(k *kernelUse) error {
		k.maxRows = 1 << 20
		for _, isa := range s.isas {
			a := kernel.Gemm(p, isa)
			k.asm[isa.Name] = []kernel.Kernel{a}
			k.params, k.doc = a.Params, a.Doc
			k.maxRows = min(k.maxRows, kernel.MaxRows(p, isa))
		}
		k.portable = portableGemm(n, p)
		if k.params == nil {
			return k.paramsFrom(n)
		}
		return nil
	})
}

// baseName returns a kernel's name without its last part, the instruction set.
func baseName(name string) string { return name[:strings.LastIndex(name, "_")] }

// portableGemm returns the op's loop nest over one panel, or a function that calls it for two.
func portableGemm(n *ir.Node, p kernel.GemmParams) func(string) (jen.Code, error) {
	if p.Panels == 1 {
		return portableOf(n)
	}
	return func(name string) (jen.Code, error) {
		inner := name + "_panel"
		panel, err := portableOf(n)(inner)
		if err != nil {
			return nil, err
		}
		left := []jen.Code{jen.Id("c"), jen.Id("a"), jen.Id("w"), jen.Id("bias")}
		right := []jen.Code{at(jen.Id("c"), jen.Lit(kernel.PanelWidth)), jen.Id("a"), at(jen.Id("w"), jen.Lit(kernel.PanelWidth*p.K)), at(jen.Id("bias"), jen.Lit(kernel.PanelWidth))}
		names := "c a w bias"
		if p.Residual {
			names += " r"
			left, right = append(left, jen.Id("r")), append(right, at(jen.Id("r"), jen.Lit(kernel.PanelWidth)))
		}
		var params []jen.Code
		for _, s := range strings.Fields(names) {
			params = append(params, jen.Id(s))
		}
		return jen.Comment(fmt.Sprintf("%s is the product over two panels, one after the other.", name)).Line().
			Func().Id(name).Params(jen.List(params...).Op("*").Float32(), jen.Id("m").Int()).Block(
			jen.Id(inner).Call(append(left, jen.Id("m"))...),
			jen.Id(inner).Call(append(right, jen.Id("m"))...),
		).Line().Line().Add(panel), nil
	}
}

// portableOf prints the op's loop nest for a node.
func portableOf(n *ir.Node) func(string) (jen.Code, error) {
	return func(name string) (jen.Code, error) {
		nest, err := ir.Lookup(n.Op).Lower(n)
		if err != nil {
			return nil, err
		}
		return nestCode(name, nest)
	}
}

// nestCode returns a loop nest as a documented function.
func nestCode(name string, n *loop.Nest) (jen.Code, error) {
	fn, err := nestFunc(name, n)
	if err != nil {
		return nil, err
	}
	return jen.Comment(name + ": " + strings.ReplaceAll(n.Doc, "\n", "\n// ")).Line().Add(fn), nil
}

// kernelFiles writes the table of kernels and the kernels themselves.
func (e *emitter) kernelFiles() error {
	s := e.kernels
	f := e.newFile()
	f.Comment("kernels is the table of the functions that do the arithmetic, filled for one instruction set. Names say the family, the element type and the")
	f.Comment("shapes that are constants of the function.")
	f.Type().Id("kernels").StructFunc(func(g *jen.Group) {
		g.Id("tile").Int().Comment("rows of a matrix product's tile")
		for _, k := range s.list {
			g.Id(k.field).Func().Params(paramList(k.params)...)
		}
	})
	f.Comment("portable is the table in plain Go. It is there on every platform, and the reference for the others.")
	f.Var().Id("portable").Op("=").Id("kernels").Values(table(s.list, portableTile, func(k *kernelUse) string { return k.field + "_" + kernel.Generic }))
	for _, k := range s.list {
		code, err := k.portable(k.field + "_" + kernel.Generic)
		if err != nil {
			return fmt.Errorf("%s: %w", k.field, err)
		}
		f.Line()
		f.Add(code)
	}
	e.scratchFunc(f)
	if err := e.add("kernels_generic.go", f); err != nil {
		return err
	}
	other := e.newFile()
	pick := func(f *jen.File, cases []jen.Code) {
		f.Comment("tableFor gives the table of an instruction set, or nil if this build has none.")
		body := jen.Code(jen.If(jen.Id("isa").Op("==").Add(rt("ISAGo"))).Block(jen.Return(jen.Op("&").Id("portable"))))
		if len(cases) > 0 {
			body = jen.Switch(jen.Id("isa")).Block(append(cases, jen.Case(rt("ISAGo")).Block(jen.Return(jen.Op("&").Id("portable"))))...)
		}
		f.Func().Id("tableFor").Params(jen.Id("isa").Add(rt("ISA"))).Op("*").Id("kernels").Block(body, jen.Return(jen.Nil()))
		isas := []jen.Code{}
		if len(cases) > 0 {
			for _, isa := range s.isas {
				isas = append(isas, rt(isaConst(isa.Name)))
			}
		}
		isas = append(isas, rt("ISAGo"))
		f.Comment("instructionSets are those that this build has kernels for.")
		f.Var().Id("instructionSets").Op("=").Index().Add(rt("ISA")).Values(isas...)
	}
	if len(s.isas) == 0 {
		pick(other, nil)
		return e.add("kernels_other.go", other)
	}
	constrain(other, "!("+kernel.Constraint+")")
	pick(other, nil)
	if err := e.add("kernels_other.go", other); err != nil {
		return err
	}
	amd := e.newFile()
	constrain(amd, kernel.Constraint)
	var cases []jen.Code
	for _, isa := range s.isas {
		v := "table" + strings.ToUpper(isa.Name)
		cases = append(cases, jen.Case(rt(isaConst(isa.Name))).Block(jen.Return(jen.Op("&").Id(v))))
		amd.Commentf("%s is the table for %s.", v, isa.Doc)
		amd.Var().Id(v).Op("=").Id("kernels").Values(table(s.list, isa.TileRows, func(k *kernelUse) string {
			if len(k.asm[isa.Name]) == 0 {
				return k.field + "_" + kernel.Generic
			}
			return k.field + "_" + isa.Name
		}))
	}
	pick(amd, cases)
	var sets [][]kernel.Kernel
	for _, isa := range s.isas {
		var all []kernel.Kernel
		seen := map[string]bool{}
		for _, k := range s.list {
			for _, a := range k.asm[isa.Name] {
				if seen[a.Name] {
					continue
				}
				seen[a.Name] = true
				all = append(all, a)
				amd.Line()
				amd.Comment(a.Name + " " + strings.ReplaceAll(a.Doc, "\n", "\n// "))
				amd.Comment("")
				amd.Comment("//go:noescape")
				amd.Func().Id(a.Name).Params(paramList(a.Params)...)
			}
			if d := k.driver[isa.Name]; d != nil {
				code, err := d(k.field + "_" + isa.Name)
				if err != nil {
					return fmt.Errorf("%s: %w", k.field, err)
				}
				amd.Line()
				amd.Add(code)
			}
		}
		sets = append(sets, all)
	}
	if err := e.assemble(sets); err != nil {
		return err
	}
	return e.add("kernels_amd64.go", amd)
}

// assemble prints the assembly files, one an instruction set, side by side: it is most of the time that generating takes.
func (e *emitter) assemble(sets [][]kernel.Kernel) error {
	texts, errs := make([][]byte, len(sets)), make([]error, len(sets))
	var wg sync.WaitGroup
	for i, set := range sets {
		wg.Go(func() { texts[i], errs[i] = kernel.Assemble("debertac from "+fileName(e.p.File), set) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, isa := range e.kernels.isas {
		e.pkg.Add("kernels_"+isa.Name+"_amd64.s", texts[i])
	}
	return nil
}

// isaConst returns the runtime's constant for an instruction set.
func isaConst(name string) string { return "ISA" + strings.ToUpper(name) }

// portableTile is the rows that the portable product takes at a time.
const portableTile = 2

// table returns the literal that fills a table of kernels.
func table(list []*kernelUse, tile int, name func(*kernelUse) string) jen.Code {
	d := jen.Dict{jen.Id("tile"): jen.Lit(tile)}
	for _, k := range list {
		d[jen.Id(k.field)] = jen.Id(name(k))
	}
	return d
}

// paramList prints a kernel's parameters.
func paramList(ps []kernel.Param) []jen.Code {
	var out []jen.Code
	for i, p := range ps {
		s := jen.Id(p.Name)
		if i+1 == len(ps) || ps[i+1].Type != p.Type {
			s.Add(paramType(p.Type))
		}
		out = append(out, s)
	}
	return out
}

// paramType returns a parameter's Go type.
func paramType(t kernel.Type) jen.Code {
	switch t {
	case kernel.F32:
		return jen.Op("*").Float32()
	case kernel.I32:
		return jen.Op("*").Int32()
	}
	return jen.Int()
}
