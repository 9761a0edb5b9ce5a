package compiler

import "maps"

// tables returns the names of the input's tables and norm in the published checkpoints of a model class.
func tables(prefix string, more map[string]string) map[string]string {
	out := map[string]string{
		"embed.token":    prefix + "embeddings.word_embeddings.weight",
		"embed.absolute": prefix + "embeddings.position_embeddings.weight",
		"embed.segment":  prefix + "embeddings.token_type_embeddings.weight",
	}
	maps.Copy(out, more)
	return out
}

// postNorm returns the names that the layers of all published checkpoints share.
func postNorm(prefix string) [][2]string {
	return under(prefix,
		[2]string{"embed.norm.", "embeddings.LayerNorm."},
		[2]string{"encoder.{l}.attention.out.", "encoder.layer.{l}.attention.output.dense."},
		[2]string{"encoder.{l}.attention.norm.", "encoder.layer.{l}.attention.output.LayerNorm."},
		[2]string{"encoder.{l}.ffn.in.", "encoder.layer.{l}.intermediate.dense."},
		[2]string{"encoder.{l}.ffn.out.", "encoder.layer.{l}.output.dense."},
		[2]string{"encoder.{l}.ffn.norm.", "encoder.layer.{l}.output.LayerNorm."},
	)
}

// debertaTables holds the names of the input's tables and norm in DeBERTa v1 to v3.
var debertaTables = tables("deberta.", map[string]string{
	"embed.project.weight": "deberta.embeddings.embed_proj.weight",
	"relative":             "deberta.encoder.rel_embeddings.weight",
})

// debertaV2 holds the names of the published DeBERTa v2 and v3 weights (DebertaV2ForSequenceClassification and its relatives).
var debertaV2 = naming{
	scheme: "hf.deberta_v2",
	exact:  debertaTables,
	prefix: append(postNorm("deberta."), v2Layers("deberta.encoder.")...),
}

// v2Layers returns the names of the layers of DeBERTa v2 and v3, and of the parts beside the layers.
func v2Layers(prefix string) [][2]string {
	return under(prefix,
		[2]string{"relative.norm.", "LayerNorm."},
		[2]string{"conv.norm.", "conv.LayerNorm."},
		[2]string{"conv.", "conv.conv."},
		[2]string{"encoder.{l}.attention.query.", "layer.{l}.attention.self.query_proj."},
		[2]string{"encoder.{l}.attention.key.", "layer.{l}.attention.self.key_proj."},
		[2]string{"encoder.{l}.attention.value.", "layer.{l}.attention.self.value_proj."},
		[2]string{"encoder.{l}.attention.position_key.", "layer.{l}.attention.self.pos_key_proj."},
		[2]string{"encoder.{l}.attention.position_query.", "layer.{l}.attention.self.pos_query_proj."},
	)
}

// debertaV1 holds the names of the first DeBERTa (DebertaForSequenceClassification and its relatives).
var debertaV1 = naming{
	scheme: "hf.deberta",
	exact:  debertaTables,
	joined: true,
	prefix: append(postNorm("deberta."), under("deberta.encoder.",
		[2]string{"relative.norm.", "LayerNorm."},
		[2]string{"encoder.{l}.attention.joined.", "layer.{l}.attention.self.in_proj."},
		[2]string{"encoder.{l}.attention.query.bias", "layer.{l}.attention.self.q_bias"},
		[2]string{"encoder.{l}.attention.value.bias", "layer.{l}.attention.self.v_bias"},
		[2]string{"encoder.{l}.attention.position_key.", "layer.{l}.attention.self.pos_proj."},
		[2]string{"encoder.{l}.attention.position_query.", "layer.{l}.attention.self.pos_q_proj."},
		[2]string{"encoder.{l}.attention.mix_score.", "layer.{l}.attention.self.head_logits_proj."},
		[2]string{"encoder.{l}.attention.mix_weight.", "layer.{l}.attention.self.head_weights_proj."},
	)...),
}

// selfAttention returns the names of BERT's and RoBERTa's projections.
func selfAttention(prefix string) [][2]string {
	return append(postNorm(prefix), under(prefix,
		[2]string{"encoder.{l}.attention.query.", "encoder.layer.{l}.attention.self.query."},
		[2]string{"encoder.{l}.attention.key.", "encoder.layer.{l}.attention.self.key."},
		[2]string{"encoder.{l}.attention.value.", "encoder.layer.{l}.attention.self.value."},
	)...)
}

// bert and roberta hold the names of the baselines' weights (BertForSequenceClassification, RobertaForSequenceClassification and their relatives).
var (
	bert    = naming{scheme: "hf.bert", exact: tables("bert.", nil), prefix: selfAttention("bert.")}
	roberta = naming{scheme: "hf.roberta", exact: tables("roberta.", nil), prefix: selfAttention("roberta.")}
)
