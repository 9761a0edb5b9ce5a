package codegen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// forwardFile writes forward.go: the execution's state, the schedule, one function per region and one method per step.
func (e *emitter) forwardFile() error {
	f := e.newFile()
	if i := slices.IndexFunc(e.steps, func(s *step) bool { return e.ofZoo(s.node) }); i >= 0 {
		n := e.steps[i].node
		f.Commentf("Comments cite the statements of the spec. "+
			"%s is a file of debertac: `debertac explain %s` prints it, with the numbers of its lines.", n.Pos.File, n.Pos.File)
		f.Line()
	}
	e.rowConstants(f)
	e.zerosVar(f)
	e.execType(f)
	e.placeFunc(f)
	e.newForward(f)
	e.forwardMethod(f)
	for _, r := range e.regions {
		e.regionMethod(f, r)
	}
	for _, s := range e.methods() {
		e.stepMethod(f, s)
	}
	if e.p.Meta.Trace {
		e.traceMethods(f)
	}
	return e.add("forward.go", f)
}

// gathered returns the parts of the batch that the execution has fields for: ids, and those that a step reads through such a field. Steps divide their work by
// the sequences' first rows, which they read in the batch itself.
func (e *emitter) gathered() []ragged.Part {
	var list []ragged.Part
	for p := range ragged.Part(ragged.Parts) {
		if p == ragged.IDs || p != ragged.Starts && e.gathers(p) {
			list = append(list, p)
		}
	}
	return list
}

// gathers reports whether a step reads the part of the batch through a field of the execution.
func (e *emitter) gathers(p ragged.Part) bool {
	return slices.ContainsFunc(e.steps, func(s *step) bool {
		return slices.ContainsFunc(s.lower.batch(s.node), func(v *ir.Value) bool {
			return v != nil && v.Kind == ir.Batch && v.Name == p.Row().Operand
		})
	})
}

// batchFields declares the fields of the execution that point at parts of the batch.
func (e *emitter) batchFields(g *jen.Group) {
	var perToken, others []jen.Code
	for _, p := range e.gathered() {
		switch r := p.Row(); {
		case r.Floats():
			g.Id(camel(r.Operand)).Op("*").Float32().Comment(r.Shape())
		case r.Each == ragged.T:
			perToken = append(perToken, jen.Id(camel(r.Operand)))
		default:
			others = append(others, jen.Id(camel(r.Operand)))
		}
	}
	g.List(perToken...).Op("*").Int32().Comment("[T]")
	if len(others) > 0 {
		g.List(others...).Op("*").Int32().Comment("of the batch")
	}
}

// setBatchFields sets these fields. Positions are filled in, in the arena, because most batches have no positions of their own. The other fields point at the
// caller's slices.
func (e *emitter) setBatchFields(g *jen.Group) {
	for _, p := range e.gathered() {
		field := jen.Id("e").Dot(camel(p.Row().Operand))
		if p == ragged.Positions {
			g.Add(field).Op("=").Id("e").Dot("I32").Call(jen.Id("l").Dot("pos"))
			g.Id("e").Dot("FillPositions").Call(jen.Qual("unsafe", "Slice").Call(jen.Id("e").Dot("pos"), jen.Id("e").Dot("tokens")))
			continue
		}
		g.Add(field).Op("=").Qual("unsafe", "SliceData").Call(jen.Id("e").Dot(p.Row().Field))
	}
}

// slotDoc returns the values that lie in a slot.
func (e *emitter) slotDoc(slot int) string {
	var names []string
	seen := map[string]bool{}
	for _, b := range e.p.Plan.Buffers {
		name := b.Region + ": " + shortName(b.Value)
		if b.Slot == slot && !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// rowConstants declares the greatest number of rows in one call of each product.
func (e *emitter) rowConstants(f *jen.File) {
	rows := map[string]int{}
	for _, k := range e.kernels.list {
		if k.rowsName != "" {
			rows[k.rowsName] = k.maxRows
		}
	}
	if len(rows) == 0 {
		return
	}
	f.Add(comment("The greatest number of rows in one call of a product, by the terms of a sum and the columns. " +
		"A call takes at\nmost about 100 µs, " +
		"because a garbage collection waits for it: assembly cannot be preempted."))
	f.Const().DefsFunc(func(g *jen.Group) {
		for _, name := range slices.Sorted(maps.Keys(rows)) {
			g.Id(name).Op("=").Lit(rows[name])
		}
	})
}

// execType declares the state of one execution.
func (e *emitter) execType(f *jen.File) {
	f.Comment("exec is the state of one execution: the places of the call's activations, and the steps as values that the pool can run.")
	f.Type().Id("exec").StructFunc(func(g *jen.Group) {
		g.Op("*").Add(engine("Exec"))
		g.Id("k").Op("*").Id("kernels")
		g.Id("w").Op("*").Id("weights")
		for _, l := range e.weights.layers {
			g.Id(l.current()).Op("*").Id(l.typ).Comment("weights of the layer that is running")
		}
		g.Line()
		g.List(jen.Id("tokens"), jen.Id("sequences")).Int()
		if slices.ContainsFunc(e.steps, func(s *step) bool { return s.varies }) {
			g.Id("rowsNow").Int().Comment("rows of the result of the step that is running")
		}
		e.batchFields(g)
		for i := range e.slots {
			g.Id(slotField(i)).Op("*").Float32().Comment(e.slotDoc(i))
		}
		e.scratchFields(g)
		if e.p.Meta.Trace {
			g.Id("number").Int().Comment("number of the layer that is running")
		}
		if e.resumes() {
			g.Id("attention").Int().Comment("number of the attention that is running or comes next")
		}
		g.Line()
		e.methodFields(g)
	})
	if e.usesScratch() {
		scratchMethod(f)
	}
}

// scratchFields declares the fields for the memory of workers, if some step uses it.
func (e *emitter) scratchFields(g *jen.Group) {
	if e.usesScratch() {
		g.Id("scratchBase").Op("*").Float32()
		g.Id("scratchLen").Int().Comment("floats per worker")
	}
}

// methodFields declares a field for the method of each step, so that the pool can run it and no call allocates.
func (e *emitter) methodFields(g *jen.Group) {
	g.Id("step").StructFunc(func(g *jen.Group) {
		for _, s := range e.methods() {
			g.Id(s.method).Func().Params(jen.List(jen.Id("worker"), jen.Id("unit")).Int())
		}
	})
}

// scratchMethod declares the method that returns the memory of a worker.
func scratchMethod(f *jen.File) {
	f.Comment("scratch is the memory that a worker's kernels may use between two steps.")
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id("scratch").Params(jen.Id("worker").Int()).Op("*").Float32().Block(
		jen.Return(engine("At").Call(jen.Id("e").Dot("scratchBase"), jen.Id("worker").Op("*").Id("e").Dot("scratchLen"))),
	)
}

// placeFunc declares the layout of the arena as a function of the call's sizes.
func (e *emitter) placeFunc(f *jen.File) {
	slots := len(e.slots)
	f.Comment("layout holds the places in the arena, in bytes.")
	f.Type().Id("layout").Struct(
		jen.Id("slot").Index(jen.Lit(max(slots, 1))).Int64(),
		jen.Id("pos").Int64(),
		jen.List(jen.Id("scratch"), jen.Id("scratchLen")).Int64().Comment("floats per worker in scratchLen"),
		jen.Id("size").Int64(),
	)
	f.Comment("place lays out the arena for a call. Buffers that are never live at the same time share a slot; each starts on a cache line.")
	f.Func().Id("place").Params(jen.Id("s").Add(engine("Sizes"))).Params(jen.Id("l").Id("layout")).BlockFunc(func(g *jen.Group) {
		g.Id("take").Op(":=").Func().Params(jen.Id("floats").Int()).Int64().Block(
			jen.Id("at").Op(":=").Id("l").Dot("size"),
			jen.Id("l").Dot("size").Op("+=").Parens(jen.Int64().Call(jen.Id("floats")).Op("*").Lit(4).Op("+").Lit(63)).Op("/").Lit(64).Op("*").Lit(64),
			jen.Return(jen.Id("at")),
		)
		for i, s := range e.slots {
			var sum []jen.Code
			for _, p := range s.Parts() {
				if p.Rows.Const() {
					sum = append(sum, jen.Lit(p.Floats))
				} else {
					sum = append(sum, jen.Lit(p.Floats).Op("*").Id("s").Dot(p.Rows.Sym))
				}
			}
			expr := jen.Lit(0)
			if len(sum) > 0 {
				expr = jen.Add(sum[0])
			}
			if len(sum) > 1 {
				expr = jen.Id("max").Call(sum...)
			}
			g.Id("l").Dot("slot").Index(jen.Lit(i)).Op("=").Id("take").Call(expr)
		}
		if e.gathers(ragged.Positions) {
			g.Id("l").Dot("pos").Op("=").Id("take").Call(jen.Id("s").Dot("T"))
		}
		if sizes := e.scratchSizes(); len(sizes) > 0 {
			length := sizes[0]
			if len(sizes) > 1 {
				length = "max(" + strings.Join(sizes, ", ") + ")"
			}
			g.Add(raw("l.scratchLen = int64(%s)", length))
			g.Id("l").Dot("scratch").Op("=").Id("take").Call(jen.Int().Call(jen.Id("l").Dot("scratchLen")).Op("*").Id("s").Dot("Threads"))
		}
		g.Return(jen.Id("l"))
	})
}

// newForward declares the function that makes an execution.
func (e *emitter) newForward(f *jen.File) {
	f.Comment("newForward makes the state of an execution. It allocates everything that calls need, so that a call allocates nothing.")
	f.Func().Id("newForward").Params(jen.Id("k").Op("*").Id("kernels"), jen.Id("w").Op("*").Id("weights")).Add(engine("NewForward")).Block(
		jen.Return(jen.Func().Params(jen.Id("x").Op("*").Add(engine("Exec"))).Params(engine("Forward"), jen.Error()).BlockFunc(func(g *jen.Group) {
			g.Id("e").Op(":=").Op("&").Id("exec").Values(jen.Dict{jen.Id("Exec"): jen.Id("x"), jen.Id("k"): jen.Id("k"), jen.Id("w"): jen.Id("w")})
			for _, s := range e.methods() {
				g.Id("e").Dot("step").Dot(s.method).Op("=").Id("e").Dot(s.method)
			}
			g.Return(jen.Id("e").Dot("forward"), jen.Nil())
		})),
	)
}

// forwardMethod declares the schedule.
func (e *emitter) forwardMethod(f *jen.File) {
	f.Comment("forward computes one call: it places the activations, runs the schedule and copies the result out.")
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id("forward").Params().Error().BlockFunc(func(g *jen.Group) {
		g.Id("l").Op(":=").Id("place").Call(jen.Id("e").Dot("Sizes"))
		g.List(jen.Id("e").Dot("tokens"), jen.Id("e").Dot("sequences")).Op("=").List(jen.Id("e").Dot("T"), jen.Id("e").Dot("B"))
		if e.resumes() {
			g.Id("e").Dot("attention").Op("=").Lit(0)
		}
		for i := range e.slots {
			g.Id("e").Dot(slotField(i)).Op("=").Id("e").Dot("F32").Call(jen.Id("l").Dot("slot").Index(jen.Lit(i)))
		}
		if e.usesScratch() {
			g.Add(raw("e.scratchBase, e.scratchLen = e.F32(l.scratch), int(l.scratchLen)"))
		}
		e.setBatchFields(g)
		g.Line()
		for _, c := range e.calls {
			e.call(g, c)
		}
		e.copyOut(g)
		g.Return(jen.Nil())
	})
}

// call writes one call of the schedule: the check of the context, the region, the trace.
func (e *emitter) call(g *jen.Group, c ir.Call) {
	r := c.Region
	check := func(name jen.Code) jen.Code {
		return jen.If(jen.Err().Op(":=").Id("e").Dot("Layer").Call(name), jen.Err().Op("!=").Nil()).Block(jen.Return(jen.Err()))
	}
	trace := func(g *jen.Group, layer jen.Code) {
		for _, v := range r.Out {
			if len(v.Type.Shape) != 2 || !v.Batched() {
				continue
			}
			name := jen.Code(jen.Lit(v.Name))
			for _, mark := range []string{"{l+1}", "{l}"} {
				if before, _, ok := strings.Cut(v.Name, mark); ok {
					n := layer
					if mark == "{l+1}" {
						n = jen.Add(layer).Op("+").Lit(1)
					}
					name = jen.Lit(before).Op("+").Qual("strconv", "Itoa").Call(n)
				}
			}
			g.If(jen.Id("e").Dot("Tracing").Call()).Block(
				jen.Id("e").Dot("TraceRows").Call(name, jen.Id(e.ptr(r, v)), jen.Id(rowsOf(v)), jen.Lit(v.Type.Shape[1].N), jen.Lit(v.LD)))
		}
	}
	ls := e.weights.layerOf(r)
	if ls == nil {
		call := func(g *jen.Group, layer jen.Code) {
			g.Add(check(jen.Lit(r.Name)))
			if layer != nil && e.p.Meta.Trace && mapsOf(r) != "" {
				g.Id("e").Dot("number").Op("=").Add(layer)
			}
			g.Id("e").Dot(camel(r.Name)).Call()
			trace(g, layer)
		}
		switch {
		case c.Count == 1:
			call(g, jen.Lit(c.First))
		case slices.ContainsFunc(r.Out, func(v *ir.Value) bool { return strings.Contains(v.Name, "{l") }): // the trace numbers the results
			g.For(jen.Id("l").Op(":=").Range().Lit(c.Count)).BlockFunc(func(g *jen.Group) { call(g, jen.Id("l").Op("+").Lit(c.First)) })
		default:
			g.For(jen.Range().Lit(c.Count)).BlockFunc(func(g *jen.Group) { call(g, nil) })
		}
		return
	}
	list := jen.Id("e").Dot("w").Dot(ls.field)
	first := c.First - ls.first
	if ls.region != r { // it computes one layer
		g.Add(check(jen.Lit(r.Name)))
		if e.p.Meta.Trace {
			g.Id("e").Dot("number").Op("=").Lit(c.First)
		}
		g.Id("e").Dot(camel(r.Name)).Call(jen.Op("&").Add(list).Index(jen.Lit(first)))
		trace(g, jen.Lit(c.First))
		return
	}
	loopVar := jen.Id("l")
	if c.Count != ls.count {
		list = list.Index(jen.Lit(first), jen.Lit(first+c.Count))
	}
	g.For(jen.Id("l").Op(":=").Range().Add(list)).BlockFunc(func(g *jen.Group) {
		layer := jen.Code(loopVar)
		index := jen.Code(loopVar)
		if first != 0 {
			index = jen.Id("l").Op("+").Lit(first)
		}
		if c.First != 0 {
			layer = jen.Id("l").Op("+").Lit(c.First)
		}
		g.Add(check(jen.Lit("layer")))
		if e.p.Meta.Trace {
			g.Id("e").Dot("number").Op("=").Add(layer)
		}
		g.Id("e").Dot(camel(r.Name)).Call(jen.Op("&").Id("e").Dot("w").Dot(ls.field).Index(index))
		trace(g, layer)
	})
}

// copyOut writes the copy of the result from the arena to the caller's memory. Several outputs come one after the other.
func (e *emitter) copyOut(g *jen.Group) {
	rows := func(r *ir.Region, v *ir.Value, out string) {
		cols := v.Type.Shape[1].N
		g.For(raw("row := range %s", rowsOf(v))).Block(
			raw("copy(%s[row*%d:], unsafe.Slice(%s, %d))", out, cols, moved(e.ptr(r, v), "row", v.LD), cols),
		)
	}
	if len(e.p.Meta.Outputs) == 0 {
		r, v := e.p.Result()
		rows(r, v, "e.Out")
		return
	}
	g.Id("out").Op(":=").Id("e").Dot("Out")
	for i, o := range e.p.Meta.Outputs {
		r, v := e.p.Writer(o.Name)
		rows(r, v, "out")
		if i < len(e.p.Meta.Outputs)-1 {
			g.Add(raw("out = out[%s*%d:]", rowsOf(v), o.Columns))
		}
	}
}

// regionMethod declares the function of a region: its steps in order, each with the spec's line above it.
func (e *emitter) regionMethod(f *jen.File, r *ir.Region) {
	f.Line()
	doc := r.Doc
	if rest, ok := strings.CutPrefix(doc, r.Name+" "); ok {
		doc = camel(r.Name) + " " + rest
	}
	f.Comment(doc)
	ls := e.weights.layerOf(r)
	var params []jen.Code
	if ls != nil {
		params = append(params, jen.Id("l").Op("*").Id(ls.typ))
	}
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(camel(r.Name)).Params(params...).BlockFunc(func(g *jen.Group) {
		if ls != nil {
			g.Id("e").Dot(ls.current()).Op("=").Id("l")
		}
		rows := ""
		for _, n := range r.Nodes {
			s := e.byNode[n]
			if now := rowsOf(n.Out[0]); s.varies && now != rows {
				rows = now
				g.Id("e").Dot("rowsNow").Op("=").Add(raw("%s", now))
			}
			g.Comment(e.source(n))
			run := "Run("
			if c, ok := s.lower.(conditional); ok {
				run = fmt.Sprintf("RunIf(%s, ", e.chosen(r, c.chosen(n)))
			}
			g.Add(raw("e.%s%s, e.step.%s) // %s %s", run, s.lower.units(s).count, s.method, n.Op, n.Out[0].Type.Shape))
			for _, line := range s.lower.after(s) {
				g.Add(raw("%s", line))
			}
		}
	})
}
