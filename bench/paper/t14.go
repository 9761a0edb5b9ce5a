package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/metrics"
)

// roberta returns the job of a model with absolute positions in its input and contents alone in its score, of the size and on the task of duplicate.
func roberta(d *data, seed, steps int) *job {
	return &job{spec: fmt.Sprintf(`dspec 1

model m like roberta_base {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 64
    dim heads  = 2
    dim layers = 1
    dim inner  = 128
    defaults { dropout 0 }
    embed { token vocab pad 0; absolute 512 }
    drop embed.segment
}

head letter on m { take each; linear %d as labels("%s", "%s"); loss cross_entropy }
%s`, d.vocabulary(), len(letters)+1, none, strings.Join(strings.Split(letters, ""), `", "`), tagging(steps)), head: "m.letter", data: d, seed: seed}
}

// against is a row of Tables 11 and 14.
type against struct {
	name  string
	of    func(d *data, seed, steps int) *job
	paper [2]string // min/max/mean of MNLI-matched and SQuAD 1.1
}

// compared are the models of Tables 11 and 14.
var compared = []against{
	{"RoBERTa", roberta, [2]string{"84.7/85.0/84.9", "90.8/91.3/91.1"}},
	{"DeBERTa", func(d *data, seed, steps int) *job { return duplicate(&rows[0], d, seed, steps) }, [2]string{"86.1/86.5/86.3", "91.8/92.2/92.1"}},
}

// many returns jobs of all models with several seeds.
func many(d *data, seeds, steps int) (cells [][]*job, all []*job) {
	for _, a := range compared {
		var list []*job
		for seed := range seeds {
			list = append(list, a.of(d, seed+1, steps))
		}
		cells, all = append(cells, list), append(all, list...)
	}
	return cells, all
}

// variance makes Table 14.
func variance(ctx context.Context, l *lab) (*result, error) {
	seeds, steps := l.times(5), 400
	if l.short {
		seeds, steps = max(2, l.seeds), 100
	}
	cells, all := many(copies("reader", true, 4000, 200), seeds, steps)
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"model", "copying (min/max/mean)", "p", "paper: MNLI-matched (min/max/mean)", "SQuAD 1.1 (min/max/mean)"}}
	first := l.over(cells[0], "accuracy")
	for i, a := range compared {
		accuracy, p := l.over(cells[i], "accuracy"), ""
		if i > 0 {
			p = probability(metrics.Welch(accuracy, first).P)
		}
		r.add(a.name, extremes(accuracy), p, a.paper[0], a.paper[1])
	}
	r.notes = append(r.notes, fmt.Sprintf("Accuracy in percent over %d seeds after %d steps. p is that of Welch's t-test; "+
		"the paper reports 0.02 for MNLI-matched and 0.01 for SQuAD 1.1.", seeds, steps))
	return r, nil
}

// lengths are those of Table 11 as multiples of the training's.
var lengths = []struct {
	name  string
	words int
}{{"1.5x", 3 * width / 2}, {"4x", 4 * width}}

// longer makes Table 11: models that read texts longer than those that they were trained on.
func longer(ctx context.Context, l *lab) (*result, error) {
	seeds, steps := l.times(3), 1500
	if l.short {
		steps = 400
	}
	d := copies("longer", true, 4000, 200)
	lengthen(d)
	cells, all := many(d, seeds, steps)
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"model", "1×", "1.5×", "4×"}}
	for i, a := range compared {
		r.add(a.name, percent(l.over(cells[i], "accuracy")), percent(l.over(cells[i], "1.5x/accuracy")), percent(l.over(cells[i], "4x/accuracy")))
	}
	r.notes = append(r.notes, fmt.Sprintf("Accuracy in percent of texts of %d words, as in the training, %d and %d; mean of %d seeds, "+
		"with the smallest and the largest. The paper reads RACE with 512 and 768 tokens: 86.3 and 86.8.", width, lengths[0].words, lengths[1].words, seeds))
	return r, nil
}
