package measure

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/debertac/debertac/ir"
)

// Step is what one step of the schedule costs per call, summed over the layers that run it.
type Step struct {
	Region   string  `json:"region"`         // part of the schedule: embed, layer, head, …
	Op       string  `json:"op"`             // operation, with the shape of its result
	Line     string  `json:"line,omitempty"` // statement of the spec, with its place
	Kernel   string  `json:"kernel"`         // name without the instruction set
	Runs     int     `json:"runs"`           // times that a call runs it
	MS       float64 `json:"ms"`             // of all runs of a call
	Share    float64 `json:"share"`          // of the call
	GFLOPS   float64 `json:"gflops,omitempty"`
	Roofline float64 `json:"roofline_share,omitempty"` // shortest possible time over this one
}

// Layer is the time of one run of a region: one encoder layer, the embedding, the head.
type Layer struct {
	Region string  `json:"region"`
	Layer  int     `json:"layer"` // number of the layer, 0 for regions that run once
	MS     float64 `json:"ms"`
}

// Roof returns the shortest time in seconds for a number of operations, of which some are those of products of bfloat16, and a number of bytes from memory.
type Roof func(flops, bf16, bytes float64) float64

// Explain names the times of r.StepMS after the steps of the program's schedule, and fills r.Steps and r.Layers. roof may be nil. The bytes of a step
// are those of the weights that it reads: weights are larger than caches, while activations mostly stay in caches.
func (r *Result) Explain(p *ir.Program, roof Roof) error {
	kernels := map[string]string{}
	for _, s := range p.Plan.Steps {
		kernels[fmt.Sprint(s.Region, "\x00", s.Node)] = s.Kernel
	}
	sizes := ir.Sizes(*r.Extents)
	next, total := 0, r.BetweenMS
	for _, ms := range r.StepMS {
		total += ms
	}
	held, left := heldOf(p), lookaheadOf(p)
	for _, c := range p.Run {
		if left[c.Region.Name] {
			continue
		}
		first := len(r.Steps)
		for i, n := range c.Region.Nodes {
			line := n.Note
			if !n.Pos.IsZero() {
				line = strings.TrimSpace(fmt.Sprintf("%s:%d  %s", n.Pos.File, n.Pos.Line, n.Note))
			}
			r.Steps = append(r.Steps, Step{Region: c.Region.Name, Op: fmt.Sprintf("%s %s", n.Op, n.Out[0].Type.Shape), Line: line,
				Kernel: kernels[fmt.Sprint(c.Region.Name, "\x00", i)]})
		}
		for l := range c.Count {
			layer := Layer{Region: c.Region.Name, Layer: c.First + l}
			for i := range c.Region.Nodes {
				if next == len(r.StepMS) {
					return fmt.Errorf("the program measured %d steps, its schedule has more", len(r.StepMS))
				}
				s := &r.Steps[first+i]
				s.Runs++
				s.MS += r.StepMS[next]
				layer.MS += r.StepMS[next]
				next++
			}
			r.Layers = append(r.Layers, layer)
		}
		for i, n := range c.Region.Nodes {
			s := &r.Steps[first+i]
			s.Share = s.MS / total
			w := work(n, sizes, held)
			seconds := s.MS / 1e3 / float64(max(s.Runs, 1))
			if w.FLOPs > 0 && seconds > 0 {
				s.GFLOPS = w.FLOPs / seconds / 1e9
			}
			if roof != nil && seconds > 0 {
				s.Roofline = roof(w.FLOPs, w.BF16, w.Bytes) / seconds
			}
		}
	}
	if next != len(r.StepMS) {
		return fmt.Errorf("the program measured %d steps, its schedule has %d", len(r.StepMS), next)
	}
	return nil
}

// Load is a number of operations, how many of them are those of products of bfloat16, and a number of bytes from memory.
type Load struct{ FLOPs, BF16, Bytes float64 }

// Add adds another load.
func (l *Load) Add(o Load) {
	l.FLOPs, l.BF16, l.Bytes = l.FLOPs+o.FLOPs, l.BF16+o.BF16, l.Bytes+o.Bytes
}

// Work counts the operations of a training step, and the bytes of weights, gradients and states of optimizers that its nodes read and write: of the forward
// pass up to the loss, of the backward pass, and of the optimizer.
func Work(p *ir.Program, sizes ir.Sizes) (parts [3]Load) {
	held, list, i := heldOf(p), p.PartsOfStep(), 0
	for r := range ir.Steps(p.Run) {
		if part := list[i]; part != ir.PartLookahead {
			for _, n := range r.Nodes {
				parts[part].Add(work(n, sizes, held))
			}
		}
		i++
	}
	return parts
}

// heldOf returns the values of a training program that lie in memory from step to step, as its regions name them: gradients, and what optimizers keep.
func heldOf(p *ir.Program) map[string]bool {
	held := map[string]bool{}
	if p.Training == nil {
		return held
	}
	names := p.Training.Held()
	for _, u := range p.Training.Updates {
		for _, k := range u.Kept {
			names[k.Name] = true
		}
	}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range slices.Concat(r.In, r.Out) {
			if names[ir.At(v.Name, l)] {
				held[v.Name] = true
			}
		}
	}
	return held
}

// lookaheadOf returns the regions that only some training steps run: the mix with slow weights. Measurements leave them out.
func lookaheadOf(p *ir.Program) map[string]bool {
	left := map[string]bool{}
	if p.Training == nil {
		return left
	}
	for _, u := range p.Training.Updates {
		for name, stage := range u.Stages {
			left[name] = left[name] || stage == ir.Lookahead
		}
	}
	return left
}

// work counts the operations of one run of a node and the bytes of weights, gradients and states that it reads and writes. A gather reads only as many rows of
// its table as it returns.
func work(n *ir.Node, sizes ir.Sizes, held map[string]bool) (l Load) {
	op := ir.Lookup(n.Op)
	if op == nil {
		return l
	}
	c := op.CostOf(n, sizes)
	l.FLOPs, l.BF16 = c.FLOPs, c.BF16
	for _, v := range slices.Concat(n.In, n.Out) {
		switch {
		case v == nil || v.Kind != ir.Packed && v.Kind != ir.Tensor && !held[v.Name]:
		case op.Class == ir.Gather:
			l.Bytes += 4 * float64(sizes.Elements(n.Out[0].Type.Shape))
		default:
			l.Bytes += 4 * float64(sizes.Elements(v.Type.Shape))
		}
	}
	return l
}

// WriteSteps prints the steps and the layers of a result for people.
func WriteSteps(w io.Writer, r *Result) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "  ms\tshare\tGFLOP/s\troofline\truns\tregion\tstep\tspec")
	for _, s := range r.Steps {
		gflops := "-"
		if s.GFLOPS > 0 {
			gflops = fmt.Sprintf("%.1f", s.GFLOPS)
		}
		fmt.Fprintf(t, "  %.3f\t%.1f %%\t%s\t%s\t%d\t%s\t%s\t%s\n", s.MS, 100*s.Share, gflops, percent(s.Roofline), s.Runs, s.Region, s.Op, s.Line)
	}
	fmt.Fprintf(t, "  %.3f\t\t\t\t\tbetween steps\n", r.BetweenMS)
	if err := t.Flush(); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("  layers, ms:")
	for _, l := range r.Layers {
		name := l.Region
		if l.Region == "layer" || l.Layer > 0 {
			name = fmt.Sprintf("%s %d", l.Region, l.Layer)
		}
		fmt.Fprintf(&b, "  %s %.3f", name, l.MS)
	}
	_, err := fmt.Fprintln(w, b.String())
	return err
}
