package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/spec/diag"
)

// Match is a text with labels, as the reference tokenized it, and the labels that fit it.
type Match struct {
	Text    string         `json:"text"`
	Labels  task.LabelTree `json:"labels"`
	Options struct {
		Prompt    string              `json:"prompt"`
		Examples  []task.MatchExample `json:"examples"`
		MaxLength int                 `json:"max_length"`
		Tree      bool                `json:"return_hierarchical"`
	} `json:"options"`
	Flat   []string     `json:"flat_labels"`
	Input  string       `json:"input"` // the text that the tokenizer read
	IDs    []int32      `json:"input_ids"`
	Logits string       `json:"logits"` // name of the recorded tensor
	Found  []MatchFound `json:"results"`

	differs string // what of the model's own input is not as recorded; ""
}

// MatchFound are the labels that fit with one setting.
type MatchFound struct {
	Kind      string  `json:"classification_type"`
	Threshold float64 `json:"threshold"`
	Output    any     `json:"output"`
}

// passAlone begins the names of the passes that compute one text.
const passAlone = "alone."

// textsOfPass is the number of texts of a pass that computes several texts together.
const textsOfPass = 32

// readMatches reads the texts of a case, one per line.
func (c *Case) readMatches() error {
	path := filepath.Join(c.Dir, textsFile)
	data, err := disk.ReadFile(path, mostText)
	if err != nil {
		return err
	}
	for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var m Match
		if err := json.Unmarshal(line, &m); err != nil {
			return fault(path, "line %d is not valid: %s", i+1, diag.JSON(err))
		}
		if len(m.IDs) == 0 || len(m.Flat) == 0 {
			return fault(path, "line %d has %d ids and %d labels", i+1, len(m.IDs), len(m.Flat))
		}
		c.Matches = append(c.Matches, m)
		c.Length = max(c.Length, len(m.IDs))
	}
	return nil
}

// textPasses returns passes that compute n texts together, as many as fit, and one for each text alone.
func textPasses(n int) []Pass {
	var passes []Pass
	for from := 0; from < n; from += textsOfPass {
		passes = append(passes, Pass{Name: fmt.Sprint("texts.", from)})
	}
	for i := range n {
		passes = append(passes, Pass{Name: fmt.Sprint(passAlone, i)})
	}
	return passes
}

// textsOf returns the numbers of the texts of a pass, of n texts.
func textsOf(p Pass, n int) (from, to int) {
	if found, _ := fmt.Sscanf(p.Name, passAlone+"%d", &from); found == 1 {
		return from, from + 1
	}
	_, _ = fmt.Sscanf(p.Name, "texts.%d", &from)
	return from, min(from+textsOfPass, n)
}

// MatchBatch returns the batch of a pass of a case of texts with labels. It notes where the input of the model is not as recorded.
func (c *Case) MatchBatch(p Pass, prompt *task.LabelPrompt, l engine.Limits) (*runtime.Batch, error) {
	b := &runtime.Batch{}
	from, to := textsOf(p, len(c.Matches))
	for i := from; i < to; i++ {
		m := &c.Matches[i]
		o := task.MatchOptions{Prompt: m.Options.Prompt, MaxLength: m.Options.MaxLength, Examples: m.Options.Examples}
		if o.MaxLength == 0 {
			o.MaxLength = publishedLength
		}
		in := task.MatchInput{Text: m.Text, Labels: m.Labels.Flat()}
		var s engine.Sequence
		if _, err := prompt.Sequence(&s, in, o); err != nil {
			return nil, fault(filepath.Join(c.Dir, textsFile), "line %d: %v", i+1, err)
		}
		switch {
		case !slices.Equal(in.Labels, m.Flat):
			m.differs = fmt.Sprintf("the labels are %q, recorded are %q", in.Labels, m.Flat)
		case prompt.Input(in, o) != m.Input:
			m.differs = fmt.Sprintf("the input is %q, recorded is %q", prompt.Input(in, o), m.Input)
		case !slices.Equal(s.IDs, m.IDs):
			m.differs = fmt.Sprintf("the ids are %v, recorded are %v", s.IDs, m.IDs)
		}
		b.Append(&s, l)
	}
	return b, nil
}

// publishedLength is the number of tokens to which the published pipeline cuts a text without max_length.
const publishedLength = 1024

// compareMatches compares the input, the scores and the results of all texts with the recorded ones, and the scores of each text alone with those of the text
// among others, which must be the same numbers.
func (k *comparison) compareMatches(want *safetensors.File) ([]Result, error) {
	together, err := k.matchScores(func(p Pass) bool { return p.Name[0] == 't' })
	if err != nil {
		return nil, err
	}
	alone, err := k.matchScores(func(p Pass) bool { return p.Name[0] == 'a' })
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range k.Matches {
		m := &k.Matches[i]
		input := Result{Tensor: fmt.Sprintf("input.%d", i), Group: "logits", OK: m.differs == "", Reason: m.differs, Compared: len(m.IDs)}
		logits := Result{Tensor: m.Logits, Group: "logits"}
		info, err := want.Info(m.Logits)
		if err != nil {
			return nil, err
		}
		data, err := readTensor(want, m.Logits)
		if err != nil {
			return nil, err
		}
		tol, ok := k.Tolerance[logits.Group]
		if !ok {
			return nil, fault(filepath.Join(k.Dir, caseFile), "it has no tolerance for the group %s", logits.Group)
		}
		logits.Abs, logits.Rel = tol.Abs, tol.Rel
		if len(data.data) != len(together[i]) {
			logits.Reason = fmt.Sprintf("the model produces %d numbers, %v were recorded", len(together[i]), info.Shape)
			results = append(results, input, logits)
			continue
		}
		logits.hold(data.data, info.Shape, func(index []int) (float64, bool) { return float64(together[i][index[0]]), false })
		same := Result{Tensor: fmt.Sprintf("alone.%d", i), Group: "logits", OK: slices.Equal(alone[i], together[i]), Compared: len(alone[i])}
		if !same.OK {
			same.Reason = fmt.Sprintf("alone the text has the numbers %v, among others %v", alone[i], together[i])
		}
		found, err := k.compareFound(m, i, together[i])
		if err != nil {
			return nil, err
		}
		results = append(results, input, logits, same, found)
	}
	return results, nil
}

// matchScores returns the numbers of each text from the passes that pick selects.
func (k *comparison) matchScores(pick func(p Pass) bool) ([][]float32, error) {
	scores := make([][]float32, len(k.Matches))
	for _, p := range textPasses(len(k.Matches)) {
		f := k.files[p.Name]
		if f == nil || !pick(p) {
			continue
		}
		info, err := f.Info("output")
		if err != nil {
			return nil, err
		}
		all := make([]float32, info.Elements())
		if err := f.Floats("output", all); err != nil {
			return nil, err
		}
		from, to := textsOf(p, len(k.Matches))
		for i := from; i < to; i++ {
			n := min(len(k.Matches[i].Flat), len(all))
			scores[i], all = all[:n], all[n:]
		}
	}
	return scores, nil
}

// compareFound compares the results of a text with every recorded setting. The error of the result is the largest difference between probabilities.
func (c *Case) compareFound(m *Match, number int, scores []float32) (Result, error) {
	r := Result{Tensor: fmt.Sprintf("labels.%d", number), Group: "score", OK: true}
	tol, ok := c.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(c.Dir, caseFile), "it has no tolerance for the group %s", r.Group)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	for _, f := range m.Found {
		got := task.DecodeMatch(m.Flat, scores, task.MatchOptions{Threshold: &f.Threshold, Single: f.Kind == "single-label"})
		var written []byte
		var err error
		if m.Options.Tree {
			written, err = m.Labels.Scored(&got)
		} else {
			written, err = json.Marshal(got.Labels)
		}
		if err := r.compare(written, err, f.Output, fmt.Sprintf("%s, threshold %v", f.Kind, f.Threshold)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// compare compares a written result with the recorded one. what names the setting.
func (r *Result) compare(written []byte, err error, want any, what string) error {
	var value any
	if err == nil {
		err = json.Unmarshal(written, &value)
	}
	if err == nil && !r.near(value, want) {
		r.OK, r.Reason = false, fmt.Sprintf("%s: %s, recorded is %v", what, written, want)
	}
	return err
}

// near compares two JSON values. Numbers may differ by the tolerance.
func (r *Result) near(got, want any) bool {
	switch w := want.(type) {
	case float64:
		g, ok := got.(float64)
		d := math.Abs(g - w)
		r.Compared++
		r.Error = max(r.Error, d)
		return ok && d <= r.Abs+r.Rel*math.Abs(w)
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for i := range w {
			if !r.near(g[i], w[i]) {
				return false
			}
		}
		return true
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || len(g) != len(w) {
			return false
		}
		for key := range w {
			if _, has := g[key]; !has || !r.near(g[key], w[key]) {
				return false
			}
		}
		return true
	}
	return reflect.DeepEqual(got, want)
}
