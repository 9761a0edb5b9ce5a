package training

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/trainer"
)

// groupSuffix ends the name of the target that holds the group of each sequence.
const groupSuffix = ".group"

// batcher makes the batches of a program from rows of prepared data.
type batcher struct {
	program *trainer.Program
	data    *prepared.File
	labels  func(own [][]string) ([][]string, error) // the labels that each text is asked for; nil: its own
	groups  []string                                 // the targets with groups
}

// newBatcher checks that the data fit the program.
func newBatcher(t *trainer.Trainer, p *trainer.Program, f *prepared.File) (*batcher, error) {
	b := &batcher{program: p, data: f}
	if p.Negatives > 0 {
		b.labels = t.Labels
	}
	for i := range p.Targets {
		if name := p.Targets[i].Name; strings.HasSuffix(name, groupSuffix) {
			b.groups = append(b.groups, name)
		}
	}
	switch {
	case f.Longest > p.Limits.SequenceTokens:
		return nil, ragged.Errorf("%s has a sequence of %d tokens, and %s takes up to %d: prepare the data again, or raise `length` in the spec", f.Name(),
			f.Longest, p.Name, p.Limits.SequenceTokens)
	case f.Most > p.Limits.BatchSequences:
		return nil, ragged.Errorf("an example of %s has %d sequences, and a pass of %s takes up to %d: raise `batch`, or the sequences of its parts, in "+
			"the spec", f.Name(), f.Most, p.Name, p.Limits.BatchSequences)
	}
	return b, nil
}

// parts returns the batch of some rows, in as many parts as the limits of a pass make necessary.
func (b *batcher) parts(rows []int) ([]*trainer.Batch, error) {
	list := make([][]prepared.Sequence, len(rows))
	for i, row := range rows {
		var err error
		if list[i], err = b.data.Row(row); err != nil {
			return nil, err
		}
	}
	if b.data.Words != nil {
		if err := b.prompts(list); err != nil {
			return nil, err
		}
	}
	var parts []*trainer.Batch
	var part *trainer.Batch
	groups := 0
	for i, row := range list {
		tokens := 0
		for k := range row {
			tokens += len(row[k].IDs)
		}
		l := b.program.Limits
		if part == nil || part.Sequences()+len(row) > l.BatchSequences || len(part.IDs)+tokens > l.BatchTokens {
			part, groups = &trainer.Batch{Integers: map[string][]int32{}, Floats: map[string][]float32{}}, 0
			part.Starts = []int32{0}
			parts = append(parts, part)
		}
		for k := range row {
			if err := b.add(part, &row[k], int32(groups)); err != nil {
				return nil, b.named(rows[i], err)
			}
		}
		groups++
	}
	return parts, nil
}

// named adds the place of a row to an error.
func (b *batcher) named(row int, err error) error {
	at, other := b.data.At(row)
	if other != nil {
		return err
	}
	return fmt.Errorf("example %d of the data: %w", at, err)
}

// add appends a sequence to a batch.
func (b *batcher) add(to *trainer.Batch, s *prepared.Sequence, group int32) error {
	to.Append(&s.Sequence, b.program.Limits)
	if b.program.Masking != nil {
		if len(s.WordOf) == 0 && b.program.Masking.Words {
			return ragged.Errorf("it has no words, which `of words` in the spec masks: prepare the data again")
		}
		if len(s.WordOf) > 0 {
			to.WordOf = append(to.WordOf, s.WordOf...)
		}
	}
	for i := range b.program.Targets {
		t := &b.program.Targets[i]
		switch {
		case slices.Contains(b.groups, t.Name):
			to.Integers[t.Name] = append(to.Integers[t.Name], group)
		case t.Floats:
			if list, ok := s.Floats[t.Name]; ok {
				to.Floats[t.Name] = append(to.Floats[t.Name], list...)
			}
		default:
			if list, ok := s.Integers[t.Name]; ok {
				to.Integers[t.Name] = append(to.Integers[t.Name], list...)
			}
		}
	}
	return nil
}

// prompts puts the labels that each text is asked for in front of it, and makes the targets of its spans.
func (b *batcher) prompts(list [][]prepared.Sequence) error {
	w := b.data.Words
	own := make([][]string, len(list))
	for i := range list {
		for k, spans := 0, list[i][0].Integers[prepared.Spans]; k+2 < len(spans); k += 3 {
			if name := w.Names[spans[k]]; !slices.Contains(own[i], name) {
				own[i] = append(own[i], name)
			}
		}
	}
	asked := own
	if b.labels != nil {
		var err error
		if asked, err = b.labels(own); err != nil {
			return err
		}
	}
	for i := range list {
		if err := b.prompt(&list[i][0], own[i], asked[i]); err != nil {
			return err
		}
	}
	return nil
}

// prompt puts labels in front of a text. Labels that the text does not have are left out from the last one on if there is no room for them.
func (b *batcher) prompt(s *prepared.Sequence, own, asked []string) error {
	w, room := b.data.Words, b.program.Limits.SequenceTokens-len(s.IDs)-len(b.data.Words.Open)-len(b.data.Words.End)
	if len(asked) == 0 {
		asked = w.Names[:1] // a text without entities is asked for some label
	}
	number := func(name string) int { return slices.Index(w.Names, name) }
	need := 0
	for _, name := range own {
		need += len(w.Mark) + len(w.Labels[number(name)])
	}
	if need > room {
		return ragged.Errorf("its %d labels need %d tokens, and %d are left beside its words: raise `length` in the spec", len(own), need, max(0, room))
	}
	var kept []string
	for _, name := range asked {
		size := len(w.Mark) + len(w.Labels[number(name)])
		if !slices.Contains(own, name) {
			if need+size > room {
				continue
			}
			need += size
		}
		kept = append(kept, name)
	}
	ids, marks := slices.Clone(w.Open), []int32{}
	for _, name := range kept {
		mark := int32(len(ids))
		if w.After {
			mark += int32(len(w.Mark))
		}
		marks = append(marks, mark)
		ids = append(append(ids, w.Mark...), w.Labels[number(name)]...)
	}
	ids = append(ids, w.End...)
	shift := int32(len(ids))
	words := slices.Clone(s.Words)
	for i := range words {
		words[i] += shift
	}
	spans := s.Integers[prepared.Spans]
	s.IDs, s.Words, s.Marks = append(ids, s.IDs...), words, marks
	s.Types = nil
	for i := range b.program.Targets {
		if t := &b.program.Targets[i]; t.Floats {
			s.Floats = map[string][]float32{t.Name: spanTargets(spans, len(words)/2, kept, w.Names, max(t.Columns, 1), w.Widths > 0)}
		}
	}
	delete(s.Integers, prepared.Spans)
	return nil
}

// spanTargets returns the targets of each word and label: by width, or of start, end and inside.
func spanTargets(spans []int32, words int, labels, names []string, columns int, byWidth bool) []float32 {
	out := make([]float32, words*len(labels)*columns)
	for k := 0; k+2 < len(spans); k += 3 {
		label := slices.Index(labels, names[spans[k]])
		if label < 0 {
			continue
		}
		at := func(word, column int) { out[(word*len(labels)+label)*columns+column] = 1 }
		first, last := int(spans[k+1]), int(spans[k+2])-1
		if byWidth {
			if last-first < columns {
				at(first, last-first)
			}
			continue
		}
		at(first, 0)
		at(last, 1)
		for word := first; word <= last; word++ {
			at(word, 2)
		}
	}
	return out
}
