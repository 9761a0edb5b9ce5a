package pack

import (
	"fmt"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/resource"
)

// Weights is an open checkpoint.
type Weights = published.Weights

// Checkpoint reads tensors from a checkpoint, under all names that package published knows.
type Checkpoint struct {
	File Weights
	used map[string]bool
}

// Tensor reads a tensor and checks its shape. Values that are not finite are an error.
func (c *Checkpoint) Tensor(name string, shape []int) ([]float32, error) {
	in, _ := published.Find(c.File.Has, name)
	if err := c.File.Check(in, shape...); err != nil {
		return nil, err
	}
	n := 1
	for _, d := range shape {
		n *= d
	}
	if need := tensorBytes * int64(n); need >= largeTensor { // in a torch file a few bytes can declare a tensor with many equal numbers
		if err := resource.CheckMemory(fmt.Sprintf("%s: tensor %q of shape %v", c.File.Name(), in, shape), need); err != nil {
			return nil, err
		}
	}
	data := make([]float32, n)
	if err := c.File.Floats(in, data); err != nil {
		return nil, err
	}
	for i, v := range data {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return nil, fmt.Errorf("%s: tensor %q: element %d is %v: the checkpoint is damaged", c.File.Name(), in, i, v)
		}
	}
	if c.used == nil {
		c.used = map[string]bool{}
	}
	c.used[in] = true
	return data, nil
}

// Unused returns the tensors of the file that no call of Tensor has read, in the file's order.
func (c *Checkpoint) Unused() []string {
	var out []string
	for _, n := range c.File.Names() {
		if !c.used[n] {
			out = append(out, n)
		}
	}
	return out
}

// While a tensor is packed, memory holds it as in the checkpoint and once more as kernels read it. The system is asked about memory only for large tensors.
const (
	tensorBytes = 2 * 4 // per number
	largeTensor = 64 << 20
)

// Random draws tensors as published models are initialised: normal numbers with the given standard deviation, gains of 1 and small biases. A tensor's numbers
// depend only on the seed and its name.
type Random struct {
	Seed uint64
	Std  float64 // standard deviation; 0 stands for 0.02
}

// Tensor draws a tensor.
func (r Random) Tensor(name string, shape []int) ([]float32, error) {
	h := fnv.New64a()
	h.Write([]byte(name))
	g := rand.New(rand.NewPCG(r.Seed, h.Sum64()))
	n := 1
	for _, d := range shape {
		n *= d // without overflow: see compiler.maxElements
	}
	if need := tensorBytes * int64(n); need >= largeTensor {
		if err := resource.CheckMemory(fmt.Sprintf("tensor %q of shape %v", name, shape), need); err != nil {
			return nil, err
		}
	}
	std := r.Std
	if std == 0 {
		std = 0.02
	}
	mean := 0.0
	if len(shape) == 1 && (strings.HasSuffix(name, "LayerNorm.weight") || strings.HasSuffix(name, "norm.weight")) {
		mean = 1
	}
	out := make([]float32, n)
	for i := range out {
		out[i] = float32(mean + std*g.NormFloat64())
	}
	return out, nil
}
