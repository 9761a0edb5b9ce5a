package compiler

import (
	"slices"

	"github.com/debertac/debertac/spec"
)

// gliclassEncoder is the prefix of the encoder in GLiClass's checkpoints.
const gliclassEncoder = "model.encoder_model."

// gliclassHead is the path of the head in GLiClass's checkpoints. They have exactly one.
const gliclassHead = "classes."

// gliclass holds the names of GLiClass's published weights (gliclass.GLiClassModel, uni-encoder): a DeBERTa v2 or v3 under a prefix, and a head.
var gliclass = naming{
	scheme: "hf.gliclass",
	exact: tables(gliclassEncoder, map[string]string{
		"embed.project.weight": gliclassEncoder + "embeddings.embed_proj.weight",
		"embed.segment":        "model.segment_embeddings.weight",
		"relative":             gliclassEncoder + "encoder.rel_embeddings.weight",

		gliclassHead + "scale":                      "model.logit_scale",
		gliclassHead + "lstm1.input.weight":         "model.lstm.lstm.weight_ih_l0",
		gliclassHead + "lstm1.state.weight":         "model.lstm.lstm.weight_hh_l0",
		gliclassHead + "lstm1.input.bias":           "model.lstm.lstm.bias_ih_l0",
		gliclassHead + "lstm1.state.bias":           "model.lstm.lstm.bias_hh_l0",
		gliclassHead + "lstm1.reverse.input.weight": "model.lstm.lstm.weight_ih_l0_reverse",
		gliclassHead + "lstm1.reverse.state.weight": "model.lstm.lstm.weight_hh_l0_reverse",
		gliclassHead + "lstm1.reverse.input.bias":   "model.lstm.lstm.bias_ih_l0_reverse",
		gliclassHead + "lstm1.reverse.state.bias":   "model.lstm.lstm.bias_hh_l0_reverse",
	}),
	prefix: slices.Concat(postNorm(gliclassEncoder), v2Layers(gliclassEncoder+"encoder."), gliclassScores(),
		[][2]string{
			{gliclassHead + "text.linear1.", "model.text_projector.linear_1."},
			{gliclassHead + "text.linear2.", "model.text_projector.linear_2."},
			{gliclassHead + "label.linear1.", "model.classes_projector.linear_1."},
			{gliclassHead + "label.linear2.", "model.classes_projector.linear_2."},
		}),
}

// gliclassLayers holds the names of the inner layers of each score.
var gliclassLayers = map[string][]string{
	"weighted": {"out_mlp.0", "out_mlp.3"}, "layers": {"mlp.0", "mlp.2", "mlp.4"}, "hopfield": {"mlp.0", "mlp.2", "mlp.4"},
	"attend": {"score_mlp.0", "score_mlp.2", "score_mlp.4"}, "dot": nil,
}

// gliclassScores returns the names of the scores' tensors.
func gliclassScores() (list [][2]string) {
	const to = "model.scorer."
	for _, kind := range spec.LabelScores {
		from := gliclassHead + "score." + kind + "."
		for i, name := range gliclassLayers[kind] {
			list = append(list, [2]string{from + "layer" + string(rune('1'+i)) + ".", to + name + "."})
		}
		switch kind {
		case "weighted":
			list = append(list, [2]string{from + "text.", to + "proj_text."}, [2]string{from + "label.", to + "proj_label."})
		case "hopfield":
			for _, p := range []string{"q", "k", "v"} {
				list = append(list, [2]string{from + p + ".", to + p + "_proj."})
			}
		case "attend":
			list = append(list, [2]string{from, to})
		}
	}
	return list
}

// gliclassNames returns the names of a head in GLiClass's layout: at most one LSTM in both directions, two layers on the rows of texts and labels with an
// activation between them, at most one unit scaled, and a score. The names of products and norms do not depend on their order.
func (n naming) gliclassNames(h *spec.Head) (names headNames, ok bool) {
	if h.As != spec.OwnLabel {
		return names, false
	}
	var form []spec.StepKind
	for _, s := range h.Steps {
		switch {
		case s.Kind == spec.StepDropout:
			continue
		case s.Kind == spec.StepLSTM && (!s.Both || s.Out != s.In), s.Kind == spec.StepUnit && !s.Scaled, s.Kind == spec.StepLinear && s.Tied != "":
			return names, false
		case s.Kind == spec.StepScore && len(s.Widths)+1 != len(gliclassLayers[s.Score]) && s.Score != "dot":
			return names, false
		}
		form = append(form, s.Kind)
	}
	if form[0] == spec.StepLSTM {
		form = form[1:]
	}
	projected := []spec.StepKind{spec.StepLinear, spec.StepAct, spec.StepLinear}
	return names, slices.Equal(form, append(slices.Clone(projected), spec.StepScore)) ||
		slices.Equal(form, append(slices.Clone(projected), spec.StepUnit, spec.StepScore))
}
