package pack

import (
	"crypto/sha256"
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Members reads the tensors of an ensemble. The key of each member is the prefix of its tensor names.
type Members map[string]Source

// Tensor reads a tensor of the member whose prefix the name begins with.
func (m Members) Tensor(name string, shape []int) ([]float32, error) {
	for prefix, src := range m {
		if len(name) > len(prefix) && name[:len(prefix)] == prefix {
			return src.Tensor(name[len(prefix):], shape)
		}
	}
	return nil, fmt.Errorf("no member of the ensemble has the tensor %s", name)
}

// digest identifies the content of a value.
type digest [sha256.Size]byte

// equal returns a map from alias to stored tensor. It finds packed tensors that are equal because the same ops compute them from equal tensors. Tensors of one
// checkpoint are compared by name. Tensors of the checkpoints of an ensemble are compared by content; each is read once for that.
func equal(p *ir.Program, src Source, want *list) (map[string]string, error) {
	sums := map[string]digest{} // by store name
	source := tensorsOf(p, src)
	_, several := src.(stoppable).src.(Members)
	aliases, first := map[string]string{}, map[digest]string{}
	for r, l := range ir.Steps(p.Pack) {
		of := map[*ir.Value]digest{}
		for _, v := range r.In {
			name := ir.At(v.Name, l)
			if _, ok := sums[name]; !ok && v.Kind == ir.Tensor && !several {
				sums[name] = sha256.Sum256([]byte("name " + name))
			} else if !ok && v.Kind == ir.Tensor {
				a, err := source.Tensor(name)
				if err != nil {
					return nil, err
				}
				h := sha256.New()
				fmt.Fprintln(h, "tensor", a.Shape)
				h.Write(safetensors.FloatBytes(a.F32))
				sums[name] = digest(h.Sum(nil))
			}
			of[v] = sums[name]
		}
		for _, n := range r.Nodes {
			h := sha256.New()
			fmt.Fprintln(h, n.Op, n.Attrs)
			for _, v := range n.In {
				if v == nil {
					fmt.Fprintln(h, "none")
					continue
				}
				d := of[v]
				h.Write(d[:])
			}
			for k, o := range n.Out {
				of[o] = sha256.Sum256(fmt.Appendf(h.Sum(nil), "%d %s", k, o.Type))
			}
		}
		for _, v := range r.Out {
			name := ir.At(v.Name, l)
			sums[name] = of[v]
			if _, ok := want.types[name]; !ok {
				continue
			}
			if stored, ok := first[of[v]]; ok && stored != name {
				aliases[name] = stored
			} else {
				first[of[v]] = name
			}
		}
	}
	return aliases, nil
}
