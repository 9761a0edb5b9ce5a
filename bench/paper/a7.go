package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// term is a row of A.7: a score, and what the paper reports for it.
type term struct {
	name  string
	text  string // statements of the model
	paper string
}

// terms are the scores whose cost is compared with that of the first.
var terms = []term{
	{"contents alone, as BERT", "encoder.attention { score q[i]·k[j]; drop kr, qr }; drop relative.rel", ""},
	{"+ content to position", "encoder.attention { score q[i]·k[j] + q[i]·kr[i-j]; drop qr }", "+15 % (as XLNet)"},
	{"+ position to content", "encoder.attention { score q[i]·k[j] + qr[i-j]·k[j]; drop kr }", ""},
	{"+ both, as DeBERTa", "", "+30 %"},
}

// complexity makes the table of A.7. Operations are those of the base model with 512 tokens. Times are those of two of its layers, with a small vocabulary.
func complexity(ctx context.Context, l *lab) (*result, error) {
	r := &result{columns: []string{"score", "GFLOP", "computed", "measured, ms", "measured", "paper"}}
	var first, fastest float64
	for i, t := range terms {
		gflop, err := l.operations(ctx, "dspec 1\n\nmodel m like deberta_base { "+t.text+" }\n",
			func(e *explained) bool { return e.Model == "m" && e.Head == "" && e.Tokens == 512 })
		if err != nil {
			return nil, err
		}
		ms, err := l.timed(ctx, "dspec 1\n\nmodel m like deberta_base { checkpoint own; dim layers = 2; dim vocab = 1000; "+
			"drop decoder.emd; drop absolute.pos; "+t.text+" }\n\nhead rows on m { take first; linear 2 as labels(\"a\", \"b\") }\n")
		if err != nil {
			return nil, err
		}
		if i == 0 {
			first, fastest = gflop, ms
		}
		r.add(t.name, fmt.Sprintf("%.1f", gflop), more(gflop, first), fmt.Sprintf("%.2f", ms), more(ms, fastest), t.paper)
	}
	const step = "dspec 1\n\nmodel m like deberta_base { %s }\n" +
		"head h on %s { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }\n" +
		"train t on m.h { batch 1 sequences; length 512 tokens; steps 10 steps; rate 1e-4 }\n"
	with, err := l.perStep(ctx, fmt.Sprintf(step, "", "m.emd"), "t")
	if err != nil {
		return nil, err
	}
	without, err := l.perStep(ctx, fmt.Sprintf(step, "drop decoder.emd; drop absolute.pos", "m"), "t")
	if err != nil {
		return nil, err
	}
	r.add("a step of pre-training without EMD", fmt.Sprintf("%.1f", without), "", "", "", "")
	r.add("a step of pre-training with EMD", fmt.Sprintf("%.1f", with), more(with, without), "", "", "+3 %")
	return r, nil
}

// more returns by how many percent a number is larger than another one; nothing for the number itself.
func more(v, base float64) string {
	if v == base {
		return ""
	}
	return fmt.Sprintf("%+.1f %%", 100*(v/base-1))
}

// timed returns the shortest time of a call of a model with 512 tokens and one thread, in milliseconds. The shortest, because other programs only add time.
func (l *lab) timed(ctx context.Context, text string) (float64, error) {
	path := filepath.Join(l.dir, "timed.dspec")
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		return 0, err
	}
	args := []string{"bench", path, "--random-weights", "1", "--tokens", "512", "--threads", "1", "--json"}
	if !l.short {
		args = append(args, "--repeat", "3")
	} else {
		args = append(args, "--min-time", "200ms")
	}
	out, err := l.call(ctx, args...)
	if err != nil {
		return 0, err
	}
	var line struct {
		Min float64 `json:"min_ms"`
	}
	if err := json.Unmarshal(bytes.TrimSpace(out), &line); err != nil || line.Min <= 0 {
		return 0, fmt.Errorf("debertac bench printed %q: %w", out, err)
	}
	return line.Min, nil
}
