package codegen_test

import "testing"

// boundarySpec holds trainings of heads that score boundaries: with all that such a head can have in parts, and with the least, in bfloat16.
const boundarySpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 60; dim hidden = 16; dim heads = 2; dim inner = 20; dim layers = 2; dim span = 4; dim reach = 9; dim seq <= 40
}
head all on m {
    take words(first); prompt schema; classes layers 2 * hidden; dropout 0.1; boundaries 12 attend(repeat: 2, heads: 3, window: 2) refine 2 ffn 20
    pool <= 9 from 5 least 2; candidates 10 content 6 soft film 14 inside; absent above 0.5; loss binary_cross_entropy
}
head least on m {
    take words(mean); prompt schema; boundaries 7 attend(repeat: 1, heads: 7); pool <= 300 from 40; candidates 9 film 5
    loss binary_cross_entropy
}
head content on m {
    take words(max); prompt schema; boundaries 8 refine 1 ffn 5; pool <= 6 from 3 least 6; candidates 8 content 5 film 6; absent above 0.1
    loss binary_cross_entropy
}
train all on m.all { batch 8 sequences in parts of 4; epochs 1; rate 1e-3 }
train least on m.least { batch 8 sequences; epochs 1; rate 1e-3; precision bf16 }
train content on m.content { batch 8 sequences in parts of 2; epochs 1; rate 1e-3 }
target t { emit train all; emit train least; emit train content }
`

// TestTrainersOfBoundaries builds training packages of heads that score boundaries and runs the packages' own tests, which compare a step with the reference
// and the gradients with differences.
func TestTrainersOfBoundaries(t *testing.T) { testPackages(t, boundarySpec, nil) }

// TestPackagesOfBoundaries does the same for the forward passes: they compare themselves with the oracle, and each sequence alone with that among others.
func TestPackagesOfBoundaries(t *testing.T) { testForward(t, boundarySpec) }
