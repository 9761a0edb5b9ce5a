package codegen

import (
	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// merges adds the matrices that adapters change.
func (e *emitter) merges(d jen.Dict) {
	list := e.p.Training.Merges
	if len(list) == 0 {
		return
	}
	d[jen.Id("Merges")] = jen.Index().Qual(trainerPath, "Merge").ValuesFunc(func(g *jen.Group) {
		for _, m := range list {
			v := jen.Dict{jen.Id("Of"): jen.Lit(m.Of), jen.Id("Down"): jen.Lit(m.Down), jen.Id("Up"): jen.Lit(m.Up), jen.Id("By"): jen.Lit(m.By)}
			if m.Parts > 0 {
				v[jen.Id("Heads")], v[jen.Id("Part")], v[jen.Id("Parts")] = jen.Lit(m.Heads), jen.Lit(m.Part), jen.Lit(m.Parts)
			}
			g.Line().Values(v)
		}
		g.Line()
	})
}

// models adds the models of a program that trains two.
func (e *emitter) models(d jen.Dict) {
	list := e.p.Training.Models
	if len(list) == 0 {
		return
	}
	d[jen.Id("Models")] = jen.Index().Qual(trainerPath, "Model").ValuesFunc(func(g *jen.Group) {
		for _, m := range list {
			g.Values(jen.Dict{jen.Id("Name"): jen.Lit(m.Name), jen.Id("Tensors"): jen.Index().Qual(trainerPath, "Stored").ValuesFunc(storedCode(m.Tensors))})
		}
	})
}

// storedCode writes of which tensors of the program those of a model are made.
func storedCode(list []ir.Stored) func(g *jen.Group) {
	return func(g *jen.Group) {
		for _, s := range list {
			g.Line().Values(jen.Dict{jen.Id("Name"): jen.Lit(s.Name), jen.Id("Of"): listCode(jen.String(), s.Of)})
		}
		g.Line()
	}
}
