package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
)

// testPath is the import path of the tests that generated packages run on themselves.
const testPath = runtimePath + "/programtest"

// testFile writes model_test.go: the package's own test and benchmark.
func (e *emitter) testFile() error {
	f := e.newFile()
	f.ImportName(testPath, "programtest")
	integers, err := e.integerTensors()
	if err != nil {
		return err
	}
	f.Comment("options holds what the tests cannot learn from random weights: the tables of integers, and how far instruction sets may differ.")
	f.Var().Id("options").Op("=").Qual(testPath, "Options").Values(jen.Dict{
		jen.Id("Agree"):    jen.Lit(e.p.Meta.Agree),
		jen.Id("Integers"): jen.Index().Qual(testPath, "Steps").Values(integers...),
	})
	f.Comment("TestInstructionSets compares every instruction set with the portable form, and every sequence with itself in a batch.")
	f.Func().Id("TestInstructionSets").Params(jen.Id("t").Op("*").Qual("testing", "T")).Block(
		jen.Qual(testPath, "Run").Call(jen.Id("t"), jen.Id("Program").Call(), jen.Id("options")),
	)
	f.Comment("BenchmarkForward computes one sequence of 128 tokens.")
	f.Func().Id("BenchmarkForward").Params(jen.Id("b").Op("*").Qual("testing", "B")).Block(
		jen.Qual(testPath, "Bench").Call(jen.Id("b"), jen.Id("Program").Call(), jen.Id("options")),
	)
	e.examples(f)
	return e.add("model_test.go", f)
}

// examples writes an Example for the first verb of each service, which shows the calls that a user makes.
func (e *emitter) examples(f *jen.File) {
	services := e.services()
	if direct := tasktable.Of(e.p.Meta.Task).Direct; e.perSequence() && e.takesText() {
		services = append([]tasktable.Service{direct}, services...)
	}
	fatal := jen.If(jen.Err().Op("!=").Nil()).Block(jen.Qual("log", "Fatal").Call(jen.Err()))
	for _, s := range services {
		if len(s.Verbs) == 0 {
			continue
		}
		v := s.Verbs[0]
		args := v.Sample()
		if args == nil {
			continue
		}
		f.Func().Id("ExampleModel_"+v.Name).Params().Block(
			jen.List(jen.Id("m"), jen.Err()).Op(":=").Id("Open").Call(jen.Lit(e.pkg.Name+".weights")),
			fatal,
			jen.Defer().Id("m").Dot("Close").Call(),
			jen.List(jen.Id("results"), jen.Err()).Op(":=").Id("m").Dot(v.Name).CallFunc(func(g *jen.Group) {
				for _, a := range args {
					g.Add(raw("%s", a))
				}
			}),
			fatal,
			jen.For(jen.List(jen.Id("_"), jen.Id("r")).Op(":=").Range().Id("results")).Block(
				jen.Qual("fmt", "Printf").Call(jen.Lit("%+v\n"), jen.Id("r"))),
		)
	}
}

// integerTensors evaluates the packed tensors of integers, which depend on the spec alone, and writes each as steps.
func (e *emitter) integerTensors() ([]jen.Code, error) {
	var out []jen.Code
	for _, w := range e.weights.fields {
		if w.typ.DType != ir.I32 || e.p.HoldsPairs(w.store, w.typ) {
			continue
		}
		v, err := e.integers(w.store)
		if err != nil {
			return nil, err
		}
		var rise []jen.Code
		for i := 1; i < len(v); i++ {
			if v[i] < v[i-1] {
				return nil, fmt.Errorf("%s falls from %d to %d", w.store, v[i-1], v[i])
			}
			for range v[i] - v[i-1] {
				rise = append(rise, jen.Lit(i))
			}
		}
		out = append(out, jen.Values(jen.Dict{
			jen.Id("Name"): jen.Lit(w.store), jen.Id("First"): jen.Lit(int(v[0])), jen.Id("Rise"): jen.Index().Int().Values(rise...),
		}))
	}
	return out, nil
}

// tableRows returns the packed tensors of integers with the number of rows of the table that they index. Open checks the integers against it, because kernels
// use them unchecked.
func (e *emitter) tableRows() (map[string]int, error) {
	rows := map[string]int{}
	for _, w := range e.weights.fields {
		if w.typ.DType != ir.I32 || e.p.HoldsPairs(w.store, w.typ) {
			continue
		}
		n, err := e.maker(w.store)
		if err != nil {
			return nil, err
		}
		of := ir.Lookup(n.Op).Rows
		if of == nil {
			return nil, fmt.Errorf("%s holds integers of the op %s, which has no Rows function: the size of their table is not known", w.store, n.Op)
		}
		rows[w.store] = of(n)
	}
	return rows, nil
}

// integers evaluates a packed tensor of integers.
func (e *emitter) integers(store string) ([]int32, error) {
	n, err := e.maker(store)
	if err != nil {
		return nil, err
	}
	t, err := ir.Lookup(n.Op).Ref(n, nil)
	if err != nil {
		return nil, err
	}
	return t[0].I, nil
}

// maker returns the node that makes a packed tensor of integers. Such a node has no operands.
func (e *emitter) maker(store string) (*ir.Node, error) {
	if n := e.p.Maker(store); n != nil {
		return n, nil
	}
	return nil, fmt.Errorf("%s does not depend on the spec alone", store)
}
