package codegen_test

import "testing"

// wordsSpec holds trainings with several words at once: of a model with all kinds of terms, masks, a convolution and an LSTM, of a model whose mask decoder
// repeats a layer, and of one whose rows are much narrower than a vector.
const wordsSpec = `dspec 1
model all {
    checkpoint own
    tokenizer none
    dim vocab = 60; dim hidden = 32; dim heads = 4; dim head = hidden / heads
    dim inner = 2 * hidden + floor(hidden / 3); dim layers = 3; dim span = 9; dim seq <= 40
    defaults { norm layernorm(eps: 1e-6); act silu; dropout 0.1 attention 0.2; init normal(std: 0.05) }
    embed { token vocab pad 3; width 24; absolute 64 from 2; segment 2; norm layernorm(eps: 1e-5) }
    relative rel { offsets -span .. span - 1; bucket log(exact: floor(span / 2), reach: 20); norm layernorm(eps: 1e-4) }
    encoder layers {
        attention {
            q, k, v = linear(x)
            kr, qr = linear(rel, bias: no)
            b = scalar(rel)
            score q[i]·k[j] + q[i]·kr[i-j] + qr[j-i]·k[j] + qr[i-j]·kr[i-j] + b[j-i]
            scale 1 / sqrt(head * 3)
            mask j <= i or prefix[j]
            mix score; mix weight
        }
        ffn inner
        conv { kernel 5; groups 2; act tanh; beside layer 2 }
    }
}
model late like deberta_v3_base {
    checkpoint own
    dim vocab = 40; dim hidden = 36; dim heads = 3; dim inner = 42; dim layers = 3; dim span = 4; dim reach = 9; dim seq <= 48
    absolute pos { rows 50; from 1 }
    decoder emd { repeat 2 of encoder.last; query encoder[-1] + pos; memory encoder[-2] }
}
model narrow like late {
    dim hidden = 1; dim heads = 1; dim inner = 1; dim layers = 1; dim vocab = 5; dim seq <= 3; dim span = 2; dim reach = 3; drop decoder, absolute
}
head tags on all { take words(first); lstm hidden / 2 both; dropout 0.3; linear 3 as labels("a", "b", "c"); crf; loss cross_entropy }
head many on all { take first; linear hidden; act; norm layernorm(eps: 1e-3); linear 2 as labels("a", "b"); loss binary_cross_entropy }
head filled on late.emd { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head span on late { take each; linear 2 as span; loss cross_entropy }
head nli on narrow { take first; dropout 0.1; linear hidden; act; linear 2 as labels("n", "y"); loss cross_entropy }
train tags on all.tags {
    batch 8 sequences; length 20 tokens; steps 100 steps; rate 1e-2 warmup 15 % then linear from start layers 0.5
    optimizer radam(betas: 0.8 0.9, rows: touched); lookahead 2 steps mix 0.3; clip 0.01
}
train many on all.many {
    batch 16 sequences in parts of 4; length 30 tokens; steps 100 steps; rate 1e-3; lora q, v rank 4 alpha 8 dropout 0.1
    lookahead 5 steps; sift { noise 1e-2; step 1e-3; ascend 2; weight 4; loss mse }
}
train filled on late.filled {
    batch 8 sequences; length 20 tokens; steps 100 steps; rate 1e-3 layers 0.9; optimizer lamb(correct: no); freeze embed, encoder[1]; memory <= 1.7 MiB
}
train span on late.span {
    batch 6 sequences in parts of 3; length 20 tokens; steps 100 steps; rate 1e-3 then cosine to 1e-5; optimizer sgd(momentum: 0.9, decay: 1e-4)
    sift { ascend 1 }
}
train nli on narrow.nli {
    batch 16 sequences in parts of 4; length 3 tokens; steps 100 steps; rate 1e-3; optimizer sgd(rows: touched); sift { ascend 2; loss kl }
}
target t { emit train tags; emit train many; emit train filled; emit train span; emit train nli }
`

// TestTrainersOfWords builds training packages with several words at once and runs the packages' own tests.
func TestTrainersOfWords(t *testing.T) { testPackages(t, wordsSpec, nil) }
