package kernel

import (
	"testing"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
	"github.com/stretchr/testify/require"
)

// TestLiveness compares the live registers of the samples of all families with those that avo computes.
func TestLiveness(t *testing.T) {
	looked := 0
	for _, f := range Families() {
		for _, isa := range ISAs() {
			samples := f.Samples(isa)
			if len(samples) == 0 {
				continue
			}
			k := samples[len(samples)-1]
			require.NoError(t, k.err, k.Name)
			ctx := build.NewContext()
			ctx.Function(k.Name)
			ctx.Attributes(attr.NOSPLIT)
			ctx.SignatureExpr(k.Signature())
			k.emit(&asm{Context: ctx, ISA: k.ISA, pool: &pool{}, labels: map[string]int{}})
			file, err := ctx.Result()
			require.NoError(t, err)
			require.NoError(t, pass.Concat(pass.FunctionPass(pass.LabelTarget), pass.FunctionPass(pass.CFG),
				pass.InstructionPass(pass.ZeroExtend32BitOutputs), pass.FunctionPass(pass.Liveness)).Execute(file))
			fn := file.Functions()[0]
			var want []reg.MaskSet
			for _, in := range fn.Instructions() {
				want = append(want, in.LiveOut)
				in.LiveIn, in.LiveOut = nil, nil
			}
			require.NoError(t, liveness(fn))
			for i, in := range fn.Instructions() {
				if len(in.OutputRegisters()) == 0 {
					continue
				}
				looked++
				require.Equal(t, want[i], in.LiveOut, "%s: %s %v", k.Name, in.Opcode, in.Operands)
			}
		}
	}
	require.Greater(t, looked, 2000)
}
