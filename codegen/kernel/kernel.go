package kernel

import (
	"fmt"
	"strings"
)

// Type is the Go type of a kernel's parameter.
type Type string

// The types that kernels take. A plain pointer points at the first element.
const (
	F32 Type = "*float32"
	I32 Type = "*int32"
	Int Type = "int"
)

// Param is one parameter of a kernel's Go signature.
type Param struct {
	Name string
	Type Type
}

// params lists parameters: the names in names (separated by spaces) have type t.
func params(names string, t Type) []Param {
	var ps []Param
	for _, n := range strings.Fields(names) {
		ps = append(ps, Param{n, t})
	}
	return ps
}

// Kernel is one assembly function with constant shapes.
type Kernel struct {
	Name   string  // <family>_<dtype>_<params>_<isa>, a Go identifier
	Family string  // a name of [Families]
	ISA    ISA     // instruction set
	Params []Param // Go signature; kernels have no results
	Doc    string  // what it computes, with shapes; does not begin with the name

	err  error // why the family refuses the parameters; Assemble reports it
	emit func(a *asm)
}

// Signature returns the Go function type, e.g. "func(y, x *float32, m int)".
func (k Kernel) Signature() string { return "func" + k.paramList() }

// Declaration returns the Go declaration, e.g. "func name(y *float32, m int)".
func (k Kernel) Declaration() string { return "func " + k.Name + k.paramList() }

func (k Kernel) paramList() string {
	var b strings.Builder
	for i, p := range k.Params {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(p.Name)
		if i+1 == len(k.Params) || k.Params[i+1].Type != p.Type {
			b.WriteString(" " + string(p.Type))
		}
	}
	return "(" + b.String() + ")"
}

// Family is a kind of kernel: a row of the table that [Families] returns.
type Family struct {
	Name string
	Doc  string   // one line
	ISAs []string // instruction sets that it has kernels for

	// Samples returns the kernels that are checked in, tested and measured
	// under generated/kernels: shapes of real models, and odd ones.
	Samples func(isa ISA) []Kernel
}

// families is the table of families, one row per family. Keep it sorted by name.
var families = []Family{
	actFamily,
	actGradFamily,
	attnFamily,
	colSumFamily,
	dropoutFamily,
	embedFamily,
	gemmFamily,
	gemmTNFamily,
	gruFamily,
	layerNormFamily,
	layerNormGradFamily,
	lstmFamily,
	momentsFamily,
	pairAttnFamily,
	pairEmbedFamily,
	pairGemmFamily,
	pairGemmTNFamily,
	pairsFamily,
	panelsFamily,
	peakFamily,
	spansFamily,
	updateFamily,
}

// Families returns the table of kernel families, sorted by name.
func Families() []Family { return append([]Family(nil), families...) }

// FindFamily returns the family with the given name.
func FindFamily(name string) (Family, bool) {
	for _, f := range families {
		if f.Name == name {
			return f, true
		}
	}
	return Family{}, false
}

// Samples returns the samples of every family and instruction set, in the order of the tables.
func Samples() []Kernel {
	var ks []Kernel
	for _, f := range families {
		for _, name := range f.ISAs {
			if isa, ok := FindISA(name); ok {
				ks = append(ks, f.Samples(isa)...)
			}
		}
	}
	return ks
}

// Number returns a float as part of a Go identifier, see [number].
func Number(x float64) string { return number(x) }

// number returns a float as part of a Go identifier: 1e-07 becomes 1em07, 0.5 becomes 0p5.
func number(x float64) string {
	return strings.NewReplacer("-", "m", ".", "p", "+", "").Replace(fmt.Sprint(x))
}
