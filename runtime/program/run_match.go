package program

import (
	"context"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// matchService scores texts against labels that are given at run time.
type matchService struct {
	noPairs
	matcher *task.Matcher
	labels  []string // nil: each record has its own
	o       task.MatchOptions
}

// matching is what a record asks for.
type matching struct {
	task.MatchInput
	tree *task.LabelTree // nil: the scores are printed as a list
}

var _ = serve(tasktable.OwnLabels, (*taskFlags).matching)

func (f *taskFlags) matching(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	m, err := task.NewMatcher(core, h.Name)
	if err != nil {
		return nil, err
	}
	if len(f.threshold.single) > 0 {
		return nil, usage("--threshold: a model of this kind has one threshold for all labels, without LABEL=")
	}
	s := &matchService{matcher: m, o: task.MatchOptions{Threshold: f.threshold.all, Single: f.on("single-label"), Prompt: f.word("instruction")}}
	if !f.given["labels"] {
		return s, nil
	}
	if s.labels, err = f.words("labels"); err != nil {
		return nil, err
	}
	if err := m.Check(s.labels, s.o); err != nil {
		return nil, usage("--labels: %v", err)
	}
	return s, nil
}

func (s *matchService) prepare(r *record) error {
	o := s.o
	m := &matching{MatchInput: task.MatchInput{Text: r.text.First, Labels: s.labels, Options: &o}}
	raw, own := r.extra["labels"]
	switch {
	case own && s.labels != nil:
		return faulty(r.where(), "the input has labels of its own, and --labels sets others: leave out one of the two")
	case !own && s.labels == nil:
		return r.lacks("there are no labels to choose from", "labels")
	case own && r.cells:
		var err error
		if m.Labels, err = r.list("labels"); err != nil {
			return err
		}
	case own:
		m.tree = &task.LabelTree{}
		if err := json.Unmarshal(raw, m.tree); err != nil {
			return faultOf(kindType, r.where(), "%q is %s: %v", r.columns.name["labels"], command.Shorten(string(raw), 40), err)
		}
		m.Labels = m.tree.Flat()
	}
	tree, err := r.matchOptions(&o)
	if err != nil {
		return err
	}
	if tree && m.tree == nil {
		m.tree = &task.LabelTree{Labels: m.Labels}
	}
	if !tree {
		m.tree = nil
	}
	if err := s.matcher.Check(m.Labels, o); err != nil {
		return faulty(r.where(), "%w", err)
	}
	r.own = m
	return s.noPairs.prepare(r)
}

// matchOptions reads the settings that a record has of its own. It reports whether the scores are wanted as the tree of labels.
func (r *record) matchOptions(o *task.MatchOptions) (tree bool, err error) {
	if text, ok, err := r.ownField("prompt"); err != nil {
		return false, err
	} else if ok {
		o.Prompt = text
	}
	if text, ok, err := r.ownField("classification_type"); err != nil {
		return false, err
	} else if ok {
		switch strings.ReplaceAll(strings.ToLower(strings.TrimSpace(text)), "_", "-") {
		case "single", "single-label":
			o.Single = true
		case "multi", "multi-label":
			o.Single = false
		default:
			return false, faultOf(kindType, r.where(), "\"classification_type\" is %q: it must be multi-label or single-label", command.Shorten(text, 40))
		}
	}
	if err := r.decode("threshold", "a number", &o.Threshold); err != nil {
		return false, err
	}
	if err := r.decode("max_length", "a whole number above 0", &o.MaxLength); err != nil {
		return false, err
	}
	if _, ok := r.extra["max_length"]; ok && o.MaxLength < 1 {
		return false, faultOf(kindType, r.where(), "\"max_length\" is %d, it must be a whole number above 0", o.MaxLength)
	}
	if err := r.decode("return_hierarchical", "true or false", &tree); err != nil {
		return false, err
	}
	return tree, r.decode("examples", "an array of objects with text and labels", &o.Examples)
}

// ownField returns a field of text among those that only some tasks read.
func (r *record) ownField(what string) (text string, ok bool, err error) {
	raw, ok := r.extra[what]
	if !ok {
		return "", false, nil
	}
	if text, err = jsonString(what, raw); err != nil {
		err = faultOf(kindType, r.where(), "%w", err)
	}
	return text, true, err
}

// decode reads a field as JSON into what v points at, if the record has it. It does not write to memory of the old value, which records share with flags.
func (r *record) decode(what, must string, v any) error {
	raw, ok := r.extra[what]
	if !ok {
		return nil
	}
	raw = r.unpacked(raw)
	value := reflect.New(reflect.TypeOf(v).Elem())
	if err := json.Unmarshal(raw, value.Interface()); err != nil {
		return faultOf(kindType, r.where(), "%q is %s, it must be %s", what, command.Shorten(string(raw), 40), must)
	}
	reflect.ValueOf(v).Elem().Set(value.Elem())
	return nil
}

func (s *matchService) compute(ctx context.Context, records []record) ([]outcome, error) {
	inputs := make([]task.MatchInput, len(records))
	for i, r := range records {
		inputs[i] = r.own.(*matching).MatchInput
	}
	results, err := s.matcher.MatchEach(ctx, inputs, s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i, r := range records {
		m := r.own.(*matching)
		outcomes[i] = &matched{&results[i], m.tree, m.Options.MaxLength > 0}
	}
	return outcomes, nil
}

// matched is the result of one text.
type matched struct {
	*task.Matched
	tree    *task.LabelTree
	limited bool // the record has a max_length
}

func (m *matched) seen() runtime.Seen { return m.Seen }

func (m *matched) atOwnLimit() bool { return m.limited && m.Truncated > 0 }

// matchedTree is a result as the tree of its labels.
type matchedTree struct {
	Labels    json.RawMessage `json:"labels"`
	LabelsCut int             `json:"labels_cut,omitempty"`
	Vectors   *task.Vectors   `json:"vectors,omitempty"`
	runtime.Seen
}

func (m *matched) object() any {
	if m.tree == nil {
		return m.Matched
	}
	labels, err := m.tree.Scored(m.Matched)
	if err != nil { // texts and finite numbers can always be written
		return m.Matched
	}
	return matchedTree{labels, m.LabelsCut, m.Vectors, m.Seen}
}

func (m *matched) show(p *page, r *record) {
	p.title(r, m.Tokens, m.Truncated)
	var list []row
	for _, l := range m.Labels {
		list = append(list, row{l.Label, l.Score, ""})
	}
	p.rows(list)
}
