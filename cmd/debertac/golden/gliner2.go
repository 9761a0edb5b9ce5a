package golden

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// Extract is a text with a schema, as the reference tokenized it, and the numbers of its tasks.
type Extract struct {
	ExtractInput
	ID    string        `json:"id"`
	IDs   []int32       `json:"input_ids"`
	Words []int32       `json:"word_positions"`   // first token of each word, choices first
	Marks [][]int32     `json:"marker_positions"` // of each task: the marker of the task, then those of its labels
	Tasks []ExtractTask `json:"tasks"`
	Head  []string      `json:"head"` // names of the recorded tensors of all fields, for models that score boundaries
}

// ExtractTask is a task of a schema with the names of its recorded tensors.
type ExtractTask struct {
	Type        string   `json:"type"`
	Labels      []string `json:"labels"`
	CountLogits string   `json:"count_logits"` // [counts]; "": the task is not counted
	Logits      string   `json:"logits"`       // [labels] of a classification, else [steps, labels, words, widths]; "": the task was found 0 times
}

// taskClasses is the type of tasks that classify the text. Other tasks find spans.
const taskClasses = "classifications"

// taskEntities is the type of tasks whose fields are computed in one step.
const taskEntities = "entities"

// steps returns the number of steps in which the fields of a task are computed, in a model with a greatest number of them.
func (t *ExtractTask) steps(most int) int {
	switch t.Type {
	case taskClasses:
		return 0
	case taskEntities:
		return 1
	}
	return most - 1
}

// readExtracts reads the texts of a case, one per line. Texts that are cut into chunks have no numbers of their own.
func (c *Case) readExtracts() error {
	path := filepath.Join(c.Dir, textsFile)
	data, err := disk.ReadFile(path, mostText)
	if err != nil {
		return err
	}
	for i, line := range bytes.Split(bytes.TrimSpace(data), []byte("\n")) {
		var x Extract
		if err := json.Unmarshal(line, &x); err != nil {
			return fault(path, "line %d is not valid: %s", i+1, diag.JSON(err))
		}
		if len(x.IDs) == 0 {
			continue
		}
		if len(x.Marks) != len(x.Tasks) || len(x.Words) == 0 {
			return fault(path, "line %d has %d tasks, the markers of %d, and %d words", i+1, len(x.Tasks), len(x.Marks), len(x.Words))
		}
		for k, marks := range x.Marks {
			if len(marks) != len(x.Tasks[k].Labels)+1 {
				return fault(path, "line %d: task %d has %d labels and %d markers", i+1, k, len(x.Tasks[k].Labels), len(marks))
			}
		}
		c.Extracts = append(c.Extracts, x)
		c.Length = max(c.Length, len(x.IDs))
	}
	if len(c.Extracts) == 0 {
		return fault(path, "no text has ids")
	}
	return nil
}

// sequence returns a text as a sequence of a model with a greatest number of steps. A word without tokens has the rows of the next word.
func (x *Extract) sequence(most int) *engine.Sequence {
	s := &engine.Sequence{IDs: x.IDs}
	end, first := int32(len(x.IDs)), int32(-1)
	ranges := make([]int32, 2*len(x.Words))
	for i := len(x.Words) - 1; i >= 0; i-- {
		from := min(x.Words[i], int32(len(x.IDs)-1))
		if from != first { // otherwise the word has no tokens
			if first >= 0 {
				end = first
			}
			first = from
		}
		ranges[2*i], ranges[2*i+1] = from, end
	}
	s.Words = ranges
	for k, marks := range x.Marks {
		s.Marks = append(s.Marks, marks...)
		s.AppendTask(marks[1:], x.Tasks[k].steps(most))
	}
	return s
}

// ExtractBatch returns the batch of a pass of a case of texts with schemas.
func (c *Case) ExtractBatch(p Pass, l engine.Limits) *runtime.Batch {
	b := &runtime.Batch{}
	from, to := textsOf(p, len(c.Extracts))
	for i := from; i < to; i++ {
		b.Append(c.Extracts[i].sequence(l.Steps), l)
	}
	return b
}

// extractNumbers are the outputs for a text.
type extractNumbers struct {
	classes, counts, spans []float32
	columns                struct{ counts, spans int }
}

// compareExtracts compares the numbers of all tasks of all texts with the recorded ones, and the numbers of each text alone with those of the text among
// others, which must be the same.
func (k *comparison) compareExtracts(want *safetensors.File) ([]Result, error) {
	together, err := k.extractNumbers(func(p Pass) bool { return p.Name[0] == 't' })
	if err != nil {
		return nil, err
	}
	alone, err := k.extractNumbers(func(p Pass) bool { return p.Name[0] == 'a' })
	if err != nil {
		return nil, err
	}
	var results []Result
	for i := range k.Extracts {
		list, err := k.compareExtract(want, &k.Extracts[i], &together[i])
		if err != nil {
			return nil, err
		}
		a, b := &alone[i], &together[i]
		same := Result{Tensor: fmt.Sprintf("alone.%d", i), Group: "logits", Compared: len(a.classes) + len(a.counts) + len(a.spans),
			OK: slices.Equal(a.classes, b.classes) && slices.Equal(a.counts, b.counts) && slices.Equal(a.spans, b.spans)}
		if !same.OK {
			same.Reason = "alone the text has other numbers than among others"
		}
		results = append(append(results, list...), same)
		if k.Extracts[i].read == nil {
			continue // the model has no tokenizer
		}
		input := k.Extracts[i].compareInputs(i)
		if results = append(results, input); !input.OK {
			continue
		}
		x, n := &k.Extracts[i], k.Extracts[i].numbersOf(b, k.produced.Steps)
		found, err := k.compareResults(x, i, func(o *extraction.Options) *extraction.Result { return extraction.DecodeSpans(x.schema, x.read, n, o) })
		if err != nil {
			return nil, err
		}
		results = append(results, found)
	}
	return results, nil
}

// compareExtract compares the numbers of the tasks of a text.
func (k *comparison) compareExtract(want *safetensors.File, x *Extract, n *extractNumbers) ([]Result, error) {
	var results []Result
	mark, query, queries := 0, 0, len(x.sequence(k.produced.Steps).Queries)
	for i := range x.Tasks {
		t := &x.Tasks[i]
		first, labels := mark, len(t.Labels)
		mark += labels + 1
		begin := query
		query += t.steps(k.produced.Steps) * labels
		for _, r := range []struct {
			tensor, group string
			read          func(index []int) (float32, bool)
		}{
			{t.CountLogits, "count", func(index []int) (float32, bool) { return n.counts[first*n.columns.counts+index[0]], false }},
			{t.Logits, "logits", func(index []int) (float32, bool) {
				if len(index) == 1 {
					return n.classes[first+1+index[0]], false
				}
				pair := index[2]*queries + begin + index[0]*labels + index[1]
				return n.spans[pair*n.columns.spans+index[3]], index[2]+index[3] >= len(x.Words)
			}},
		} {
			if r.tensor == "" {
				continue
			}
			result, err := k.extracted(want, r.tensor, r.group, r.read)
			if err != nil {
				return nil, err
			}
			results = append(results, result)
		}
	}
	return results, nil
}

// extracted compares one recorded tensor.
func (k *comparison) extracted(want *safetensors.File, name, group string, read func(index []int) (float32, bool)) (Result, error) {
	r := Result{Tensor: name, Group: group}
	info, err := want.Info(name)
	if err != nil {
		return r, err
	}
	data, err := readTensor(want, name)
	if err != nil {
		return r, err
	}
	tol, ok := k.Tolerance[group]
	if !ok {
		return r, fault(filepath.Join(k.Dir, caseFile), "it has no tolerance for the group %s", group)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	r.hold(data.data, info.Shape, func(index []int) (float64, bool) {
		v, skip := read(index)
		return float64(v), skip
	})
	return r, nil
}

// extractNumbers returns the numbers of each text from the passes that pick selects.
func (k *comparison) extractNumbers(pick func(p Pass) bool) ([]extractNumbers, error) {
	numbers := make([]extractNumbers, len(k.Extracts))
	for _, p := range textPasses(len(k.Extracts)) {
		f := k.files[p.Name]
		if f == nil || !pick(p) {
			continue
		}
		var parts [3][]float32
		var columns [3]int
		for i, name := range []string{tasktable.ClassOutput, tasktable.CountOutput, tasktable.SpanOutput} {
			tensor := "output." + name
			info, err := f.Info(tensor)
			if err != nil {
				return nil, err
			}
			parts[i], columns[i] = make([]float32, info.Elements()), info.Shape[1]
			if err := f.Floats(tensor, parts[i]); err != nil {
				return nil, err
			}
		}
		from, to := textsOf(p, len(k.Extracts))
		for i := from; i < to; i++ {
			s := k.Extracts[i].sequence(k.produced.Steps)
			take := func(part, rows int) (out []float32) {
				n := rows * columns[part]
				out, parts[part] = parts[part][:n], parts[part][n:]
				return out
			}
			x := &numbers[i]
			x.classes, x.counts, x.spans = take(0, len(s.Marks)), take(1, len(s.Marks)), take(2, len(s.Queries)*len(s.Words)/2)
			x.columns.counts, x.columns.spans = columns[1], columns[2]
		}
	}
	return numbers, nil
}
