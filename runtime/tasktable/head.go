package tasktable

import "slices"

// Take is the kind of rows that a head reads.
type Take uint8

// The rows that a head can read.
const (
	TakeFirst     Take = iota // the first token of each sequence: [B, H]
	TakeEach                  // every token: [T, H]
	TakeEachFirst             // every token, plus the state of the first token of its sequence: [T, H]
	TakeMasked                // the tokens to predict: [M, H]
	TakeMean                  // the mean over a sequence's tokens: [B, H]
	TakeWords                 // one row per word: [W, H]
	TakeLabels                // one row per label of a prompt, which batches hold as words: [W, H]
)

var takes = [...]string{"first", "each", "each + first", "masked", "mean", "words", "labels"}

// String returns the operand of the word take in the language.
func (t Take) String() string { return takes[t] }

// Meaning describes what the numbers of a head's last step are.
type Meaning string

// The meanings that the language treats in a special way. Others are only words of Table.
const (
	AsNumbers  Meaning = ""         // numbers without a word in the spec
	AsLabels   Meaning = "labels"   // one logit per label; the labels follow
	AsSpan     Meaning = "span"     // two numbers: start, end
	AsChoices  Meaning = "choices"  // one logit per choice
	AsScore    Meaning = "score"    // one number: regression, reward, ranking
	AsEntities Meaning = "entities" // GLiNER: the labels in the prompt decide
	// AsOwnLabels is one number per label of the prompt (GLiClass).
	AsOwnLabels Meaning = "own_labels"
	// AsSchema is what the tasks of a schema ask for (GLiNER2).
	AsSchema Meaning = "schema"
)

// String returns the word of the meaning. The word of AsNumbers is vector.
func (m Meaning) String() string {
	if m == AsNumbers {
		return "vector"
	}
	return string(m)
}

// Columns is a number of columns, or one of the values below.
type Columns int

// Columns that depend on more than the task.
const (
	AnyColumns    Columns = 0
	VocabColumns  Columns = -1 // the entries of the vocabulary
	EntityColumns Columns = -2 // the widths of spans; or start, end and inside
)

// Words returns the words that may follow "as" in the spec, in the order of Table.
func Words() []Meaning {
	var words []Meaning
	for i := range Table {
		if m := Table[i].As; m != AsNumbers && m != AsEntities && m != AsOwnLabels && m != AsSchema && !slices.Contains(words, m) {
			words = append(words, m)
		}
	}
	return words
}

// Meant returns the first row with a meaning, or nil if no task has it.
func Meant(m Meaning) *Row {
	for i := range Table {
		if Table[i].As == m {
			return &Table[i]
		}
	}
	return nil
}

// Head holds what decides a head's task.
type Head struct {
	As      Meaning
	Take    Take
	Columns int // 0: not known
	Vocab   int // entries of the model's vocabulary; 0: not known
	Loss    string
	Tied    bool // a layer shares the token table
}

// Task returns the task of a valid head.
func (h Head) Task() Task {
	for i := range Table {
		r := &Table[i]
		if h.As == r.As && slices.Contains(r.Take, h.Take) && r.has(h) && (!r.Judged || slices.Contains(r.Losses, h.Loss)) &&
			(!r.Tied || h.Tied || slices.Contains(r.Claims, h.Take)) {
			return r.Task
		}
	}
	return Hidden
}

// has reports whether the row has the columns of a head, as far as they are known.
func (r *Row) has(h Head) bool {
	switch {
	case r.Columns == VocabColumns:
		return h.Columns == 0 || h.Vocab == 0 || h.Columns == h.Vocab
	case r.Columns > 0:
		return h.Columns == 0 || h.Columns == int(r.Columns)
	}
	return true
}
