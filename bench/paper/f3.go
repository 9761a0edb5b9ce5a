package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"

	"github.com/debertac/debertac/cmd/debertac/picture"
	"github.com/debertac/debertac/runtime/metrics"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Sizes of the models whose attention maps are drawn.
const (
	mapLayers = 2
	mapHeads  = 4
	mapLength = 32 // tokens of a sequence, with the special ones
	mapBatch  = 32 // sequences of a call
)

// filler is a row of the table of figures 3 to 5: a model that predicts masked tokens, and what the paper's figure shows of its last layer.
type filler struct {
	name  string
	like  string
	text  string // statements of the model
	emd   bool
	paper string
}

// fillers are the models of figures 3 to 5.
var fillers = []filler{
	{"RoBERTa", "roberta_base", "embed { token vocab pad 0; absolute 512 }; drop embed.segment", false, "diagonal; stripes"},
	{"DeBERTa", "deberta_base", "dim span = 32", true, "no diagonal; [CLS] alone"},
	{"−EMD", "deberta_base", "dim span = 32; drop decoder.emd; drop absolute.pos", false, "some diagonal; stripes"},
	{"−C2P", "deberta_base", "dim span = 32; " + rows[2].score(), true, "stripes"},
	{"−P2C", "deberta_base", "dim span = 32; " + rows[3].score(), true, "stripes"},
}

// last returns the name of the attention maps of the last layer that a masked token passes through: the decoder's second step, or the last layer.
func (f *filler) last() string {
	if f.emd {
		return "decoder.attentions.1"
	}
	return fmt.Sprintf("attentions.%d", mapLayers-1)
}

// job returns the pre-training of a model.
func (f *filler) job(d *data, seed, steps int) *job {
	on := ""
	if f.emd {
		on = ".emd"
	}
	return &job{spec: fmt.Sprintf(`dspec 1

model m like %s {
    checkpoint own
    tokenizer  wordpiece
    dim vocab  = %d
    dim hidden = 64
    dim heads  = %d
    dim layers = %d
    dim inner  = 128
    defaults { dropout 0 }
    %s
}

head fill on m%s { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }

train t on m.fill {
    batch     16 sequences
    length    %d tokens
    steps     %d steps
    optimizer adamw(decay: 0.01 except norm bias)
    rate      3e-3 warmup 5 %% then linear
    clip      1.0
}
`, f.like, d.vocabulary(), mapHeads, mapLayers, f.text, on, mapLength, steps), head: "m.fill", data: d, seed: seed,
		evaluate: []string{"--long", "truncate", "--max-tokens", fmt.Sprint(mapLength)}}
}

// pattern is the mean attention of the tokens of a text in a layer, as shares: to themselves, to their two neighbours, to [CLS], to [SEP], and to stripes. A
// stripe is another token to which the tokens besides itself attend more than twice as much as if their attention was uniform; its share is theirs.
type pattern struct{ self, near, first, last, stripes float64 }

// patternOf measures the map p [n, n] of a head on one text. The rows of the special tokens at both ends are left out.
func patternOf(p []float32, n int) pattern {
	var s pattern
	column := make([]float64, n) // without the diagonal
	for i := 1; i < n-1; i++ {
		for j := range n {
			v := float64(p[i*n+j])
			switch {
			case i == j:
				s.self += v
				continue
			case i-j == 1 || j-i == 1:
				s.near += v
			}
			column[j] += v
		}
	}
	inner := float64(n - 2)
	for _, c := range column[1 : n-1] {
		if c/inner > 2/float64(n) {
			s.stripes += c
		}
	}
	return pattern{s.self / inner, s.near / inner, column[0] / inner, column[n-1] / inner, s.stripes / inner}
}

// columns returns the shares in the order of the table.
func (s *pattern) columns() []float64 { return []float64{s.self, s.near, s.first, s.last, s.stripes} }

// seen is what the maps of one model show.
type seen struct {
	mean pattern     // over heads and texts
	rows [][]float64 // the map of the first text, mean over the heads
}

// look computes the attention maps of a trained model on sequences of one length.
func (l *lab) look(ctx context.Context, f *filler, j *job, sequences [][]int32) (*seen, error) {
	p := l.place(j)
	weights, err := p.checkpoint()
	if err != nil {
		return nil, err
	}
	program, packed := p.of(".program"), p.of(".traced")
	for _, args := range [][]string{
		{"build", p.of(".dspec"), "--emit", j.head, "--trace", "-o", program},
		{"pack", weights, "--spec", p.of(".dspec"), "--head", j.head, "--tokenizer", p.vocabulary(), "--trace", "-o", packed},
	} {
		if _, err := l.call(ctx, args...); err != nil {
			return nil, err
		}
	}
	s := &seen{}
	n, count := len(sequences[0]), 0.0
	sum := make([]float64, len(s.mean.columns()))
	for from := 0; from < len(sequences); from += mapBatch {
		part := sequences[from:min(from+mapBatch, len(sequences))]
		maps, err := l.forward(ctx, p, program, packed, f.last(), part)
		if err != nil {
			return nil, err
		}
		for h := range mapHeads {
			for i := range part {
				one := maps[(h*len(part)+i)*n*n:][:n*n]
				if err := whole(one, n); err != nil {
					return nil, fmt.Errorf("%s, head %d, text %d: %w", f.name, h, from+i, err)
				}
				measured := patternOf(one, n)
				for k, v := range measured.columns() {
					sum[k] += v
				}
				count++
				if from+i == 0 {
					s.add(one, n)
				}
			}
		}
	}
	for k := range sum {
		sum[k] /= count
	}
	s.mean = pattern{sum[0], sum[1], sum[2], sum[3], sum[4]}
	return s, nil
}

// add adds the map of a head to the mean of the picture.
func (s *seen) add(p []float32, n int) {
	if s.rows == nil {
		s.rows = make([][]float64, n)
		for i := range s.rows {
			s.rows[i] = make([]float64, n)
		}
	}
	for i, v := range p {
		s.rows[i/n][i%n] += float64(v) / mapHeads
	}
}

// whole returns an error if a row of a map [n, n] does not hold probabilities.
func whole(p []float32, n int) error {
	for i := range n {
		sum := 0.0
		for _, v := range p[i*n:][:n] {
			sum += float64(v)
		}
		if math.Abs(sum-1) > 1e-4 {
			return fmt.Errorf("the attention of token %d adds up to %v", i, sum)
		}
	}
	return nil
}

// forward runs the forward pass of a program of `debertac build --trace`, and returns the maps with a name, [heads, sequences, n, n].
func (l *lab) forward(ctx context.Context, p *place, program, weights, name string, sequences [][]int32) ([]float32, error) {
	var ids, starts []int32
	for _, s := range sequences {
		starts = append(starts, int32(len(ids)))
		ids = append(ids, s...)
	}
	batch, out := p.of(".batch"), p.of(".maps")
	if err := integers(batch, map[string][]int32{"ids": ids, "starts": append(starts, int32(len(ids))), "rows": {0}}); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, program, "forward", "--weights", weights, "--batch", batch, "--out", out)
	if message, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%s: %w\n%s", cmd, err, message)
	}
	f, err := safetensors.Open(out)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	n := len(sequences[0])
	maps := make([]float32, mapHeads*len(sequences)*n*n)
	return maps, f.Floats(name, maps)
}

// integers writes a safetensors file of integers.
func integers(path string, tensors map[string][]int32) error {
	var list []safetensors.Tensor
	for name, v := range tensors {
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(v)}})
	}
	var b bytes.Buffer
	w, err := safetensors.NewWriter(&b, nil, list)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		raw, err := binary.Append(nil, binary.LittleEndian, tensors[name])
		if err != nil {
			return err
		}
		if err := w.Write(name, raw); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.WriteFile(path, b.Bytes(), 0o666)
}

// patterns makes the table and the pictures of figures 3 to 5: models learn to predict masked tokens of the mails, and their last layers read other mails.
func patterns(ctx context.Context, l *lab) (*result, error) {
	steps, seeds, count, list := 3000, l.times(3), 96, fillers
	if l.short {
		steps, count, list = 30, 8, fillers[:2]
	}
	d, err := mails(l.spam, mapLength)
	if err != nil {
		return nil, err
	}
	t, err := d.tokenizer()
	if err != nil {
		return nil, err
	}
	sequences, err := excerpts(t, d.test, mapLength, count)
	if err != nil {
		return nil, err
	}
	cells := make([][]*job, len(list))
	var all []*job
	for seed := range seeds {
		for i := range list {
			cells[i] = append(cells[i], list[i].job(d, seed+1, steps))
			all = append(all, cells[i][seed])
		}
	}
	if err := l.run(ctx, all); err != nil {
		return nil, err
	}
	r := &result{columns: []string{"model", "itself", "neighbours", "[CLS]", "[SEP]", "stripes", "loss", "paper's figures"}}
	uniform := make([]float32, mapLength*mapLength)
	for i := range uniform {
		uniform[i] = 1.0 / mapLength
	}
	even := patternOf(uniform, mapLength)
	cell := []string{"uniform attention"}
	for _, v := range even.columns() {
		cell = append(cell, fmt.Sprintf("%.1f", 100*v))
	}
	r.add(append(cell, fmt.Sprintf("%.2f", math.Log(float64(d.vocabulary()))), "")...)
	maps := map[string]picture.Map{}
	for i := range list {
		f := &list[i]
		over := make([][]float64, len(even.columns()))
		for seed, j := range cells[i] {
			s, err := l.look(ctx, f, j, sequences)
			if err != nil {
				return nil, err
			}
			for k, v := range s.mean.columns() {
				over[k] = append(over[k], v)
			}
			if seed == 0 {
				maps[f.name] = picture.Map{Title: f.name, Rows: s.rows}
			}
		}
		row := []string{f.name}
		for _, v := range over {
			row = append(row, percent(v))
		}
		r.add(append(row, fmt.Sprintf("%.2f", metrics.Mean(l.over(cells[i], "loss"))), f.paper)...)
	}
	r.draw("f3", maps, "RoBERTa", "DeBERTa")
	if !l.short {
		r.draw("f5", maps, "DeBERTa", "−EMD", "−C2P", "−P2C")
	}
	r.notes = append(r.notes, fmt.Sprintf("Attention of the last layer in percent, mean over %d heads, %d texts of %d characters and %d seeds, "+
		"with the smallest and the largest over seeds; loss of masked characters of other mails. %d steps.", mapHeads, count, mapLength, seeds, steps))
	return r, nil
}

// draw adds a picture of the maps with the given names.
func (r *result) draw(name string, maps map[string]picture.Map, which ...string) {
	h := &picture.Heat{Across: 2, Top: 0.3, Unit: "attention, mean over heads; rows attend to columns"}
	for _, w := range which {
		h.Maps = append(h.Maps, maps[w])
	}
	if r.pictures == nil {
		r.pictures = map[string]*picture.Heat{}
	}
	r.pictures[name] = h
}
