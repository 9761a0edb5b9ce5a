package codegen

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
)

// taskPath is the import path of the package that turns the numbers of heads into results on text. Only packages whose heads need it link it.
const taskPath = runtimePath + "/task"

// tk returns a name of package task.
func tk(name string) *jen.Statement { return jen.Qual(taskPath, name) }

// services returns the services of the head's task that the program has. A model without a tokenizer takes no texts, so it has no services.
func (e *emitter) services() []tasktable.Service {
	if !e.takesText() {
		return nil
	}
	var list []tasktable.Service
	for _, s := range tasktable.Of(e.p.Meta.Task).Services {
		if e.holds(s.When) {
			list = append(list, s)
		}
	}
	return list
}

// holds reports whether a condition of the table of tasks is true for the program.
func (e *emitter) holds(c tasktable.Condition) bool {
	switch c {
	case tasktable.Causal:
		return e.masked()
	case tasktable.Uncausal:
		return !e.masked()
	case tasktable.WholeTexts:
		return e.perSequence() || e.rowKind() == ir.T
	}
	return c.HoldsFor(e.p.Meta.Labels)
}

// declareLazy writes the methods of the model that call a service, which is made at first use.
func declareLazy(s *tasktable.Service, method func(name, doc string) *jen.Statement) {
	for _, v := range s.Verbs {
		params, args := parameters(v.In)
		method(v.Name, v.Doc).Params(params...).Params(results(v.Out)...).Block(
			jen.List(jen.Id("s"), jen.Err()).Op(":=").Id("m").Dot(s.Field).Call(),
			jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
			jen.Return(jen.Id("s").Dot(inner(v)).Call(args...)),
		)
	}
}

// declareHeld writes the methods that call a service which the model holds in a field.
func declareHeld(s *tasktable.Service, field string, method func(name, doc string) *jen.Statement) {
	for _, v := range s.Verbs {
		params, args := parameters(v.In)
		out := results(v.Out)
		m := method(v.Name, v.Doc).Params(params...)
		if len(out) == 1 {
			m.Add(out[0])
		} else {
			m.Params(out...)
		}
		m.Block(jen.Return(jen.Id("m").Dot(field).Dot(inner(v)).Call(args...)))
	}
}

// inner returns the name of the service's method.
func inner(v tasktable.Verb) string {
	if v.Method != "" {
		return v.Method
	}
	return v.Name
}

// parameters parses parameters as Go writes them. It returns their code and their names.
func parameters(in string) (params, args []jen.Code) {
	for p := range strings.SplitSeq(in, ", ") {
		if name, typ, ok := strings.Cut(p, " "); ok {
			params, args = append(params, jen.Id(name).Add(goType(typ))), append(args, jen.Id(name))
		}
	}
	return params, args
}

// results parses the types of results as Go writes them.
func results(out string) []jen.Code {
	var list []jen.Code
	for t := range strings.SplitSeq(out, ", ") {
		list = append(list, goType(t))
	}
	return list
}

// goType parses a type: a name after [], [N] and a package.
func goType(t string) *jen.Statement {
	if at := strings.LastIndexByte(t, ']'); at >= 0 {
		return jen.Op(t[:at+1]).Add(goType(t[at+1:]))
	}
	switch pkg, name, ok := strings.Cut(t, "."); {
	case ok && pkg == "runtime":
		return front(name)
	case ok:
		return jen.Qual(pkg, name)
	}
	return jen.Id(t)
}

// rowKind returns the first extent of the result.
func (e *emitter) rowKind() ir.Dim {
	_, v := e.p.Result()
	return v.Type.Shape[0]
}
