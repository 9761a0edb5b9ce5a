package kernel

import (
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/reg"
)

// compile is pass.Compile with a faster liveness, and with the bytes of instructions that avo does not know.
var compile = pass.Concat(
	pass.Verify,
	pass.FunctionPass(pass.PruneJumpToFollowingLabel),
	pass.FunctionPass(pass.PruneDanglingLabels),
	pass.FunctionPass(pass.LabelTarget),
	pass.FunctionPass(pass.CFG),
	pass.InstructionPass(pass.ZeroExtend32BitOutputs),
	pass.FunctionPass(liveness),
	pass.FunctionPass(pass.AllocateRegisters),
	pass.FunctionPass(pass.BindRegisters),
	pass.FunctionPass(pass.VerifyAllocation),
	pass.FunctionPass(encode),
	pass.FunctionPass(pass.EnsureBasePointerCalleeSaved),
	pass.Func(pass.IncludeTextFlagHeader),
	pass.FunctionPass(pass.PruneSelfMoves),
	pass.FunctionPass(pass.RequiredISAExtensions),
)

// A register has a mask of 16 bits, one for each of its parts, so a word of 64 bits holds the masks of 4 registers.
const (
	maskBits    = 16
	wordHolds   = 64 / maskBits
	wholeOfMask = 1<<maskBits - 1
)

// liveness computes what pass.Liveness computes, the registers that are live after each instruction, by the same equations. That pass keeps a map per
// instruction, and took more than half of the processor time of `debertac compile`. Here a set is a row of words. LiveOut is set where avo reads it,
// at instructions that
// write a register. LiveIn is not set.
func liveness(fn *ir.Function) error {
	list := fn.Instructions()
	place := make(map[*ir.Instruction]int, len(list))
	number := map[reg.ID]int{}
	var ids []reg.ID
	count := func(rs []reg.Register) {
		for _, r := range rs {
			if _, ok := number[r.ID()]; !ok {
				number[r.ID()] = len(ids)
				ids = append(ids, r.ID())
			}
		}
	}
	for i, in := range list {
		place[in] = i
		count(in.InputRegisters())
		count(in.OutputRegisters())
	}
	words := (len(ids) + wordHolds - 1) / wordHolds
	row := func(of []uint64, i int) []uint64 { return of[i*words : (i+1)*words] }
	add := func(to []uint64, rs []reg.Register) {
		for _, r := range rs {
			n := number[r.ID()]
			to[n/wordHolds] |= uint64(r.Mask()) << (n % wordHolds * maskBits)
		}
	}
	before, after, written := make([]uint64, len(list)*words), make([]uint64, len(list)*words), make([]uint64, len(list)*words)
	for i, in := range list {
		add(row(before, i), in.InputRegisters())
		add(row(written, i), in.OutputRegisters())
	}
	for changed := true; changed; {
		changed = false
		for i := len(list) - 1; i >= 0; i-- { // backward, as liveness flows
			out, in, def := row(after, i), row(before, i), row(written, i)
			for _, next := range list[i].Succ {
				if next == nil {
					continue
				}
				for w, live := range row(before, place[next]) {
					out[w] |= live
				}
			}
			for w, live := range out {
				if more := in[w] | live&^def[w]; more != in[w] {
					in[w], changed = more, true
				}
			}
		}
	}
	for i, in := range list {
		if len(in.OutputRegisters()) == 0 {
			continue
		}
		in.LiveOut = reg.NewEmptyMaskSet()
		for w, live := range row(after, i) {
			for n := w * wordHolds; live != 0; n, live = n+1, live>>maskBits {
				if mask := uint16(live & wholeOfMask); mask != 0 {
					in.LiveOut[ids[n]] = mask
				}
			}
		}
	}
	return nil
}
