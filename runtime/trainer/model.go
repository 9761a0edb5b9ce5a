package trainer

import (
	"slices"

	"github.com/debertac/debertac/runtime/safetensors"
)

// Merge describes how a matrix takes in its adapter: W + By·Up·Down is the matrix of a model without the adapter. If the matrix holds several parts of each
// head, as in_proj of DeBERTa v1, the adapter changes the rows of one part.
type Merge struct {
	Of, Down, Up       string // names of the matrices: [parts·N, K], [rank, K], [N, rank]
	By                 float64
	Heads, Part, Parts int // 0 parts: the adapter changes the whole matrix
}

// SaveModel writes the tensors of the model alone to path, under their published names: `debertac pack` and other libraries read them. A matrix with an adapter
// takes it in, and is that of a model without adapters. With lookahead the tensors are those of the last step, not the slow weights. The file appears when it
// is complete. It has nothing of the optimizer, so Resume refuses it.
func (t *Trainer) SaveModel(path string) error {
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	var list []safetensors.Tensor
	from := map[string]func() []float32{}
	for i, p := range t.values.params {
		if slices.ContainsFunc(t.program.Merges, func(m Merge) bool { return p.Name == m.Down || p.Name == m.Up }) {
			continue
		}
		list = append(list, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape})
		from[p.Name] = func() []float32 {
			w := t.values.dense(i)
			for k := range t.program.Merges {
				if m := &t.program.Merges[k]; m.Of == p.Name {
					m.add(w, &t.values)
				}
			}
			return w
		}
	}
	return writeTensors(path, map[string]string{"format": "pt"}, list, from)
}

// add adds an adapter to its matrix.
func (m *Merge) add(w []float32, b *block) {
	d, u := b.find(m.Down), b.find(m.Up)
	down, up := b.dense(d), b.dense(u)
	rank, columns := b.params[d].columns()
	rows, _ := b.params[u].columns()
	for r := range rows {
		to := w[m.row(r, rows)*columns:][:columns]
		for c := range to {
			sum := 0.0
			for k := range rank {
				sum += float64(up[r*rank+k]) * float64(down[k*columns+c])
			}
			to[c] = float32(float64(to[c]) + m.By*sum)
		}
	}
}

// row returns the row of the matrix that row r of the adapter, which has n rows, changes.
func (m *Merge) row(r, n int) int {
	if m.Parts == 0 {
		return r
	}
	per := n / m.Heads
	return (r/per*m.Parts+m.Part)*per + r%per
}
