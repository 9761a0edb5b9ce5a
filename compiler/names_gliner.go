package compiler

import (
	"slices"

	"github.com/debertac/debertac/spec"
)

// glinerEncoder is the prefix of the encoder in GLiNER's checkpoints.
const glinerEncoder = "token_rep_layer.bert_layer.model."

// glinerHead is the path of the head in GLiNER's checkpoints. They have exactly one.
const glinerHead = "entities."

// gliner holds the names of GLiNER's published weights (gliner.GLiNER, its span and its token models): a DeBERTa v2 or v3 under a prefix, and a head.
var gliner = naming{
	scheme: "hf.gliner",
	exact: tables(glinerEncoder, map[string]string{
		"embed.project.weight": glinerEncoder + "embeddings.embed_proj.weight",
		"relative":             glinerEncoder + "encoder.rel_embeddings.weight",

		glinerHead + "lstm1.input.weight":         "rnn.lstm.weight_ih_l0",
		glinerHead + "lstm1.state.weight":         "rnn.lstm.weight_hh_l0",
		glinerHead + "lstm1.input.bias":           "rnn.lstm.bias_ih_l0",
		glinerHead + "lstm1.state.bias":           "rnn.lstm.bias_hh_l0",
		glinerHead + "lstm1.reverse.input.weight": "rnn.lstm.weight_ih_l0_reverse",
		glinerHead + "lstm1.reverse.state.weight": "rnn.lstm.weight_hh_l0_reverse",
		glinerHead + "lstm1.reverse.input.bias":   "rnn.lstm.bias_ih_l0_reverse",
		glinerHead + "lstm1.reverse.state.bias":   "rnn.lstm.bias_hh_l0_reverse",
	}),
	prefix: slices.Concat(postNorm(glinerEncoder), v2Layers(glinerEncoder+"encoder."),
		under("span_rep_layer.span_rep_layer.",
			[2]string{glinerHead + "spans.start.in.", "project_start.0."},
			[2]string{glinerHead + "spans.start.out.", "project_start.3."},
			[2]string{glinerHead + "spans.end.in.", "project_end.0."},
			[2]string{glinerHead + "spans.end.out.", "project_end.3."},
			[2]string{glinerHead + "spans.pair.in.", "out_project.0."},
			[2]string{glinerHead + "spans.pair.out.", "out_project.3."},
		),
		[][2]string{
			{glinerHead + "linear1.", "token_rep_layer.projection."},
			{glinerHead + "spans.label.in.", "prompt_rep_layer.0."},
			{glinerHead + "spans.label.out.", "prompt_rep_layer.3."},
			{glinerHead + "tokens.word.", "scorer.proj_token."},
			{glinerHead + "tokens.label.", "scorer.proj_label."},
			{glinerHead + "tokens.score.in.", "scorer.out_mlp.0."},
			{glinerHead + "tokens.score.out.", "scorer.out_mlp.3."},
		}),
}

// glinerNames returns the names of a head in GLiNER's layout: at most one projection of the tokens, followed by at most one LSTM in both directions.
func (n naming) glinerNames(h *spec.Head) (names headNames, ok bool) {
	var form []spec.StepKind
	for _, s := range h.Steps {
		if s.Kind == spec.StepDropout {
			continue
		}
		if s.Kind == spec.StepLSTM && !s.Both {
			return names, false
		}
		form = append(form, s.Kind)
	}
	for _, optional := range []spec.StepKind{spec.StepLinear, spec.StepLSTM} {
		if len(form) > 0 && form[0] == optional {
			form = form[1:]
		}
	}
	names.linears = []string{glinerHead + "linear1"}
	return names, h.Prompt != nil && len(form) == 1 && (form[0] == spec.StepSpans || form[0] == spec.StepTokens)
}

// headPath returns the path of a head's tensors that do not belong to products or norms.
func (n naming) headPath(h *spec.Head) string {
	switch n.scheme {
	case gliner.scheme:
		return glinerHead
	case gliner2.scheme:
		return gliner2Head
	case gliclass.scheme:
		return gliclassHead
	}
	return "head." + h.Name + "."
}
