package codegen

import (
	"strings"

	"github.com/dave/jennifer/jen"
)

// front returns a name of package runtime, which users of a generated package call.
func front(name string) *jen.Statement { return jen.Qual(runtimePath, name) }

// engine returns a name of the package that generated code links.
func engine(name string) *jen.Statement { return jen.Qual(enginePath, name) }

// cpu returns a name of the package of instruction sets.
func cpu(name string) *jen.Statement { return jen.Qual(cpuPath, name) }

// stepMethod declares the method that runs one unit of a step.
func (e *emitter) stepMethod(f *jen.File, s *step) {
	worker := "_"
	if len(s.lower.scratch(s)) > 0 {
		worker = "worker"
	}
	f.Line()
	result := s.node.Out[0].Type.Shape.String()
	for _, other := range e.steps {
		if other.of == s && s.varies {
			result += " or " + other.node.Out[0].Type.Shape.String()
		}
	}
	f.Commentf("%s computes %s. %s", s.method, strings.ReplaceAll(result, "\n", " "), s.lower.units(s).doc)
	f.Comment("")
	f.Comment("\t" + e.source(s.node))
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(s.method).Params(raw("%s, unit int", worker)).Block(statements(s.lower.unit(s))...)
}

// statements returns lines of Go as code.
func statements(lines []string) []jen.Code {
	var out []jen.Code
	for _, l := range lines {
		out = append(out, raw("%s", l))
	}
	return out
}
