package codegen

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// kernelSet holds the kernels of a package. Each is one field of the table of kernels, for every instruction set.
type kernelSet struct {
	emitter *emitter
	isas    []kernel.ISA // the target's instruction sets that have assembly for every family, best first
	more    []kernel.ISA // those that extend another one, whose kernels they use where they have none
	list    []*kernelUse
}

// kernelUse is one kernel that the schedule calls.
type kernelUse struct {
	field    string   // name in the table of kernels: the kernel's name without the instruction set
	form     jen.Code // type of the variable that the table points at; nil: the kernel is a function
	params   []kernel.Param
	operands []rowOperand // of a row-wise kernel, after the result
	maxRows  int          // of a product: greatest number of rows in one call
	rowsName string       // name of the constant that holds maxRows
	portable func(name string) (jen.Code, error)
	asm      map[string][]kernel.Kernel // by instruction set: the assembly functions
	// driver holds by instruction set a Go function or form around the assembly; nil: the assembly is called directly.
	driver map[string]func(name string) (jen.Code, error)
}

// newKernelSet reads the target's instruction sets.
func newKernelSet(e *emitter, p *ir.Program) *kernelSet {
	s := &kernelSet{emitter: e}
	for _, name := range p.Meta.ISAs {
		switch isa, ok := kernel.FindISA(name); {
		case ok && isa.Extends != "":
			s.more = append(s.more, isa)
		case ok:
			s.isas = append(s.isas, isa)
		}
	}
	return s
}

// all returns the instruction sets of the package that have assembly, best first. A set that extends another one is among them if it has kernels of its own.
func (s *kernelSet) all() []kernel.ISA {
	more := slices.DeleteFunc(slices.Clone(s.more), func(isa kernel.ISA) bool {
		return !slices.ContainsFunc(s.list, func(k *kernelUse) bool { return len(k.asm[isa.Name]) > 0 })
	})
	return append(more, s.isas...)
}

// implementation returns the name of the function or form of a kernel for an instruction set: its own, that of the set that it extends, or the portable one.
func (k *kernelUse) implementation(isa kernel.ISA) string {
	for _, name := range []string{isa.Name, isa.Extends} {
		if len(k.asm[name]) > 0 {
			return k.field + "_" + name
		}
	}
	return k.field + "_" + kernel.Generic
}

// use returns the kernel of that name and makes it at first use.
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

// baseName returns a kernel's name without its last part, which is the instruction set.
func baseName(name string) string { return name[:strings.LastIndex(name, "_")] }

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
	return nestDoc(name, n).Line().Add(fn), nil
}

// kernelFiles writes the table of kernels and the kernels themselves.
func (e *emitter) kernelFiles() error {
	s := e.kernels
	f := e.newFile()
	f.Comment("kernels is the table of the functions that do the arithmetic, filled for one instruction set. Names hold the family, the element type and the")
	f.Comment("shapes that are constants of the function.")
	f.Type().Id("kernels").StructFunc(func(g *jen.Group) {
		g.Id("tile").Int().Comment("rows of a matrix product's tile")
		for _, k := range s.list {
			g.Id(k.field).Add(k.typ())
		}
	})
	f.Comment("portable is the table in plain Go. Every platform has it, and it is the reference for the others.")
	f.Var().Id("portable").Op("=").Id("kernels").Values(table(s.list, portableTile, func(k *kernelUse) string { return k.field + "_" + kernel.Generic }))
	for _, k := range s.list {
		code, err := k.portable(k.field + "_" + kernel.Generic)
		if err != nil {
			return fmt.Errorf("%s: %w", k.field, err)
		}
		f.Line()
		f.Add(code)
	}
	if err := e.add("kernels_generic.go", f); err != nil {
		return err
	}
	other := e.newFile()
	if len(s.isas) > 0 {
		constrain(other, "!("+kernel.Constraint+")")
	}
	s.tableFunc(other, nil)
	if err := e.add("kernels_other.go", other); err != nil || len(s.isas) == 0 {
		return err
	}
	return e.assemblyFiles()
}

// tableFunc declares the function that picks a table, by cases for instruction sets other than Go, and the list of all.
func (s *kernelSet) tableFunc(f *jen.File, cases []jen.Code) {
	f.Comment("tableFor returns the table of an instruction set, or nil if this build has none.")
	body := jen.Code(jen.If(jen.Id("isa").Op("==").Add(cpu("ISAGo"))).Block(jen.Return(jen.Op("&").Id("portable"))))
	isas := []jen.Code{}
	if len(cases) > 0 {
		body = jen.Switch(jen.Id("isa")).Block(append(cases, jen.Case(cpu("ISAGo")).Block(jen.Return(jen.Op("&").Id("portable"))))...)
		for _, isa := range s.all() {
			isas = append(isas, cpu(isaConst(isa.Name)))
		}
	}
	f.Func().Id("tableFor").Params(jen.Id("isa").Add(cpu("ISA"))).Op("*").Id("kernels").Block(body, jen.Return(jen.Nil()))
	isas = append(isas, cpu("ISAGo"))
	f.Comment("instructionSets lists the instruction sets that this build has kernels for.")
	f.Var().Id("instructionSets").Op("=").Index().Add(cpu("ISA")).Values(isas...)
}

// assemblyFiles writes the tables of instruction sets, the Go around the assembly, and the assembly.
func (e *emitter) assemblyFiles() error {
	s := e.kernels
	amd := e.newFile()
	constrain(amd, kernel.Constraint)
	var cases []jen.Code
	for _, isa := range s.all() {
		v := "table" + strings.ToUpper(isa.Name)
		cases = append(cases, jen.Case(cpu(isaConst(isa.Name))).Block(jen.Return(jen.Op("&").Id(v))))
		amd.Commentf("%s is the table for %s.", v, isa.Doc)
		amd.Var().Id(v).Op("=").Id("kernels").Values(table(s.list, isa.TileRows, func(k *kernelUse) string { return k.implementation(isa) }))
	}
	s.tableFunc(amd, cases)
	var sets [][]kernel.Kernel
	for _, isa := range s.all() {
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
				amd.Add(comment(a.Name + " " + a.Doc + "\n"))
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

// assemble prints the assembly files, one per instruction set, in parallel, because this takes most of the time of code generation.
func (e *emitter) assemble(sets [][]kernel.Kernel) error {
	texts, errs := make([][]byte, len(sets)), make([]error, len(sets))
	var wg sync.WaitGroup
	for i, set := range sets {
		wg.Go(func() { texts[i], errs[i] = kernel.Assemble(e.origin(), set) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	for i, isa := range e.kernels.all() {
		e.pkg.Add("kernels_"+isa.Name+"_amd64.s", texts[i])
	}
	return nil
}

// isaConst returns the constant of package cpu for an instruction set.
func isaConst(name string) string { return "ISA" + strings.ToUpper(name) }

// portableTile is the number of rows that the portable product computes at a time.
const portableTile = 2

// table returns the literal that fills a table of kernels.
func table(list []*kernelUse, tile int, name func(*kernelUse) string) jen.Code {
	d := jen.Dict{jen.Id("tile"): jen.Lit(tile)}
	for _, k := range list {
		d[jen.Id(k.field)] = k.value(name(k))
	}
	return d
}

// typ returns the Go type of a kernel's field in the table.
func (k *kernelUse) typ() jen.Code {
	if k.form != nil {
		return jen.Op("*").Add(k.form)
	}
	return jen.Func().Params(paramList(k.params)...)
}

// value returns the table's entry for the function or form of that name.
func (k *kernelUse) value(name string) jen.Code {
	if k.form != nil {
		return jen.Op("&").Id(name)
	}
	return jen.Id(name)
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
