package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"strings"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/metrics"
	"github.com/debertac/debertac/runtime/safetensors"
)

// The texts of Table 12 have twelve words, each from the text's topic with probability 0.6, and else from any. A topic has many words, so training texts do not
// hold all of them.
const (
	topicWords = 40
	textWords  = 12
	topicShare = 0.6
)

// topicTexts makes the task of Table 12: which of eight topics a text has.
func topicTexts(train, test int) *data {
	draw := rand.New(rand.NewPCG(12, 12))
	d := &data{name: "topics"}
	for _, letter := range letters {
		for k := range topicWords {
			d.tokens = append(d.tokens, fmt.Sprintf("%c%d", letter, k))
		}
	}
	for i := range train + test {
		topic := draw.IntN(len(letters))
		var words []string
		for range textWords {
			from := topic
			if draw.Float64() >= topicShare {
				from = draw.IntN(len(letters))
			}
			words = append(words, d.tokens[from*topicWords+draw.IntN(topicWords)])
		}
		e := example.Example{Text: strings.Join(words, " "), Label: letters[topic : topic+1]}
		if i < train {
			d.train = append(d.train, e)
		} else {
			d.test = append(d.test, e)
		}
	}
	return d
}

// tuned returns the job of a classifier; sift is the word of its training, or "".
func tuned(d *data, sift string, seed, steps int) *job {
	return &job{spec: fmt.Sprintf(`dspec 1

model m like deberta_base {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 32
    dim heads  = 2
    dim layers = 2
    dim inner  = 64
    dim span   = 8
    defaults { dropout 0 }
    drop decoder.emd
    drop absolute.pos
}

head topic on m {
    take first; dropout 0.1; linear hidden; act; dropout 0.1; linear %d as labels("%s")
    loss cross_entropy
}

train t on m.topic {
    batch     16 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      1e-3 warmup 20 steps then linear
    clip      1.0
    %s
}
`, d.vocabulary(), len(letters), strings.Join(strings.Split(letters, ""), `", "`), textWords+2, steps, sift), head: "m.topic", data: d, seed: seed}
}

// levels are the deviations of the noise, in units of the root mean square of the table of tokens.
var levels = []float64{0.25, 0.5, 1}

// sifting is the word of a training with SiFT, of some weight.
const sifting = "sift { noise 1e-2; step 1e-1; ascend 1; weight %d }"

// tuning makes Table 12: fine-tuning with SiFT and without it, from random weights.
func tuning(ctx context.Context, l *lab) (*result, error) {
	seeds, steps := l.times(5), 400
	if l.short {
		steps = 100
	}
	d := topicTexts(400, 500)
	list := []struct {
		name, sift string
		paper      string
	}{{"without SiFT", "", "91.17"}, {"SiFT, weight 1", fmt.Sprintf(sifting, 1), "91.93"}, {"SiFT, weight 4", fmt.Sprintf(sifting, 4), ""}}
	var all []*job
	cells := make([][]*job, len(list))
	for i := range list {
		for seed := range seeds {
			cells[i] = append(cells[i], tuned(d, list[i].sift, seed+1, steps))
		}
		all = append(all, cells[i]...)
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"fine-tuning", "accuracy"}}
	for _, level := range levels {
		r.columns = append(r.columns, fmt.Sprintf("flips, noise %g", level))
	}
	r.columns = append(r.columns, "paper: DeBERTa 1.5B, mean of GLUE")
	for i := range list {
		line := []string{list[i].name, interval(l.over(cells[i], "accuracy"))}
		for k, level := range levels {
			var flips []float64
			for _, j := range cells[i] {
				share, err := l.flips(ctx, j, level, uint64(k))
				if err != nil {
					return nil, err
				}
				flips = append(flips, share)
			}
			line = append(line, interval(flips))
		}
		r.add(append(line, list[i].paper)...)
	}
	p := metrics.Welch(l.over(cells[0], "accuracy"), l.over(cells[1], "accuracy")).P
	r.notes = append(r.notes, fmt.Sprintf("Percent, mean of %d seeds with its 95 %% interval; p of the accuracies with weight 1 and without SiFT is %s. "+
		"A flip is a text whose label changes when noise is added to the table of tokens. "+
		"The noise is in units of the table's root mean square.", seeds, probability(p)))
	return r, nil
}

// flips returns the share of the test texts whose predicted label changes when noise is added to the table of tokens of a job's model.
func (l *lab) flips(ctx context.Context, j *job, level float64, seed uint64) (float64, error) {
	p := &place{base: l.dir + "/" + j.key(), data: l.dir + "/" + j.data.name}
	weights, err := p.checkpoint()
	if err != nil {
		return 0, err
	}
	noisy := p.of(".noisy.safetensors")
	if err := disturb(weights, noisy, level, seed); err != nil {
		return 0, err
	}
	var labels [2][]string
	for i, from := range []string{weights, noisy} {
		out := p.of(".predictions")
		with := *j
		with.evaluate = []string{"--predictions", out}
		if err := l.measure(ctx, p, &with, from, measured{}); err != nil {
			return 0, err
		}
		if labels[i], err = predicted(out); err != nil {
			return 0, err
		}
	}
	changed := 0
	for i, label := range labels[0] {
		if labels[1][i] != label {
			changed++
		}
	}
	return float64(changed) / float64(len(labels[0])), nil
}

// predicted reads the labels of a file of predictions.
func predicted(path string) ([]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var labels []string
	for d := json.NewDecoder(bytes.NewReader(text)); ; {
		var line struct{ Label string }
		if err := d.Decode(&line); errors.Is(err, io.EOF) {
			return labels, nil
		} else if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		labels = append(labels, line.Label)
	}
}

// disturb copies the model of a checkpoint, and adds normal noise to its table of tokens.
func disturb(from, to string, level float64, seed uint64) (err error) {
	const table = "embed.token"
	f, err := safetensors.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	var tensors []safetensors.Tensor
	values := map[string][]float32{}
	for _, name := range f.Names() {
		if strings.HasPrefix(name, "first.") || strings.HasPrefix(name, "second.") { // the optimizer's
			continue
		}
		info, err := f.Info(name)
		if err != nil {
			return err
		}
		if info.DType != safetensors.F32 {
			continue
		}
		values[name] = make([]float32, info.Elements())
		if err := f.Floats(name, values[name]); err != nil {
			return err
		}
		tensors = append(tensors, safetensors.Tensor{Name: name, DType: info.DType, Shape: info.Shape})
	}
	list := values[table]
	if list == nil {
		return fmt.Errorf("%s has no tensor %s", from, table)
	}
	square := 0.0
	for _, v := range list {
		square += float64(v) * float64(v)
	}
	deviation := level * math.Sqrt(square/float64(len(list)))
	draw := rand.New(rand.NewPCG(seed, 12))
	for i := range list {
		list[i] += float32(deviation * draw.NormFloat64())
	}
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	b := bufio.NewWriter(out)
	w, err := safetensors.NewWriter(b, nil, tensors)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		if err := w.WriteFloats(name, values[name]); err != nil {
			return err
		}
	}
	return errors.Join(w.Close(), b.Flush())
}
