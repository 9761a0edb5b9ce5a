package codegen

import "github.com/dave/jennifer/jen"

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
