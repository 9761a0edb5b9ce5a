package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// pass is one step of the pipeline. It changes the program in place. An error is an internal error, never a fault of the user's spec.
type pass struct {
	name string
	run  func(*ir.Program) error
	doc  string
}

// passes is the pipeline in order. Each pass is one file of this package.
var passes = []pass{
	{"dead", dead, "drop what no output needs"},
	{"rows", rows, "in the last layer, compute only the rows that the head reads"},
	{"fuse", fuse, "join the score's terms into one attention, and element-wise work to the product before it"},
	{"bf16", bf16Weights, "round rows and weights of products to bfloat16, if the target asks for such weights"},
	{"tile", tile, "choose kernels, row strides and packed layouts"},
	{"fold", fold, "move what depends on weights alone to the time when weights are packed"},
	{"adapt", adapt, "let calls choose low-rank adapters of products, if the target asks for them"},
	{"memory", memory, "assign slots of one arena by lifetimes"},
	{"threads", threads, "split steps over the pool"},
}

// before is one reason why a pass comes before another.
type before struct{ first, then, reason string }

// order holds the reasons for the order of passes; init checks them.
var order = []before{
	{"dead", "fuse", "a value that nothing reads would count as a second use, and a pattern would not match"},
	{"rows", "fuse", "the last layer becomes a region of its own before its nodes are joined"},
	{"fuse", "tile", "a kernel is chosen for what remains after joining"},
	{"fuse", "fold", "fuse scales and concatenates weights; fold moves that work to packing time"},
	{"fuse", "bf16", "the products are found by the op that computes them"},
	{"bf16", "fold", "weights are rounded when they are packed"},
	{"tile", "fold", "tile asks for packed layouts; fold moves that work to packing time"},
	{"fold", "adapt", "the tensors of the checkpoint that a product's matrix consists of are found where it is packed"},
	{"adapt", "memory", "what an adapter adds to a product needs a place in the arena"},
	{"fold", "memory", "values that fold moves need no place in the arena"},
	{"tile", "memory", "a buffer's size follows from the row stride that tile chooses"},
	{"tile", "threads", "the kernel decides what can be divided"},
}

func init() {
	at := map[string]int{}
	for i, p := range passes {
		at[p.name] = i
	}
	for _, o := range order {
		f, ok1 := at[o.first]
		t, ok2 := at[o.then]
		if !ok1 || !ok2 || f >= t {
			panic(fmt.Sprintf("compiler: pass %s must come before %s: %s", o.first, o.then, o.reason))
		}
	}
	for _, l := range lives {
		if place(l.from) < 0 || l.until != "" && place(l.until) <= place(l.from) {
			panic(fmt.Sprintf("compiler: %s exist from pass %q until pass %q, which is not their order", l.what, l.from, l.until))
		}
	}
}

// PassInfo is the name and the description of a pass, for listings.
type PassInfo struct{ Name, Doc string }

// Passes returns the pipeline in order, for `debertac dump --after`.
func Passes() []PassInfo {
	out := make([]PassInfo, len(passes))
	for i, p := range passes {
		out[i] = PassInfo{p.name, p.doc}
	}
	return out
}

// runPasses runs the pipeline up to and including the pass named last ("": all passes; "build": no pass). It calls ir.Verify after each pass, with the table of
// what can exist there.
func runPasses(p *ir.Program, last string) error {
	if err := verifyAfter(p, beforePasses); err != nil {
		return fmt.Errorf("after build: %w", err)
	}
	if err := weightSizes(p); err != nil {
		return err
	}
	if last == beforePasses {
		return nil
	}
	return runPassesFrom(p, "", last)
}

// runPassesFrom runs the passes after the one named first ("" for all), up to and including the one named last.
func runPassesFrom(p *ir.Program, first, last string) error {
	begun := first == ""
	for _, ps := range passes {
		if !begun {
			begun = ps.name == first
			continue
		}
		if err := ps.run(p); err != nil {
			return fmt.Errorf("pass %s: %w", ps.name, err)
		}
		if err := verifyAfter(p, ps.name); err != nil {
			return fmt.Errorf("after pass %s: %w", ps.name, err)
		}
		if ps.name == last {
			return nil
		}
	}
	if last != "" {
		return fmt.Errorf("no pass is named %q", last)
	}
	return callSizes(p)
}
