package codegen_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// TestEveryActivation compiles a model with each activation of the language for every instruction set: at the end of a product, and after a norm, where a
// kernel of its own applies it. A row that is missing in one of the tables of words, ops and kernels fails here.
func TestEveryActivation(t *testing.T) {
	var isas []string
	for _, isa := range kernel.ISAs() {
		if isa.Extends == "" {
			isas = append(isas, isa.Name)
		}
	}
	slices.Reverse(isas)
	for _, act := range spec.Acts {
		t.Run(act, func(t *testing.T) {
			text := fmt.Sprintf(`dspec 1
model m like deberta_v3_base {
	checkpoint own; tokenizer none
	defaults { act %[1]s }
	dim vocab = 20; dim hidden = 16; dim heads = 1; dim inner = 24; dim layers = 1; dim span = 4; dim reach = 9; dim seq <= 16
}
target t { isa %[2]s, go; emit infer m.c }
head c on m { take first; linear hidden; norm; act %[1]s; linear 2 as labels("a", "b") }
`, act, strings.Join(isas, ", "))
			p := emit(t, "act.dspec", text)
			var files strings.Builder
			for _, f := range p.Files {
				files.Write(f.Text)
			}
			if act == "identity" { // no step at all
				require.NotContains(t, files.String(), act+"_")
				return
			}
			require.NotNil(t, ir.Lookup(act), "no op")
			names := strings.Join(regexp.MustCompile(`\b(gemm|act)_f32_\w+`).FindAllString(files.String(), -1), "\n")
			for _, isa := range append([]string{kernel.Generic}, isas...) {
				require.Regexp(t, `(?m)^gemm_f32_\w+_bias_`+act+`_`+isa+`$`, names)
				require.Regexp(t, `(?m)^act_f32_`+act+`_\w+_`+isa+`$`, names)
			}
		})
	}
}
