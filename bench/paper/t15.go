package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/metrics"
)

// The language of Table 15 has subjects and objects. A text is pairs of them. It has one of the topics, and the topic decides the object of each subject. All
// words are as frequent in each topic, so a topic shows only in pairs.
const (
	topics   = 4
	subjects = 8
	pairs    = 12
)

// language makes texts of the language to pre-train on, and few with their topics to fine-tune on.
func language(before, train, test int) *data {
	draw := rand.New(rand.NewPCG(15, 15))
	d := &data{name: "language"}
	for _, kind := range []string{"s", "o"} {
		for k := range subjects {
			d.tokens = append(d.tokens, fmt.Sprintf("%s%d", kind, k))
		}
	}
	objects := make([][]int, topics)
	for t := range objects {
		objects[t] = draw.Perm(subjects)
	}
	for i := range before + train + test {
		topic := draw.IntN(topics)
		var words []string
		for range pairs {
			s := draw.IntN(subjects)
			words = append(words, fmt.Sprintf("s%d o%d", s, objects[topic][s]))
		}
		e := example.Example{Text: strings.Join(words, " ")}
		if i < before {
			d.before = append(d.before, e)
			continue
		}
		if e.Label = string(letters[topic]); i < before+train {
			d.train = append(d.train, e)
		} else {
			d.test = append(d.test, e)
		}
	}
	return d
}

// pretraining is a row of Table 15.
type pretraining struct {
	name  string
	text  string // what the training has besides the common words; "": no pre-training
	head  string
	paper [2]string // MNLI m/mm accuracy, SQuAD 2.0 F1/EM of the base size
}

// pretrainings are the rows of Table 15, and the ways to share the table of tokens that the paper about v3 compares.
var pretrainings = []pretraining{
	{"no pre-training", "", "", [2]string{}},
	{"MLM", "", "detector.mlm", [2]string{"88.8/88.5", "86.2/83.1"}},
	{"RTD, GDES", "replace from generator.mlm share embed.token stopping gradient; weight 10", "detector.rtd", [2]string{"90.6/90.8", "88.4/85.4"}},
	{"RTD, ES", "replace from generator.mlm share embed.token; weight 10", "detector.rtd", [2]string{}},
	{"RTD, NES", "replace from generator.mlm; weight 10", "detector.rtd", [2]string{}},
}

// text returns the spec of a row: both models, the pre-training and the fine-tuning. The generator has half of the detector's layers, as in the paper.
func (p *pretraining) spec(vocabulary, steps int) string {
	before := ""
	if p.head != "" {
		before = fmt.Sprintf(`train before on %s {
    batch     32 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      2e-3 warmup 50 steps then linear
    clip      1.0
    %s
}
`, p.head, 2*pairs+2, steps, p.text)
	}
	return fmt.Sprintf(`dspec 1

model detector like deberta_v3_base {
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 64
    dim heads  = 2
    dim layers = 2
    dim inner  = 128
    dim span   = 8
    dim reach  = 16
    defaults { dropout 0 }
}
model generator like detector { dim layers = 1 }

head mlm on generator { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head mlm on detector  { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on detector  { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
head topic on detector {
    take first; dropout 0; linear hidden; act; dropout 0; linear %d as labels("%s")
    loss cross_entropy
}

%s
train t on detector.topic {
    batch     16 sequences
    length    %d tokens
    steps     150 steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      1e-3 warmup 15 steps then linear
    clip      1.0
}
`, vocabulary, topics, strings.Join(strings.Split(letters[:topics], ""), `", "`), before, 2*pairs+2)
}

// detection makes Table 15: every row has the operations of the same number of RTD steps.
func detection(ctx context.Context, l *lab) (*result, error) {
	steps, seeds, list := 1500, l.times(5), pretrainings
	if l.short {
		steps, list = 150, pretrainings[:3]
	}
	d := language(10000, 48, 500)
	budget, err := l.perStep(ctx, pretrainings[2].spec(d.vocabulary(), 100), "before")
	if err != nil {
		return nil, err
	}
	budget *= float64(steps)
	cells := make([][]*job, len(list))
	taken := make([]int, len(list))
	var all []*job
	for i := range list {
		p := &list[i]
		if p.head != "" {
			each, err := l.perStep(ctx, p.spec(d.vocabulary(), 100), "before")
			if err != nil {
				return nil, err
			}
			taken[i] = int(math.Round(budget / each))
		}
		for seed := range seeds {
			j := &job{spec: p.spec(d.vocabulary(), taken[i]), head: "detector.topic", data: d, seed: seed + 1}
			if p.head != "" {
				j.before = "before"
			}
			cells[i] = append(cells[i], j)
		}
		all = append(all, cells[i]...)
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"pre-training", "steps", "accuracy", "seeds", "p against MLM", "paper: MNLI m/mm", "SQuAD 2.0 F1/EM"}}
	mlm := l.over(cells[1], "accuracy")
	for i := range list {
		accuracy := l.over(cells[i], "accuracy")
		var each []string
		for _, v := range accuracy {
			each = append(each, fmt.Sprintf("%.1f", 100*v))
		}
		p := ""
		if i != 1 {
			p = probability(metrics.Welch(accuracy, mlm).P)
		}
		r.add(list[i].name, fmt.Sprint(taken[i]), interval(accuracy), strings.Join(each, ", "), p, list[i].paper[0], list[i].paper[1])
	}
	r.notes = append(r.notes, fmt.Sprintf("Accuracy of topics in percent after fine-tuning on %d texts, mean of %d seeds with its 95 %% interval. "+
		"Chance is %.0f. Each pre-training takes %.0f GFLOP.", len(d.train), seeds, 100.0/topics, budget))
	return r, nil
}
