package codegen

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/dave/jennifer/jen"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// attendRegion returns a region with the node of a sample of attend or attend_grad. Rows of matrices are whole panels; tables lie densely.
func attendRegion(t *testing.T, op string, s ir.Sample) *ir.Region {
	r := &ir.Region{Name: "layer"}
	b := ir.NewBuilder(r)
	var in []*ir.Value
	for k, a := range s.In {
		switch a.Fill {
		case ir.FillMissing:
			in = append(in, nil)
		case ir.FillPart:
			in = append(in, b.Input(a.Part.Row().Operand, ir.Batch, a.Type))
		default:
			kind := ir.State
			if a.Type.DType == ir.I32 { // a field of the execution has its type
				kind = ir.Batch
			}
			in = append(in, b.Input(fmt.Sprintf("in%d", k), kind, a.Type))
		}
	}
	b.Node(op, r.Pos, "score", s.Attrs, in...)
	require.NoError(t, b.Err())
	for _, v := range slices.Concat(r.In, r.Nodes[0].Out) {
		if len(v.Type.Shape) == 2 && !v.Type.Shape[0].Const() {
			v.LD = (v.Type.Shape[1].N + 15) / 16 * 16
		}
	}
	return r
}

// TestAttendLowering prints the forms and the calls for every sample of attend and attend_grad, and checks their types. Every operand and every result of a
// node must be in its call.
func TestAttendLowering(t *testing.T) {
	f := jen.NewFile("m")
	f.ImportName(attentionPath, "attention")
	f.ImportName(enginePath, "engine")
	var fields, slots []jen.Code
	calls, named, declared := 0, map[string]bool{}, map[string]kernel.Kernel{}
	for _, op := range []string{"attend", "attend_grad"} {
		for i, s := range ir.Lookup(op).Sample() {
			r := attendRegion(t, op, s)
			e := &emitter{p: &ir.Program{Meta: ir.Meta{ISAs: []string{kernel.AVX512, kernel.AVX2}}}, slot: map[string]int{}}
			n, l := r.Nodes[0], lowerOf(r.Nodes[0])
			for k, v := range slices.Concat(r.In, n.Out) {
				e.slot[r.Name+"\x00"+v.Name] = k
			}
			e.kernels = newKernelSet(e, e.p)
			st := &step{e: e, region: r, node: n, lower: l}
			require.NoError(t, l.kernels(e.kernels, st))
			text := strings.Join(l.unit(st), "\n")
			for _, v := range slices.Concat(r.In, n.Out) {
				want := slotField(e.slot[r.Name+"\x00"+v.Name])
				if v.Kind == ir.Batch {
					want = "e." + camel(v.Name)
					if word := map[string]string{"starts": "e.Starts", "pos": "e.Holes", "prefix": "e.Prefix", "rows": "e.Rows"}[v.Name]; word != "" {
						want = word
					}
				}
				require.Regexp(t, want+`\b`, text, "%s %d reads or writes %s", op, i, v.Name)
			}
			name := fmt.Sprintf("%s_%d", st.kernel.field, i)
			code, err := st.kernel.portable(name)
			require.NoError(t, err)
			f.Add(code).Line()
			for _, isa := range e.kernels.isas {
				driver := st.kernel.driver[isa.Name]
				require.Equal(t, strings.Contains(st.kernel.field, "_mix"), driver == nil, "kernels of %s", st.kernel.field)
				if driver == nil {
					continue
				}
				code, err := driver(fmt.Sprintf("%s_%s_%d", st.kernel.field, isa.Name, i))
				require.NoError(t, err)
				f.Add(code).Line()
				for _, k := range st.kernel.asm[isa.Name] {
					declared[k.Name] = k
				}
			}
			f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(fmt.Sprintf("call%d", calls)).Params(jen.List(jen.Id("worker"), jen.Id("unit")).Int()).
				Block(raw("%s", text))
			if !named[st.kernel.field] {
				fields = append(fields, jen.Id(st.kernel.field).Op("*").Qual(attentionPath, "Attend"))
			}
			named[st.kernel.field] = true
			require.Contains(t, l.scratch(st)[0], "portable."+st.kernel.field)
			calls++
		}
	}
	for k := range 2 * (ops.AttendKey + 2) {
		slots = append(slots, jen.Id(slotField(k)).Op("*").Float32())
	}
	slots = append(slots, jen.List(jen.Id("in6"), jen.Id("in7"), jen.Id("in13"), jen.Id("in14")).Op("*").Int32())
	for name, k := range declared {
		f.Func().Id(name).Params(paramList(k.Params)...)
	}
	f.Type().Id("exec").Struct(append(slots, jen.Op("*").Qual(enginePath, "Exec"), jen.Id("k").Struct(fields...))...)
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id("scratch").Params(jen.Int()).Op("*").Float32().Block(jen.Return(jen.Nil()))
	text, err := render(f)
	require.NoError(t, err)
	typeCheck(t, text)
}

// typeCheck checks the types of a file that uses the runtime's packages attention and engine.
func typeCheck(t *testing.T, text []byte) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	out, err := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", attentionPath, enginePath).Output()
	require.NoError(t, err)
	at := map[string]string{}
	for _, line := range strings.Fields(string(out)) {
		path, file, _ := strings.Cut(line, "=")
		at[path] = file
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, "m.go", text, parser.SkipObjectResolution)
	require.NoError(t, err)
	imports := importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(at[path]) })
	_, err = (&types.Config{Importer: imports}).Check("m", files, []*ast.File{parsed}, nil)
	require.NoError(t, err, string(text))
}
