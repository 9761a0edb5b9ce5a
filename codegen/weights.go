package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// weightTable holds a Go field for each packed tensor.
type weightTable struct {
	fields []*weightField // of the model and of all layer structs, in order of first use
	layers []*layerStruct
}

// weightField is one packed tensor, or one per layer.
type weightField struct {
	name  string // Go field
	store string // name in the packed file, with {l} for the layer
	typ   ir.Type
	kind  ir.Kind      // Packed or Adapter
	layer *layerStruct // nil: a field of the model's weights
}

// layerStruct is the struct type that holds what one run of a layered region reads.
type layerStruct struct {
	region *ir.Region
	typ    string // Go type
	field  string // slice in the model's weights
	first  int
	count  int                // of layers, with those of also
	gaps   []int              // layers between those of region, counted from first, that do not use this struct
	also   map[*ir.Region]int // other regions that read this struct, each for one more layer: its number
}

// newWeightTable collects the packed inputs of the schedule's regions.
func newWeightTable(e *emitter) *weightTable {
	t := &weightTable{}
	seen := map[string]bool{}
	for _, r := range e.regions {
		var layer *layerStruct
		names := map[string]bool{}
		more := t.oneMore(e.calls, r)
		for _, v := range r.In {
			if v.Kind != ir.Packed && v.Kind != ir.Adapter || more.has(t, r, v) {
				continue
			}
			f := &weightField{store: v.Name, typ: v.Type, kind: v.Kind}
			if strings.Contains(v.Name, "{l}") {
				if layer == nil {
					first, count := span(e.calls, r)
					layer = &layerStruct{region: r, typ: camel(r.Name) + "Weights", field: camel(r.Name) + "s",
						first: first, count: count, gaps: gaps(e.calls, r)}
					t.layers = append(t.layers, layer)
				}
				f.layer = layer
				f.name = free(names, camel(shortName(v.Name)))
				t.fields = append(t.fields, f)
				continue
			}
			if seen[v.Name] {
				continue
			}
			seen[v.Name] = true
			f.name = camel(shortName(v.Name))
			if other := t.find(nil, f.name); other != nil {
				f.name = camel(v.Name)
			}
			t.fields = append(t.fields, f)
		}
	}
	return t
}

// oneMore finds a struct for a region that runs once: the region's layer must follow the struct's layers, and the region must read all fields of the struct.
// oneMore adds this layer to the struct and returns the struct. It returns nil if no struct fits.
func (t *weightTable) oneMore(calls []ir.Call, r *ir.Region) *layerStruct {
	number, count := span(calls, r)
	if count != 1 {
		return nil
	}
	for _, l := range t.layers {
		all := l.first+l.count == number
		for _, f := range t.fields {
			if f.layer == l {
				v := r.Input(ir.At(f.store, number))
				all = all && v != nil && v.Kind == f.kind && v.Type.Equal(f.typ)
			}
		}
		if all {
			l.count++
			if l.also == nil {
				l.also = map[*ir.Region]int{}
			}
			l.also[r] = number
			return l
		}
	}
	return nil
}

// has reports whether a value of a region is a field of the struct, which has one more layer for that region. l may be nil.
func (l *layerStruct) has(t *weightTable, r *ir.Region, v *ir.Value) bool {
	return l != nil && slices.ContainsFunc(t.fields, func(f *weightField) bool { return f.layer == l && ir.At(f.store, l.also[r]) == v.Name })
}

// span returns the range of layers that a region's calls cover.
func span(calls []ir.Call, r *ir.Region) (first, count int) {
	first, end := -1, 0
	for _, c := range calls {
		if c.Region != r {
			continue
		}
		if first < 0 || c.First < first {
			first = c.First
		}
		end = max(end, c.First+c.Count)
	}
	return first, end - first
}

// gaps returns the layers between a region's calls, counted from its first layer.
func gaps(calls []ir.Call, r *ir.Region) []int {
	first, count := span(calls, r)
	var out []int
	for l := range count {
		if !slices.ContainsFunc(calls, func(c ir.Call) bool { return c.Region == r && l+first >= c.First && l+first < c.First+c.Count }) {
			out = append(out, l)
		}
	}
	return out
}

// skipGaps prints the code that skips the layers that other regions compute.
func (l *layerStruct) skipGaps(g *jen.Group) {
	for _, gap := range l.gaps {
		g.If(jen.Id("l").Op("==").Lit(gap)).Block(jen.Continue().Comment("another region's"))
	}
}

// free returns a name that is not in the set, and adds it.
func free(names map[string]bool, stem string) string {
	name := stem
	for i := 2; names[name]; i++ {
		name = fmt.Sprintf("%s%d", stem, i)
	}
	names[name] = true
	return name
}

// shortName removes what all tensors of a region have in common: the model's name and the layer.
func shortName(store string) string {
	if i := strings.Index(store, "{l}."); i >= 0 {
		return store[i+len("{l}."):]
	}
	name := store
	for _, p := range []string{"deberta.", "token_rep_layer.bert_layer.model.", "model.encoder_model.", "encoder."} {
		name = strings.TrimPrefix(name, p)
	}
	if name != "" && name[0] >= '0' && name[0] <= '9' { // with the spec's paths: encoder.11.ffn.in.weight
		return "layer." + name
	}
	return name
}

// find returns the field of that name, or nil.
func (t *weightTable) find(layer *layerStruct, name string) *weightField {
	for _, f := range t.fields {
		if f.layer == layer && f.name == name {
			return f
		}
	}
	return nil
}

// field returns the field of a packed value of a region.
func (t *weightTable) field(r *ir.Region, v *ir.Value) *weightField {
	for _, f := range t.fields {
		if f.store == v.Name && (f.layer == nil || f.layer.region == r) {
			return f
		}
		if f.layer != nil {
			if number, ok := f.layer.also[r]; ok && ir.At(f.store, number) == v.Name {
				return f
			}
		}
	}
	return nil
}

// layerOf returns the layer struct of a region, or nil.
func (t *weightTable) layerOf(r *ir.Region) *layerStruct {
	for _, l := range t.layers {
		if _, ok := l.also[r]; ok || l.region == r {
			return l
		}
	}
	return nil
}

// goElem returns the element type of a packed tensor in Go.
func goElem(t ir.DType) *jen.Statement {
	if t == ir.I32 {
		return jen.Int32()
	}
	return jen.Float32()
}

// weightsFile writes weights.go: the structs, and how they are bound to the packed file.
func (e *emitter) weightsFile() error {
	f := e.newFile()
	f.ImportName(runtimePath+"/safetensors", "safetensors")
	t := e.weights
	rows, err := e.tableRows()
	if err != nil {
		return err
	}
	decl := func(layer *layerStruct) []jen.Code {
		var out []jen.Code
		for _, w := range t.fields {
			if w.layer == layer {
				out = append(out, jen.Id(w.name).Index().Add(goElem(w.typ.DType)).Comment(w.typ.Shape.String()))
			}
		}
		return out
	}
	fields := decl(nil)
	for _, l := range t.layers {
		fields = append(fields, jen.Id(l.field).Index().Id(l.typ).Comment(fmt.Sprintf("%d of them", l.count)))
	}
	f.Comment("weights holds the packed tensors, in the layouts that the kernels read. They lie in the mapped file and are never written.")
	f.Type().Id("weights").Struct(fields...)
	for _, l := range t.layers {
		f.Commentf("%s holds the weights of one layer.", l.typ)
		f.Type().Id(l.typ).Struct(decl(l)...)
	}
	e.tensorsFunc(f, rows)
	e.bindMethod(f)
	return e.add("weights.go", f)
}

// tensorWant returns the literal of what a packed file must hold under a name.
func tensorWant(name jen.Code, dtype string, elements int) jen.Dict {
	return jen.Dict{jen.Id("Name"): name, jen.Id("DType"): jen.Qual(runtimePath+"/safetensors", dtype), jen.Id("Len"): jen.Lit(elements)}
}

// tensorsFunc declares the list of the packed tensors. rows are the numbers of rows of tables, by their integers' names.
func (e *emitter) tensorsFunc(f *jen.File, rows map[string]int) {
	t := e.weights
	f.Comment("tensors lists what a packed file must hold, no more and no less.")
	f.Func().Id("tensors").Params().Index().Add(engine("TensorWant")).BlockFunc(func(g *jen.Group) {
		want := func(w *weightField, name jen.Code) jen.Code {
			dtype, elements := "F32", ir.Sizes{}.Elements(w.typ.Shape)
			switch {
			case e.p.HoldsPairs(w.store, w.typ):
				dtype, elements = "BF16", 2*elements
			case w.typ.DType == ir.I32:
				dtype = "I32"
			}
			d := tensorWant(name, dtype, elements)
			if n := rows[w.store]; n > 0 {
				d[jen.Id("Rows")] = jen.Lit(n)
			}
			if w.kind == ir.Adapter {
				d[jen.Id("Adapter")] = jen.True()
			}
			return jen.Values(d)
		}
		optional := func(name, dtype string) jen.Dict {
			d := tensorWant(engine(name), dtype, -1)
			d[jen.Id("Optional")] = jen.True()
			return d
		}
		g.Id("list").Op(":=").Index().Add(engine("TensorWant")).ValuesFunc(func(g *jen.Group) {
			for _, w := range t.fields {
				if w.layer == nil {
					g.Line().Add(want(w, jen.Lit(w.store)))
				}
			}
			for _, k := range e.kept() {
				g.Line().Add(want(k, jen.Lit(k.store)))
			}
			g.Line().Values(optional("SelfTestTensor", "F32"))
			if e.takesText() {
				g.Line().Values(optional("TokenizerTensor", "U8"))
			}
			g.Line()
		})
		for _, l := range t.layers {
			g.For(jen.Id("l").Op(":=").Range().Lit(l.count)).BlockFunc(func(g *jen.Group) {
				l.skipGaps(g)
				g.Id("p").Op(":=").Add(layerPrefix(l))
				g.Id("list").Op("=").AppendFunc(func(g *jen.Group) {
					g.Id("list")
					for _, w := range t.fields {
						if w.layer == l {
							g.Line().Add(engine("TensorWant")).Add(want(w, layerName(w.store)))
						}
					}
				})
			})
		}
		g.Return(jen.Id("list"))
	})
}

// bindMethod declares the method that points the structs at the packed file.
func (e *emitter) bindMethod(f *jen.File) {
	t := e.weights
	f.Comment("bind points the structs at the tensors of an opened file, which Open has checked against tensors.")
	f.Func().Params(jen.Id("w").Op("*").Id("weights")).Id("bind").Params(jen.Id("f").Op("*").Add(engine("Weights"))).BlockFunc(func(g *jen.Group) {
		get := func(w *weightField, name jen.Code) jen.Code {
			method := "F32"
			switch {
			case e.p.HoldsPairs(w.store, w.typ):
				method = "Pairs"
			case w.typ.DType == ir.I32:
				method = "I32"
			case w.kind == ir.Adapter:
				method = "Adapted"
			}
			return jen.Id("f").Dot(method).Call(name)
		}
		for _, w := range t.fields {
			if w.layer == nil {
				g.Id("w").Dot(w.name).Op("=").Add(get(w, jen.Lit(w.store)))
			}
		}
		for _, l := range t.layers {
			g.Id("w").Dot(l.field).Op("=").Make(jen.Index().Id(l.typ), jen.Lit(l.count))
			g.For(jen.Id("l").Op(":=").Range().Id("w").Dot(l.field)).BlockFunc(func(g *jen.Group) {
				l.skipGaps(g)
				g.Id("p").Op(":=").Add(layerPrefix(l))
				d := jen.Dict{}
				for _, w := range t.fields {
					if w.layer == l {
						d[jen.Id(w.name)] = get(w, layerName(w.store))
					}
				}
				g.Id("w").Dot(l.field).Index(jen.Id("l")).Op("=").Id(l.typ).Values(d)
			})
		}
	})
}

// kept returns the packed tensors that only the code that decodes results reads.
func (e *emitter) kept() []*weightField {
	var out []*weightField
	for _, c := range e.p.Pack {
		for _, v := range c.Region.Out {
			if slices.Contains(e.p.Keep, v.Name) {
				out = append(out, &weightField{store: v.Name, typ: v.Type, kind: ir.Packed})
			}
		}
	}
	return out
}

// layerPrefix returns the expression for the layer's number as text.
func layerPrefix(l *layerStruct) jen.Code {
	n := jen.Id("l")
	if l.first != 0 {
		n = jen.Id("l").Op("+").Lit(l.first)
	}
	return jen.Qual("strconv", "Itoa").Call(n)
}

// layerName returns the expression for a layered tensor's name, with the layer's number in p.
func layerName(store string) jen.Code {
	before, after, _ := strings.Cut(store, "{l}")
	return jen.Lit(before).Op("+").Id("p").Op("+").Lit(after)
}

// takesText reports whether the package reads text: its spec names a kind of tokenizer.
func (e *emitter) takesText() bool { return e.p.Meta.Tokenizer != "" && e.p.Meta.Tokenizer != "none" }

// current returns the field of the execution that points at the weights of the layer that is running.
func (l *layerStruct) current() string { return camel(l.region.Name) + "Now" }
