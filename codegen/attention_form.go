package codegen

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/attention"
)

// attentionPath is the import path of the package that computes attentions around their kernels.
const attentionPath = runtimePath + "/attention"

// attentionConstants returns the constants of an attention node.
func attentionConstants(n *ir.Node) kernel.AttentionParams {
	s := attention.Shape{DP: n.Int("dp"), LDQ: n.In[ops.AttnQKV].LD, LDK: n.In[ops.AttnQKV].LD, LDO: n.Out[0].LD,
		Masked: ops.AttentionMasked(n), Pairs: n.Flag("bf16"), Terms: attention.Terms{
			Content: n.Flag("cc"), KeyPosition: signOf(n.Flag("cp"), n.Flag("flip_cp")), QueryPosition: signOf(n.Flag("pc"), n.Flag("flip_pc")),
			Bias: operand(n, ops.AttnBias) != nil,
		}}
	if ops.AttentionMixes(n) {
		s.Mixed = n.Int("heads")
	}
	if q := operand(n, ops.AttnQ); q != nil {
		s.LDQ = q.LD
	}
	for which := range 2 {
		if t := operand(n, ops.AttentionTable(n, which)); t != nil {
			s.R = t.Type.Shape[1].N * kernel.PanelWidth
		}
	}
	return kernel.AttentionParams{D: n.Int("d"), Shape: s}
}

// attentionName returns the name of a node's form, without the instruction set.
func attentionName(n *ir.Node) string {
	name := baseName(kernel.AttentionName(attentionConstants(n), kernel.Generic))
	if ops.AttentionMixes(n) {
		name += fmt.Sprintf("_%dheads", n.Int("heads"))
		for k, what := range []string{"_mixscore", "_mixweight"} {
			if operand(n, ops.AttnMixScore+k) != nil {
				name += what
			}
		}
	}
	return name
}

// formCode returns the declaration of an attention's form for an instruction set, or for plain Go if isa is nil.
func formCode(name string, p kernel.AttentionParams, isa *kernel.ISA, portable string) *jen.Statement {
	what, in := "one head", "plain Go"
	if p.Mixed > 0 {
		what = "all heads"
	}
	fields := []field{{"Shape", shapeCode(&p.Shape)}}
	if isa != nil {
		in = "blocks, with kernels for " + isa.Doc
		fields = append(fields, field{"Kernels", kernelsCode[attention.Kernels]("Kernels", rateFields(p, *isa), p, *isa)})
		if p.Pairs {
			fields = append(fields, field{"PairKernels", kernelsCode[attention.PairKernels]("PairKernels", nil, p, *isa)})
		}
	}
	fields = append(fields, field{"Portable", jen.Id(portable)})
	return jen.Commentf("%s computes %s of an attention in %s, with the score %s.", name, what, in, scoreText(p.Terms)).Line().
		Var().Id(name).Op("=").Qual(attentionPath, "Form").Add(literal(true, fields...))
}

// shapeCode returns the literal of a shape, without the fields that are zero.
func shapeCode(s *attention.Shape) jen.Code {
	fields := []field{{"DP", jen.Lit(s.DP)}, {"LDQ", jen.Lit(s.LDQ)}, {"LDK", jen.Lit(s.LDK)}, {"LDO", jen.Lit(s.LDO)}}
	if s.R > 0 {
		fields = append(fields, field{"R", jen.Lit(s.R)})
	}
	fields = append(fields, field{"Terms", termsCode(s.Terms)})
	if s.Masked {
		fields = append(fields, field{"Masked", jen.True()})
	}
	if s.Pairs {
		fields = append(fields, field{"Pairs", jen.True()})
	}
	if s.Mixed > 0 {
		fields = append(fields, field{"Mixed", jen.Lit(s.Mixed)})
	}
	return jen.Qual(attentionPath, "Shape").Add(literal(false, fields...))
}

// termsCode returns the literal of the terms of a score.
func termsCode(t attention.Terms) jen.Code {
	var terms []field
	if t.Content {
		terms = append(terms, field{"Content", jen.True()})
	}
	for _, t := range []struct {
		name string
		sign attention.Sign
	}{{"KeyPosition", t.KeyPosition}, {"QueryPosition", t.QueryPosition}} {
		if word := map[attention.Sign]string{attention.Forward: "Forward", attention.Reverse: "Reverse"}[t.sign]; word != "" {
			terms = append(terms, field{t.name, jen.Qual(attentionPath, word)})
		}
	}
	if t.Bias {
		terms = append(terms, field{"Bias", jen.True()})
	}
	return jen.Qual(attentionPath, "Terms").Add(literal(false, terms...))
}

// kernelsCode returns the literal of those inner kernels that are fields of a struct of package attention.
func kernelsCode[T any](typ string, fields []field, p kernel.AttentionParams, isa kernel.ISA) jen.Code {
	for _, j := range kernel.AttentionJobs(p, isa) {
		if hasField[T](j.Field) {
			fields = append(fields, field{j.Field, jen.Id(j.Name)})
		}
	}
	return jen.Qual(attentionPath, typ).Add(literal(true, fields...))
}

// rateFields returns the fields of [attention.Kernels] that are numbers.
func rateFields(p kernel.AttentionParams, isa kernel.ISA) []field {
	return []field{{"Lanes", jen.Lit(isa.Lanes())}, {"TableRows", jen.Lit(kernel.AttentionTableRows(isa))},
		{"TablePanels", jen.Lit(kernel.AttentionTablePanels(p, isa))}}
}

// scoreText returns the score in words.
func scoreText(t attention.Terms) string {
	var parts []string
	add := func(s attention.Sign, text string) {
		switch s {
		case attention.Forward:
			parts = append(parts, fmt.Sprintf(text, "i-j"))
		case attention.Reverse:
			parts = append(parts, fmt.Sprintf(text, "j-i"))
		}
	}
	if t.Content {
		parts = append(parts, "q[i]·k[j]")
	}
	add(t.KeyPosition, "q[i]·KR[index[%s]]")
	add(t.QueryPosition, "k[j]·QR[index[%s]]")
	if t.Bias {
		parts = append(parts, "bias[i-j]")
	}
	return strings.Join(parts, " + ")
}

// callFields maps the arguments of the op's loop nest to the fields of [attention.Call].
var callFields = map[string]string{
	"o": "O", "q": "Q", "k": "K", "v": "V", "kr": "KR", "qr": "QR", "krpairs": "KRPairs", "qrpairs": "QRPairs", "bias": "Bias",
	"mixscore": "MixScore", "mixweight": "MixWeight",
	"index": "Index", "pos": "Positions", "scratch": "Scratch", "n": "N", "i0": "From", "i1": "To", "prefix": "Prefix",
}

// portableStrip returns the op's loop nest as a function of a call.
func portableStrip(name string, n *ir.Node) (jen.Code, error) {
	nest, err := ir.Lookup(n.Op).Lower(n)
	if err != nil {
		return nil, err
	}
	fn, err := nestCall(name, nest, jen.Qual(attentionPath, "Call"), callFields)
	if err != nil {
		return nil, err
	}
	return nestDoc(name, nest).Line().Add(fn), nil
}
