package ir_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	_ "github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/ragged"
)

// parse reads a program that the test wrote.
func parse(t *testing.T, text string) *ir.Program {
	p, err := ir.Parse(text)
	require.NoError(t, err, text)
	return p
}

func TestVerify(t *testing.T) {
	require.NoError(t, ir.Verify(parse(t, example)))
	for _, c := range []struct{ old, new, want string }{
		{"bounds 2", "bounds 0", "the bound on sequences is 0"},
		{"outputs x.2", "outputs x.3", "no call of the schedule writes the output x.3"},
		{"outputs x.2", "outputs x.2, table", "no call of the schedule writes the output table"},
		{"embed(table, ids)", "lookup(table, ids)", "region embed: node 0 (zoo/a.dspec:4:9): op lookup: no op has this name"},
		{"embed(table, ids)", "embed(table)", "region embed: node 0 (zoo/a.dspec:4:9): op embed: operand 1 (ids) is missing"},
		{"embed(table, ids)", "embed(table, table)", "operand 1 (ids) is f32, not i32"},
		{"f32[T, 4] ld 16", "f32[T, 5] ld 16", "result x.0 is f32[T, 5], the op returns f32[T, 4]"},
		{"f32[T, 4] ld 16", "f32[T, 4] ld 3", "x.0 is f32[T, 4] with rows 3 apart"},
		{"in tensor table f32[7, 4]", "in tensor table f32[0, 4]", "the extent 0 is neither positive nor one of B, T, M, G, W, C, Q, P, U, R, S, X"},
		{"in tensor table f32[7, 4]", "in tensor table f32[V, 4]", "the extent V is neither positive nor one of B, T, M, G, W, C, Q, P, U, R, S, X"},
		{"linear(x.{l}, w.{l}, _) @7:1:9", "linear(x.{l}, w.{l}, _, _, _) @7:1:9",
			"region layer: node 0 (tiny.dspec:7:1): op linear: 5 operands where 4 are known"},
		{"{by = 0.5}", "", "attribute by is missing"},
		{"{by = 0.5}", "{by = 2}", "attribute by is 2 (int), not a finite float"},
		{"{by = 0.5}", "{by = 0.5, to = 1}", "attribute \"to\" is unknown"},
		{"run embed 0 1\n", "", "region layer, layer 0: the state input x.0 has not been written"},
		{"run layer 0 2", "run layer 1 2", "layer 1: the state input x.1 has not been written"},
		{"run layer 0 2", "run layer 0 2\nrun layer 1 1", "layer 1: x.2 is written a second time"},
		{"run layer 0 2", "run layer 0 0", "0 calls from layer 0"},
		{"in state x.{l} f32[T, 4]", "in state x.{l} f32[T, 4]\n\tin packed y f32[4]", "the packed input y has not been written"},
		{"run embed 0 1\n", "pack embed 0 1\n", "the input ids is of the batch"},
		{"out x.0", "out x.0, x.0", "the output x.0 is given twice"},
	} {
		text := strings.Replace(example, c.old, c.new, 1)
		require.NotEqual(t, example, text, c.old)
		require.ErrorContains(t, ir.Verify(parse(t, text)), c.want, text)
	}
}

// TestVerifyPointers checks faults that cannot be written in the text form.
func TestVerifyPointers(t *testing.T) {
	for _, c := range []struct {
		change func(p *ir.Program)
		want   string
	}{
		{func(p *ir.Program) { p.Regions[1].Name = "embed" }, "two regions are named \"embed\""},
		{func(p *ir.Program) { n := p.Regions[1].Nodes; n[0], n[1] = n[1], n[0] }, "operand 0, linear0, is not defined before it is used"},
		{func(p *ir.Program) { p.Regions[1].Nodes[0].Out[0].Def = nil }, "result 0 does not point back at its node"},
		{func(p *ir.Program) { p.Regions[1].Nodes[0].Out[0].Name = "x.{l}" }, "two values are named \"x.{l}\""},
		{func(p *ir.Program) { p.Regions[1].In[0].Kind = ir.Temp }, "input x.{l} is computed by a node"},
		{func(p *ir.Program) { p.Regions[1].Out[0] = &ir.Value{Name: "z"} }, "an output is neither an input nor the result of a node"},
		{func(p *ir.Program) { p.Regions = p.Regions[:1] }, "a call of a region that the program does not list"},
		{func(p *ir.Program) { p.Plan = &ir.Plan{Steps: []ir.Step{{Region: "layer", Node: 2}}} }, "a step for node 2 of region \"layer\""},
		{func(p *ir.Program) {
			p.Plan = &ir.Plan{Buffers: []ir.Buffer{{Value: "q", Space: ir.Space{Per: [ragged.Extents]int{ragged.T: -1}}}}}
		}, "the buffer of q has a negative number"},
	} {
		p := parse(t, example)
		c.change(p)
		require.ErrorContains(t, ir.Verify(p), c.want)
	}
}
