package compiler

import (
	"strings"

	"github.com/debertac/debertac/spec"
)

// naming gives the checkpoint's name for each tensor of a model. Tensors have a path of their own, the spec's: "embed.token",
// "encoder.{l}.attention.q.weight"; a scheme maps paths to published names. Bare checkpoints lack the prefix of the encoder; who reads the
// file knows that.
type naming struct {
	scheme string
	exact  map[string]string // path → name
	prefix [][2]string       // path prefix → name prefix, first match
}

// debertaV2 holds the names of the published DeBERTa v2 and v3 weights (DebertaV2ForSequenceClassification and its relatives).
var debertaV2 = naming{
	scheme: "hf.deberta_v2",
	exact: map[string]string{
		"embed.token":          "deberta.embeddings.word_embeddings.weight",
		"embed.absolute":       "deberta.embeddings.position_embeddings.weight",
		"embed.segment":        "deberta.embeddings.token_type_embeddings.weight",
		"embed.project.weight": "deberta.embeddings.embed_proj.weight",
		"relative":             "deberta.encoder.rel_embeddings.weight",
	},
	prefix: [][2]string{
		{"embed.norm.", "deberta.embeddings.LayerNorm."},
		{"relative.norm.", "deberta.encoder.LayerNorm."},
		{"encoder.{l}.attention.query.", "deberta.encoder.layer.{l}.attention.self.query_proj."},
		{"encoder.{l}.attention.key.", "deberta.encoder.layer.{l}.attention.self.key_proj."},
		{"encoder.{l}.attention.value.", "deberta.encoder.layer.{l}.attention.self.value_proj."},
		{"encoder.{l}.attention.position_key.", "deberta.encoder.layer.{l}.attention.self.pos_key_proj."},
		{"encoder.{l}.attention.position_query.", "deberta.encoder.layer.{l}.attention.self.pos_query_proj."},
		{"encoder.{l}.attention.out.", "deberta.encoder.layer.{l}.attention.output.dense."},
		{"encoder.{l}.attention.norm.", "deberta.encoder.layer.{l}.attention.output.LayerNorm."},
		{"encoder.{l}.ffn.in.", "deberta.encoder.layer.{l}.intermediate.dense."},
		{"encoder.{l}.ffn.out.", "deberta.encoder.layer.{l}.output.dense."},
		{"encoder.{l}.ffn.norm.", "deberta.encoder.layer.{l}.output.LayerNorm."},
		{"head.pooler.", "pooler.dense."},
		{"head.classifier.", "classifier."},
	},
}

// own leaves the spec's paths as they are.
var own = naming{scheme: "own"}

// namings are the schemes that this version compiles.
var namings = map[string]naming{debertaV2.scheme: debertaV2, own.scheme: own}

// name gives the tensor name for a path.
func (n naming) name(path string) string {
	if s, ok := n.exact[path]; ok {
		return s
	}
	for _, p := range n.prefix {
		if rest, ok := strings.CutPrefix(path, p[0]); ok {
			return p[1] + rest
		}
	}
	return path
}

// roles are what published checkpoints call the projections, by the names that their layouts demand of a spec.
var roles = map[string]string{"q": "query", "k": "key", "v": "value", "kr": "position_key", "qr": "position_query"}

// projection is the word in the paths of a projection's tensors. One that shares another's weights has that one's.
func (n naming) projection(p *spec.Proj) string {
	name := p.Weights().Name
	if role, ok := roles[name]; ok && n.scheme != own.scheme {
		return role
	}
	return name
}

// takenNames are the words of the attention's own tensors, which a projection named so would share under the spec's paths.
var takenNames = []string{"out", "norm"}
