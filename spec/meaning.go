package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// checkMeaning resolves the meaning of the last linear layer's numbers.
func (b *headBuilder) checkMeaning(words words) {
	h := b.h
	if b.bySchema() {
		b.schemaMeaning()
	} else if h.As == Entities {
		b.unmeant("spans and tokens score labels that are given at run time")
		if h.Prompt == nil {
			b.r.add(diag.Errorf("missing", h.Pos, "%s scores labels given at run time, but does not say how they precede the text", h.Name).
				Hintf(`prompt labels mark "<<ENT>>" end "<<SEP>>"`))
		}
		if h.Take.Rows != Words {
			b.r.add(diag.Errorf("take-loss", h.Take.Pos, "spans and tokens score words").Hintf("take words(first)"))
		}
	} else if h.As == OwnLabel || h.Take.Rows == ByLabel || h.Text != nil {
		b.labelMeaning()
	} else if p := words.get("prompt"); p != nil {
		b.meant()
		b.r.add(diag.Errorf("missing", p.Pos, "a prompt needs spans, tokens or a score that read it").Hintf("spans <= 12 markers"))
	} else {
		b.meant()
	}
	for _, s := range h.Steps {
		if s.Kind != StepCRF && s.Kind != StepDecode && s.Kind != StepLSTM {
			continue
		}
		if r := h.Take.Rows; r != Each && r != Words && (r != ByLabel || s.Kind != StepLSTM) {
			b.r.add(diag.Errorf("take-loss", s.Pos, "%s reads one row per token or word, but the head takes other rows", strings.Fields(s.Text)[0]).
				Note(h.Take.Pos, "the rows are taken here").Hintf("take words(first)"))
		}
		if s.Kind != StepLSTM && h.As != Labels {
			b.r.add(diag.Errorf("labels", s.Pos, "%s needs labels", strings.Fields(s.Text)[0]).Hintf(`linear 3 as labels("O", "B-PER", "I-PER")`))
		}
		if s.Kind == StepDecode {
			b.bio(s)
		}
	}
}

// meant resolves the meaning of the last linear layer, if it has one.
func (b *headBuilder) meant() {
	if b.last != nil && b.last.As != nil {
		b.meaning(b.last.As)
	}
}

// meanings lists the words of the table of tasks that may follow as.
func meanings() []string {
	var list []string
	for _, m := range tasktable.Words() {
		list = append(list, string(m))
	}
	return list
}

// meaning resolves the operands of as: labels(…), or a word of another task.
func (b *headBuilder) meaning(as *meaningForm) {
	h := b.h
	at := spanOfAll(as.Tokens)
	if !slices.Contains(tasktable.Words(), Meaning(as.Kind)) {
		b.r.notOneOf(at, "meaning", as.Kind, meanings())
		return
	}
	h.As = Meaning(as.Kind)
	if h.As != Labels {
		if len(as.Labels) > 0 {
			b.r.add(diag.Errorf("syntax", at, "%s has no list", as.Kind).Hintf("%s", as.Kind))
		}
		if want := int(tasktable.Meant(h.As).Columns); b.cols > 0 && want > 0 && b.cols != want {
			b.r.add(diag.Errorf("labels", at, "%s is %s, not %d", as.Kind, counted(want, "column"), b.cols).Hintf("linear %d as %s", want, as.Kind))
		}
		return
	}
	seen := map[string]bool{}
	for _, l := range as.Labels {
		name := b.r.text(at, l)
		if seen[name] {
			b.r.add(diag.Errorf("labels", at, "the label %q stands twice", name))
		}
		seen[name] = true
		h.Labels = append(h.Labels, name)
	}
	switch n := len(h.Labels); {
	case n == 0:
		b.r.add(diag.Errorf("labels", at, "labels without names").Hintf(`labels("yes", "no")`))
	case b.cols > 0 && n != b.cols:
		b.r.add(diag.Errorf("labels", at, "%d labels for %d columns", n, b.cols).Hintf("linear %d as %s", n, textOf(as.Tokens)))
	}
}

// bio checks that every label is O, B-X or I-X.
func (b *headBuilder) bio(s *Step) {
	for _, l := range b.h.Labels {
		if l != "O" && !strings.HasPrefix(l, "B-") && !strings.HasPrefix(l, "I-") {
			b.r.add(diag.Errorf("labels", s.Pos, "decode bio cannot read the label %q", l).Hintf("labels are O, B-NAME or I-NAME"))
			return
		}
	}
}

// checkLoss checks that rows, columns and loss fit each other.
func (b *headBuilder) checkLoss(words words) {
	h := b.h
	at := h.Pos
	if s := words.get("loss"); s != nil {
		at = s.Pos
	}
	fault := func(message, hint string) {
		b.r.add(diag.Errorf("take-loss", at, "%s", message).Note(h.Take.Pos, "the rows are taken here").Hintf("%s", hint))
	}
	misfit := h.inTable().Misfit()
	switch {
	case misfit != nil:
		fault(misfit.Message, misfit.Hint)
	case tasktable.Sigmoid(h.Loss) && h.HasStep(StepCRF):
		fault("a CRF chooses one sequence of labels: "+h.Loss+", which judges each label by itself, does not fit", "loss cross_entropy")
	case tasktable.OfVectors(h.Loss) && b.cols == 1:
		fault(h.Loss+" compares the directions of vectors, but the head has one number", "linear hidden")
	case h.As == Vector && b.cols == 1 && h.Loss == tasktable.CrossEntropy:
		fault("a softmax over one column is always 1", "loss binary_cross_entropy")
	case h.Loss != "" && !tasktable.OfVectors(h.Loss) && len(h.Steps) == 0:
		hint := `linear 2 as labels("yes", "no")`
		if h.Loss == tasktable.MeanSquaredError {
			hint = "linear 1"
		}
		fault("a loss needs numbers to judge", hint)
	}
}

// Layout is the form of a head. Published checkpoints have tensor names for some forms.
type Layout string

// The layouts of heads.
const (
	NoWeights      Layout = "rows"     // take alone: embeddings
	SequenceLayout Layout = "sequence" // take first; linear hidden; act; linear N
	PoolerLayout   Layout = "pooler"   // only take: embeddings
	TokenLayout    Layout = "token"    // take each; linear N, and maybe crf
	SpanLayout     Layout = "span"     // take each; linear 2 as span
	ChoiceLayout   Layout = "choice"   // take first; linear hidden; act; linear 1 as choices
	MaskedLayout   Layout = "masked"   // take masked; linear; act; norm; linear vocab, tied to embed.token or not; or take each with a tied one
	ReplacedLayout Layout = "replaced" // take each + first; norm; linear hidden; act; linear 1
	EntityLayout   Layout = "entities" // GLiNER
	LabelsLayout   Layout = "labels"   // GLiClass
	SchemaLayout   Layout = "schema"   // GLiNER2
	OwnLayout      Layout = "own"      // any other form: tensors have the spec's paths as names
)

// Layout returns the head's form. Dropout does not matter, nor does the way in which labels are decoded.
func (h *Head) Layout() Layout {
	form := ""
	for _, s := range h.Steps {
		switch s.Kind {
		case StepLinear:
			if s.Tied != "" {
				form += "T"
			} else {
				form += "L"
			}
		case StepDropout, StepDecode:
		case StepCRF:
			form += "C"
		case StepAct:
			form += "A"
		case StepNorm:
			form += "N"
		default:
			form += "?"
		}
	}
	switch {
	case h.As == Entities:
		return EntityLayout
	case h.As == OwnLabel:
		return LabelsLayout
	case h.As == BySchema:
		return SchemaLayout
	case form == "":
		return NoWeights
	case h.Take.Rows == First && form == "LAL" && firstLinear(h).Out == h.Model.Hidden:
		if h.As == Choices {
			return ChoiceLayout
		}
		return SequenceLayout
	case h.Take.Rows == First && form == "LA" && firstLinear(h).Out == h.Model.Hidden && h.As == Vector:
		return PoolerLayout
	case h.Take.Rows == Each && form == "L" && h.As == SpanEnds:
		return SpanLayout
	case h.Take.Rows == Each && (form == "L" || form == "LC"):
		return TokenLayout
	case (h.Take.Rows == Masked || h.Take.Rows == Each) && form == "LANT", h.Take.Rows == Masked && form == "LANL" && h.From == "":
		return MaskedLayout
	case h.Take.Rows == EachFirst && form == "NLAL" && firstLinear(h).Out == h.Model.Hidden:
		return ReplacedLayout
	}
	return OwnLayout
}

// entityForm is a head that has names in GLiNER's layout.
const entityForm = `take words(first); linear 512; prompt labels mark "<<ENT>>" end "<<SEP>>"; spans <= 12 markers; loss binary_cross_entropy`

// NamedForm returns the text of the head nearest to this one that has names in the model's published layout, or "" if there is no such head. Heads for masked
// tokens, replaced tokens and prompts have a form of their own. For other heads the last linear layer decides.
func (h *Head) NamedForm() string {
	deberta := h.Model.Checkpoint == "hf.deberta" || h.Model.Checkpoint == "hf.deberta_v2"
	switch {
	case h.Model.Checkpoint == "hf.gliner":
		return entityForm
	case h.Model.Checkpoint == "hf.gliclass":
		return labelsForm
	case h.Model.Checkpoint == "hf.gliner2":
		return schemaForm
	case h.Prompt != nil, h.Take.Rows == EachFirst && !deberta:
		return ""
	}
	var last *Step
	for _, s := range h.Steps {
		if s.Kind == StepLinear && s.Tied == "" {
			last = s
		}
	}
	form := "take first; linear hidden; act"
	switch rows := h.Take.Rows; {
	case rows == Masked:
		form = "take masked; linear hidden; act; norm; linear vocab tied embed.token"
	case rows == EachFirst:
		form = "take each + first; norm; linear hidden; act; linear 1"
	case last == nil || h.As == Vector && rows != First:
		form = "take " + rows.String()
		if rows == Words {
			form += "(" + h.Take.Pick + ")"
		}
		if h.Loss != "" && !tasktable.OfVectors(h.Loss) { // other losses need numbers
			form = "take first; linear hidden; act; linear 2"
		}
	case rows == First || rows == Mean:
		form += "; " + last.Text
	default:
		form = "take each; " + last.Text
	}
	for _, s := range h.Steps {
		if s.Kind == StepCRF || s.Kind == StepDecode {
			form += "; " + s.Text
		}
	}
	if h.Loss != "" {
		form += "; loss " + h.LossText()
	}
	return form
}

// HasStep reports whether a head has a step of a kind.
func (h *Head) HasStep(kind StepKind) bool {
	return slices.ContainsFunc(h.Steps, func(s *Step) bool { return s.Kind == kind })
}

func firstLinear(h *Head) *Step {
	for _, s := range h.Steps {
		if s.Kind == StepLinear {
			return s
		}
	}
	return nil
}
