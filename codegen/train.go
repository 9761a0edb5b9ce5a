package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
)

// trainerPath is the import path of the runtime of training programs.
const trainerPath = runtimePath + "/trainer"

// placeTable says where the values of a training program lie. Each value of the store has a place: a slot of the arena, or a tensor or a gradient
// that is kept from call to call. The places that a region reads and writes depend on the layer, so the region has a table with one row per layer.
type placeTable struct {
	e       *emitter
	regions []*regionPlaces
	kept    []string // names in the store of what is kept, after the slots of the arena, in the order of their places

	constants map[string]string // name in the store → Go variable
	keys      map[string]int    // see [ir.Program.Keys]
	keyCount  int
}

// regionPlaces holds the values of the store that a region reads and writes.
type regionPlaces struct {
	region *ir.Region
	first  int         // the first layer
	values []*ir.Value // the columns of the table
	names  []string    // the constant of each column
	rows   [][]int     // the place of each value, for each layer from first on; nil for a layer that the region does not compute
}

// emitTraining writes the package of a training program.
func emitTraining(e *emitter) error {
	e.pkg.Train = true
	e.places = newPlaceTable(e)
	if err := e.makeSteps(); err != nil {
		return err
	}
	for _, write := range []func() error{e.trainerFile, e.stepFile, e.constantFile, e.kernelFiles, e.trainerTestFile} {
		if err := write(); err != nil {
			return fmt.Errorf("codegen: %w", err)
		}
	}
	return nil
}

// newPlaceTable lays out the tables of all regions.
func newPlaceTable(e *emitter) *placeTable {
	t := &placeTable{e: e, constants: map[string]string{}}
	t.keys, t.keyCount = e.p.Keys()
	e.names["layerNumber"] = true
	for r, l := range ir.Steps(e.p.Pack) {
		for _, v := range r.Out {
			t.constants[ir.At(v.Name, l)] = e.unique(camel(v.Name))
		}
	}
	number := map[string]int{} // name in the store → place
	keep := func(name string) {
		number[name] = len(e.slots) + len(t.kept)
		t.kept = append(t.kept, name)
	}
	for _, p := range e.p.Training.Params {
		keep(p.Name)
	}
	for _, p := range e.p.Training.Params {
		if p.Grad != "" {
			keep(p.Grad)
		}
	}
	for _, w := range e.p.Training.Twins {
		keep(w.Grad)
		number[w.Name] = number[w.Of]
	}
	for _, p := range e.keptParams() {
		keep(p.Name)
	}
	for _, u := range e.p.Training.Updates {
		for name, of := range u.InPlace {
			number[name] = number[of]
		}
	}
	for name, of := range e.p.Training.Sums {
		number[name] = number[of]
	}
	place := func(name string) int {
		if s, ok := e.slot["\x00"+name]; ok {
			return s
		}
		return number[name]
	}
	for _, r := range e.regions {
		rp := &regionPlaces{region: r}
		first, count := span(e.calls, r)
		rp.first, rp.rows = first, make([][]int, count)
		for _, v := range slices.Concat(r.In, r.Out) {
			if v.Kind != ir.Batch && v.Kind != ir.Packed && r.Home(v) == v && !slices.Contains(rp.values, v) {
				rp.values = append(rp.values, v)
				rp.names = append(rp.names, e.unique(camel(r.Name)+title(camel(shortName(strings.ReplaceAll(v.Name, "{l+1}", "next"))))))
			}
		}
		for s, l := range ir.Steps(e.calls) {
			if s != r {
				continue
			}
			var row []int
			for _, v := range rp.values {
				row = append(row, place(ir.At(v.Name, l)))
			}
			rp.rows[l-first] = row
		}
		t.regions = append(t.regions, rp)
	}
	return t
}

// of returns the table of a region.
func (t *placeTable) of(r *ir.Region) *regionPlaces {
	return t.regions[slices.IndexFunc(t.regions, func(p *regionPlaces) bool { return p.region == r })]
}

// ptr returns the expression for the memory of a value as a region of a training program sees it.
func (t *placeTable) ptr(r *ir.Region, v *ir.Value) string {
	rp := t.of(r)
	v = r.Home(v)
	switch i := slices.Index(rp.values, v); {
	case i >= 0:
		return pointer(v, fmt.Sprintf("e.%s[%s]", rp.now(), rp.names[i]))
	case v.Kind == ir.Packed:
		return fmt.Sprintf("&%s[0]", t.constants[v.Name])
	case v.Kind == ir.Batch && strings.HasPrefix(v.Name, ir.KeyPrefix):
		if strings.Contains(v.Name, "{l}") {
			return fmt.Sprintf("&e.Keys[2*(%d+e.layerNumber)]", t.keys[v.Name])
		}
		return fmt.Sprintf("&e.Keys[%d]", 2*t.keys[v.Name])
	case v.Kind == ir.Batch:
		return batchPtr(v)
	}
	return pointer(v, "e."+slotField(t.e.slot[r.Name+"\x00"+v.Name]))
}

// pointer returns the expression for a place in the arena as a pointer to the elements of a value.
func pointer(v *ir.Value, place string) string {
	if v.Type.DType == ir.I32 {
		return "(*int32)(unsafe.Pointer(" + place + "))"
	}
	return place
}

// layered reports whether a value is a key of dropout that depends on the layer.
func (t *placeTable) layered(v *ir.Value) bool {
	_, key := t.keys[v.Name]
	return key && strings.Contains(v.Name, "{l}")
}

// now returns the field of the execution that holds the places for the layer that is running; all returns the field with those of all layers.
func (p *regionPlaces) now() string { return camel(p.region.Name) + "Now" }
func (p *regionPlaces) all() string { return camel(p.region.Name) + "All" }

// table returns the name of the variable that holds the numbers of the places.
func (p *regionPlaces) table() string { return camel(p.region.Name) + "Places" }

// constantFile writes constants.go: what depends on the spec alone, such as the rows of the relative table by offset.
func (e *emitter) constantFile() error {
	if len(e.p.Pack) == 0 {
		return nil
	}
	store := eval.Store{}
	if err := eval.Run(e.p, store, eval.OnlyPack()); err != nil {
		return err
	}
	f := e.newFile()
	for r, l := range ir.Steps(e.p.Pack) {
		for _, v := range r.Out {
			name := ir.At(v.Name, l)
			if name != v.Name {
				return fmt.Errorf("the constant %s depends on the layer", v.Name)
			}
			typ, list := numbers(v, store[name])
			f.Commentf("%s is %s, which depends on the spec alone.", e.places.constants[name], v.Type)
			f.Var().Id(e.places.constants[name]).Op("=").Index(jen.Op("...")).Add(typ).Values(list...)
		}
	}
	return e.add("constants.go", f)
}

// numbers returns the numbers of a constant as they lie in memory. Kernels read whole vectors of a row, so zeros follow its numbers.
func numbers(v *ir.Value, a *ir.Array) (typ *jen.Statement, list []jen.Code) {
	typ = jen.Float32()
	columns := a.Len()
	if len(a.Shape) == 2 {
		columns = a.Shape[1]
	}
	apart := ir.RowFloats(columns)
	if v.Type.DType == ir.I32 {
		typ, apart = jen.Int32(), columns
	}
	floats := a.Floats()
	for i := range a.Len() {
		if v.Type.DType == ir.I32 {
			list = append(list, jen.Lit(int(a.I[i])))
		} else {
			list = append(list, jen.Lit(floats[i]))
		}
		if (i+1)%columns == 0 {
			for range apart - columns {
				list = append(list, jen.Lit(0.0))
			}
		}
	}
	return typ, list
}

// placeCode declares the columns and the rows of the tables.
func (e *emitter) placeCode(f *jen.File) {
	for _, p := range e.places.regions {
		if len(p.values) == 0 {
			continue
		}
		f.Commentf("The columns of %s: what %s reads and writes.", p.table(), camel(p.region.Name))
		f.Const().DefsFunc(func(g *jen.Group) {
			for i, name := range p.names {
				value := g.Id(name).Op("=").Lit(i)
				value.Comment(p.values[i].Type.String())
			}
		})
		f.Commentf("%s holds the place of each value, by layer and column. Places below %d are slots of the arena.", p.table(), len(e.slots))
		f.Var().Id(p.table()).Op("=").Index().Index().Int().ValuesFunc(func(g *jen.Group) {
			for _, row := range p.rows {
				g.Line().ValuesFunc(func(g *jen.Group) {
					for _, n := range row {
						g.Lit(n)
					}
				})
			}
			g.Line()
		})
	}
}
