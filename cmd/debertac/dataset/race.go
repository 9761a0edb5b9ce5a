package dataset

import (
	"errors"
	"fmt"
	"io"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/example"
)

// raceFields lists the fields of an article of RACE (Lai et al. 2017). An article of the original files has lists of questions, options and answers; a row of
// the files on the hub has one question.
var raceFields = []string{"article", "id", "questions", "options", "answers", "question", "answer", "example_id"}

// race reads the questions of RACE's files.
type race struct {
	rows rows
	done int64
}

func (c *race) read(q []result) ([]result, error) {
	r, err := c.rows.next()
	if err != nil {
		return q, err
	}
	if r.fault != "" {
		return append(q, r.faulty(r.fault)), nil
	}
	v := map[string]value{}
	for i, name := range raceFields {
		v[name] = r.values[i]
	}
	article, err := given(v, "article", value.text)
	if err != nil {
		return append(q, r.faulty(err.Error()+" (there are: "+r.names()+")")), nil
	}
	if v["questions"].has {
		return c.article(q, r, v, article), nil
	}
	e := &example.Example{At: r.number, Context: article}
	if err := c.one(e, v); err != nil {
		return append(q, r.faulty(err.Error())), nil
	}
	return append(q, result{example: e}), nil
}

// given returns a field that must be there.
func given[T any](v map[string]value, name string, get func(value) (T, error)) (got T, err error) {
	if !v[name].has {
		return got, fmt.Errorf("there is no field %q", name)
	}
	if got, err = get(v[name]); err != nil {
		return got, fmt.Errorf("field %q: %w", name, err)
	}
	return got, nil
}

// one reads the question of a row that has a single one.
func (c *race) one(e *example.Example, v map[string]value) (err error) {
	if v["example_id"].has {
		if e.ID, err = given(v, "example_id", value.name); err != nil {
			return err
		}
	}
	if e.Question, err = given(v, "question", value.text); err != nil {
		return err
	}
	if e.Options, err = given(v, "options", listOf(value.text)); err != nil {
		return err
	}
	if !v["answer"].has {
		return nil
	}
	answer, err := given(v, "answer", value.text)
	if err != nil {
		return err
	}
	return letter(e, answer)
}

// article appends the questions of an article.
func (c *race) article(q []result, r *row, v map[string]value, article string) []result {
	id := ""
	var questions, options, answers []value
	var err error
	if v["id"].has {
		id, err = given(v, "id", value.name)
	}
	if err == nil {
		questions, err = given(v, "questions", value.list)
	}
	if err == nil {
		options, err = given(v, "options", value.list)
	}
	if err == nil && v["answers"].has {
		answers, err = given(v, "answers", value.list)
	}
	if err == nil && (len(options) != len(questions) || v["answers"].has && len(answers) != len(questions)) {
		err = fmt.Errorf("it has %s, %d lists of options and %s", wording.Counted(len(questions), "question", "questions"), len(options),
			wording.Counted(len(answers), "answer", "answers"))
	}
	if err != nil {
		return append(q, r.faulty(err.Error()))
	}
	for i := range questions {
		c.done++
		e := &example.Example{At: c.done, Context: article}
		if id != "" {
			e.ID = id + "-" + strconv.Itoa(i)
		}
		if err = each(e, i, questions, options, answers); err != nil {
			q = append(q, result{fault: &RowError{File: r.file, Unit: unitQuestion, Number: c.done, Reason: err.Error()}})
			continue
		}
		q = append(q, result{example: e})
	}
	return q
}

// each reads question i of an article.
func each(e *example.Example, i int, questions, options, answers []value) (err error) {
	if e.Question, err = questions[i].text(); err != nil {
		return fmt.Errorf("question: %w", err)
	}
	if e.Options, err = list(options[i], value.text); err != nil {
		return fmt.Errorf("options: %w", err)
	}
	if answers == nil {
		return nil
	}
	answer, err := answers[i].text()
	if err != nil {
		return fmt.Errorf("answer: %w", err)
	}
	return letter(e, answer)
}

// letter sets the label of a question to the number of the option that a letter stands for.
func letter(e *example.Example, answer string) error {
	if len(e.Options) == 0 {
		return errors.New("there are no options")
	}
	if len(answer) != 1 || answer[0] < 'A' || int(answer[0]-'A') >= len(e.Options) {
		return fmt.Errorf("the answer is %q, it must be a letter from A to %c", answer, 'A'+len(e.Options)-1)
	}
	e.Label = strconv.Itoa(int(answer[0] - 'A'))
	return nil
}

// single reads one JSON object that has a file for itself.
type single struct {
	x    extent
	o    *object
	done bool
}

func (s *single) next() (*row, error) {
	if s.done {
		return nil, io.EOF
	}
	s.done = true
	if _, err := s.x.w.space(); err != nil {
		return nil, err
	}
	raw, err := s.x.value()
	if errors.Is(err, errTooLong) {
		return s.o.tooLong(1), nil
	}
	if err != nil {
		return nil, err
	}
	r := s.o.parse(raw, 1)
	if c, err := s.x.w.space(); err == nil && r.fault == "" {
		r.fault = fmt.Sprintf("there is %q after the object", c)
	} else if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return r, nil
}
