// Package prepared reads and writes files of data that are ready for a training: token ids and targets of all examples, ragged, so that a batch of any of them
// is read without the others. A file is written once per data set and tokenizer, mapped for reading, and never changed.
//
// A row is what belongs to one example: mostly one sequence, or several, such as the options of a question. The file is in the form of safetensors. A column
// such as "ids" has the numbers of all sequences one after the other, and "ids.starts" [S+1] the first number of each sequence. "rows" [R+1] has the first
// sequence of each row, and "at" [R] its number in the source.
package prepared

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
)

// Sequence is one sequence of a row with what a loss compares its numbers with.
type Sequence struct {
	ragged.Sequence
	WordOf   []int32              // the word of each token, and -1 for special ones; see trainer.Batch
	Integers map[string][]int32   // targets by their names
	Floats   map[string][]float32 // targets by their names
}

// Meta describes a file.
type Meta struct {
	Format    int    `json:"format"`
	Task      string `json:"task"`     // of the head that it is for
	Examples  int    `json:"examples"` // that it was made of
	Rows      int    `json:"rows"`
	Sequences int    `json:"sequences"`
	Tokens    int64  `json:"tokens"`
	Longest   int    `json:"longest"`     // tokens of the longest sequence
	Most      int    `json:"most"`        // sequences of the row with the most
	Bad       int    `json:"bad"`         // examples that could not be used
	Cut       int    `json:"cut"`         // examples of which something was cut off
	CutTokens int64  `json:"cut_tokens"`  // tokens that were cut off
	Mask      int32  `json:"mask"`        // id of the mask token; -1: the tokenizer has none
	Source    string `json:"source"`      // sha256 of all that the file was made of: data, tokenizer, settings
	Grouped   bool   `json:"grouped"`     // the sequences of a row are a group, see the targets of package trainer
	Count     Counts `json:"label_count"` // examples of each label
	Words     *Words `json:"words,omitempty"`
}

// Words holds the labels of rows whose prompts are made when a batch is made, because the labels that a text is asked for depend on the others.
type Words struct {
	Labels [][]int32 `json:"labels"` // the tokens of each label
	Names  []string  `json:"names"`
	Open   []int32   `json:"open"`   // the tokens before the prompt
	Mark   []int32   `json:"mark"`   // before each label
	End    []int32   `json:"end"`    // after the last label
	After  bool      `json:"after"`  // a label is read at the token after its mark
	Widths int       `json:"widths"` // words of the longest span; 0: the head has numbers for start, end and inside
}

// Spans is the column of rows with Words: the number of the label, the first word, and the word after the last one of each entity.
const Spans = "spans"

// Counts is a number of examples by label.
type Counts map[string]int

// Format is the version of the layout.
const Format = 1

// metaKey is the key of Meta in the metadata.
const metaKey = "debertac.prepared"

// The names of tensors.
const (
	rowsTensor   = "rows"
	atTensor     = "at"
	startsSuffix = ".starts"
	targetPrefix = "target:" // before the name of a target
	floatSuffix  = ":float"  // after the name of a column of floats
)

// column is a column of 4-byte numbers.
type column struct {
	name string
	get  func(s *Sequence) []int32
	set  func(s *Sequence, v []int32)
}

// columns lists the columns that are not targets. A file has those of which some sequence has numbers.
var columns = []column{
	{"ids", func(s *Sequence) []int32 { return s.IDs }, func(s *Sequence, v []int32) { s.IDs = v }},
	{"types", func(s *Sequence) []int32 { return s.Types }, func(s *Sequence, v []int32) { s.Types = v }},
	{"prefix", prefixOf, func(s *Sequence, v []int32) {
		if len(v) > 0 {
			s.Prefix = v[0]
		}
	}},
	{"rows_of_head", func(s *Sequence) []int32 { return s.Rows }, func(s *Sequence, v []int32) { s.Rows = v }},
	{"words", func(s *Sequence) []int32 { return s.Words }, func(s *Sequence, v []int32) { s.Words = v }},
	{"marks", func(s *Sequence) []int32 { return s.Marks }, func(s *Sequence, v []int32) { s.Marks = v }},
	{"word_of", func(s *Sequence) []int32 { return s.WordOf }, func(s *Sequence, v []int32) { s.WordOf = v }},
}

// prefixOf returns the prefix of a sequence as a column.
func prefixOf(s *Sequence) []int32 {
	if s.Prefix == 0 {
		return nil
	}
	return []int32{s.Prefix}
}

// encodeMeta returns the metadata of a file.
func encodeMeta(m *Meta) (map[string]string, error) {
	text, err := json.Marshal(m)
	return map[string]string{metaKey: string(text)}, err
}

// decodeMeta reads the metadata of a file.
func decodeMeta(name string, all map[string]string) (*Meta, error) {
	m := &Meta{}
	text, ok := all[metaKey]
	if !ok {
		return nil, ragged.Errorf("%s: it is not a file of prepared data: debertac prepare makes one", name)
	}
	if err := json.Unmarshal([]byte(text), m); err != nil {
		return nil, fmt.Errorf("%s: its description is damaged: %w", name, err)
	}
	if m.Format != Format {
		return nil, ragged.Errorf("%s: it has format %d, and this version reads format %d: prepare the data again", name, m.Format, Format)
	}
	return m, nil
}

// targetOf returns the name of the target of a column, and whether its numbers are floats; ok is false for other columns.
func targetOf(column string) (name string, floats, ok bool) {
	name, ok = strings.CutPrefix(column, targetPrefix)
	name, floats = strings.CutSuffix(name, floatSuffix)
	return name, floats, ok
}
