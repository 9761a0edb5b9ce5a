package compiler_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// TestVectorsKeepNames checks that a program without vectors finds its tensors in weights that are packed with vectors.
func TestVectorsKeepNames(t *testing.T) {
	heads := map[string]string{
		"boundaries": `take words(first); prompt schema; classes layers 2 * hidden; boundaries 12 attend(repeat: 2, heads: 3, window: 2) refine 2 ffn 20
			pool <= 9 from 5 least 2; candidates 10 content 6 soft film 14 inside; absent above 0.5; loss binary_cross_entropy`,
		"experts": `take words(first); prompt schema; classes layers 16; counts 4 layers 16; gru 4 steps; fields experts(count: 4) 2 * hidden
			spans <= 3 markers; loss binary_cross_entropy`,
		"attend": `take words(first); prompt schema; counts 4 layers 16; gru 4 steps; fields attend(repeat: 2, heads: 4, width: 16, ffn: 20) 16
			spans <= 3 markers; loss binary_cross_entropy`,
		"words": `take words(first); linear 32; lstm 16 both; prompt labels mark "<<ENT>>" end "<<SEP>>"; tokens start end inside; loss binary_cross_entropy`,
	}
	for _, r := range tasktable.Table {
		if r.Vectors {
			heads[string(r.Task)] = r.Sample
		}
	}
	for name, head := range heads {
		var shapes [2]map[string]string
		for i, word := range []string{"", "vectors"} {
			text := fmt.Sprintf("dspec 1\nmodel m like deberta_v3_small { checkpoint own }\nhead h on m { %s }\ntarget t {\n%s\nemit infer m.h }\n", head, word)
			s, faults := spec.ParseAndResolve(name, []byte(text))
			require.NotNil(t, s, "%s: %v", name, faults)
			units, faults, err := compiler.Compile(s, compiler.Options{})
			require.NoError(t, err)
			require.NotEmpty(t, units, "%s: %v", name, faults)
			shapes[i] = map[string]string{}
			for _, r := range units[0].Program.Regions {
				for _, v := range packedOf(r) {
					shapes[i][v.Name] = v.Type.String()
				}
			}
		}
		require.NotEmpty(t, shapes[0])
		require.Subset(t, shapes[1], shapes[0], name)
	}
}

// packedOf returns the packed tensors that a region reads.
func packedOf(r *ir.Region) (list []*ir.Value) {
	for _, n := range r.Nodes {
		for _, v := range n.In {
			if v != nil && v.Kind == ir.Packed {
				list = append(list, v)
			}
		}
	}
	return list
}
