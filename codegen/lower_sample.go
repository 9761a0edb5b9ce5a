package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// samplerPath is the import path of the package that draws tokens.
const samplerPath = runtimePath + "/sampler"

// sampleBlock is the number of rows of a unit that draws tokens. A row takes as much work as a chunk of the vocabulary.
const sampleBlock = 4

// sampleLowering draws a token for each row of logits, or of what logits are computed from.
type sampleLowering struct {
	common
	parts bool // sample_parts: the operands are rows, the vocabulary, and what is known of its chunks
}

func (l sampleLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	width, ld := n.In[0].Type.Shape[1].N, stride(n.In[0])
	name, floats := fmt.Sprintf("sample_row_f32_%d_ld%d", width, ld), []string{"z"}
	call := jen.Qual(samplerPath, "Rows")
	numbers := []jen.Code{jen.Lit(width), jen.Lit(ld)}
	if l.parts {
		w, chunk := n.In[1], n.Int("chunk")
		name = fmt.Sprintf("sample_parts_f32_%d_v%d_c%d_ldx%d_ldw%d_ldp%d", width, w.Type.Shape[0].N, chunk, ld, stride(w), stride(n.In[3]))
		floats, numbers = []string{"x", "w", "bias", "parts"}, nil
		call = jen.Qual(samplerPath, "Vocabulary").Values(jen.Dict{jen.Id("Width"): jen.Lit(width), jen.Id("Entries"): jen.Lit(w.Type.Shape[0].N),
			jen.Id("Chunk"): jen.Lit(chunk), jen.Id("LDX"): jen.Lit(ld), jen.Id("LDW"): jen.Lit(stride(w)), jen.Id("LDP"): jen.Lit(stride(n.In[3]))}).
			Dot("Rows")
	}
	s.kernel, err = set.use(name, func(k *kernelUse) error {
		k.params = []kernel.Param{{Name: "y", Type: kernel.I32}}
		for _, name := range floats {
			k.params = append(k.params, kernel.Param{Name: name, Type: kernel.F32})
		}
		k.params = append(k.params, kernel.Param{Name: "given", Type: kernel.I32}, kernel.Param{Name: "key", Type: kernel.I32})
		if l.parts {
			k.params = append(k.params, kernel.Param{Name: "scratch", Type: kernel.F32})
		}
		var args []jen.Code
		for _, p := range k.params {
			args = append(args, jen.Id(p.Name))
		}
		args = append(append(args, numbers...), jen.Id(ir.CountAt), jen.Id(ir.CountRows))
		k.params = append(k.params, kernel.Param{Name: ir.CountAt, Type: kernel.Int}, kernel.Param{Name: ir.CountRows, Type: kernel.Int})
		k.portable = func(name string) (jen.Code, error) {
			return jen.Commentf("%s draws a token for each of m rows, the first of which has the number %s.", name, ir.CountAt).Line().
				Func().Id(name).Params(paramList(k.params)...).Block(call.Clone().Call(args...)), nil
		}
		return nil
	})
	return err
}

func (sampleLowering) units(s *step) units {
	return units{parts(rowsOf(s.node.Out[0]), sampleBlock), fmt.Sprintf("A unit is %d rows.", sampleBlock)}
}

func (l sampleLowering) scratch(s *step) []string {
	if !l.parts {
		return nil
	}
	return []string{fmt.Sprint(s.node.Int("chunk"))}
}

func (l sampleLowering) unit(s *step) []string {
	n := s.node
	lines := []string{fmt.Sprintf("row := unit * %d", sampleBlock), fmt.Sprintf("m := min(%d, %s-row)", sampleBlock, rowsOf(n.Out[0]))}
	args := []string{at(s.ptr(n.Out[0]), "row"), s.row(n.In[0], "row")}
	in := n.In[1:]
	if l.parts {
		bias := "nil"
		if in[1] != nil {
			bias = s.ptr(in[1])
		}
		args = append(args, s.ptr(in[0]), bias, s.row(in[2], "row"))
		in = in[3:]
	}
	args = append(args, at(s.ptr(in[0]), "row"), s.ptr(in[1]))
	if l.parts {
		args = append(args, "e.scratch(worker)")
	}
	return append(lines, s.kernel.run(append(args, "row", "m")...))
}
