package compiler

import (
	"regexp"
	"strings"

	"github.com/debertac/debertac/spec"
)

// naming maps each tensor of a model to its name in the checkpoint. Tensors have paths in the terms of the spec: "embed.token",
// "encoder.{l}.attention.q.weight". A scheme maps paths to published names. Checkpoints of a bare encoder lack the encoder's prefix; the code that reads the
// file handles that.
type naming struct {
	scheme string
	exact  map[string]string // path → name
	prefix [][2]string       // path prefix → name prefix; the first match counts
	joined bool              // one tensor in_proj holds queries, keys and values of all heads, see joinedProjection
}

// own does not change the spec's paths.
var own = naming{scheme: "own"}

// namings holds the schemes that this version compiles.
var namings = map[string]naming{own.scheme: own, debertaV1.scheme: debertaV1, debertaV2.scheme: debertaV2, bert.scheme: bert, roberta.scheme: roberta,
	gliner.scheme: gliner, gliner2.scheme: gliner2, gliclass.scheme: gliclass}

var layerPath = regexp.MustCompile(`^encoder\.([0-9]+)\.`)

// name returns the tensor name for a path. The layer in it is {l}, or a number.
func (n naming) name(path string) string {
	if m := layerPath.FindStringSubmatch(path); m != nil {
		return strings.ReplaceAll(n.name(strings.Replace(path, m[0], "encoder.{l}.", 1)), "{l}", m[1])
	}
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

// under returns a table of prefixes with the checkpoint's own prefix in front of the names.
func under(prefix string, table ...[2]string) [][2]string {
	for i := range table {
		table[i][1] = prefix + table[i][1]
	}
	return table
}

// roles maps the projections' names, which the layouts require of a spec, to the names in published checkpoints.
var roles = map[string]string{"q": "query", "k": "key", "v": "value", "kr": "position_key", "qr": "position_query"}

// projection returns the word for a projection in the paths of its tensors. A projection that shares another's weights has the other's word.
func (n naming) projection(p *spec.Proj) string {
	name := p.Weights().Name
	if role, ok := roles[name]; ok && n.scheme != own.scheme {
		return role
	}
	return name
}

// absolute returns the path of a named table of positions. Published checkpoints have one such table, under the name of the input's.
func (n naming) absolute(a *spec.Absolute) string {
	if a.Name == "" || n.scheme != own.scheme {
		return "embed.absolute"
	}
	return "absolute." + a.Name
}

// takenNames are the names of the attention's own tensors. With the spec's paths, a projection with such a name would share a tensor's name.
var takenNames = []string{"out", "norm", "mix_score", "mix_weight"}
