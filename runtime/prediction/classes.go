package prediction

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/debertac/debertac/runtime/metrics"
)

// names numbers names as they come.
type namer struct {
	list  []string
	index map[string]int
}

func (n *namer) of(name string) int {
	i, ok := n.index[name]
	if !ok {
		if n.index == nil {
			n.index = map[string]int{}
		}
		i = len(n.list)
		n.index[name], n.list = i, append(n.list, name)
	}
	return i
}

// knows reports whether a name has a number.
func (n *namer) knows(name string) bool {
	_, ok := n.index[name]
	return ok
}

// sorted returns the numbers of the names in their order: by value if all are whole numbers, else by their letters.
func (n *namer) sorted() []int {
	order := make([]int, len(n.list))
	whole := make([]int, len(n.list))
	all := true
	for i, name := range n.list {
		order[i] = i
		var err error
		if whole[i], err = strconv.Atoi(name); err != nil {
			all = false
		}
	}
	slices.SortFunc(order, func(a, b int) int {
		if all {
			return cmp.Compare(whole[a], whole[b])
		}
		return cmp.Compare(n.list[a], n.list[b])
	})
	return order
}

// classes are predictions of one class each.
type classes struct {
	positive string // as asked for
	chosen   bool   // the classes are numbers of options, which have no meaning of their own
	grouped  bool   // every prediction must have a group

	namer
	groups      namer
	group       [][]int // the predictions of each unit
	anyGroup    bool
	gold, label []int
	confidence  []float64
	own         string // the positive class that the predictions name
	right       []bool
	counts      *metrics.Classes // of a sample
	positiveAt  int
	answers     questions // what the options are, if the predictions tell
	calibration *metrics.Calibration
}

func (c *classes) add(p *Prediction) error {
	gold, ok := className(p.Gold)
	if p.Gold == nil || !ok {
		return errors.New(`"gold" must be the right class: a text, a number, true or false`)
	}
	label, ok := className(p.Label)
	if p.Label == nil || !ok {
		return errors.New(`"label" must be the class that was predicted: a text, a number, true or false`)
	}
	if c.grouped && p.Group == "" {
		return errors.New(`"group" must be the question that the answer belongs to`)
	}
	if p.Answers != nil {
		if err := c.answers.add(p); err != nil {
			return err
		}
	}
	g, l := c.of(gold), c.of(label)
	i := len(c.gold)
	c.gold, c.label, c.right = append(c.gold, g), append(c.label, l), append(c.right, g == l)
	if p.Group != "" && !c.chosen {
		c.anyGroup = true
		unit := c.groups.of(p.Group)
		for len(c.group) <= unit {
			c.group = append(c.group, nil)
		}
		c.group[unit] = append(c.group[unit], i)
	} else {
		c.group = append(c.group, []int{i})
		c.groups.of("\x00" + strconv.Itoa(i)) // a unit of its own
	}
	if p.Positive != "" {
		c.own = p.Positive
	}
	switch {
	case p.Score != nil:
		return c.confide(*p.Score)
	case len(p.Scores) > 0:
		return c.confide(slices.Max(p.Scores))
	}
	return nil
}

func (c *classes) confide(x float64) error {
	if !(x >= 0 && x <= 1) {
		return fmt.Errorf("\"score\" and \"scores\" must be probabilities, from 0 to 1, and there is %v: leave them out for predictions without an ece", x)
	}
	c.confidence = append(c.confidence, x)
	return nil
}

func (c *classes) units() int { return len(c.group) }

// binary reports whether precision, recall and F1 of one class are wanted, and finds the class.
func (c *classes) binary() bool {
	c.positiveAt = -1
	if c.chosen {
		return false
	}
	if want := cmp.Or(c.positive, c.own); want != "" {
		c.positiveAt = c.of(want)
		return true
	}
	if len(c.list) == 1 && (c.list[0] == "0" || c.list[0] == "1") { // of 0 and 1, one is absent
		c.of(string('0' + '1' - c.list[0][0]))
	}
	if len(c.list) == 2 {
		c.positiveAt = c.sorted()[1]
	}
	return c.positiveAt >= 0
}

// metrics returns the names of the metrics.
func (c *classes) metrics() (list []string) {
	list = []string{"accuracy"}
	c.answers.v1 = true
	if !c.chosen {
		list = append(list, "f1_macro", "f1_micro", "mcc")
	}
	if c.binary() && !c.proposed() {
		list = append(list, "f1", "precision", "recall")
	}
	switch {
	case c.proposed():
		list = append(list, "exact", "f1")
	case c.anyGroup:
		list = append(list, "exact", "f1_questions")
	}
	c.answers.judge()
	if c.answered() {
		list = append(list, "exact", "f1")
	}
	if len(c.confidence) == len(c.gold) {
		list = append(list, "ece")
	}
	return list
}

// answered reports whether every chosen option is an answer that is compared by SQuAD's rules.
func (c *classes) answered() bool { return c.chosen && c.answers.units() == len(c.gold) }

func (c *classes) measure(sample []int, out []float64) {
	if c.counts == nil {
		c.counts = metrics.NewClasses(len(c.list))
	}
	c.counts.Clear()
	c.each(sample, func(i int) { c.counts.Add(c.gold[i], c.label[i]) })
	out[0] = c.counts.Accuracy()
	k := 1
	put := func(x ...float64) { k += copy(out[k:], x) }
	if !c.chosen {
		put(c.counts.Macro().F1, c.counts.Micro().F1, c.counts.MCC())
	}
	if c.positiveAt >= 0 && !c.proposed() {
		s := c.counts.Of(c.positiveAt)
		put(s.F1, s.Precision, s.Recall)
	}
	switch {
	case c.proposed():
		put(c.record(sample))
	case c.anyGroup:
		put(c.questions(sample))
	}
	if c.answered() {
		var two [2]float64
		c.answers.measure(sample, two[:])
		put(two[:]...)
	}
	if len(c.confidence) == len(c.gold) {
		c.calibration.Clear()
		c.each(sample, func(i int) { c.calibration.Add(c.confidence[i], c.right[i]) })
		put(c.calibration.Error())
	}
}

// each calls f with the predictions of a sample of units.
func (c *classes) each(sample []int, f func(i int)) {
	if !c.anyGroup { // each prediction is a unit
		for _, i := range sample {
			f(i)
		}
		return
	}
	for _, unit := range sample {
		for _, i := range c.group[unit] {
			f(i)
		}
	}
}

// proposed reports whether each prediction judges one of the answers that are proposed to a question. The answer that is most probably right counts (ReCoRD).
func (c *classes) proposed() bool {
	return !c.chosen && c.anyGroup && c.positiveAt >= 0 && c.answers.units() == len(c.gold) && len(c.confidence) == len(c.gold)
}

// record returns the measures of ReCoRD of a sample of questions, in percent.
func (c *classes) record(sample []int) (exact, f1 float64) {
	best := make([]int, len(sample))
	for q, unit := range sample {
		most := math.Inf(-1)
		for _, i := range c.group[unit] {
			p := c.confidence[i]
			if c.label[i] != c.positiveAt {
				p = 1 - p
			}
			if p > most {
				most, best[q] = p, i
			}
		}
	}
	var two [2]float64
	c.answers.measure(best, two[:])
	return two[0], two[1]
}

// questions returns the measures of MultiRC of a sample of questions.
func (c *classes) questions(sample []int) (exact, f1 float64) {
	var group, gold, label []int
	for q, unit := range sample {
		for _, i := range c.group[unit] {
			group, gold, label = append(group, q), append(gold, c.gold[i]), append(label, c.label[i])
		}
	}
	return metrics.Groups(len(sample), len(c.list), group, gold, label)
}

func (c *classes) names() ([]string, int) {
	list := c.metrics()
	c.counts, c.calibration = nil, metrics.NewCalibration(metrics.CalibrationBins)
	return list, len(list)
}

// maxConfusion bounds the classes of a table of confusion.
const maxConfusion = 200

func (c *classes) finish(r *Report) {
	if c.chosen {
		return
	}
	if c.positiveAt >= 0 && !c.proposed() {
		r.Positive = c.list[c.positiveAt]
	}
	counts := metrics.NewClasses(len(c.list))
	place := make([]int, len(c.list)) // of each class in the order of the report
	order := c.sorted()
	for at, i := range order {
		place[i] = at
	}
	gold, label := make([]int, len(c.gold)), make([]int, len(c.gold))
	for i := range c.gold {
		gold[i], label[i] = place[c.gold[i]], place[c.label[i]]
		counts.Add(gold[i], label[i])
	}
	var labels []string
	for at, i := range order {
		labels = append(labels, c.list[i])
		r.Classes = append(r.Classes, Class{c.list[i], counts.Of(at), counts.Gold[at]})
	}
	if len(labels) <= maxConfusion {
		r.Confusion = &Confusion{labels, metrics.Confusion(len(labels), gold, label)}
	}
}

// sets are predictions of several classes each.
type sets struct {
	namer
	gold, label [][]int
	same        []bool
	counts      *metrics.Classes
}

func (s *sets) add(p *Prediction) error {
	gold, ok := classNames(p.Gold)
	if !ok {
		return errors.New(`"gold" must be the list of right classes, as in the predictions before`)
	}
	label, ok := classNames(p.Label)
	if !ok {
		return errors.New(`"label" must be the list of classes that were predicted`)
	}
	g, l := s.set(gold), s.set(label)
	s.gold, s.label, s.same = append(s.gold, g), append(s.label, l), append(s.same, slices.Equal(g, l))
	return nil
}

// set returns the numbers of classes in order, each once.
func (s *sets) set(list []string) []int {
	set := make([]int, len(list))
	for i, name := range list {
		set[i] = s.of(name)
	}
	slices.Sort(set)
	return slices.Compact(set)
}

func (s *sets) units() int { return len(s.gold) }

func (s *sets) names() ([]string, int) {
	s.counts = nil
	list := []string{"accuracy", "f1_macro", "f1_micro", "f1", "precision", "recall"}
	return list, len(list)
}

func (s *sets) measure(sample []int, out []float64) {
	if s.counts == nil {
		s.counts = metrics.NewClasses(len(s.list))
	}
	s.counts.Clear()
	same := 0
	for _, i := range sample {
		s.counts.AddSets(s.gold[i], s.label[i])
		if s.same[i] {
			same++
		}
	}
	micro := s.counts.Micro()
	copy(out, []float64{float64(same) / float64(len(sample)), s.counts.Macro().F1, micro.F1, micro.F1, micro.Precision, micro.Recall})
}

func (s *sets) finish(r *Report) {
	counts := metrics.NewClasses(len(s.list))
	for i := range s.gold {
		counts.AddSets(s.gold[i], s.label[i])
	}
	for _, i := range s.sorted() {
		r.Classes = append(r.Classes, Class{s.list[i], counts.Of(i), counts.Gold[i]})
	}
}

// nan reports whether any of the numbers is not finite.
func nan(list ...float64) bool {
	return slices.ContainsFunc(list, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
