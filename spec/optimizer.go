package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// optimizerRow is an optimizer of the language, with the settings that it has.
type optimizerRow struct {
	settings []string  // names, in the order of setters
	start    Optimizer // what it is without settings
}

// decayed lists the kinds of weights that decay can except.
var decayed = []string{"norm", "bias"}

// optimizers lists the optimizers, in the order of the documentation.
var optimizers = []optimizerRow{
	{[]string{"betas", "eps", "decay", "correct", "rows"},
		Optimizer{Kind: "adamw", Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Decay: 0.01, Except: decayed, Correct: true}},
	{[]string{"betas", "eps", "decay", "rows"},
		Optimizer{Kind: "radam", Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Decay: 0.01, Except: decayed, Correct: true}},
	{[]string{"betas", "eps", "decay", "correct"},
		Optimizer{Kind: "lamb", Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Decay: 0.01, Except: decayed, Correct: true}},
	{[]string{"momentum", "decay", "rows"}, Optimizer{Kind: "sgd", Except: decayed}},
}

// setterRow is a setting of optimizers.
type setterRow struct {
	name    string
	written string // what follows the colon, as shown to users
	numbers int    // how many numbers follow the colon; 0: one word
	except  bool   // kinds of weights may follow after except
	set     func(b *trainBuilder, o *Optimizer, a *setting)
	text    func(o *Optimizer) string // the setting as it is written
}

// setters lists the settings of optimizers.
var setters = []setterRow{
	{"betas", "B1 B2", 2, false, (*trainBuilder).betas, func(o *Optimizer) string { return float(o.Beta1) + " " + float(o.Beta2) }},
	{"momentum", "NUMBER", 1, false, (*trainBuilder).momentum, func(o *Optimizer) string { return float(o.Momentum) }},
	{"eps", "NUMBER", 1, false, (*trainBuilder).eps, func(o *Optimizer) string { return float(o.Eps) }},
	{"decay", "RATE [except norm bias]", 1, true, (*trainBuilder).decay, decayText},
	{"correct", "yes | no", 0, false, (*trainBuilder).correct, func(o *Optimizer) string { return choose(o.Correct, "yes", "no") }},
	{"rows", "all | touched", 0, false, (*trainBuilder).rows, func(o *Optimizer) string { return choose(o.Touched, "touched", "all") }},
}

// choose returns one of two texts.
func choose(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

func decayText(o *Optimizer) string {
	if len(o.Except) == 0 {
		return float(o.Decay)
	}
	return float(o.Decay) + " except " + strings.Join(o.Except, " ")
}

// setter returns the row of a setting, or nil.
func setter(name string) *setterRow {
	for i := range setters {
		if setters[i].name == name {
			return &setters[i]
		}
	}
	return nil
}

// written returns an optimizer with its settings, each as show returns it.
func (r *optimizerRow) written(show func(*setterRow) string) string {
	var list []string
	for _, name := range r.settings {
		list = append(list, name+": "+show(setter(name)))
	}
	return r.start.Kind + "(" + strings.Join(list, ", ") + ")"
}

// optimizerOperands returns what may follow the word optimizer.
func optimizerOperands() string {
	var list []string
	for i := range optimizers {
		list = append(list, optimizers[i].written(func(s *setterRow) string { return s.written }))
	}
	return strings.Join(list, " | ")
}

// optimizerDefault returns the optimizer without the word optimizer, and the settings of the one that starts from others.
func optimizerDefault() string {
	return optimizers[0].start.String() + "; without settings, sgd is " + optimizerOf("sgd").start.String()
}

// optimizerOf returns the row of a kind, or nil.
func optimizerOf(kind string) *optimizerRow {
	for i := range optimizers {
		if optimizers[i].start.Kind == kind {
			return &optimizers[i]
		}
	}
	return nil
}

// String returns the optimizer with all its settings, as it is written in a spec.
func (o Optimizer) String() string {
	row := optimizerOf(o.Kind)
	if row == nil {
		return o.Kind
	}
	return row.written(func(s *setterRow) string { return s.text(&o) })
}

// optimizer resolves the optimizer.
func (b *trainBuilder) optimizer() {
	o := &b.t.Optimizer
	*o = optimizers[0].start
	s, ok := b.word("optimizer")
	if !ok {
		return
	}
	form := s.Form.(*optimizerForm)
	var kinds []string
	for i := range optimizers {
		kinds = append(kinds, optimizers[i].start.Kind)
	}
	row := &optimizers[0]
	if kind, ok := b.r.pick(form.Kind, "optimizer", kinds); ok {
		row = optimizerOf(kind)
	}
	*o = row.start
	o.Source = source(s)
	b.settings(row, form.Args)
}

// settings resolves what stands in the parentheses of an optimizer.
func (b *trainBuilder) settings(row *optimizerRow, args []*setting) {
	seen := map[string]bool{}
	for _, a := range args {
		at := spanOfAll(a.Tokens)
		if seen[a.Key] {
			b.r.add(diag.Errorf("twice", at, "%s is set twice", a.Key))
		}
		seen[a.Key] = true
		s := setter(a.Key)
		switch {
		case !slices.Contains(row.settings, a.Key):
			near := Nearest(a.Key, row.settings)
			if near == "" {
				near = "optimizer " + row.start.String()
			}
			b.r.add(diag.Errorf("unknown-name", spanOfAll(a.Tokens[:1]), "%s has no setting %s", row.start.Kind, a.Key).Hintf("%s", near))
		case len(a.Values) != s.numbers || (a.Word == "") == (s.numbers == 0) || len(a.Except) > 0 && !s.except:
			b.r.add(diag.Errorf("syntax", at, "the setting %s is written otherwise", a.Key).Hintf("%s: %s", a.Key, s.text(&row.start)))
		default:
			s.set(b, &b.t.Optimizer, a)
		}
	}
}

func (b *trainBuilder) betas(o *Optimizer, a *setting) {
	o.Beta1, _ = b.r.real(a.Values[0], "beta", "in [0, 1)", share)
	o.Beta2, _ = b.r.real(a.Values[1], "beta", "in [0, 1)", share)
}

func (b *trainBuilder) momentum(o *Optimizer, a *setting) {
	o.Momentum, _ = b.r.real(a.Values[0], "momentum", "in [0, 1)", share)
}

func (b *trainBuilder) eps(o *Optimizer, a *setting) {
	o.Eps, _ = b.r.real(a.Values[0], "eps", "above 0", positive)
}

func (b *trainBuilder) decay(o *Optimizer, a *setting) {
	o.Decay, _ = b.r.real(a.Values[0], "decay", "in [0, 1)", share)
	o.Except = nil
	for _, x := range a.Except {
		kind, ok := b.r.pick(x, "decay excepts norm and bias, not %s", decayed)
		if ok && slices.Contains(o.Except, kind) {
			b.r.add(diag.Errorf("twice", spanOfAll(x.Tokens), "%s is excepted twice", kind).Hintf("remove it"))
		}
		o.Except = append(o.Except, kind)
	}
}

func (b *trainBuilder) correct(o *Optimizer, a *setting) { o.Correct = b.choice(a, "yes", "no") }

func (b *trainBuilder) rows(o *Optimizer, a *setting) { o.Touched = b.choice(a, "touched", "all") }

// choice reports whether a setting is the word yes, and not the word no. Another word is a fault.
func (b *trainBuilder) choice(a *setting, yes, no string) bool {
	if a.Word != yes && a.Word != no {
		b.r.notOneOf(spanOfAll(a.Tokens[len(a.Tokens)-1:]), a.Key+" is "+yes+" or "+no+", not %s", a.Word, []string{yes, no})
	}
	return a.Word == yes
}

// lookahead resolves the averaging of slow weights.
func (b *trainBuilder) lookahead() {
	s, ok := b.word("lookahead")
	if !ok {
		return
	}
	form := s.Form.(*lookaheadForm)
	l := &Lookahead{Source: source(s), Mix: 0.5}
	b.t.Lookahead = l
	b.r.unit(s, form.Every, form.Unit, "steps")
	l.Every, _ = b.r.whole(form.Every, "lookahead", 1)
	if t := b.t; t.Steps > 0 && l.Every > t.Steps {
		b.r.add(diag.Errorf("range", s.Pos, "lookahead = %d steps, but the training has %d", l.Every, t.Steps))
	}
	if form.Mix != nil {
		l.Mix, _ = b.r.real(form.Mix, "mix", "above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 })
	}
}
