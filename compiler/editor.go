package compiler

import (
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// editor appends nodes to a region, with positions and notes of the spec.
type editor struct {
	*ir.Builder
}

// edit returns an editor that appends to the end of a region.
func edit(r *ir.Region) editor { return editor{ir.NewBuilder(r)} }

// op appends a node that a statement of the spec asks for.
func (e editor) op(name string, src spec.Source, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return e.Op(name, src.Pos, src.Text, attrs, in...)
}

// uses counts how often each value of the region is read, outputs included.
func uses(r *ir.Region) map[*ir.Value]int {
	count := map[*ir.Value]int{}
	for _, n := range r.Nodes {
		for _, v := range n.In {
			if v != nil {
				count[v]++
			}
		}
	}
	for _, v := range r.Out {
		count[v]++
	}
	return count
}

// replace makes every reader of old read new instead.
func replace(r *ir.Region, old, new *ir.Value) {
	for _, n := range r.Nodes {
		for i, v := range n.In {
			if v == old {
				n.In[i] = new
			}
		}
	}
	for i, v := range r.Out {
		if v == old {
			r.Out[i] = new
		}
	}
}

// stem returns a short name for a tensor: its name without the model's and the layer's part and without "weight".
func stem(v *ir.Value) string {
	name := v.Name
	if i := strings.Index(name, "{l}."); i >= 0 {
		name = name[i+len("{l}."):]
	}
	for _, p := range []string{"deberta.", glinerEncoder, gliclassEncoder, gliner2Encoder + gliner2Encoder, "encoder.layer.", "encoder."} {
		name = strings.TrimPrefix(name, p)
	}
	name = strings.TrimLeft(name, "0123456789.")
	for _, end := range []string{".padded", ".weight", ".bias"} {
		name = strings.TrimSuffix(name, end)
	}
	return name
}
