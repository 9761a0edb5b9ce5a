package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/metrics"
)

// ablation is a row of Table 4: which parts a model has, and what the paper reports for a model of the base size.
type ablation struct {
	name          string
	emd, c2p, p2c bool
	paper         [4]string // MNLI-m/mm accuracy, SQuAD 1.1 F1/EM, SQuAD 2.0 F1/EM, RACE accuracy
}

// rows are DeBERTa and its ablations in Table 4.
var rows = []ablation{
	{"DeBERTa", true, true, true, [4]string{"86.3/86.2", "92.1/86.1", "82.5/79.3", "71.7"}},
	{"−EMD", false, true, true, [4]string{"86.1/86.1", "91.8/85.8", "81.3/78.0", "70.3"}},
	{"−C2P", true, false, true, [4]string{"85.9/85.7", "91.6/85.8", "81.3/78.3", "69.3"}},
	{"−P2C", true, true, false, [4]string{"86.0/85.8", "91.7/85.7", "80.8/77.6", "69.6"}},
	{"−(EMD+C2P)", false, false, true, [4]string{"85.8/85.9", "91.5/85.3", "80.3/77.2", "68.1"}},
	{"−(EMD+P2C)", false, true, false, [4]string{"85.8/85.8", "91.3/85.1", "80.2/77.1", "68.5"}},
}

// score returns the statements of attention that a row changes.
func (a *ablation) score() string {
	switch {
	case !a.c2p:
		return "encoder.attention { score q[i]·k[j] + qr[i-j]·k[j]; drop kr }"
	case !a.p2c:
		return "encoder.attention { score q[i]·k[j] + q[i]·kr[i-j]; drop qr }"
	}
	return ""
}

// letters are what is predicted, each with the same probability.
const letters = "abcdefgh"

// places is the number of letters in a text of the task of positions.
const places = 128

// positions makes the task that only absolute positions solve. Each text has the same letter in one place, and a model must predict letters when almost all are
// masked. Neighbours of a letter are independent of it, and a relative offset tells nothing, unless it reaches an end of the text.
func positions() *data {
	draw := rand.New(rand.NewPCG(1, 4))
	list := make([]string, places)
	for i, k := range draw.Perm(places) {
		list[i] = letters[k%len(letters):][:1] // so each letter has as many places as any other
	}
	text := example.Example{Text: strings.Join(list, " ")}
	d := &data{name: "positions", tokens: strings.Split(letters, "")}
	for range 200 {
		d.train = append(d.train, text)
	}
	d.test = d.train[:50]
	return d
}

// locate returns the job of a row on the task of positions. A word of the spec masks less than all tokens; the evaluation masks all.
func locate(a *ablation, d *data, seed, steps int) *job {
	head, decoder := "m.emd", ""
	if !a.emd {
		head, decoder = "m", "drop decoder.emd; drop absolute.pos"
	}
	text := fmt.Sprintf(`dspec 1

model m like deberta_base {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 32
    dim heads  = 1
    dim layers = 2
    dim inner  = 64
    dim span   = 2
    defaults { dropout 0 }
    %s
    %s
}

head letter on %s { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }

train t on m.letter {
    batch     8 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      3e-3 warmup 20 steps then linear
    clip      1.0
    mask      99.9 %% keep 0 %% random 0 %%
}
`, d.vocabulary(), a.score(), decoder, head, places+2, steps)
	return &job{spec: text, head: "m.letter", data: d, seed: seed, evaluate: []string{"--share", "1"}}
}

// The words of the copying tasks have a letter and a distance, as c5. A text has width words.
const (
	width   = 32
	reaches = 8
)

// none is the tag of a word that nothing is copied to.
const none = "O"

// copies makes a task of copying at a distance. If the reader decides, a word such as c5 has the letter five words before it as its tag: which offset counts
// depends on the content of the query, as in content to position. If the writer decides, the word five words after c5 has the tag c: it depends on the content
// of the key, as in position to content. Exactly one word writes to each place from the fifth on.
func copies(name string, reader bool, train, test int) *data {
	draw := rand.New(rand.NewPCG(2, uint64(len(name))))
	d := &data{name: name}
	for _, letter := range letters {
		for k := 1; k <= reaches; k++ {
			d.tokens = append(d.tokens, fmt.Sprintf("%c%d", letter, k))
		}
	}
	make := written
	if reader {
		make = func(draw *rand.Rand) example.Example { return read(draw, width) }
	}
	for i := range train + test {
		if e := make(draw); i < train {
			d.train = append(d.train, e)
		} else {
			d.test = append(d.test, e)
		}
	}
	return d
}

// lengthen adds sets of longer texts, whose words decide from where they copy.
func lengthen(d *data) {
	draw := rand.New(rand.NewPCG(11, 11))
	d.more = map[string][]example.Example{}
	for _, n := range lengths {
		for range d.test {
			d.more[n.name] = append(d.more[n.name], read(draw, n.words))
		}
	}
}

// read draws a text of n words that decide from where they copy.
func read(draw *rand.Rand, n int) example.Example {
	e := example.Example{Words: make([]string, n), Tags: make([]string, n)}
	for i := range n {
		distance := 1 + draw.IntN(reaches)
		e.Words[i] = fmt.Sprintf("%c%d", letters[draw.IntN(len(letters))], distance)
		if e.Tags[i] = none; i >= distance {
			e.Tags[i] = e.Words[i-distance][:1]
		}
	}
	return e
}

// written draws a text whose words decide to where they are copied.
func written(draw *rand.Rand) example.Example {
	e := example.Example{Words: make([]string, width), Tags: make([]string, width)}
	letter, distance := make([]byte, width), make([]int, width)
	var waiting []int // words that have written to no place yet
	for i := range width {
		letter[i] = letters[draw.IntN(len(letters))]
		if e.Tags[i] = none; i >= reaches/2 {
			k := 0
			if i-waiting[0] < reaches { // otherwise this is the last place that it can write to
				k = draw.IntN(len(waiting))
			}
			from := waiting[k]
			waiting = append(waiting[:k], waiting[k+1:]...)
			distance[from], e.Tags[i] = i-from, string(letter[from])
		}
		waiting = append(waiting, i)
	}
	for _, from := range waiting {
		distance[from] = width - from + draw.IntN(reaches-(width-from)+1) // a place after the end
	}
	for i := range width {
		e.Words[i] = fmt.Sprintf("%c%d", letter[i], distance[i])
	}
	return e
}

// duplicate returns the job of a row on a task of copying. The head reads the encoder, so the mask decoder is not a part of the model.
func duplicate(a *ablation, d *data, seed, steps int) *job {
	text := fmt.Sprintf(`dspec 1

model m like deberta_base {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 64
    dim heads  = 2
    dim layers = 1
    dim inner  = 128
    dim span   = 16
    defaults { dropout 0 }
    %s
    drop decoder.emd
    drop absolute.pos
}

head letter on m { take each; linear %d as labels("%s", "%s"); loss cross_entropy }
%s`, d.vocabulary(), a.score(), len(letters)+1, none, strings.Join(strings.Split(letters, ""), `", "`), tagging(steps))
	return &job{spec: text, head: "m.letter", data: d, seed: seed}
}

// tagging returns the training of the tasks of copying.
func tagging(steps int) string {
	return fmt.Sprintf(`
train t on m.letter {
    batch     32 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      1.5e-3 warmup 50 steps then linear
    clip      1.0
}
`, width+2, steps)
}

// ablations makes Table 4. The short form has the models that the requirements of EMD and of C2P are about.
func ablations(ctx context.Context, l *lab) (*result, error) {
	located, copied, seeds := 600, 1500, l.times(3)
	list := rows
	if l.short {
		located, copied, list = 300, 600, rows[:3]
	}
	place, reader, writer := positions(), copies("reader", true, 4000, 200), copies("writer", false, 4000, 200)
	tasks := []struct {
		name string
		of   func(a *ablation, seed int) *job
	}{
		{"positions", func(a *ablation, seed int) *job { return locate(a, place, seed, located) }},
		{"copying, the reader decides", func(a *ablation, seed int) *job { return duplicate(a, reader, seed, copied) }},
		{"copying, the writer decides", func(a *ablation, seed int) *job { return duplicate(a, writer, seed, copied) }},
	}
	if l.short {
		tasks = tasks[:2]
	}
	r := &result{columns: []string{"model"}}
	cells := map[string][]*job{}
	var all []*job
	for _, t := range tasks {
		r.columns = append(r.columns, t.name)
		for i := range list {
			for seed := range seeds {
				j := t.of(&list[i], seed+1)
				all = append(all, j)
				cells[t.name+list[i].name] = append(cells[t.name+list[i].name], j)
			}
		}
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r.columns = append(r.columns, "paper: MNLI-m/mm", "SQuAD 1.1 F1/EM", "SQuAD 2.0 F1/EM", "RACE")
	for i := range list {
		line := []string{list[i].name}
		for _, t := range tasks {
			line = append(line, percent(l.over(cells[t.name+list[i].name], "accuracy")))
		}
		r.add(append(line, list[i].paper[:]...)...)
	}
	mean := func(task int, row string) float64 {
		return 100 * metrics.Mean(l.over(cells[tasks[task].name+row], "accuracy"))
	}
	hold(r, mean, len(tasks))
	r.notes = append(r.notes, fmt.Sprintf("Accuracy in percent, mean of %d seeds, with the smallest and the largest. Chance is %.1f for positions.", seeds,
		100.0/float64(len(letters))))
	return r, nil
}

// hold checks the requirements of Table 4: what a part is needed for fails without it.
func hold(r *result, mean func(task int, row string) float64, tasks int) {
	with, without, chance := mean(0, "DeBERTa"), mean(0, "−EMD"), 100/float64(len(letters))
	r.require(with >= 95, "positions with EMD: %.1f %%, at least 95 are wanted", with)
	r.require(without <= chance+5, "positions without EMD: %.1f %%, at most %.1f are wanted", without, chance+5)
	for task, lacks := range map[int]string{1: "−C2P", 2: "−P2C"} {
		if task < tasks {
			with, without := mean(task, "DeBERTa"), mean(task, lacks)
			r.require(with >= 95, "copying with all terms, task %d: %.1f %%, at least 95 are wanted", task, with)
			r.require(without <= with-20, "copying %s: %.1f %%, at least 20 points less than %.1f are wanted", lacks, without, with)
		}
	}
}
