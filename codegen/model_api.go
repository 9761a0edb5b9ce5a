package codegen

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/runtime/tasktable"
)

// modelType declares the model, how it is opened, and its verbs.
func (e *emitter) modelType(f *jen.File) {
	services := e.services()
	e.typeNames(f, services)
	for _, o := range [][3]string{
		{"Threads", "n int", "sets how many threads a call uses, including the caller's own."},
		{"UseISA", "name string", "forces an instruction set: go, avx2, avx512."},
		{"MaxTokens", "n int", "sets the greatest number of tokens of a text that the model reads."},
	} {
		name, typ, _ := strings.Cut(o[1], " ")
		f.Commentf("%s %s", o[0], o[2])
		f.Func().Id(o[0]).Params(jen.Id(name).Id(typ)).Id("Option").Block(jen.Return(front(o[0]).Call(jen.Id(name))))
	}
	f.Comment("Long sets what is done with a text that is too long: Reject, which is the default, Truncate, or Windows.")
	f.Func().Id("Long").Params(jen.Id("p").Id("LongPolicy")).Id("Option").Block(jen.Return(front("Long").Call(jen.Id("p"))))
	f.Comment("The policies of Long without a parameter.")
	f.Const().Defs(
		jen.Id("Reject").Op("=").Add(front("Reject")).Comment("an error that states the length and the limit"),
		jen.Id("Truncate").Op("=").Add(front("Truncate")).Comment("cut at the end; in a pair, the longer text first"),
	)
	f.Comment("Windows is the policy that cuts a long text into windows, each of which overlaps the one before by stride tokens.")
	f.Func().Id("Windows").Params(jen.Id("stride").Int()).Id("LongPolicy").Block(jen.Return(front("Windows").Call(jen.Id("stride"))))

	classifies := e.perSequence()
	f.Comment("Model is an open model. It is safe for concurrent use and never writes to its weights.")
	f.Type().Id("Model").StructFunc(func(g *jen.Group) {
		g.Id("core").Op("*").Add(engine("Core"))
		if classifies {
			g.Id("classifier").Op("*").Add(engine("Classifier"))
		}
		for _, s := range services {
			g.Id(s.Field).Func().Params().Params(jen.Op("*").Add(tk(s.Name)), jen.Error())
		}
	})
	e.opening(f, classifies, services)
	method := func(name, doc string) *jen.Statement {
		f.Commentf("%s %s", name, doc)
		return f.Func().Params(jen.Id("m").Op("*").Id("Model")).Id(name)
	}
	method("Close", "frees weights, memory and threads. Calls that still run stop at their next layer and return runtime.ErrClosed.").
		Params().Error().Block(jen.Return(jen.Id("m").Dot("core").Dot("Close").Call()))
	method("Core", "returns the runtime's view of the model: reports, the tokenizer, calls with a trace.").
		Params().Op("*").Add(engine("Core")).Block(jen.Return(jen.Id("m").Dot("core")))
	method("CheckWeights", "compares every tensor with its hash. It reads all of the mapped file, or the copy in memory if the weights were copied.").
		Params().Error().Block(jen.Return(jen.Id("m").Dot("core").Dot("CheckWeights").Call()))
	for i := range services {
		declareLazy(&services[i], method)
	}
	e.idVerbs(method, classifies)
}

// typeNames declares short names for the runtime's types that calls take and return.
func (e *emitter) typeNames(f *jen.File, services []tasktable.Service) {
	names := [][3]string{
		{"Batch", runtimePath, "token ids of several sequences, ragged"},
		{"Option", runtimePath, "a setting of Open"},
		{"LongPolicy", runtimePath, "what is done with a text that is too long"},
	}
	for _, t := range tasktable.Of(e.p.Meta.Task).Direct.Types {
		names = append(names, [3]string{t.Name, runtimePath, t.Doc})
	}
	for _, s := range services {
		for _, t := range s.Types {
			if !slices.ContainsFunc(names, func(n [3]string) bool { return n[0] == t.Name }) {
				names = append(names, [3]string{t.Name, taskPath, t.Doc})
			}
		}
	}
	f.Comment("The types of the runtime that calls take and return.")
	f.Type().DefsFunc(func(g *jen.Group) {
		for _, n := range names {
			g.Id(n[0]).Op("=").Qual(n[1], n[0]).Comment(n[2])
		}
	})
}

// opening declares the ways to open a model. The services of tasks are made at first use, because weights that serve only ids may lack what they need, such as
// a tokenizer.
func (e *emitter) opening(f *jen.File, classifies bool, services []tasktable.Service) {
	wrap := func(call *jen.Statement) []jen.Code {
		body := []jen.Code{
			jen.List(jen.Id("core"), jen.Err()).Op(":=").Add(call),
			jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Err())),
		}
		fields := jen.Dict{jen.Id("core"): jen.Id("core")}
		if classifies {
			body = append(body,
				jen.List(jen.Id("c"), jen.Err()).Op(":=").Add(engine("NewClassifier")).Call(jen.Id("core"), jen.Lit("")),
				jen.If(jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Nil(), jen.Qual("errors", "Join").Call(jen.Err(), jen.Id("core").Dot("Close").Call()))))
			fields[jen.Id("classifier")] = jen.Id("c")
		}
		for _, s := range services {
			fields[jen.Id(s.Field)] = jen.Qual("sync", "OnceValues").Call(
				jen.Func().Params().Params(jen.Op("*").Add(tk(s.Name)), jen.Error()).Block(
					jen.Return(tk(cmp.Or(s.Maker, "New"+s.Name)).CallFunc(func(g *jen.Group) {
						g.Id("core")
						g.Lit("")
						if s.Options != "" {
							g.Add(tk(s.Options).Values())
						}
					}))))
		}
		return append(body, jen.Return(jen.Op("&").Id("Model").Values(fields), jen.Nil()))
	}
	f.Comment("Open opens the packed weights at path: it maps the file, checks it, starts the threads and runs a self-test of 8 tokens.")
	f.Func().Id("Open").Params(jen.Id("path").String(), jen.Id("opts").Op("...").Id("Option")).Params(jen.Op("*").Id("Model"), jen.Error()).
		Block(wrap(engine("Open").Call(jen.Id("Program").Call(), jen.Id("path"), jen.Id("opts").Op("...")))...)
	if e.p.Meta.Rank > 0 {
		f.Comment("Adapter returns a view of the model that computes with an adapter of its weights; \"\" is the model without an adapter. Views share all " +
			"memory and threads. Closing one closes all.")
		f.Func().Params(jen.Id("m").Op("*").Id("Model")).Id("Adapter").Params(jen.Id("name").String()).Params(jen.Op("*").Id("Model"), jen.Error()).
			Block(wrap(jen.Id("m").Dot("core").Dot("Adapter").Call(jen.Id("name")))...)
	}
	f.Comment("OpenBytes does the same as Open for packed weights in memory, such as those of go:embed.")
	f.Func().Id("OpenBytes").Params(jen.Id("data").Index().Byte(), jen.Id("opts").Op("...").Id("Option")).Params(jen.Op("*").Id("Model"), jen.Error()).
		Block(wrap(engine("OpenBytes").Call(jen.Id("Program").Call(), jen.Lit(e.pkg.Name+".weights"), jen.Id("data"), jen.Id("opts").Op("...")))...)
}

// idVerbs declares the verbs that take token ids, and those that classify.
func (e *emitter) idVerbs(method func(name, doc string) *jen.Statement, classifies bool) {
	m := &e.p.Meta
	row := tasktable.Of(m.Task)
	ctx, batch := jen.Id("ctx").Qual("context", "Context"), jen.Id("b").Op("*").Id("Batch")
	into := []jen.Code{ctx, batch, jen.Id("dst").Index().Float32()}
	if classifies {
		fwd := func(name string, args ...jen.Code) jen.Code {
			return jen.Return(jen.Id("m").Dot("classifier").Dot(name).Call(args...))
		}
		declareHeld(&row.Direct, "classifier", method)
		method("Logits", fmt.Sprintf("computes the head's numbers for token ids, [B][%d].", m.Columns)).
			Params(ctx, batch).Params(jen.Index().Index().Float32(), jen.Error()).
			Block(fwd("Logits", jen.Id("ctx"), jen.Id("b")))
		method("LogitsInto", fmt.Sprintf("does the same as Logits and writes the B·%d numbers to dst, row-major. It allocates nothing.", m.Columns)).
			Params(into...).Error().
			Block(fwd("LogitsInto", jen.Id("ctx"), jen.Id("b"), jen.Id("dst")))
		return
	}
	name, doc := "LogitsInto",
		fmt.Sprintf("computes the head's numbers for token ids into dst, row-major, %d per row. "+
			"The length of dst must be their count. It allocates nothing.", m.Columns)
	if len(m.Outputs) > 0 {
		doc = "computes the head's outputs for token ids into dst, one after the other, in the order of Parts of Program().Heads[0]. " +
			"The length of dst must be what OutLen of the head returns for the batch. It allocates nothing."
	}
	if row.Raw.Name != "" {
		name, doc = row.Raw.Name, fmt.Sprintf(row.Raw.Doc, m.Columns)
	}
	call := engine("Call").Values(jen.Dict{jen.Id("Batch"): jen.Id("b"), jen.Id("Out"): jen.Id("dst")})
	method(name, doc).Params(into...).Error().Block(jen.Return(jen.Id("m").Dot("core").Dot("Run").Call(jen.Id("ctx"), call)))
}
