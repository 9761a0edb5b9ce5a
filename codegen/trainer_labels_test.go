package codegen_test

import "testing"

// labelsSpec holds trainings of heads that score labels which are given at run time: each score, and the poolings that have gradients of their own.
const labelsSpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 60; dim hidden = 16; dim heads = 2; dim inner = 20; dim layers = 2; dim span = 4; dim reach = 9; dim seq <= 40
    embed { segment 3 }
}
head layers on m {
    take labels(mean); prompt labels mark "<<LABEL>>" end "<<SEP>>"; text max from end; linear hidden; act; linear hidden; dropout 0.1
    score layers 12, 8; loss focal
}
head weighted on m {
    take labels(first); prompt labels mark "<<LABEL>>" end "<<SEP>>"; lstm hidden / 2 both; text rms from end; linear 10; unit scaled; score weighted 24
    loss binary_cross_entropy
}
head hopfield on m { take labels(first); prompt labels last mark "<<LABEL>>" end "<<SEP>>"; text abs_mean; score hopfield 12, 8; loss focal }
head attend on m {
    take labels(mean); prompt labels mark "<<LABEL>>" end "<<SEP>>"; text each from end; linear hidden; act; norm; score attend(heads: 4) 12, 8
    loss binary_cross_entropy
}
train layers on m.layers { batch 8 sequences in parts of 4; epochs 1; rate 1e-3 }
train weighted on m.weighted { batch 8 sequences; epochs 1; rate 1e-3; smooth 0.1 }
train hopfield on m.hopfield { batch 8 sequences; epochs 1; rate 1e-3 }
train attend on m.attend { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; precision bf16 }
target t { emit train layers; emit train weighted; emit train hopfield; emit train attend }
`

// TestTrainersOfLabels builds training packages of heads that score labels and runs the packages' own tests.
func TestTrainersOfLabels(t *testing.T) { testPackages(t, labelsSpec, nil) }
