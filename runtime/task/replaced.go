package task

import (
	"context"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// Verdict is one token of a text and whether the model takes it for a replaced one.
type Verdict struct {
	Part
	Logit    float64 `json:"logit"`
	Score    float64 `json:"score"`    // probability that the token was replaced: sigmoid of the logit
	Replaced bool    `json:"replaced"` // Score is above the threshold
}

// Detection is the result for one text.
type Detection struct {
	Verdicts []Verdict `json:"verdicts"` // every token that the model saw, without special tokens
	Replaced int       `json:"replaced"` // number of tokens that count as replaced
	runtime.Seen
}

// Detector finds tokens of a text that do not seem to belong there (replaced token detection, the
// task that DeBERTa v3's discriminator is trained on). It is safe for concurrent use.
type Detector struct{ head }

// NewDetector returns a Detector for the named head; "" means the first head. The head must have
// one logit per token.
func NewDetector(core *engine.Core, name string) (*Detector, error) {
	h, err := newHead(core, name, "Detector")
	if err != nil {
		return nil, err
	}
	return &Detector{h}, nil
}

// Detect judges the tokens of texts. Results come in input order. Tokens with a probability above
// threshold, a number from 0 to 1, count as replaced.
func (d *Detector) Detect(ctx context.Context, texts []string, threshold float64) ([]Detection, error) {
	if !(threshold >= 0 && threshold <= 1) {
		return nil, input("threshold is %v: it must be from 0 to 1", threshold)
	}
	results := make([]Detection, len(texts))
	var r *rows
	seen, err := d.run(ctx, singles(texts), stream{
		spans: true,
		take: func(w *engine.Window, e *engine.Encoded, out []float32) error {
			if w.Index == 0 {
				r = newRows(e, 1, false)
			}
			if r.take(w, out); w.Index < w.Count-1 {
				return nil
			}
			res, at := &results[w.Text], places{text: texts[w.Text]}
			res.Verdicts = []Verdict{}
			for i := range r.seen() {
				row, _ := r.row(i)
				t := Verdict{Part: at.part(int(e.Spans[i].Start), int(e.Spans[i].End)), Logit: float64(row[0])}
				t.Score = sigmoid(t.Logit)
				if t.Replaced = t.Score > threshold; t.Replaced {
					res.Replaced++
				}
				res.Verdicts = append(res.Verdicts, t)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}
