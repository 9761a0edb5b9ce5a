package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/spec/diag"
)

// textsFile is the file of a case of texts: one text per line, with the reference's results for it.
const textsFile = "expected.jsonl"

// Text is a text with labels, as the reference tokenized it, and the entities that the reference found.
type Text struct {
	Text   string     `json:"text"`
	Labels []string   `json:"labels"`
	Words  [][]any    `json:"words"`      // text, start, end of each word
	IDs    []int32    `json:"input_ids"`  // of the labels and the text
	Mask   []int32    `json:"words_mask"` // the number of the word that a token stands for, from 1; 0: no word
	Logits string     `json:"logits"`     // name of the recorded tensor
	Found  []Findings `json:"results"`
}

// Findings are the entities that were found with one setting.
type Findings struct {
	Threshold  float64 `json:"threshold"`
	Flat       bool    `json:"flat_ner"`
	MultiLabel bool    `json:"multi_label"`
	Entities   []struct {
		Start int     `json:"start"` // in code points
		End   int     `json:"end"`
		Text  string  `json:"text"`
		Label string  `json:"label"`
		Score float64 `json:"score"`
	} `json:"entities"`
}

// readTexts reads the texts of a case, one per line.
func (c *Case) readTexts() error {
	path := filepath.Join(c.Dir, textsFile)
	data, err := disk.ReadFile(path, mostText)
	if err != nil {
		return err
	}
	for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var t Text
		if err := json.Unmarshal(line, &t); err != nil {
			return fault(path, "line %d is not valid: %s", i+1, diag.JSON(err))
		}
		if len(t.IDs) != len(t.Mask) || len(t.IDs) == 0 || len(t.Labels) == 0 {
			return fault(path, "line %d has %d ids, words for %d of them and %d labels", i+1, len(t.IDs), len(t.Mask), len(t.Labels))
		}
		c.Texts = append(c.Texts, t)
		c.Length = max(c.Length, len(t.IDs))
	}
	return nil
}

// TextBatch returns the batch of a case of texts, for a prompt in which each label follows the token mark. A label is read at its mark, or with after
// at the token after it.
func (c *Case) TextBatch(mark int32, after bool) (*runtime.Batch, error) {
	b := &runtime.Batch{}
	for i, t := range c.Texts {
		s := engine.Sequence{IDs: t.IDs}
		words := int32(0)
		for at, id := range t.IDs {
			row := int32(at)
			switch w := t.Mask[at]; {
			case w == 0:
			case w == words:
				s.Words[len(s.Words)-1] = row + 1
			case w == words+1:
				s.Words = append(s.Words, row, row+1)
				words = w
			default:
				return nil, fault(filepath.Join(c.Dir, textsFile), "line %d: word %d follows word %d", i+1, w, words)
			}
			if id == mark {
				if after {
					row++
				}
				s.Marks = append(s.Marks, row)
			}
		}
		if len(s.Marks) != len(t.Labels) {
			return nil, fault(filepath.Join(c.Dir, textsFile), "line %d has %d labels and %d tokens in front of labels", i+1, len(t.Labels), len(s.Marks))
		}
		b.Append(&s, engine.Limits{Words: true, Marks: true})
	}
	return b, nil
}

// compareTexts compares the scores of all texts, and the entities that the published decoding finds in them, with the recorded ones. A span head
// scores spans of up to widths words; with widths 0 the scores are start, end and inside.
func (c *Case) compareTexts(want, got *safetensors.File, widths int) ([]Result, error) {
	info, err := got.Info("output")
	if err != nil {
		return nil, err
	}
	if len(info.Shape) != 2 {
		return nil, fault(c.Dir, "the model produces scores of the shape %v", info.Shape)
	}
	all := make([]float32, info.Shape[0]*info.Shape[1])
	if err := got.Floats("output", all); err != nil {
		return nil, err
	}
	var results []Result
	var entities []Result
	for i := range c.Texts {
		t := &c.Texts[i]
		n := len(t.Words) * len(t.Labels) * info.Shape[1]
		if n > len(all) {
			return nil, fault(c.Dir, "the model produces fewer scores than the texts have words and labels")
		}
		r, err := c.compareScores(want, t, all[:n], widths)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		e, err := c.compareEntities(t, i, all[:n], widths)
		if err != nil {
			return nil, err
		}
		entities = append(entities, e)
		all = all[n:]
	}
	if len(all) > 0 {
		return nil, fault(c.Dir, "the model produces %d scores more than the texts have words and labels", len(all))
	}
	return append(results, entities...), nil
}

// compareScores compares the scores of one text. Those of a span head are recorded as [1, words, widths, labels]; only spans whose last word exists
// are compared. Those of a token head are recorded as [1, words, labels, 3].
func (c *Case) compareScores(want *safetensors.File, t *Text, got []float32, widths int) (Result, error) {
	r := Result{Tensor: t.Logits, Group: Group(t.Logits)}
	tol, ok := c.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(c.Dir, caseFile), "it has no tolerance for the group %s", r.Group)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	info, err := want.Info(t.Logits)
	if err != nil {
		return r, err
	}
	words, labels := len(t.Words), len(t.Labels)
	shape := []int{1, words, labels, 3}
	columns := 3
	if widths > 0 {
		shape, columns = []int{1, words, widths, labels}, widths
	}
	if !slices.Equal(info.Shape, shape) {
		r.Reason = fmt.Sprintf("the model produces %v, %v was recorded", shape, info.Shape)
		return r, nil
	}
	data, err := readTensor(want, t.Logits)
	if err != nil {
		return r, err
	}
	r.hold(data.data, info.Shape, func(index []int) (float64, bool) {
		w, label, column := index[1], index[2], index[3]
		if widths > 0 {
			label, column = column, label
			if w+column >= words {
				return 0, true
			}
		}
		return float64(got[(w*labels+label)*columns+column]), false
	})
	return r, nil
}

// compareEntities decodes scores with every recorded setting. The error of the result is the largest difference between probabilities.
func (c *Case) compareEntities(t *Text, number int, scores []float32, widths int) (Result, error) {
	r := Result{Tensor: fmt.Sprintf("entities.%d", number), Group: "score", OK: true}
	tol, ok := c.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(c.Dir, caseFile), "it has no tolerance for the group %s", r.Group)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	for _, f := range t.Found {
		got, err := task.DecodeEntities(t.Text, t.Labels, scores, widths,
			task.EntityOptions{Threshold: &f.Threshold, Nested: !f.Flat, MultiLabel: f.MultiLabel})
		if err != nil {
			return r, err
		}
		setting := fmt.Sprintf("threshold %v, flat %v, several labels %v", f.Threshold, f.Flat, f.MultiLabel)
		if len(got) != len(f.Entities) {
			r.OK, r.Reason = false, fmt.Sprintf("%s: %d entities, %d were recorded", setting, len(got), len(f.Entities))
			return r, nil
		}
		for i, w := range f.Entities {
			g := got[i]
			if g.RuneStart != w.Start || g.RuneEnd != w.End || g.Text != w.Text || g.Label != w.Label {
				r.OK, r.Reason = false, fmt.Sprintf("%s: entity %d is %s %q at %d, recorded is %s %q at %d", setting, i, g.Label, g.Text,
					g.RuneStart, w.Label, w.Text, w.Start)
				return r, nil
			}
			d := math.Abs(g.Score - w.Score)
			r.Compared++
			r.Error = max(r.Error, d)
			r.OK = r.OK && d <= r.Abs+r.Rel*w.Score
		}
	}
	return r, nil
}
