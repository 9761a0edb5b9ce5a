package dataset

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/example"
)

// causes lists the questions that COPA's two words stand for, as jiant writes them.
var causes = map[string]string{"cause": "What was the cause of this?", "effect": "What happened as a result?"}

func makeCOPA(t *Task, v map[string]value, _ *row) ([]*example.Example, error) {
	e := &example.Example{Options: make([]string, 2)}
	var kind string
	for i, to := range []*string{&e.Context, &e.Options[0], &e.Options[1], &kind} {
		text, err := given(v, t.fields[i], value.text)
		if err != nil {
			return nil, err
		}
		*to = text
	}
	if e.Question = causes[kind]; e.Question == "" {
		return nil, fmt.Errorf("the question is %q, it must be cause or effect", kind)
	}
	if v["label"].has {
		label, err := given(v, "label", value.integer)
		if err != nil {
			return nil, err
		}
		if label < -1 || label > 1 {
			return nil, fmt.Errorf("the label is %d, it must be 0 or 1", label)
		}
		if label >= 0 {
			e.Label = strconv.Itoa(label)
		}
	}
	return []*example.Example{e}, number(e, v)
}

// makeMultiRC reads a row of the original files, which is a paragraph with questions and answers, or of the files on the hub, which is one answer.
func makeMultiRC(t *Task, v map[string]value, _ *row) (all []*example.Example, err error) {
	if v["passage"].has {
		return t.paragraph(v)
	}
	paragraph, err := given(v, "paragraph", value.text)
	if err != nil {
		return nil, err
	}
	question, err := given(v, "question", value.text)
	if err != nil {
		return nil, err
	}
	answer, err := given(v, "answer", value.text)
	if err != nil {
		return nil, err
	}
	e := proposal(paragraph, question+" "+answer, answer)
	if err := t.label(e, v); err != nil {
		return nil, err
	}
	idx := v["idx"]
	if e.Group, err = numbers(idx, "paragraph", "question"); err == nil {
		e.ID, err = numbers(idx, "paragraph", "question", "answer")
	}
	return []*example.Example{e}, err
}

// proposal returns an example that asks whether a candidate is right.
func proposal(text, pair, candidate string) *example.Example {
	return &example.Example{Text: text, Pair: &pair, Candidate: candidate}
}

// numbers joins fields of an object, the parts of the number of a row.
func numbers(object value, names ...string) (string, error) {
	if !object.has {
		return "", errors.New(`there is no field "idx"`)
	}
	var parts []string
	for _, name := range names {
		n, err := needed(object, name, value.integer)
		if err != nil {
			return "", fmt.Errorf("field %q: %w", "idx", err)
		}
		parts = append(parts, strconv.Itoa(n))
	}
	return strings.Join(parts, "-"), nil
}

// ofPassage reads a member of the field passage of a row.
func ofPassage[T any](v map[string]value, name string, get func(value) (T, error)) (T, error) {
	got, err := needed(v["passage"], name, get)
	if err != nil {
		err = fmt.Errorf("field %q: %w", "passage", err)
	}
	return got, err
}

// paragraph reads a paragraph of MultiRC with its questions and answers.
func (t *Task) paragraph(v map[string]value) (all []*example.Example, err error) {
	at, err := given(v, "idx", value.integer)
	if err != nil {
		return nil, err
	}
	text, err := ofPassage(v, "text", value.text)
	if err != nil {
		return nil, err
	}
	questions, err := ofPassage(v, "questions", value.list)
	if err != nil {
		return nil, err
	}
	for i, q := range questions {
		question, err := needed(q, "question", value.text)
		if err != nil {
			return all, fmt.Errorf("question %d: %w", i+1, err)
		}
		number, err := needed(q, "idx", value.integer)
		if err != nil {
			return all, fmt.Errorf("question %d: %w", i+1, err)
		}
		answers, err := needed(q, "answers", value.list)
		if err != nil {
			return all, fmt.Errorf("question %d: %w", i+1, err)
		}
		for j, a := range answers {
			e, err := t.answer(a, text, question)
			if err != nil {
				return all, fmt.Errorf("question %d, answer %d: %w", i+1, j+1, err)
			}
			e.Group = fmt.Sprintf("%d-%d", at, number)
			e.ID = e.Group + "-" + e.ID
			all = append(all, e)
		}
	}
	return all, nil
}

// answer reads an answer to a question of MultiRC.
func (t *Task) answer(v value, text, question string) (*example.Example, error) {
	answer, err := needed(v, "text", value.text)
	if err != nil {
		return nil, err
	}
	e := proposal(text, question+" "+answer, answer)
	if e.ID, err = needed(v, "idx", value.name); err != nil {
		return nil, err
	}
	return e, t.label(e, map[string]value{"label": jsonValue(member(v.json, "label"))})
}

// placeholder is what stands in place of an entity in a query of ReCoRD.
const placeholder = "@placeholder"

// makeReCoRD reads a row of the original files, which is a passage with queries, or of the files on the hub, which is one query.
func makeReCoRD(t *Task, v map[string]value, _ *row) (all []*example.Example, err error) {
	if !v["qas"].has {
		return t.hubQuery(v)
	}
	at, err := given(v, "idx", value.integer)
	if err != nil {
		return nil, err
	}
	text, err := ofPassage(v, "text", value.text)
	if err != nil {
		return nil, err
	}
	p := newPlaces(text)
	entities, err := ofPassage(v, "entities", listOf(func(e value) (string, error) { return mention(p, e) }))
	if err != nil {
		return nil, err
	}
	queries, err := given(v, "qas", value.list)
	if err != nil {
		return nil, err
	}
	for i, q := range queries {
		query, err := needed(q, "query", value.text)
		if err != nil {
			return all, fmt.Errorf("query %d: %w", i+1, err)
		}
		number, err := needed(q, "idx", value.integer)
		if err != nil {
			return all, fmt.Errorf("query %d: %w", i+1, err)
		}
		var right []string
		known := jsonValue(member(q.json, "answers"))
		if known.has {
			if right, err = list(known, func(a value) (string, error) { return needed(a, "text", value.text) }); err != nil {
				return all, fmt.Errorf("query %d: answers: %w", i+1, err)
			}
		}
		more, err := candidates(fmt.Sprintf("%d-%d", at, number), text, query, entities, right)
		if err != nil {
			return all, fmt.Errorf("query %d: %w", i+1, err)
		}
		all = append(all, more...)
	}
	return all, nil
}

// mention returns the text of an entity, which the number of its first and of its last character stand for.
func mention(p places, v value) (string, error) {
	first, err := needed(v, "start", value.integer)
	if err != nil {
		return "", err
	}
	last, err := needed(v, "end", value.integer)
	if err != nil {
		return "", err
	}
	start, end := p.byte(first), p.byte(last+1)
	if start < 0 || end <= start {
		return "", fmt.Errorf("it has the characters from %d to %d, which are not in the text", first, last)
	}
	return p.text[start:end], nil
}

// hubQuery reads a query of ReCoRD of the files on the hub.
func (t *Task) hubQuery(v map[string]value) ([]*example.Example, error) {
	text, err := given(v, "passage", value.text)
	if err != nil {
		return nil, err
	}
	query, err := given(v, "query", value.text)
	if err != nil {
		return nil, err
	}
	entities, err := given(v, "entities", listOf(value.text))
	if err != nil {
		return nil, err
	}
	group, err := numbers(v["idx"], "passage", "query")
	if err != nil {
		return nil, err
	}
	var right []string
	if v["answers"].has {
		if right, err = given(v, "answers", listOf(value.text)); err != nil {
			return nil, err
		}
	}
	return candidates(group, text, query, entities, right)
}

// candidates returns an example for each of the entities, without duplicates. right are the right ones; without any the answers are not known.
func candidates(group, text, query string, entities, right []string) (all []*example.Example, err error) {
	if !strings.Contains(query, placeholder) {
		return nil, fmt.Errorf("the query has no %s", placeholder)
	}
	var answers []example.Answer
	for _, r := range right {
		if !slices.Contains(entities, r) {
			return nil, fmt.Errorf("the answer %q is not one of the entities", command.Shorten(r, 40))
		}
		if a := (example.Answer{Text: r, Start: -1}); !slices.Contains(answers, a) {
			answers = append(answers, a)
		}
	}
	for i, entity := range entities {
		if slices.Contains(entities[:i], entity) {
			continue
		}
		e := proposal(text, strings.ReplaceAll(query, placeholder, entity), entity)
		e.Group, e.ID, e.Answers, e.Answered = group, fmt.Sprintf("%s-%d", group, len(all)), answers, len(answers) > 0
		if e.Answered {
			e.Label = truth[0]
			if slices.Contains(right, entity) {
				e.Label = truth[1]
			}
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		return nil, errors.New("there are no entities to choose from")
	}
	return all, nil
}

func makeWiC(t *Task, v map[string]value, _ *row) ([]*example.Example, error) {
	var texts [2]string
	for i := range texts {
		n := strconv.Itoa(i + 1)
		text, err := given(v, "sentence"+n, value.text)
		if err != nil {
			return nil, err
		}
		start, err := given(v, "start"+n, value.integer)
		if err != nil {
			return nil, err
		}
		end, err := given(v, "end"+n, value.integer)
		if err != nil {
			return nil, err
		}
		p := newPlaces(text)
		from, to := p.byte(start), p.byte(end)
		if from < 0 || to <= from {
			return nil, fmt.Errorf("the word of sentence %s has the characters from %d up to %d, which are not in it", n, start, end)
		}
		texts[i] = marked(text, from, to, "*")
	}
	e := &example.Example{Text: texts[0], Pair: &texts[1]}
	if err := t.label(e, v); err != nil {
		return nil, err
	}
	return []*example.Example{e}, number(e, v)
}

// marked returns a text with a mark before and after the bytes from start up to end.
func marked(text string, start, end int, mark string) string {
	return text[:start] + mark + " " + text[start:end] + " " + mark + text[end:]
}

func makeWSC(t *Task, v map[string]value, _ *row) ([]*example.Example, error) {
	text, err := given(v, "text", value.text)
	if err != nil {
		return nil, err
	}
	field := func(name string) value {
		if v["target"].has {
			return jsonValue(member(v["target"].json, name))
		}
		return v[name]
	}
	var spans [2][2]int
	for i := range spans {
		n := strconv.Itoa(i + 1)
		all := map[string]value{"index": field("span" + n + "_index"), "text": field("span" + n + "_text")}
		word, err := given(all, "index", value.integer)
		if err != nil {
			return nil, fmt.Errorf("span %s: %w", n, err)
		}
		span, err := given(all, "text", value.text)
		if err != nil {
			return nil, fmt.Errorf("span %s: %w", n, err)
		}
		if spans[i][0], spans[i][1], err = at(text, span, word); err != nil {
			return nil, fmt.Errorf("span %s: %w", n, err)
		}
	}
	first, second, marks := spans[0], spans[1], [2]string{"*", "#"}
	if first[0] > second[0] {
		first, second, marks = second, first, [2]string{"#", "*"}
	}
	if second[0] < first[1] {
		return nil, errors.New("the noun and the pronoun overlap")
	}
	e := &example.Example{Text: marked(marked(text, second[0], second[1], marks[1]), first[0], first[1], marks[0])}
	if err := t.label(e, v); err != nil {
		return nil, err
	}
	return []*example.Example{e}, number(e, v)
}

// at returns the bytes of a span that begins at a word of a text, from 0. Some spans of the data set are written differently in the text: with another
// case, white space or full stop, or with words between. Then the first word stands for the span.
func at(text, span string, word int) (start, end int, err error) {
	begin := -1
	inside := false
	for i, r := range text {
		if space := unicode.IsSpace(r); space || inside {
			inside = !space
			continue
		}
		inside = true
		if word == 0 {
			begin = i
			break
		}
		word--
	}
	if begin < 0 {
		return 0, 0, fmt.Errorf("%q would begin at a word that the text does not have", span)
	}
	rest := text[begin:]
	whole := strings.TrimRight(strings.Join(strings.Fields(span), " "), ".")
	for _, s := range []string{span, whole, strings.SplitN(whole, " ", 2)[0]} {
		if s != "" && len(rest) >= len(s) && strings.EqualFold(rest[:len(s)], s) {
			return begin, begin + len(s), nil
		}
	}
	return 0, 0, fmt.Errorf("%q does not stand at its word: %q is there", span, command.Shorten(rest, 30))
}
