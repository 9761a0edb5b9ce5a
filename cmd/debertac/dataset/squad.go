package dataset

import (
	"fmt"

	"github.com/debertac/debertac/runtime/example"
)

// squad reads the questions of SQuAD's files, v1.1 and v2.0 (Rajpurkar et al. 2016, 2018): articles of paragraphs, each with questions. Offsets of answers
// count characters.
type squad struct {
	file string
	rows rows // articles: title, paragraphs
	done int64
}

func openSQuAD(s *source, _ *Options) (reader, error) {
	names := []string{"paragraphs"}
	return &squad{s.file, &elementList{x: extent{s.window()}, o: newObject(s.file, unitArticle, names, "")}, 0}, nil
}

func (s *squad) read(q []result) ([]result, error) {
	r, err := s.rows.next()
	switch {
	case err != nil:
		return q, err
	case r.fault != "":
		return append(q, r.faulty(r.fault)), nil
	case !r.values[0].has:
		return append(q, r.faulty(`there is no field "paragraphs" (there are: `+r.names()+`)`)), nil
	}
	paragraphs, err := r.values[0].list()
	if err != nil {
		return append(q, r.faulty(fmt.Sprintf("field %q: %v", "paragraphs", err))), nil
	}
	for i, p := range paragraphs {
		if q, err = s.paragraph(q, p); err != nil {
			q = append(q, r.faulty(fmt.Sprintf("paragraph %d: %v", i+1, err)))
		}
	}
	return q, nil
}

// paragraph appends the questions of a paragraph.
func (s *squad) paragraph(q []result, v value) ([]result, error) {
	context, err := needed(v, "context", value.text)
	if err != nil {
		return q, err
	}
	questions, err := needed(v, "qas", value.list)
	if err != nil {
		return q, err
	}
	at := newPlaces(context)
	for _, one := range questions {
		s.done++
		e := &example.Example{At: s.done, Context: context}
		if err := s.question(e, one, at); err != nil {
			reason := err.Error()
			if e.ID != "" {
				reason = fmt.Sprintf("%s: %s", e.ID, reason)
			}
			q = append(q, result{fault: &RowError{File: s.file, Unit: unitQuestion, Number: s.done, Reason: reason}})
			continue
		}
		q = append(q, result{example: e})
	}
	return q, nil
}

// question reads a question. Several answers are those of several people.
func (s *squad) question(e *example.Example, v value, at places) (err error) {
	if e.ID, err = needed(v, "id", value.name); err != nil {
		return err
	}
	if e.Question, err = needed(v, "question", value.text); err != nil {
		return err
	}
	impossible := false
	known := jsonValue(member(v.json, "is_impossible"))
	if known.has {
		if impossible, err = known.truth(); err != nil {
			return fmt.Errorf("%q: %w", "is_impossible", err)
		}
	}
	answers := jsonValue(member(v.json, "answers"))
	if !answers.has { // the questions of a test without their answers
		e.Answered = impossible
		return nil
	}
	all, err := answers.list()
	if err != nil {
		return fmt.Errorf("%q: %w", "answers", err)
	}
	e.Answered = true
	switch {
	case impossible && len(all) > 0:
		return fmt.Errorf("it has answers, and is_impossible is true")
	case known.has && !impossible && len(all) == 0:
		return fmt.Errorf("it has no answers, and is_impossible is false")
	}
	for _, one := range all {
		a := example.Answer{}
		if a.Text, err = needed(one, "text", value.text); err != nil {
			return fmt.Errorf("an answer: %w", err)
		}
		start, err := needed(one, "answer_start", value.integer)
		if err != nil {
			return fmt.Errorf("the answer %q: %w", a.Text, err)
		}
		if a.Text == "" {
			return fmt.Errorf("an answer is empty")
		}
		if a.Start, err = at.locate(a.Text, start); err != nil {
			return err
		}
		e.Answers = append(e.Answers, a)
	}
	return nil
}
