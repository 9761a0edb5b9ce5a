package trainer

import (
	"slices"

	"github.com/debertac/debertac/runtime/ragged"
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
// takes it in, and is that of a model without adapters. Of two models it writes the detector, whose tables that the generator shares are sums or copies; see
// [Trainer.SaveGenerator]. With lookahead the tensors are those of the last step, not the slow weights. The file appears when it is complete. It has nothing of
// the optimizer, so Resume refuses it.
func (t *Trainer) SaveModel(path string) error {
	return t.saveModel(path, t.program.tensorsOf(discriminator))
}

// SaveGenerator writes the generator of a training by replaced-token detection, as SaveModel writes the detector.
func (t *Trainer) SaveGenerator(path string) error {
	if len(t.program.Models) == 0 {
		return ragged.Errorf("the package %s trains one model, and no generator: call SaveModel", t.program.Name)
	}
	return t.saveModel(path, t.program.tensorsOf(generator))
}

// The names of two models.
const (
	generator     = "generator"
	discriminator = "discriminator"
)

// tensorsOf lists the tensors of a model, or of the one model that a program trains.
func (p *Program) tensorsOf(model string) (list []Stored) {
	for _, m := range p.Models {
		if m.Name == model {
			return m.Tensors
		}
	}
	for i := range p.Params {
		name := p.Params[i].Name
		if !slices.ContainsFunc(p.Merges, func(m Merge) bool { return name == m.Down || name == m.Up }) {
			list = append(list, Stored{Name: name, Of: []string{name}})
		}
	}
	return list
}

// saveModel writes tensors of a model.
func (t *Trainer) saveModel(path string, tensors []Stored) error {
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	var list []safetensors.Tensor
	from := map[string]func() []float32{}
	for _, s := range tensors {
		i := t.values.find(s.Of[0])
		list = append(list, safetensors.Tensor{Name: s.Name, DType: safetensors.F32, Shape: t.values.params[i].Shape})
		from[s.Name] = func() []float32 {
			w := t.values.dense(i)
			for _, of := range s.Of[1:] {
				for k, v := range t.values.dense(t.values.find(of)) {
					w[k] += v
				}
			}
			for k := range t.program.Merges {
				if m := &t.program.Merges[k]; m.Of == s.Name {
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
