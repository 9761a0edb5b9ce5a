package codegen

import (
	"fmt"
	"reflect"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// modelFile writes model.go, the file that users of the package read.
func (e *emitter) modelFile() error {
	f := e.newFile()
	m := &e.p.Meta
	what := m.Model
	if m.Head != "" {
		what += "." + m.Head
	}
	f.PackageComment(fmt.Sprintf("Package %s is %s of %s, compiled to Go: %d layers, hidden size %d, a vocabulary of %d, sequences of up to %d tokens.",
		e.pkg.Name, what, fileName(e.p.File), m.Layers, m.Hidden, m.Vocab, e.p.Bounds.Length))
	f.PackageComment("")
	f.PackageComment("\tm, err := " + e.pkg.Name + ".Open(\"" + e.pkg.Name + ".weights\")")
	f.PackageComment("")
	f.PackageComment("The weights are packed by `debertac pack`; packed weights of another spec are refused.")
	f.ImportName(runtimePath+"/token", "token")
	f.ImportName(taskPath, "task")
	f.ImportName(runtimePath+"/safetensors", "safetensors")

	f.Comment("SpecHash is the sha256 of the canonical spec that this package and its weights are made for.")
	f.Const().Id("SpecHash").Op("=").Lit(m.SpecHash)
	f.Comment("Program returns a description of the package for the runtime, a new one in each call.")
	f.Func().Id("Program").Params().Op("*").Add(engine("Program")).Block(jen.Return(jen.Op("&").Add(engine("Program")).Values(e.programDict())))
	f.Comment("bind connects the kernels of an instruction set with the weights of an opened file.")
	f.Func().Id("bind").Params(jen.Id("file").Op("*").Add(engine("Weights")), jen.Id("isa").Add(cpu("ISA"))).Params(engine("NewForward"), jen.Error()).Block(
		jen.Id("k").Op(":=").Id("tableFor").Call(jen.Id("isa")),
		jen.If(jen.Id("k").Op("==").Nil()).Block(
			jen.Return(jen.Nil(), jen.Qual("fmt", "Errorf").Call(jen.Lit("this build has no kernels for %v"), jen.Id("isa"))),
		),
		jen.Id("w").Op(":=").New(jen.Id("weights")),
		jen.Id("w").Dot("bind").Call(jen.Id("file")),
		jen.Return(jen.Id("newForward").Call(jen.Id("k"), jen.Id("w")), jen.Nil()),
	)
	e.modelType(f)
	return e.add("model.go", f)
}

// programDict returns the literal of engine.Program.
func (e *emitter) programDict() jen.Dict {
	m := &e.p.Meta
	_, result := e.p.Result()
	rows, _ := result.Type.Shape[0].Extent()
	head := jen.Dict{
		jen.Id("Name"): jen.Lit(m.Head), jen.Id("Task"): jen.Lit(string(m.Task)),
		jen.Id("Rows"): engine(rows.Row().Rows), jen.Id("C"): jen.Lit(m.Columns),
	}
	if m.CRF {
		head[jen.Id("CRF")] = jen.True()
	}
	if m.Decode != "" {
		head[jen.Id("Decode")] = jen.Lit(m.Decode)
	}
	if m.Widths > 0 {
		head[jen.Id("Width")] = jen.Lit(m.Widths)
	}
	if len(m.Outputs) > 0 {
		head[jen.Id("Parts")] = e.partsCode()
	}
	if b := m.Boundary; b != nil {
		head[jen.Id("Boundary")] = jen.Op("&").Add(engine("Boundary")).Values(jen.Dict{jen.Id("Pairs"): jen.Lit(b.Pairs), jen.Id("Classes"): jen.Lit(b.Classes),
			jen.Id("Above"): jen.Lit(b.Above), jen.Id("Overlap"): jen.Lit(b.Overlap)})
	}
	if m.Temperature > 0 {
		head[jen.Id("Temperature")] = jen.Lit(m.Temperature)
	}
	if p := m.Prompt; p != nil {
		d := jen.Dict{jen.Id("Mark"): jen.Lit(p.Mark), jen.Id("End"): jen.Lit(p.End)}
		for _, f := range []struct {
			name string
			set  bool
		}{{"After", p.After}, {"Last", p.Last}, {"Whole", p.Whole}, {"FromEnd", p.FromEnd}} {
			if f.set {
				d[jen.Id(f.name)] = jen.True()
			}
		}
		if p.Example != "" {
			d[jen.Id("Example")] = jen.Lit(p.Example)
		}
		head[jen.Id("Prompt")] = jen.Op("&").Add(engine("Prompt")).Values(d)
	}
	if len(m.Labels) > 0 {
		head[jen.Id("Labels")] = listCode(jen.String(), m.Labels)
		if m.Multi {
			head[jen.Id("Independent")] = jen.True()
		}
	}
	want := jen.Dict{
		jen.Id("SpecHash"): jen.Id("SpecHash"), jen.Id("Layout"): jen.Lit(ir.PackedLayout), jen.Id("Tensors"): jen.Id("tensors").Call(),
	}
	if m.Rank > 0 {
		want[jen.Id("Rank")] = jen.Lit(m.Rank)
	}
	d := jen.Dict{
		jen.Id("Name"):   jen.Lit(e.pkg.Name),
		jen.Id("Want"):   engine("Want").Values(want),
		jen.Id("ISAs"):   jen.Id("instructionSets"),
		jen.Id("Limits"): engine("Limits").Values(e.limits()),
		jen.Id("Heads"):  jen.Index().Add(engine("Head")).Values(jen.Values(head)),
		jen.Id("Arena"):  jen.Func().Params(jen.Id("s").Add(engine("Sizes"))).Int64().Block(jen.Return(jen.Id("place").Call(jen.Id("s")).Dot("size"))),
		jen.Id("Bind"):   jen.Id("bind"),
	}
	if e.resumes() {
		d[jen.Id("Past")] = e.pastShape()
	}
	if m.Threads > 0 {
		d[jen.Id("Threads")] = jen.Lit(m.Threads)
	}
	if e.takesText() {
		d[jen.Id("Tokenizer")] = jen.Qual(runtimePath+"/token", "Open")
	}
	return d
}

// partsCode returns the literal that describes the outputs of a head that has several.
func (e *emitter) partsCode() jen.Code {
	return jen.Index().Add(engine("Part")).ValuesFunc(func(g *jen.Group) {
		for _, o := range e.p.Meta.Outputs {
			_, v := e.p.Writer(o.Name)
			rows, _ := v.Type.Shape[0].Extent()
			d := jen.Dict{jen.Id("Name"): jen.Lit(o.Name), jen.Id("Rows"): engine(rows.Row().Rows), jen.Id("C"): jen.Lit(o.Columns)}
			if o.Widths > 0 {
				d[jen.Id("Width")] = jen.Lit(o.Widths)
			}
			if o.Vector {
				d[jen.Id("Vector")] = jen.True()
			}
			g.Values(d)
		}
	})
}

// limits returns the fields of the literal of engine.Limits that are not zero.
func (e *emitter) limits() jen.Dict {
	l := e.p.Limits()
	l.Causal = e.masked()
	d := jen.Dict{}
	for f, v := range reflect.ValueOf(l).Fields() {
		if !v.IsZero() {
			d[jen.Id(f.Name)] = jen.Lit(v.Interface())
		}
	}
	return d
}

// perSequence reports whether the result has one row per sequence.
func (e *emitter) perSequence() bool {
	_, v := e.p.Result()
	return v.Type.Shape[0] == ir.B
}
