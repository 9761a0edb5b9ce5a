package pack

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// Part returns the tensors of one model of a pair of generator and discriminator, under the names that they have in a checkpoint of that model alone. In the
// file, their names begin with the part's name and a dot. The token and position tables that the pair shares are the generator's. If the discriminator has a
// tensor whose name ends in ._weight, the table is the sum of that tensor and the generator's table (He, Gao, Chen 2021, section 3.3). Closing the part closes
// the file.
func Part(w Weights, name string) Weights { return &part{w, name} }

// generator is the name of the part whose tables may be shared.
const generator = "generator"

type part struct {
	Weights
	name string
}

// shared lists the ends of the names of the tables that two models may share.
var shared = []string{"embeddings.word_embeddings.weight", "embeddings.position_embeddings.weight"}

// sources returns the names of the file's tensors whose sum is the tensor, or nothing if the file does not have it.
func (p *part) sources(name string) []string {
	own := p.name + "." + name
	if p.Weights.Has(own) {
		return []string{own}
	}
	if p.name == generator {
		return nil
	}
	for _, s := range shared {
		base := generator + "." + name
		if !strings.HasSuffix("."+name, "."+s) || !p.Weights.Has(base) {
			continue
		}
		if delta := strings.TrimSuffix(own, "weight") + "_weight"; p.Weights.Has(delta) {
			return []string{base, delta}
		}
		return []string{base}
	}
	return nil
}

// missing returns the file's error for a tensor that it does not have.
func (p *part) missing(name string) error { return p.Weights.Check(p.name + "." + name) }

// Names lists the part's tensors, including those that another part shares with it.
func (p *part) Names() []string {
	var out []string
	seen := map[string]bool{}
	for _, n := range p.Weights.Names() {
		rest, ok := strings.CutPrefix(n, p.name+".")
		if !ok {
			if rest, ok = strings.CutPrefix(n, generator+"."); !ok || len(p.sources(rest)) == 0 {
				continue
			}
		}
		if stem, delta := strings.CutSuffix(rest, "._weight"); delta && len(p.sources(stem+".weight")) == 2 {
			rest = stem + ".weight"
		}
		if !seen[rest] {
			seen[rest] = true
			out = append(out, rest)
		}
	}
	return out
}

// Has reports whether the part has a tensor.
func (p *part) Has(name string) bool { return len(p.sources(name)) > 0 }

// Info describes a tensor. Where the tensor is a sum, Info describes the first term.
func (p *part) Info(name string) (safetensors.Info, error) {
	from := p.sources(name)
	if len(from) == 0 {
		return p.Weights.Info(p.name + "." + name)
	}
	info, err := p.Weights.Info(from[0])
	info.Name = name
	return info, err
}

// Check returns an error unless the tensor exists and has this shape.
func (p *part) Check(name string, shape ...int) error {
	from := p.sources(name)
	if len(from) == 0 {
		return p.missing(name)
	}
	for _, n := range from {
		if err := p.Weights.Check(n, shape...); err != nil {
			return err
		}
	}
	return nil
}

// Floats reads a tensor into dst, whose length must be the number of elements.
func (p *part) Floats(name string, dst []float32) error {
	from := p.sources(name)
	if len(from) == 0 {
		return p.missing(name)
	}
	if err := p.Weights.Floats(from[0], dst); err != nil || len(from) == 1 {
		return err
	}
	add := make([]float32, len(dst))
	if err := p.Weights.Floats(from[1], add); err != nil {
		return fmt.Errorf("the tensor that %s adds: %w", p.name, err)
	}
	for i, v := range add {
		dst[i] += v
	}
	return nil
}
