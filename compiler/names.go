package compiler

import (
	"regexp"
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
	joined bool              // queries, keys and values of all heads lie in one in_proj, see joinedProjection
}

// own leaves the spec's paths as they are.
var own = naming{scheme: "own"}

// namings are the schemes that this version compiles.
var namings = map[string]naming{own.scheme: own, debertaV1.scheme: debertaV1, debertaV2.scheme: debertaV2, bert.scheme: bert, roberta.scheme: roberta, gliner.scheme: gliner}

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

// under puts the names of a table of prefixes below the checkpoint's own prefix.
func under(prefix string, table ...[2]string) [][2]string {
	for i := range table {
		table[i][1] = prefix + table[i][1]
	}
	return table
}

// roles are what published checkpoints call the projections, by the names that their layouts demand of a spec.
var roles = map[string]string{"q": "query", "k": "key", "v": "value", "kr": "position_key", "qr": "position_query"}

// projection returns the word in the paths of a projection's tensors. One that shares another's weights has that one's.
func (n naming) projection(p *spec.Proj) string {
	name := p.Weights().Name
	if role, ok := roles[name]; ok && n.scheme != own.scheme {
		return role
	}
	return name
}

// absolute returns the path of a named table of positions: published checkpoints have one, under the name of the input's.
func (n naming) absolute(a *spec.Absolute) string {
	if a.Name == "" || n.scheme != own.scheme {
		return "embed.absolute"
	}
	return "absolute." + a.Name
}

// takenNames are the words of the attention's own tensors, which a projection named so would share under the spec's paths.
var takenNames = []string{"out", "norm", "mix_score", "mix_weight"}
