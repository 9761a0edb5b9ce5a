package pack

import (
	"fmt"
	"path/filepath"
	"runtime/debug"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/resource"
)

// room returns an error if packing cannot finish: the file must fit into its file system, and with random weights each packing step must fit into memory.
// Tensors of a checkpoint are checked first against the shapes in the file, when they are read.
//
// A step that is accepted may still need all memory. The garbage collector lets the heap grow to twice the live size, so room sets a lower limit, which restore
// removes again.
func room(path string, p *ir.Program, src Source, decls []engine.TensorDecl) (restore func(), err error) {
	restore = func() {}
	if _, drawn := src.(Random); drawn {
		need, tensor := memoryOf(p)
		have := resource.Memory()
		if need > have {
			return restore, &resource.Error{What: "memory", For: fmt.Sprintf("packing tensor %q of shape %v, with those of the same step,", tensor.name,
				tensor.shape), Need: need, Have: have}
		}
		if need > have/2 {
			before := debug.SetMemoryLimit(have)
			restore = func() { debug.SetMemoryLimit(before) }
		}
	}
	file := int64(0)
	for _, d := range decls {
		file += (d.Len*int64(d.DType.Size()) + engine.Alignment - 1) / engine.Alignment * engine.Alignment
	}
	return restore, resource.CheckDisk("the packed file "+path, filepath.Dir(path), file)
}

// named is a tensor of a checkpoint with its name.
type named struct {
	name  string
	shape []int
}

// memoryOf returns how many bytes are live in the packing step that needs most, and the largest tensor that this step reads.
func memoryOf(p *ir.Program) (most int64, largest named) {
	for _, c := range p.Pack {
		need := stepMemory(c.Region)
		if need <= most {
			continue
		}
		most = need
		size := int64(-1)
		for _, v := range c.Region.In {
			if n := elements(v); v.Kind == ir.Tensor && n > size {
				size = n
				largest = named{name: ir.At(v.Name, c.First)}
				for _, d := range v.Type.Shape {
					largest.shape = append(largest.shape, d.N)
				}
			}
		}
	}
	return most, largest
}

// elements returns the number of elements of a value. Symbols do not occur in packing and are left out.
func elements(v *ir.Value) int64 {
	n := int64(1)
	for _, d := range v.Type.Shape {
		n *= int64(d.N) // without overflow: the compiler bounds the extents
	}
	return n
}

// stepMemory returns the greatest number of bytes that are live while a region of packing runs. Numbers of a checkpoint are float32, and ops of class Layout
// keep them so; all other numbers are float64. An operand that a node reads in float64 is widened for that node only. After the region has run, its results are
// read once more, one after the other, for rounding and for the self-test.
func stepMemory(r *ir.Region) int64 {
	narrow := map[*ir.Value]bool{} // held in float32, or integers
	bytes := func(v *ir.Value) int64 {
		if narrow[v] {
			return 4 * elements(v)
		}
		return 8 * elements(v)
	}
	reads, alive := r.Reads(), int64(0)
	for _, v := range r.In {
		narrow[v] = v.Kind == ir.Tensor || v.Type.DType == ir.I32
		alive += bytes(v)
	}
	most := alive
	for _, n := range r.Nodes {
		moves, widened := ir.Lookup(n.Op).Class == ir.Layout, int64(0)
		for _, v := range n.In {
			if v != nil {
				moves = moves && narrow[v]
			}
		}
		for _, v := range n.In {
			if v != nil && narrow[v] && !moves {
				widened += 8 * elements(v)
			}
		}
		for _, v := range n.Out {
			narrow[v] = moves || v.Type.DType == ir.I32
			alive += bytes(v)
		}
		most = max(most, alive+widened)
		for _, v := range n.In {
			if v == nil {
				continue
			}
			if reads[v]--; reads[v] == 0 {
				alive -= bytes(v)
			}
		}
		for _, v := range n.Out {
			if reads[v] == 0 {
				alive -= bytes(v)
			}
		}
	}
	results, wide := int64(0), int64(0)
	for _, v := range r.Out {
		results += bytes(v)
		wide = max(wide, 8*elements(v))
	}
	return max(most, results+wide)
}
