package spec

import (
	"slices"

	"github.com/debertac/debertac/spec/diag"
)

// The words of this file are for heads that score a text against labels that are given at run time (GLiClass). Such a head has rows of two kinds, one for each
// label and one for each text. Steps before the score work on both, with weights of their own for each kind.

// labelsForm is a head that has names in GLiClass's layout.
const labelsForm = `take labels(first); prompt labels mark "<<LABEL>>" end "<<SEP>>" example "<<EXAMPLE>>"; text first; ` +
	`linear hidden; act gelu; linear hidden; score layers 256, 128; loss binary_cross_entropy`

// labelScore resolves how a text is scored against labels.
func (b *headBuilder) labelScore(step *Step, form *labelScoreForm) {
	step.Kind, b.h.As = StepScore, OwnLabel
	in := b.cols
	b.cols = 1
	kind, ok := b.r.pick(form.Kind, "score", LabelScores)
	if !ok {
		return
	}
	step.Score = kind
	for _, w := range form.Widths {
		step.Widths = append(step.Widths, b.count(w, "width", 1))
	}
	least, most := 1, maxSteps
	switch kind {
	case "dot":
		least, most = 0, 0
	case "weighted":
		most = 1
	}
	hint := map[string]string{"dot": "score dot", "weighted": "score weighted 4 * hidden", "layers": "score layers 256, 128",
		"hopfield": "score hopfield 256, 128", "attend": "score attend(heads: 16) 1024, 512"}[kind]
	if n := len(step.Widths); n < least || n > most {
		b.r.add(diag.Errorf("shapes", step.Pos, "%s has %s", kind, counted(n, "inner layer")).Hintf("%s", hint))
	}
	switch {
	case kind != "attend" && form.Heads != nil:
		b.r.add(diag.Errorf("no-effect", step.Pos, "heads has no effect: only attend has heads").Hintf("%s", hint))
	case kind == "attend" && form.Heads == nil:
		b.r.add(diag.Errorf("missing", step.Pos, "attend does not say how many heads it has").Hintf("%s", hint))
	case kind == "attend":
		if step.Heads = b.count(form.Heads, "heads", 1); step.Heads > 0 && in > 0 && in%step.Heads != 0 {
			b.r.add(diag.Errorf("shapes", step.Pos, "%d heads do not divide %d columns", step.Heads, in).Hintf("score attend(heads: 1) 1024, 512"))
		}
	}
}

// labelMeaning checks that the words of a head that scores labels fit each other.
func (b *headBuilder) labelMeaning() {
	h := b.h
	b.unmeant("score compares a text with labels that are given at run time")
	missing := func(what, hint string) {
		b.r.add(diag.Errorf("missing", h.Pos, "%s %s", h.Name, what).Hintf("%s", hint))
	}
	if h.Prompt == nil {
		missing("scores labels given at run time, but does not say how they stand beside the text", `prompt labels mark "<<LABEL>>" end "<<SEP>>"`)
		return
	}
	if h.Text == nil {
		missing("does not say which row of a text labels are compared with", "text first")
		return
	}
	if h.Take.Rows != ByLabel {
		b.r.add(diag.Errorf("take-loss", h.Take.Pos, "score and text are for heads that read labels").Hintf("take labels(first)"))
	}
	for _, s := range h.Steps {
		if s.Kind == StepLSTM && s.In > 0 && s.Out > 0 && s.In != s.Out {
			b.r.add(diag.Errorf("shapes", s.Pos, "an LSTM from %d to %d columns leaves the rows of texts with another width than those of labels", s.In, s.Out).
				Hintf("lstm %d", s.In))
		}
	}
	at := slices.IndexFunc(h.Steps, func(s *Step) bool { return s.Kind == StepScore })
	if at < 0 {
		missing("reads labels, but does not score them", "score layers 256, 128")
		return
	}
	score := h.Steps[at]
	if at < len(h.Steps)-1 {
		b.r.add(diag.Errorf("no-effect", h.Steps[at+1].Pos, "no step follows the score").Note(score.Pos, "the score is here").Hintf("remove it"))
	}
	if (h.Text.How == "each") != (score.Score == "attend") {
		b.r.add(diag.Errorf("take-loss", h.Text.Pos, "attend reads each row of a text, and no other score does").
			Note(score.Pos, "the score is here").Hintf("text each; score attend(heads: 16) 1024, 512"))
	}
}

// labelLines returns what the steps of a head that scores labels contribute. Steps work on the text's rows and on the labels' rows, with weights for each.
func (h *Head) labelLines() []Line {
	what := "the text's row: " + h.Text.How
	rows := "texts"
	if h.Text.How == "each" {
		what, rows = "each row of the text", "T"
	}
	if h.Text.End {
		what += ", from the end of the labels on"
	}
	list := []Line{{At: h.Text.Source, What: what, Shape: "[" + rows + ", " + itoa(h.Model.Hidden) + "]"}}
	for _, s := range h.Steps {
		switch s.Kind {
		case StepLSTM:
			list = append(list, h.lines(s, "T", 0)...)
		case StepScore:
			list = append(list, s.scoreLine())
		case StepUnit:
			l := Line{At: s.Source, What: "length 1", Shape: "[" + rows + " and labels, " + itoa(s.Out) + "]"}
			if s.Scaled {
				l.What, l.Params = "length 1, and one number", 1
			}
			list = append(list, l)
		default:
			l := h.lines(s, rows+" and labels", 0)[0]
			l.Params *= 2
			list = append(list, l)
		}
	}
	return list
}

// scoreLine returns what a score contributes: its inner layers, and its projections.
func (s *Step) scoreLine() Line {
	h := int64(s.In)
	l := Line{At: s.Source, What: s.Score, Shape: "[labels, 1]", Per: "a label"}
	in := h
	switch s.Score {
	case "dot":
		l.Flops = 2 * float64(h)
		return l
	case "weighted":
		l.Params, l.Flops = layers(h, 2*h, h, 2*h)
		in = 3 * h
	case "layers":
		in = 2 * h
	case "hopfield":
		l.Params, l.Flops = 3*h*h, 2*float64(3*h*h)
	case "attend":
		l.Params, l.Flops = layers(h, h, h, h, h, h, h, h)
		l.Params += 6 * h
		in = 2 * h
	}
	for _, w := range append(slices.Clone(s.Widths), 1) {
		params, flops := layers(in, int64(w))
		l.Params, l.Flops, in = l.Params+params, l.Flops+flops, int64(w)
	}
	return l
}
