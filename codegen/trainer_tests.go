package codegen

import "github.com/dave/jennifer/jen"

// trainerTestPath is the import path of the tests that generated training packages run on themselves.
const trainerTestPath = runtimePath + "/trainertest"

// trainerTestFile writes trainer_test.go: the package's own test and benchmark.
func (e *emitter) trainerTestFile() error {
	f := e.newFile()
	f.ImportName(trainerTestPath, "trainertest")
	f.Comment("TestInstructionSets compares every instruction set with the portable form, and two threads with one.")
	f.Func().Id("TestInstructionSets").Params(jen.Id("t").Op("*").Qual("testing", "T")).Block(
		jen.Qual(trainerTestPath, "Run").Call(jen.Id("t"), jen.Id("Program").Call(), jen.Qual(trainerTestPath, "Options").Values(jen.Dict{
			jen.Id("Agree"): jen.Lit(e.p.Meta.Agree),
		})),
	)
	b := e.p.Bounds
	f.Commentf("BenchmarkStep computes the gradients of %d sequences of %d tokens.", min(8, b.Sequences), min(128, b.Length))
	f.Func().Id("BenchmarkStep").Params(jen.Id("b").Op("*").Qual("testing", "B")).Block(
		jen.Qual(trainerTestPath, "Bench").Call(jen.Id("b"), jen.Id("Program").Call()),
	)
	return e.add("trainer_test.go", f)
}
