package task

import (
	"context"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Schema describes what a SchemaExtractor looks for: entities, structures, relations and classifications. Package extraction has the types of its fields, and
// ParseSchema, which reads the published JSON form.
type Schema = extraction.Schema

// ExtractOptions holds the settings of a SchemaExtractor. The zero value stands for the defaults.
type ExtractOptions = extraction.Options

// ExtractInput is a text with a schema of its own.
type ExtractInput struct {
	Text   string
	Schema *Schema
	// Options holds the settings of the text; nil: those of the call.
	Options *ExtractOptions
}

// Extracted is the result for one text. JSON writes it in the published form. Places are in bytes and in code points of the text; a text that does not end in
// ".", "!" or "?" is read with a full stop after it, and a part that ends with it ends one character after the text.
type Extracted struct {
	*extraction.Result
	// Vectors are those of tokens and labels; nil if the model computes none. JSON leaves them out.
	Vectors *Vectors
	// Tokens includes the tokens of the schema. WordsCut tells how many words MaxWords cut off.
	runtime.Seen
}

// SchemaExtractor finds what a schema asks for, which is chosen with each call, or with each text (GLiNER2, Zaratiana et al. 2025). It is safe for concurrent
// use.
type SchemaExtractor struct {
	head
	prompts *extraction.Prompts
	parts   map[string]int // index of each output by its name
	steps   int            // most instances of a structure or a relation
	width   int            // most words of a span; 0: the head scores boundaries
	// boundary holds the settings of a head that scores boundaries; nil: the head scores spans up to a width.
	boundary *extraction.BoundarySettings
	vectors  *spanVectors // nil: the model computes none
}

// NewSchemaExtractor returns a SchemaExtractor for the named head; "" means the first head. The head must read schemas.
func NewSchemaExtractor(core *engine.Core, name string) (*SchemaExtractor, error) {
	h, err := newHead(core, name, "SchemaExtractor")
	if err != nil {
		return nil, err
	}
	x := &SchemaExtractor{head: h, parts: map[string]int{}}
	for i := range h.Parts {
		p := &h.Parts[i]
		x.parts[p.Name] = i
		switch p.Name {
		case tasktable.CountOutput:
			x.steps = p.C - 1
		case tasktable.SpanOutput:
			x.width = p.C
		}
	}
	if h.Boundary != nil {
		if x.boundary, err = x.boundarySettings(); err != nil {
			return nil, err
		}
	}
	t, err := core.SpanTokenizer()
	if err != nil {
		return nil, err
	}
	if x.vectors, err = newSpanVectors(&x.head); err != nil {
		return nil, err
	}
	x.prompts, err = extraction.NewPrompts(t)
	return x, err
}

// Check returns an error if the model cannot serve a schema, or if options are invalid. It names the field of the schema. It needs no text.
func (x *SchemaExtractor) Check(s *Schema, o ExtractOptions) error {
	if err := o.Check(); err != nil {
		return err
	}
	if err := s.Check(); err != nil {
		return err
	}
	if err := x.serves(s); err != nil {
		return err
	}
	in, err := x.prompts.Input(s, &extraction.Text{})
	if err != nil {
		return inputOf(err, "the schema cannot be encoded: %v", err)
	}
	if limit := x.core.Options().MaxTokens; len(in.IDs) >= limit {
		return inputOf(runtime.ErrTooLong, "the schema takes %d tokens, the limit of a sequence with its text is %d: ask for less, or for some in one call "+
			"and some in another (results depend on the whole schema)", len(in.IDs), limit)
	}
	return nil
}

// serves returns an error if the model lacks an output that a schema needs.
func (x *SchemaExtractor) serves(s *Schema) error {
	lacks := func(output string) bool { _, ok := x.parts[output]; return !ok }
	if x.boundary != nil {
		if len(s.Classifications) > 0 && lacks(tasktable.ClassOutput) {
			return input("classifications: the model does not classify texts")
		}
		return extraction.CheckBoundary(s)
	}
	spans := lacks(tasktable.SpanOutput) || lacks(tasktable.CountOutput)
	switch {
	case len(s.Classifications) > 0 && lacks(tasktable.ClassOutput):
		return input("classifications: the model does not classify texts")
	case len(s.Entities) > 0 && spans:
		return input("entities: the model does not find parts of texts")
	case len(s.Structures) > 0 && spans:
		return input("structures: the model does not find parts of texts")
	case len(s.Relations) > 0 && spans:
		return input("relations: the model does not find parts of texts")
	}
	return nil
}

// Extract finds what a schema asks for in texts. Results come in input order. A result depends on the whole schema, but not on the other texts.
func (x *SchemaExtractor) Extract(ctx context.Context, texts []string, s *Schema, o ExtractOptions) ([]Extracted, error) {
	if err := x.Check(s, o); err != nil { // also without texts
		return nil, err
	}
	inputs := make([]ExtractInput, len(texts))
	for i, t := range texts {
		inputs[i] = ExtractInput{Text: t, Schema: s}
	}
	return x.ExtractEach(ctx, inputs, o)
}

// ExtractEach finds in each text what a schema of its own asks for. Results come in input order. The result of a text does not depend on the others.
func (x *SchemaExtractor) ExtractEach(ctx context.Context, inputs []ExtractInput, o ExtractOptions) ([]Extracted, error) {
	if x.core.Options().Long.Windowed() {
		return nil, input("a text is read together with its schema, so tokens do not divide it into windows: set Long to Reject or Truncate, and " +
			"Window and Share in the options, which count words (--chunk-size and --chunk-overlap of run, chunk_size and chunk_overlap in a line of input)")
	}
	results := make([]Extracted, len(inputs))
	c := &extractCall{SchemaExtractor: x, inputs: inputs, o: &o, results: results, windows: make([][]extraction.Window, len(inputs))}
	b, err := engine.NewBatcher(x.core, x.index, false, c.take)
	if err == nil {
		err = b.Begin(ctx, false)
	}
	if err != nil {
		return nil, err
	}
	if x.vectors != nil {
		b.Vectors = func(_ *engine.Window, rows map[string][]float32) error {
			c.rows = rows
			return nil
		}
	}
	checked := map[checkedSchema]bool{}
	for i := range inputs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in := &inputs[i]
		if k := (checkedSchema{in.Schema, in.Options}); !checked[k] {
			if err := x.Check(in.Schema, *in.settings(&o)); err != nil {
				return nil, &runtime.TextError{Text: i, What: err.Error(), Err: err}
			}
			checked[k] = true
		}
		if err := c.add(ctx, b, i); err != nil {
			return nil, err
		}
	}
	return results, b.Flush(ctx)
}

// checkedSchema is a schema with options that passed Check.
type checkedSchema struct {
	schema  *Schema
	options *ExtractOptions
}

// settings returns the settings of a text.
func (in *ExtractInput) settings(o *ExtractOptions) *ExtractOptions {
	if in.Options != nil {
		return in.Options
	}
	return o
}

// extractCall is a call of ExtractEach.
type extractCall struct {
	*SchemaExtractor
	inputs  []ExtractInput
	o       *ExtractOptions
	results []Extracted

	pending []*extraction.Input   // inputs of sequences whose numbers have not come, in their order
	windows [][]extraction.Window // of each text that is read in windows; nil when it is done
	found   []*extraction.Result  // results of the windows of the text whose numbers come now
	rows    map[string][]float32  // vectors of the window whose numbers come now
	vectors *schemaVectors        // of the text whose numbers come now
}

// add adds the sequences of text number i.
func (c *extractCall) add(ctx context.Context, b *engine.Batcher, i int) error {
	in := &c.inputs[i]
	o := in.settings(c.o)
	if err := engine.CheckUTF8("the text", in.Text); err != nil {
		return engine.TextFault(i, "%v", err)
	}
	if o.Window == 0 {
		text := extraction.Read(in.Text, o.Splitter, o.MaxWords)
		read, cut, err := c.encode(i, in.Schema, text, o)
		if err != nil {
			return err
		}
		c.results[i].Seen = runtime.Seen{Tokens: len(read.IDs), Truncated: cut, Windows: 1}
		return c.addSequence(ctx, b, engine.Window{Text: i, Count: 1}, read)
	}
	windows := extraction.Windows(in.Text, o)
	c.windows[i] = windows
	seen := &c.results[i].Seen
	seen.Windows = len(windows)
	for k := range windows {
		read, _, err := c.encode(i, in.Schema, extraction.Read(windows[k].Text, o.Splitter, o.Window), o)
		if err != nil {
			return err
		}
		seen.Tokens += len(read.IDs)
		if k > 0 { // the tokens of the schema, and of words that the window before has, count once
			own := 2 * (len(read.Choices) + o.Share)
			seen.Tokens -= int(read.Words[min(own, len(read.Words)-2)])
		}
		if err := c.addSequence(ctx, b, engine.Window{Text: i, Index: k, Count: len(windows)}, read); err != nil {
			return err
		}
	}
	return nil
}

// encode writes a text and a schema as tokens. If the model's policy cuts texts, the last words that do not fit are cut off; it returns how many tokens they
// are.
func (c *extractCall) encode(i int, s *Schema, text *extraction.Text, o *ExtractOptions) (in *extraction.Input, cut int, err error) {
	if in, err = c.prompts.Input(s, text); err != nil {
		return nil, 0, engine.NotEncoded(i, err)
	}
	size, limit := len(in.IDs), c.core.Options().MaxTokens
	switch {
	case size <= limit:
		return in, 0, nil
	case o.Window > 0:
		return nil, 0, engine.LongFault(i, "a window of %d words takes %d tokens with its schema, the limit is %d: lower Window (--chunk-size of run, "+
			"chunk_size in a line of input)", len(text.Words), size, limit)
	case c.core.Options().Long == runtime.Reject:
		return nil, 0, engine.LongFault(i, "%d tokens with its schema are too long, the limit is %d: shorten it, read it in windows (Window and Share; "+
			"--chunk-size of run; chunk_size in a line of input), or cut it (MaxWords; --long truncate of run; max_len in a line of input)", size, limit)
	}
	words := 0
	for words < len(text.Words) && int(in.Words[2*(len(in.Choices)+words)+1]) <= limit {
		words++
	}
	if words == 0 {
		return nil, 0, engine.LongFault(i, "the limit of %d tokens leaves no room for its first word beside the schema: raise it", limit)
	}
	short := *text
	short.Words, short.Cut = text.Words[:words], text.Cut+len(text.Words)-words
	if in, err = c.prompts.Input(s, &short); err != nil {
		return nil, 0, engine.NotEncoded(i, err)
	}
	return in, size - len(in.IDs), nil
}

// addSequence adds a sequence to the batch.
func (c *extractCall) addSequence(ctx context.Context, b *engine.Batcher, w engine.Window, in *extraction.Input) error {
	c.pending = append(c.pending, in)
	s := c.sequence(in)
	return b.AddSequence(ctx, w, &s)
}

// take receives the numbers of a sequence.
func (c *extractCall) take(w *engine.Window, out []float32) error {
	if err := engine.CheckNumbers(w.Text, out); err != nil {
		return err
	}
	in := &c.inputs[w.Text]
	read := c.pending[0]
	c.pending = c.pending[1:]
	o := in.settings(c.o)
	result := c.decode(in.Schema, read, o, out)
	if err := c.takeVectors(w, in, read, result); err != nil {
		return err
	}
	if o.Window == 0 {
		c.results[w.Text].Result = result
		return nil
	}
	if w.Index == 0 {
		c.found = c.found[:0]
	}
	c.found = append(c.found, result)
	if w.Index == w.Count-1 {
		c.results[w.Text].Result = extraction.Merge(in.Text, c.windows[w.Text], c.found, c.overlap(o))
		c.windows[w.Text] = nil
	}
	return nil
}

// takeVectors reads the vectors of a window, if the model computes any.
func (c *extractCall) takeVectors(w *engine.Window, in *ExtractInput, read *extraction.Input, result *extraction.Result) error {
	if c.SchemaExtractor.vectors == nil {
		return nil
	}
	if w.Index == 0 {
		c.vectors = &schemaVectors{spanVectors: c.SchemaExtractor.vectors, steps: c.steps}
	}
	place := extraction.Place{End: len(in.Text)}
	if windows := c.windows[w.Text]; windows != nil {
		place = windows[w.Index].Place
	}
	if err := c.vectors.take(in.Text, in.Schema, w, place, read, result, c.rows); err != nil {
		return err
	}
	if w.Index == w.Count-1 {
		c.results[w.Text].Vectors = c.vectors.vectors()
	}
	return nil
}
