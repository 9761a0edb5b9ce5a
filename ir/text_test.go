package ir_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// orNil makes an empty list nil, as a parser leaves it.
func orNil[E any](list []E) []E {
	if len(list) == 0 {
		return nil
	}
	return list
}

// The generators draw programs of any form, also programs that Verify refuses.
var (
	anyName = rapid.OneOf(rapid.StringMatching(`[a-zA-Z_][a-zA-Z0-9_.]{0,6}(\{l\}|\{l\+1\})?`),
		rapid.String(), rapid.SampledFrom([]string{"in", "out", "_", "}", "f32", ""}))
	anySpan = rapid.Custom(func(t *rapid.T) diag.Span {
		if rapid.Bool().Draw(t, "none") {
			return diag.Span{}
		}
		return diag.Span{File: rapid.SampledFrom([]string{"a.dspec", "", "zoo/x y.dspec"}).Draw(t, "file"), Line: rapid.IntRange(0, 99).Draw(t, "line"),
			Col: rapid.IntRange(1, 99).Draw(t, "col"), EndCol: rapid.IntRange(1, 99).Draw(t, "end")}
	})
	anyType = rapid.Custom(func(t *rapid.T) ir.Type {
		dim := rapid.OneOf(rapid.Just(ir.T), rapid.Just(ir.B), rapid.Just(ir.Bound), rapid.Just(ir.P), rapid.Map(rapid.IntRange(0, 4096), ir.N))
		return ir.Type{DType: rapid.SampledFrom([]ir.DType{ir.F32, ir.I32}).Draw(t, "type"), Shape: orNil(rapid.SliceOfN(dim, 0, 4).Draw(t, "shape"))}
	})
	anyAttr = rapid.OneOf(
		rapid.Map(rapid.Int(), func(v int) any { return v }),
		rapid.Map(rapid.Float64(), func(v float64) any { return v }),
		rapid.Map(rapid.String(), func(v string) any { return v }),
		rapid.Map(rapid.Bool(), func(v bool) any { return v }),
		rapid.Map(rapid.SliceOfN(rapid.Int(), 0, 3), func(v []int) any { return append([]int{}, v...) }),
		rapid.Map(rapid.SliceOfN(rapid.Float64(), 1, 3), func(v []float64) any { return v }),
	)
	anyRegion = rapid.Custom(func(t *rapid.T) *ir.Region {
		r := &ir.Region{Doc: rapid.String().Draw(t, "doc"), Pos: anySpan.Draw(t, "pos")}
		taken := map[string]bool{}
		var values []*ir.Value
		value := func() *ir.Value {
			v := &ir.Value{Name: anyName.Filter(func(s string) bool { return !taken[s] }).Draw(t, "name"),
				Type: anyType.Draw(t, "type"), LD: rapid.IntRange(0, 3).Draw(t, "ld")}
			taken[v.Name] = true
			return v
		}
		for range rapid.IntRange(0, 3).Draw(t, "inputs") {
			v := value()
			v.Kind = rapid.SampledFrom([]ir.Kind{ir.Batch, ir.State, ir.Tensor, ir.Packed}).Draw(t, "kind")
			r.In, values = append(r.In, v), append(values, v)
		}
		for range rapid.IntRange(0, 4).Draw(t, "nodes") {
			n := &ir.Node{Op: anyName.Draw(t, "op"), Pos: anySpan.Draw(t, "pos"), Note: rapid.String().Draw(t, "note")}
			n.In = orNil(rapid.SliceOfN(rapid.SampledFrom(append([]*ir.Value{nil}, values...)), 0, 4).Draw(t, "operands"))
			for range rapid.IntRange(0, 3).Draw(t, "attrs") {
				n.Set(anyName.Draw(t, "key"), anyAttr.Draw(t, "value"))
			}
			for range rapid.IntRange(0, 2).Draw(t, "results") {
				v := value()
				v.Def = n
				n.Out = append(n.Out, v)
			}
			r.Nodes, values = append(r.Nodes, n), append(values, n.Out...)
		}
		if len(values) > 0 {
			r.Out = orNil(rapid.SliceOfN(rapid.SampledFrom(values), 0, 3).Draw(t, "outputs"))
		}
		return r
	})
	anyProgram = rapid.Custom(func(t *rapid.T) *ir.Program {
		p := &ir.Program{Name: anyName.Draw(t, "program"), File: rapid.SampledFrom([]string{"a.dspec", "", "b \"c\".dspec"}).Draw(t, "file")}
		p.Bounds = ir.Bounds{Sequences: rapid.IntRange(0, 64).Draw(t, "b"), Tokens: rapid.Int().Draw(t, "t"), Length: rapid.IntRange(0, 512).Draw(t, "n"),
			Rows: rapid.IntRange(0, 9).Draw(t, "m"), Candidates: rapid.IntRange(0, 9).Draw(t, "candidates")}
		p.Regions = orNil(rapid.SliceOfN(anyRegion, 0, 3).Draw(t, "regions"))
		for i, r := range p.Regions {
			r.Name = fmt.Sprintf("%s%d", anyName.Draw(t, "region"), i)
		}
		if len(p.Regions) > 0 {
			call := rapid.Custom(func(t *rapid.T) ir.Call {
				return ir.Call{Region: rapid.SampledFrom(p.Regions).Draw(t, "region"),
					First: rapid.IntRange(0, 9).Draw(t, "first"), Count: rapid.IntRange(1, 12).Draw(t, "count")}
			})
			p.Pack, p.Run = orNil(rapid.SliceOfN(call, 0, 3).Draw(t, "pack")), orNil(rapid.SliceOfN(call, 0, 3).Draw(t, "run"))
		}
		p.Outputs = orNil(rapid.SliceOfN(anyName, 0, 3).Draw(t, "outputs"))
		if rapid.Bool().Draw(t, "meta") {
			p.Meta = *full(t, reflect.TypeFor[ir.Meta]()).(*ir.Meta)
		}
		if rapid.Bool().Draw(t, "plan") {
			p.Plan = &ir.Plan{}
			for range rapid.IntRange(0, 2).Draw(t, "buffers") {
				p.Plan.Buffers = append(p.Plan.Buffers, *full(t, reflect.TypeFor[ir.Buffer]()).(*ir.Buffer))
			}
			for range rapid.IntRange(0, 2).Draw(t, "steps") {
				p.Plan.Steps = append(p.Plan.Steps, *full(t, reflect.TypeFor[ir.Step]()).(*ir.Step))
			}
		}
		return p
	})
)

// full returns a pointer to a struct with every field set, so that the test fails if the text form leaves a field out.
func full(t *rapid.T, typ reflect.Type) any {
	v := reflect.New(typ)
	fillValue(t, v.Elem(), typ.Name())
	return v.Interface()
}

// fillValue draws a value of any type that occurs in the plan or the meta data.
func fillValue(t *rapid.T, v reflect.Value, label string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fillValue(t, v.Field(i), label+"."+v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fillValue(t, v.Index(i), label)
		}
	case reflect.Array:
		for i := range v.Len() {
			fillValue(t, v.Index(i), label)
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fillValue(t, v.Elem(), label)
	case reflect.String:
		v.SetString(rapid.StringMatching(`[a-z<>&"{}]{1,5}`).Draw(t, label))
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(rapid.IntRange(1, 99).Draw(t, label)))
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uint:
		v.SetUint(uint64(rapid.IntRange(1, 9).Draw(t, label)))
	case reflect.Float64, reflect.Float32:
		v.SetFloat(float64(rapid.IntRange(1, 99).Draw(t, label)) / 8)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("%s has the kind %s, which the test cannot draw", label, v.Kind())
	}
}

func TestParseReadsWhatPrintWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := anyProgram.Draw(t, "program")
		text := ir.Print(p)
		q, err := ir.Parse(text)
		require.NoError(t, err, text)
		require.True(t, reflect.DeepEqual(p, q), "%s", text)
		require.Equal(t, text, ir.Print(q))
	})
}

const example = `program tiny from "tiny.dspec"
bounds 2 sequences 8 tokens 4 length
outputs x.2

region embed "embed looks rows up." @3:5:10 {
	in tensor table f32[7, 4]
	in batch ids i32[T]
	x.0 f32[T, 4] ld 16 = embed(table, ids) @"zoo/a.dspec":4:9:20 "token 7"
	out x.0
}

// one layer
region layer {
	in state x.{l} f32[T, 4]
	in tensor w.{l} f32[4, 4]
	linear0 f32[T, 4] = linear(x.{l}, w.{l}, _) @7:1:9
	x.{l+1} f32[T, 4] = scale(linear0) {by = 0.5}
	out x.{l+1}
}

run embed 0 1
run layer 0 2
`

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "no line that begins with program"},
		{"region a {", "line 1: the first line begins with program, not with region"},
		{"program a", "line 1: got the end of the line, want from"},
		{"program a from \"x", "line 1: a string has no closing quote"},
		{"program a from \"\"\nregion r {", "region r has no end"},
		{"program a from \"\"\nregion r {\n}\nregion r {\n}", "line 4: two regions are named r"},
		{"program a from \"\"\nrun r 0 1", "line 2: no region above is named r"},
		{"program a from \"\"\nstep {}", "line 2: a step in front of the line plan"},
		{"program a from \"\"\nplan\nstep {\"Nodes\": 3}", "line 3: json: unknown field"},
		{"program a from \"\"\nregion r {\n\tin temp x f32[T]", "line 3: temp is not a kind of input (kinds: [batch state tensor packed optimizer adapter])"},
		{"program a from \"\"\nregion r {\n\tin state x f64[T]", "line 3: got f64, want a type (f32 or i32)"},
		{"program a from \"\"\nregion r {\n\ty f32[T] = add(x, x)", "line 3: no value above is named \"x\""},
		{"program a from \"\"\nregion r {\n\ty f32[T] = add(y, y)", "line 3: no value above is named \"y\""},
		{"program a from \"\"\nregion r {\n\ty f32[1] = zeros() {a = 1, a = 2}", "line 3: attribute a is given twice"},
		{"program a from \"\"\nregion r {\n\ty f32[1] = zeros() {a = 1.2.3}", "line 3: 1.2.3 is not a number"},
		{"program a from \"\" b", "line 1: got b, want the end of the line"},
		{"program a from \"\"\n#", "line 2: '#' is not expected here"},
	} {
		_, err := ir.Parse(c.text)
		require.ErrorContains(t, err, c.want, c.text)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("program a from \"\"\nmeta {}\nplan\nbuffer {}\nstep {}\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ir.Parse(text)
		if err != nil {
			return
		}
		_ = ir.Verify(p) // must not panic, whatever the program
		again, err := ir.Parse(ir.Print(p))
		require.NoError(t, err)
		require.Equal(t, ir.Print(p), ir.Print(again))
	})
}
