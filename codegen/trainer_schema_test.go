package codegen_test

import "testing"

// schemaSpec holds trainings of heads that read a schema: each form of fields, in parts and in bfloat16, and a head with classes alone.
const schemaSpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 60; dim hidden = 16; dim heads = 2; dim inner = 20; dim layers = 2; dim span = 4; dim reach = 9; dim seq <= 40
}
head all on m {
    take words(first); prompt schema; classes layers 2 * hidden; counts 4 layers 12; gru 4 steps; fields layers 4 * hidden; spans <= 3 markers
    loss binary_cross_entropy
}
head experts on m {
    take words(mean); prompt schema; counts 3 layers 12; gru 2 steps; fields experts(count: 3) 20; spans <= 4 markers; loss binary_cross_entropy
}
head attend on m {
    take words(max); prompt schema; classes layers 9, 8; counts 4 layers 12; gru 3 steps
    fields attend(repeat: 2, heads: 2, width: 12, ffn: 20) 16, 8; spans <= 3 markers; loss binary_cross_entropy
}
head classes on m { take words(first); prompt schema; classes layers 10; loss binary_cross_entropy }
train all on m.all { batch 8 sequences in parts of 4; epochs 1; rate 1e-3 }
train experts on m.experts { batch 8 sequences; epochs 1; rate 1e-3 }
train attend on m.attend { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; precision bf16 }
train classes on m.classes { batch 8 sequences; epochs 1; rate 1e-3 }
target t { emit train all; emit train experts; emit train attend; emit train classes }
`

// TestTrainersOfSchemas builds training packages of heads that read a schema and runs the packages' own tests.
func TestTrainersOfSchemas(t *testing.T) { testPackages(t, schemaSpec, nil) }

// TestPackagesOfSchemas does the same for the forward passes: they compare themselves with the oracle, and each sequence alone with that among others.
func TestPackagesOfSchemas(t *testing.T) { testForward(t, schemaSpec) }
