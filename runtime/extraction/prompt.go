package extraction

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// TaskKind is the kind of a task of a prompt.
type TaskKind uint8

// The kinds of tasks, in the order in which a prompt holds them.
const (
	StructureTask TaskKind = iota
	EntityTask
	RelationTask
	ClassificationTask
)

// Task is a task of a prompt: all entities, or one structure, relation or classification.
type Task struct {
	Kind   TaskKind
	Index  int      // of the structure, relation or classification in its list of the schema
	Prompt string   // the name, as the model reads it, with descriptions and examples
	Labels []string // fields, labels of entities and of their attributes, "head" and "tail", or labels of a classification
	Mark   int      // index of the task's [P] in Input.Marks; the marks of its labels follow it
}

// MarkKind is the kind of a marker.
type MarkKind uint8

// The kinds of markers.
const (
	MarkTask   MarkKind = iota // [P], before the prompt of a task
	MarkEntity                 // [E], before a label of entities or of their attributes
	MarkField                  // [C], before a field of a structure
	MarkRole                   // [R], before "head" and before "tail"
	MarkLabel                  // [L], before a label of a classification
)

// Steps returns how many instances a model computes at most for a marker: one for labels of entities, MaxCount for fields and for heads and tails, none for
// the others.
func (k MarkKind) Steps() int {
	switch k {
	case MarkEntity:
		return 1
	case MarkField, MarkRole:
		return MaxCount
	}
	return 0
}

// MaxCount is the greatest number of instances that a model can count.
const MaxCount = 19

// Mark is a marker of a prompt. It is always one token.
type Mark struct {
	Kind  MarkKind
	Row   int32 // its token
	Task  int   // index of the task
	Label int   // index of the label in the task; -1 for MarkTask
}

// Input is what a model reads: a prompt and a text. There are no special tokens at both ends.
type Input struct {
	IDs []int32
	// Words holds the first row of each word and the row after its last, one pair per word: first the words of choices, then those of the text. A word without
	// tokens has the rows of the next word, or at the end those of the word before.
	Words   []int32
	Choices []string // the words of choices, in their own case; brackets and names of fields are among them
	Marks   []Mark   // all markers, in the order of the prompt
	Tasks   []Task
	Text    *Text
}

// Prompts writes schemas and texts as tokens. It is safe for concurrent use if its tokenizer is.
type Prompts struct {
	tokens tokenizer.SpanTokenizer
	ids    map[string]int32 // of the markers
}

// NewPrompts returns a Prompts for a tokenizer, which must have the tokens of Markers.
func NewPrompts(t tokenizer.SpanTokenizer) (*Prompts, error) {
	p := &Prompts{tokens: t, ids: map[string]int32{}}
	for _, m := range Markers {
		id, ok := t.ID(m)
		if !ok {
			return nil, ragged.Errorf("the tokenizer has no token %q, which prompts of an extractor need", m)
		}
		p.ids[m] = id
	}
	return p, nil
}

// Tasks returns the tasks of a schema, in the order in which a model reads them, without marks.
func (s *Schema) Tasks() []Task {
	var tasks []Task
	for i := range s.Structures {
		tasks = append(tasks, structureTask(i, &s.Structures[i]))
	}
	if len(s.Entities) > 0 {
		tasks = append(tasks, entityTask(s))
	}
	for i := range s.Relations {
		r := &s.Relations[i]
		tasks = append(tasks, Task{Kind: RelationTask, Index: i, Prompt: r.key(), Labels: []string{"head", "tail"}})
	}
	for i := range s.Classifications {
		tasks = append(tasks, classificationTask(i, &s.Classifications[i]))
	}
	return tasks
}

// TaskName returns the name of what a task asks for: that of the structure, relation or classification, or "entities".
func (s *Schema) TaskName(t *Task) string {
	switch t.Kind {
	case StructureTask:
		return s.Structures[t.Index].Name
	case RelationTask:
		return s.Relations[t.Index].Name
	case ClassificationTask:
		return s.Classifications[t.Index].Task
	}
	return keyEntities
}

// describe appends the description of a label to a prompt.
func describe(b *strings.Builder, label, text string) {
	b.WriteString(" " + markDescription + " " + label + ": " + text)
}

func structureTask(i int, s *Structure) Task {
	t := Task{Kind: StructureTask, Index: i}
	var b strings.Builder
	b.WriteString(s.Name)
	for _, f := range s.Fields {
		t.Labels = append(t.Labels, f.Name)
		if f.Description != "" {
			describe(&b, f.Name, f.Description)
		}
	}
	t.Prompt = b.String()
	return t
}

func entityTask(s *Schema) Task {
	t := Task{Kind: EntityTask}
	var b strings.Builder
	b.WriteString(keyEntities)
	for _, e := range s.Entities {
		t.Labels = append(t.Labels, e.Label)
		if e.Description != nil {
			describe(&b, e.Label, *e.Description)
		}
	}
	t.Labels = append(t.Labels, attributeLabels(s)...)
	t.Prompt = b.String()
	return t
}

func classificationTask(i int, c *Classification) Task {
	t := Task{Kind: ClassificationTask, Index: i, Labels: c.Labels}
	var b strings.Builder
	b.WriteString(c.Task)
	if c.Prompt != "" {
		b.WriteString(": " + c.Prompt)
	}
	known := map[string]bool{}
	for j, l := range c.Labels {
		known[l] = true
		if c.Descriptions != nil {
			describe(&b, l, c.Descriptions[j])
		}
	}
	for _, e := range c.Examples {
		if known[e.Label] {
			b.WriteString(" " + markExample + " " + e.Text + " " + markOutput + " " + e.Label)
		}
	}
	t.Prompt = b.String()
	return t
}

// attributeLabels returns the labels of all attribute groups as a model reads them, sorted by code point.
func attributeLabels(s *Schema) []string {
	var labels []string
	for i := range s.Attributes {
		g := &s.Attributes[i]
		for _, l := range g.Labels {
			labels = append(labels, g.prompt(l))
		}
	}
	slices.Sort(labels) // bytes of UTF-8 stand in the order of code points
	return labels
}

// choiceWords returns the words that stand before a text and hold the choices of all fields: for each structure with choices "(", its name with a colon, each
// of its fields with its choices in brackets, and ")".
func choiceWords(s *Schema) []string {
	var words []string
	for i := range s.Structures {
		open := false
		for _, f := range s.Structures[i].Fields {
			if f.Choices == nil {
				continue
			}
			if !open {
				words = append(words, "(", s.Structures[i].Name+":")
			} else {
				words = append(words, ",")
			}
			open = true
			words = append(words, f.Name, "(")
			for j, c := range f.Choices {
				if j > 0 {
					words = append(words, "|")
				}
				words = append(words, c)
			}
			words = append(words, ")")
		}
		if open {
			words = append(words, ")")
		}
	}
	return words
}

// Input writes a schema and a text as tokens. Every word, name, label and bracket is tokenized by itself, and markers in it are read as tokens. The schema
// must have passed Check.
func (p *Prompts) Input(s *Schema, text *Text) (*Input, error) {
	in := &Input{Tasks: s.Tasks(), Choices: choiceWords(s), Text: text}
	w := &promptWriter{Prompts: p, in: in, seen: map[string][]int32{}}
	for i := range in.Tasks {
		if i > 0 {
			w.mark(sepStruct)
		}
		w.task(i, &in.Tasks[i])
	}
	w.mark(sepText)
	for _, c := range in.Choices {
		w.word(c)
	}
	for i := range text.Words {
		w.word(text.Words[i].Text)
	}
	if w.err != nil {
		return nil, w.err
	}
	in.fillWords()
	return in, nil
}

// fillWords sets the rows of words without tokens: those of the next word, or at the end those of the word before.
func (in *Input) fillWords() {
	n := int32(len(in.IDs))
	lo, hi := n, n
	for i := len(in.Words) - 2; i >= 0; i -= 2 {
		if in.Words[i] == in.Words[i+1] {
			in.Words[i], in.Words[i+1] = lo, hi
		}
		lo, hi = in.Words[i], in.Words[i+1]
	}
	lo, hi = n-1, n // the token before the words
	for i := 0; i < len(in.Words); i += 2 {
		if in.Words[i] == n {
			in.Words[i], in.Words[i+1] = lo, hi
		}
		lo, hi = in.Words[i], in.Words[i+1]
	}
}

// promptWriter appends the tokens of items to an input.
type promptWriter struct {
	*Prompts
	in   *Input
	seen map[string][]int32 // tokens of items
	err  error
}

func (w *promptWriter) task(i int, t *Task) {
	kind, marker := markers(t.Kind)
	w.item("(")
	t.Mark = len(w.in.Marks)
	w.in.Marks = append(w.in.Marks, Mark{MarkTask, w.row(), i, -1})
	w.mark(markTask)
	w.item(t.Prompt)
	w.item("(")
	for j, l := range t.Labels {
		w.in.Marks = append(w.in.Marks, Mark{kind, w.row(), i, j})
		w.mark(marker)
		w.item(l)
	}
	w.item(")")
	w.item(")")
}

// markers returns the markers of the labels of a task.
func markers(k TaskKind) (MarkKind, string) {
	switch k {
	case StructureTask:
		return MarkField, markField
	case EntityTask:
		return MarkEntity, markEntity
	case RelationTask:
		return MarkRole, markRole
	}
	return MarkLabel, markLabel
}

func (w *promptWriter) row() int32 { return int32(len(w.in.IDs)) }

func (w *promptWriter) mark(m string) { w.in.IDs = append(w.in.IDs, w.ids[m]) }

func (w *promptWriter) word(text string) {
	lo := w.row()
	w.item(text)
	w.in.Words = append(w.in.Words, lo, w.row())
}

// item appends the tokens of a text.
func (w *promptWriter) item(text string) {
	if w.err != nil {
		return
	}
	if ids, ok := w.seen[text]; ok {
		w.in.IDs = append(w.in.IDs, ids...)
		return
	}
	from := len(w.in.IDs)
	if w.in.IDs, w.err = w.tokens.AppendIDs(w.in.IDs, text, true); w.err == nil {
		w.seen[text] = w.in.IDs[from:len(w.in.IDs):len(w.in.IDs)]
	}
}
