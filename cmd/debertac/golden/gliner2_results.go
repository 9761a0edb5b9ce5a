package golden

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/runtime/extraction"
)

// ExtractInput is the text of an Extract and its schema, with the results that were found.
type ExtractInput struct {
	Text    string          `json:"text"`
	Schema  json.RawMessage `json:"schema"`
	Options struct {
		MaxWords int    `json:"max_len"`
		Splitter string `json:"word_splitter"`
	} `json:"options"`
	Validated *bool          `json:"validated"` // false: the published form of schemas refuses this one
	Found     []ExtractFound `json:"results"`

	schema  *extraction.Schema
	read    *extraction.Input
	differs string // what of the model's own input is not as recorded; ""
}

// ExtractFound is what was found with one setting.
type ExtractFound struct {
	Threshold  float64 `json:"threshold"`
	Overlap    string  `json:"overlap_policy"`
	Confidence *bool   `json:"include_confidence"`
	Spans      *bool   `json:"include_spans"`
	Output     any     `json:"output"`
}

// ReadSchemas writes the schemas and texts of a case as tokens. It notes where the input of the model is not as recorded.
func (c *Case) ReadSchemas(p *extraction.Prompts) error {
	for i := range c.Extracts {
		x := &c.Extracts[i]
		if x.read != nil {
			continue
		}
		splitter, err := extraction.ParseSplitter(x.Options.Splitter)
		if err == nil {
			x.schema, err = x.parse()
		}
		if err == nil {
			x.read, err = p.Input(x.schema, extraction.Read(x.Text, splitter, x.Options.MaxWords))
		}
		if err != nil {
			return fault(filepath.Join(c.Dir, textsFile), "%s: %v", x.ID, err)
		}
		x.compareInput()
	}
	return nil
}

// parse returns the schema of a text. Where the published form is too strict, it reads classifications by themselves.
func (x *ExtractInput) parse() (*extraction.Schema, error) {
	if x.Validated == nil || *x.Validated {
		return extraction.ParseSchema(x.Schema)
	}
	var form struct {
		Classifications []struct {
			Task   string   `json:"task"`
			Labels []string `json:"labels"`
			Multi  bool     `json:"multi_label"`
		} `json:"classifications"`
	}
	if err := json.Unmarshal(x.Schema, &form); err != nil {
		return nil, err
	}
	s := &extraction.Schema{}
	for _, t := range form.Classifications {
		s.Classifications = append(s.Classifications, extraction.Classification{Task: t.Task, Labels: t.Labels, Multi: t.Multi})
	}
	return s, s.Check()
}

// compareInput compares what the model reads with what was recorded.
func (x *Extract) compareInput() {
	var words []int32
	for i := 0; i < len(x.read.Words); i += 2 {
		words = append(words, x.read.Words[i])
	}
	var marks []int32
	for _, m := range x.read.Marks {
		marks = append(marks, m.Row)
	}
	switch recorded := slices.Concat(x.Marks...); {
	case !slices.Equal(x.read.IDs, x.IDs):
		x.differs = fmt.Sprintf("the ids are %v, recorded are %v", x.read.IDs, x.IDs)
	case !slices.Equal(words, x.Words):
		x.differs = fmt.Sprintf("the words begin at %v, recorded are %v", words, x.Words)
	case !slices.Equal(marks, recorded):
		x.differs = fmt.Sprintf("the markers stand at %v, recorded are %v", marks, recorded)
	}
}

// compareInputs returns the comparison of what a model reads of a text.
func (x *Extract) compareInputs(number int) Result {
	return Result{Tensor: fmt.Sprintf("input.%d", number), Group: "logits", OK: x.differs == "", Reason: x.differs, Compared: len(x.IDs) + len(x.Words)}
}

// compareResults compares the results of a text with every recorded setting. The error of the result is the largest difference between probabilities.
func (c *Case) compareResults(x *Extract, number int, decode func(o *extraction.Options) *extraction.Result) (Result, error) {
	r := Result{Tensor: fmt.Sprintf("results.%d", number), Group: "score", OK: true}
	tol, ok := c.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(c.Dir, caseFile), "it has no tolerance for the group %s", r.Group)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	for _, f := range x.Found {
		overlap, err := extraction.ParseOverlap(f.Overlap)
		if err != nil {
			return r, fault(filepath.Join(c.Dir, textsFile), "%s: %v", x.ID, err)
		}
		format := extraction.Format{Confidence: f.Confidence == nil || *f.Confidence, Spans: f.Spans == nil || *f.Spans}
		written, err := decode(&extraction.Options{Threshold: &f.Threshold, Overlap: overlap}).JSON(format)
		if err := r.compare(written, err, f.Output, fmt.Sprintf("threshold %v, overlap %q", f.Threshold, f.Overlap)); err != nil {
			return r, err
		}
	}
	return r, nil
}

// spanNumbers are the numbers of a text as the decoder reads them.
type spanNumbers struct {
	*extractNumbers
	in    *extraction.Input
	first []int // the first query of each task
	total int   // number of queries
}

// numbersOf returns the numbers of a text for the decoder.
func (x *Extract) numbersOf(n *extractNumbers, most int) *spanNumbers {
	s := &spanNumbers{extractNumbers: n, in: x.read}
	for i := range x.Tasks {
		s.first = append(s.first, s.total)
		s.total += x.Tasks[i].steps(most) * len(x.Tasks[i].Labels)
	}
	return s
}

func (n *spanNumbers) Class(mark int) float32 { return n.classes[mark] }

func (n *spanNumbers) Count(mark int) []float32 {
	return n.counts[mark*n.columns.counts:][:n.columns.counts]
}

func (n *spanNumbers) Span(mark, instance, word int) []float32 {
	m := &n.in.Marks[mark]
	query := n.first[m.Task] + instance*len(n.in.Tasks[m.Task].Labels) + m.Label
	return n.spans[(word*n.total+query)*n.columns.spans:][:n.columns.spans]
}
