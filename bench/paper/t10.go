package main

import (
	"context"
	"fmt"
	"strings"
)

// causal is a row of Table 10: a model that predicts the next token, and what the paper reports for it.
type causal struct {
	name  string
	like  string
	text  string // statements of the model
	on    string // the decoder that the heads are on, with its point; "": the encoder
	also  string // what the training has besides
	paper string // perplexity on Wikitext-103, dev and test
}

// causals are the rows of Table 10.
var causals = []causal{
	{"RoBERTa", "roberta_base", "embed { token vocab pad 0; absolute 512 }; drop embed.segment", "", "", "21.6/21.6"},
	{"DeBERTa-AP", "deberta_base", "dim span = 16; embed { absolute 512 }; drop decoder.emd; drop absolute.pos", "", "", "20.7/20.0"},
	{"DeBERTa", "deberta_base", "dim span = 16", ".emd", "", "20.5/19.9"},
	{"DeBERTa-MT", "deberta_base", "dim span = 16", ".emd", "also base.mlm share all", "19.5/19.5"},
}

// job returns the job of a row. A model with a causal mask has the weights of the one that predicts masked tokens.
func (c *causal) job(d *data, seed, steps int) *job {
	const head = "linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy"
	masked := ""
	if c.also != "" {
		masked = fmt.Sprintf("head mlm on base%s { take masked; %s }\n", c.on, head)
	}
	return &job{spec: fmt.Sprintf(`dspec 1

model base like %s {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 64
    dim heads  = 2
    dim layers = 2
    dim inner  = 128
    defaults { dropout 0 }
    %s
}
model ar like base { encoder.attention.mask j <= i }

%shead lm on ar%s { take each; %s }

train t on ar.lm {
    batch     8 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      3e-3 warmup 8 %% then linear
    clip      1.0
    %s
}
`, c.like, d.vocabulary(), c.text, masked, c.on, head, d.length, steps, c.also), head: "ar.lm", data: d, seed: seed,
		evaluate: []string{"--long", "truncate", "--max-tokens", fmt.Sprint(d.length)}}
}

// generation makes Table 10: the perplexity of models that predict the next character of mails.
func generation(ctx context.Context, l *lab) (*result, error) {
	seeds, steps, list := l.times(3), 1000, causals
	if l.short {
		steps = 20
	}
	d, err := mails(l.spam, 64)
	if err != nil {
		return nil, err
	}
	var all []*job
	cells := make([][]*job, len(list))
	for seed := range seeds {
		for i := range list {
			cells[i] = append(cells[i], list[i].job(d, seed+1, steps))
			all = append(all, cells[i][seed])
		}
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"model", "perplexity", "seeds", "paper: Wikitext-103, dev/test"}}
	for i := range list {
		var each []string
		sum := 0.0
		for _, v := range l.over(cells[i], "perplexity") {
			each = append(each, fmt.Sprintf("%.2f", v))
			sum += v
		}
		r.add(list[i].name, fmt.Sprintf("%.2f", sum/float64(seeds)), strings.Join(each, ", "), list[i].paper)
	}
	r.notes = append(r.notes, fmt.Sprintf("Perplexity per character of the beginnings of other mails after %d steps, mean of %d seeds.", steps, seeds))
	return r, nil
}
