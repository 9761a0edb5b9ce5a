package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/spec"
)

// gliner2Encoder is the prefix of the encoder in GLiNER2's checkpoints.
const gliner2Encoder = "encoder."

// gliner2Head is the path of the head in GLiNER2's checkpoints. They have exactly one.
const gliner2Head = "extract."

// fieldLayers is the number of layers of attention among fields in GLiNER2's checkpoints.
const fieldLayers = 2

// gliner2 holds the names of GLiNER2's published weights (gliner2.GLiNER2, the span architecture): a DeBERTa v2 or v3 under a prefix, and a head. Names of the
// inner layers of fields depend on their form, see gliner2Names.
var gliner2 = naming{
	scheme: "hf.gliner2",
	exact: tables(gliner2Encoder, map[string]string{
		"embed.project.weight": gliner2Encoder + "embeddings.embed_proj.weight",
		"relative":             gliner2Encoder + "encoder.rel_embeddings.weight",

		gliner2Head + "gru.input.weight": "count_embed.gru.weight_ih_l0",
		gliner2Head + "gru.state.weight": "count_embed.gru.weight_hh_l0",
		gliner2Head + "gru.input.bias":   "count_embed.gru.bias_ih_l0",
		gliner2Head + "gru.state.bias":   "count_embed.gru.bias_hh_l0",

		gliner2Head + "fields.expert.in.weight":  "count_embed.w1",
		gliner2Head + "fields.expert.in.bias":    "count_embed.b1",
		gliner2Head + "fields.expert.out.weight": "count_embed.w2",
		gliner2Head + "fields.expert.out.bias":   "count_embed.b2",
	}),
	prefix: slices.Concat(postNorm(gliner2Encoder), v2Layers(gliner2Encoder+"encoder."),
		under("span_rep.span_rep_layer.",
			[2]string{gliner2Head + "spans.start.in.", "project_start.0."},
			[2]string{gliner2Head + "spans.start.out.", "project_start.3."},
			[2]string{gliner2Head + "spans.end.in.", "project_end.0."},
			[2]string{gliner2Head + "spans.end.out.", "project_end.3."},
			[2]string{gliner2Head + "spans.pair.in.", "out_project.0."},
			[2]string{gliner2Head + "spans.pair.out.", "out_project.3."},
		),
		[][2]string{
			{gliner2Head + "classes.layer1.", "classifier.0."},
			{gliner2Head + "classes.layer2.", "classifier.2."},
			{gliner2Head + "counts.layer1.", "count_pred.0."},
			{gliner2Head + "counts.layer2.", "count_pred.2."},
			{gliner2Head + "gru.table.", "count_embed.pos_embedding."},
			{gliner2Head + "fields.router1.", "count_embed.router.0."},
			{gliner2Head + "fields.router2.", "count_embed.router.2."},
			{gliner2Head + "fields.in.", "count_embed.transformer.in_projector."},
		}, gliner2Fields()),
}

// gliner2Fields returns the names of the layers of attention among fields.
func gliner2Fields() (list [][2]string) {
	for i := range fieldLayers {
		from, to := fmt.Sprintf("%sfields.layer_%d.", gliner2Head, i), fmt.Sprintf("count_embed.transformer.transformer.layers.%d.", i)
		list = append(list, [2]string{from + "qkv.", to + "self_attn.in_proj_"}, [2]string{from + "out.", to + "self_attn.out_proj."},
			[2]string{from + "ffn1.", to + "linear1."}, [2]string{from + "ffn2.", to + "linear2."}, [2]string{from, to})
	}
	return list
}

// gliner2Joins holds the names of the layers that make the row of a field, for each form of fields that has such layers.
var gliner2Joins = map[string]string{"layers": "count_embed.projector.", "attend": "count_embed.transformer.out_projector."}

// forHead returns the naming of a model with a head that reads a schema. The layers that make the row of a field have other names in each form of fields.
func (n naming) forHead(h *spec.Head) naming {
	if n.scheme != gliner2.scheme || h == nil {
		return n
	}
	if h.Decoding != nil {
		return n.boundaryNaming(h)
	}
	for _, s := range h.Steps {
		if to := gliner2Joins[s.Fields]; s.Kind == spec.StepFields && to != "" {
			n.prefix = slices.Clone(n.prefix)
			for i := range len(s.Widths) + 1 {
				n.prefix = append(n.prefix, [2]string{fmt.Sprintf("%sfields.layer%d.", gliner2Head, i+1), fmt.Sprintf("%s%d.", to, 2*i)})
			}
		}
	}
	return n
}

// gliner2Names returns the names of a head in GLiNER2's layout, which has all steps of such heads with a fixed number of inner layers.
func (n naming) gliner2Names(h *spec.Head) (names headNames, ok bool) {
	if h.Decoding != nil {
		return names, publishedBoundary(h)
	}
	if h.As != spec.BySchema || len(h.Steps) != 5 {
		return names, false
	}
	for _, s := range h.Steps {
		want := 1
		switch {
		case s.Kind == spec.StepFields && s.Fields == "attend":
			want = 2
			if s.Count != fieldLayers {
				return names, false
			}
		case s.Kind == spec.StepGRU || s.Kind == spec.StepSpans:
			want = 0
		}
		if len(s.Widths) != want {
			return names, false
		}
	}
	return names, true
}
