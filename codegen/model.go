package codegen

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// modelFile writes model.go: what users of the package see.
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
	f.ImportName(runtimePath+"/safetensors", "safetensors")

	f.Comment("SpecHash is the sha256 of the canonical spec that this package and its weights are made for.")
	f.Const().Id("SpecHash").Op("=").Lit(m.SpecHash)
	f.Comment("Program describes the package to the runtime. It is shared by all open models and must not be changed.")
	f.Var().Id("Program").Op("=").Op("&").Add(rt("Program")).Values(e.programDict())
	f.Comment("bind connects the kernels of an instruction set with the weights of an opened file.")
	f.Func().Id("bind").Params(jen.Id("file").Op("*").Add(rt("Weights")), jen.Id("isa").Add(rt("ISA"))).Params(rt("NewForward"), jen.Error()).Block(
		jen.Id("k").Op(":=").Id("tableFor").Call(jen.Id("isa")),
		jen.If(jen.Id("k").Op("==").Nil()).Block(jen.Return(jen.Nil(), jen.Qual("fmt", "Errorf").Call(jen.Lit("this build has no kernels for %v"), jen.Id("isa")))),
		jen.Id("w").Op(":=").New(jen.Id("weights")),
		jen.Id("w").Dot("bind").Call(jen.Id("file")),
		jen.Return(jen.Id("newForward").Call(jen.Id("k"), jen.Id("w")), jen.Nil()),
	)
	e.modelType(f)
	return e.add("model.go", f)
}

// rowKinds are the runtime's names for what a result has a row for.
var rowKinds = map[ir.Dim]string{ir.B: "PerSequence", ir.T: "PerToken", ir.M: "PerRow", ir.G: "PerPair", ir.W: "PerWord"}

// programDict is the literal of the runtime's description.
func (e *emitter) programDict() jen.Dict {
	m, b := &e.p.Meta, &e.p.Bounds
	_, result := e.p.Result()
	head := jen.Dict{jen.Id("Name"): jen.Lit(m.Head), jen.Id("Task"): jen.Lit(string(m.Task)), jen.Id("Rows"): rt(rowKinds[result.Type.Shape[0]]), jen.Id("C"): jen.Lit(m.Columns)}
	if m.CRF {
		head[jen.Id("CRF")] = jen.True()
	}
	if m.Decode != "" {
		head[jen.Id("Decode")] = jen.Lit(m.Decode)
	}
	if m.Widths > 0 {
		head[jen.Id("Width")] = jen.Lit(m.Widths)
	}
	if p := m.Prompt; p != nil {
		d := jen.Dict{jen.Id("Mark"): jen.Lit(p.Mark), jen.Id("End"): jen.Lit(p.End)}
		if p.After {
			d[jen.Id("After")] = jen.True()
		}
		head[jen.Id("Prompt")] = jen.Op("&").Add(rt("Prompt")).Values(d)
	}
	if len(m.Labels) > 0 {
		head[jen.Id("Labels")] = jen.Index().String().ValuesFunc(func(g *jen.Group) {
			for _, l := range m.Labels {
				g.Lit(l)
			}
		})
		if m.Multi {
			head[jen.Id("Independent")] = jen.True()
		}
	}
	limits := jen.Dict{
		jen.Id("Vocab"): jen.Lit(m.Vocab), jen.Id("SequenceTokens"): jen.Lit(b.Length),
		jen.Id("BatchSequences"): jen.Lit(b.Sequences), jen.Id("BatchTokens"): jen.Lit(b.Tokens),
	}
	if m.Types > 0 {
		limits[jen.Id("Types")] = jen.Lit(m.Types)
	}
	if b.Rows > 0 {
		limits[jen.Id("Rows")] = jen.Lit(b.Rows)
	}
	for field, part := range map[string]string{"Words": ir.Words, "Marks": ir.Marks, "Prefix": ir.Prefix} {
		if e.p.Reads(part) {
			limits[jen.Id(field)] = jen.True()
		}
	}
	if e.masked() {
		limits[jen.Id("Causal")] = jen.True()
	}
	d := jen.Dict{
		jen.Id("Name"): jen.Lit(e.pkg.Name),
		jen.Id("Want"): rt("Want").Values(jen.Dict{
			jen.Id("SpecHash"): jen.Id("SpecHash"), jen.Id("Layout"): jen.Lit(ir.PackedLayout), jen.Id("Tensors"): jen.Id("tensors").Call(),
		}),
		jen.Id("ISAs"):   jen.Id("instructionSets"),
		jen.Id("Limits"): rt("Limits").Values(limits),
		jen.Id("Heads"):  jen.Index().Add(rt("Head")).Values(jen.Values(head)),
		jen.Id("Arena"):  jen.Func().Params(jen.Id("s").Add(rt("Sizes"))).Int64().Block(jen.Return(jen.Id("place").Call(jen.Id("s")).Dot("size"))),
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

// perSequence reports whether the result has a row for each sequence.
func (e *emitter) perSequence() bool {
	_, v := e.p.Result()
	return v.Type.Shape[0] == ir.B
}

// modelType declares the model and its verbs.
func (e *emitter) modelType(f *jen.File) {
	m := &e.p.Meta
	text := e.perSequence()
	f.Comment("The types of the runtime that calls take and give.")
	f.Type().Defs(
		jen.Id("Batch").Op("=").Add(rt("Batch")).Comment("token ids of several sequences, ragged"),
		jen.Id("Option").Op("=").Add(rt("Option")).Comment("a setting of Open"),
		jen.Id("Classification").Op("=").Add(rt("Classification")).Comment("the result for one text"),
	)
	for _, o := range [][3]string{
		{"Threads", "n int", "sets how many threads a call uses, the caller's own included."},
		{"UseISA", "name string", "forces an instruction set: go, avx2, avx512."},
		{"MaxTokens", "n int", "sets how many tokens of a text the model sees at most."},
	} {
		name, typ, _ := strings.Cut(o[1], " ")
		f.Commentf("%s %s", o[0], o[2])
		f.Func().Id(o[0]).Params(jen.Id(name).Id(typ)).Id("Option").Block(jen.Return(rt(o[0]).Call(jen.Id(name))))
	}
	f.Comment("Long says what becomes of a text that is too long: runtime.Reject (the default), runtime.Truncate or runtime.Windows(stride).")
	f.Func().Id("Long").Params(jen.Id("p").Add(rt("LongPolicy"))).Id("Option").Block(jen.Return(rt("Long").Call(jen.Id("p"))))

	f.Comment("Model is an open model. It is safe for concurrent use and never writes to its weights.")
	f.Type().Id("Model").StructFunc(func(g *jen.Group) {
		g.Id("core").Op("*").Add(rt("Core"))
		if text {
			g.Id("classifier").Op("*").Add(rt("Classifier"))
		}
	})
	wrap := func(call *jen.Statement) []jen.Code {
		body := []jen.Code{
			jen.List(jen.Id("core"), jen.Err()).Op(":=").Add(call),
			jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
		}
		if !text {
			return append(body, jen.Return(jen.Op("&").Id("Model").Values(jen.Dict{jen.Id("core"): jen.Id("core")}), jen.Nil()))
		}
		return append(body,
			jen.List(jen.Id("c"), jen.Err()).Op(":=").Add(rt("NewClassifier")).Call(jen.Id("core"), jen.Lit("")),
			jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Qual("errors", "Join").Call(jen.Err(), jen.Id("core").Dot("Close").Call()))),
			jen.Return(jen.Op("&").Id("Model").Values(jen.Dict{jen.Id("core"): jen.Id("core"), jen.Id("classifier"): jen.Id("c")}), jen.Nil()))
	}
	f.Comment("Open opens the packed weights at path: it maps the file, checks it, starts the threads and runs a self-test of 8 tokens.")
	f.Func().Id("Open").Params(jen.Id("path").String(), jen.Id("opts").Op("...").Id("Option")).Params(jen.Op("*").Id("Model"), jen.Error()).
		Block(wrap(rt("Open").Call(jen.Id("Program"), jen.Id("path"), jen.Id("opts").Op("...")))...)
	f.Comment("OpenBytes is Open for packed weights held in memory, as go:embed gives them.")
	f.Func().Id("OpenBytes").Params(jen.Id("data").Index().Byte(), jen.Id("opts").Op("...").Id("Option")).Params(jen.Op("*").Id("Model"), jen.Error()).
		Block(wrap(rt("OpenBytes").Call(jen.Id("Program"), jen.Lit(e.pkg.Name+".weights"), jen.Id("data"), jen.Id("opts").Op("...")))...)
	method := func(name, doc string) *jen.Statement {
		f.Commentf("%s %s", name, doc)
		return f.Func().Params(jen.Id("m").Op("*").Id("Model")).Id(name)
	}
	method("Close", "waits for running calls and frees weights, memory and threads.").Params().Error().Block(jen.Return(jen.Id("m").Dot("core").Dot("Close").Call()))
	method("Core", "is the runtime's view of the model: reports, the tokenizer, calls with a trace.").Params().Op("*").Add(rt("Core")).Block(jen.Return(jen.Id("m").Dot("core")))
	method("CheckWeights", "reads the weight file and holds every tensor to its hash.").Params().Error().Block(jen.Return(jen.Id("m").Dot("core").Dot("CheckWeights").Call()))
	if text {
		e.textVerbs(f, method)
		return
	}
	if m.Task != ir.TaskHidden {
		method("LogitsInto", fmt.Sprintf("computes the head's numbers for token ids into dst, row-major, %d a row; dst must be as long as they are. It allocates nothing.", m.Columns)).
			Params(jen.Id("ctx").Qual("context", "Context"), jen.Id("b").Op("*").Id("Batch"), jen.Id("dst").Index().Float32()).Error().
			Block(jen.Return(jen.Id("m").Dot("core").Dot("Run").Call(jen.Id("ctx"), rt("Call").Values(jen.Dict{jen.Id("Batch"): jen.Id("b"), jen.Id("Out"): jen.Id("dst")}))))
		return
	}
	method("Hidden", fmt.Sprintf("computes the last layer's rows, [T, %d], for token ids; dst must have that length. It allocates nothing.", m.Hidden)).
		Params(jen.Id("ctx").Qual("context", "Context"), jen.Id("b").Op("*").Id("Batch"), jen.Id("dst").Index().Float32()).Error().
		Block(jen.Return(jen.Id("m").Dot("core").Dot("Run").Call(jen.Id("ctx"), rt("Call").Values(jen.Dict{jen.Id("Batch"): jen.Id("b"), jen.Id("Out"): jen.Id("dst")}))))
}

// textVerbs declares the verbs of a head that gives a row of numbers a text.
func (e *emitter) textVerbs(f *jen.File, method func(name, doc string) *jen.Statement) {
	m := &e.p.Meta
	ctx := jen.Id("ctx").Qual("context", "Context")
	fwd := func(name string, args ...jen.Code) jen.Code {
		return jen.Return(jen.Id("m").Dot("classifier").Dot(name).Call(args...))
	}
	if m.Task == ir.TaskLabels {
		method("Classify", "labels texts; results come in input order. How texts are batched never changes a result.").
			Params(ctx, jen.Id("texts").Index().String()).Params(jen.Index().Id("Classification"), jen.Error()).
			Block(fwd("Classify", jen.Id("ctx"), jen.Id("texts")))
		method("ClassifyInto", "is Classify into dst, as long as texts. It reuses what dst holds and allocates nothing in steady state.").
			Params(ctx, jen.Id("dst").Index().Id("Classification"), jen.Id("texts").Index().String()).Error().
			Block(fwd("ClassifyInto", jen.Id("ctx"), jen.Id("dst"), jen.Id("texts")))
		method("ClassifyPairs", "labels pairs of texts, such as premise and hypothesis.").
			Params(ctx, jen.Id("pairs").Index().Index(jen.Lit(2)).String()).Params(jen.Index().Id("Classification"), jen.Error()).
			Block(fwd("ClassifyPairs", jen.Id("ctx"), jen.Id("pairs")))
		method("Labels", "are the labels in the order of the logits.").Params().Index().String().Block(fwd("Labels"))
	}
	method("Logits", fmt.Sprintf("computes the head's numbers for token ids, [B][%d].", m.Columns)).
		Params(ctx, jen.Id("b").Op("*").Id("Batch")).Params(jen.Index().Index().Float32(), jen.Error()).
		Block(fwd("Logits", jen.Id("ctx"), jen.Id("b")))
	method("LogitsInto", fmt.Sprintf("is Logits into dst, row-major, B·%d numbers. It allocates nothing.", m.Columns)).
		Params(ctx, jen.Id("b").Op("*").Id("Batch"), jen.Id("dst").Index().Float32()).Error().
		Block(fwd("LogitsInto", jen.Id("ctx"), jen.Id("b"), jen.Id("dst")))
}
