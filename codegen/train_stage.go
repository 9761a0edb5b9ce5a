package codegen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// A training step runs in phases, one for each update: the pass that computes losses and gradients, and the stages that follow it. A program without an update
// has one phase.

// phases returns the number of phases.
func (e *emitter) phases() int { return max(1, len(e.p.Training.Updates)) }

// inPhase returns the name of a method in a phase: pass, or pass2 in the second phase.
func inPhase(method string, phase int) string {
	if phase == 0 {
		return method
	}
	return method + strconv.Itoa(phase+1)
}

// stages lists the stages of a phase that follow the pass.
func (e *emitter) stages(phase int) (list []string) {
	for _, stage := range []ir.Stage{ir.Norm, ir.Apply, ir.Lookahead} {
		if name := stageNames[stage]; len(e.runs(phase, name)) > 0 {
			list = append(list, name)
		}
	}
	return list
}

// stageNames maps the stages of an update to the methods that run them. The pass over the batch, which has no name here, adds up the gradients too.
var stageNames = map[ir.Stage]string{ir.Norm: "norm", ir.Apply: "apply", ir.Lookahead: "lookahead"}

// stageDocs tells what the calls of the stages do.
var stageDocs = map[string]string{"norm": "compute the norm of all gradients", "apply": "change the tensors by their gradients",
	"lookahead": "mix the tensors with their slow weights"}

// stageOf returns the name of the stage that runs a region.
func (e *emitter) stageOf(r *ir.Region) string { return stageNames[e.p.Training.StageOf(r)] }

// runMethod declares the schedule.
func (e *emitter) runMethod(f *jen.File) {
	f.Comment("begin places the activations of a batch.")
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id("begin").Params().BlockFunc(func(g *jen.Group) {
		g.Id("l").Op(":=").Id("place").Call(jen.Id("e").Dot("Sizes"))
		g.List(jen.Id("e").Dot("tokens"), jen.Id("e").Dot("sequences")).Op("=").List(jen.Id("e").Dot("T"), jen.Id("e").Dot("B"))
		g.For(jen.Id("i").Op(",").Id("at").Op(":=").Range().Id("l").Dot("slot")).Block(raw("e.place[i] = e.F32(at)"))
		for _, i := range e.inside() {
			g.Add(raw("e.%s = e.place[%d]", slotField(i), i))
		}
		for _, p := range e.places.regions {
			if len(p.values) > 0 {
				g.Add(raw("trainer.Fill(e.%s, e.place, %s)", p.all(), p.table()))
			}
		}
		if e.usesScratch() {
			g.Add(raw("e.scratchBase, e.scratchLen = e.F32(l.scratch), int(l.scratchLen)"))
		}
		e.setBatchFields(g)
		for _, t := range e.given() {
			kind := "Floats"
			switch {
			case t.Type.DType == ir.I32:
				kind = "Integers"
			case t.Type.Shape[0].Const():
				kind = "Numbers"
			}
			g.Add(raw("e.%s = unsafe.SliceData(e.%s(%q))", camel(t.Name), kind, t.Name))
		}
	})
	for phase := range e.phases() {
		e.phaseMethods(f, phase)
	}
}

// phaseMethods declares the schedule of a phase.
func (e *emitter) phaseMethods(f *jen.File, phase int) {
	name := inPhase("pass", phase)
	f.Commentf("%s computes the loss and the gradients of a batch.", name)
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(name).Params().Error().BlockFunc(func(g *jen.Group) {
		g.Id("e").Dot("begin").Call()
		for _, v := range e.carried(phase - 1) {
			g.Add(raw("e.Recall(%q, %s, %s)", v.name, v.ptr, v.count))
		}
		e.stage(g, phase, "")
	})
	for _, stage := range e.stages(phase) {
		f.Commentf("%s runs the calls that %s.", inPhase(stage, phase), stageDocs[stage])
		f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(inPhase(stage, phase)).Params().Error().BlockFunc(func(g *jen.Group) {
			e.stage(g, phase, stage)
		})
	}
}

// carry is a value that the pass of a phase computes for that of the next one.
type carry struct{ name, ptr, count string }

// carried lists what the pass of a phase computes for that of the next one. All are vectors, or numbers, that lie in the arena.
func (e *emitter) carried(phase int) (list []carry) {
	phases, i := e.p.Phases(), 0
	written, seen := map[string]bool{}, map[string]bool{}
	for r, l := range ir.Steps(e.calls) {
		for _, v := range r.In {
			name := ir.At(v.Name, l)
			if slot, ok := e.slot["\x00"+name]; ok && phases[i] == phase+1 && written[name] && !seen[name] {
				seen[name] = true
				list = append(list, carry{name, fmt.Sprintf("(*int32)(unsafe.Pointer(e.place[%d]))", slot), rowsOf(v)})
			}
		}
		for _, v := range r.Out {
			written[ir.At(v.Name, l)] = phases[i] <= phase
		}
		i++
	}
	return list
}

// stage writes the calls of a stage, and passes the outputs of the program that they compute to the trainer.
func (e *emitter) stage(g *jen.Group, phase int, stage string) {
	written := map[string]bool{}
	for _, c := range e.runs(phase, stage) {
		e.trainCall(g, c)
		for l := min(c.first, c.last); l <= max(c.first, c.last); l++ {
			for _, v := range c.region.Out {
				written[ir.At(v.Name, l)] = true
			}
		}
	}
	for _, name := range e.p.Outputs {
		if slices.Contains(e.p.Training.Traced, name) {
			if written[name] {
				e.traceCode(g, name)
			}
			continue
		}
		if s, ok := e.slot["\x00"+name]; ok && written[name] {
			g.Add(raw("e.Set(%q, *e.place[%d])", name, s))
		}
	}
	if stage == "" {
		for _, v := range e.carried(phase) {
			g.Add(raw("e.Carry(%q, %s, %s)", v.name, v.ptr, v.count))
		}
	}
	g.Return(jen.Nil())
}

// traceCode passes the rows of a value of the store to the trainer.
func (e *emitter) traceCode(g *jen.Group, name string) {
	_, v := e.p.Writer(name)
	g.Add(raw("e.Trace(%q, e.place[%d], %s, %d, %d)", name, e.slot["\x00"+name], rowsOf(v), v.Type.Shape[1].N, v.LD))
}

// layers is a row of calls of one region whose layers rise or fall by one.
type layers struct {
	region      *ir.Region
	first, last int
}

// runs joins neighbouring calls of a stage to loops.
func (e *emitter) runs(phase int, stage string) (list []layers) {
	phases, i := e.p.Phases(), -1
	for r, l := range ir.Steps(e.calls) {
		if i++; phases[i] != phase || e.stageOf(r) != stage {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n].region == r {
			p := &list[n]
			if way := l - p.last; (way == 1 || way == -1) && (p.first == p.last || (p.last > p.first) == (way > 0)) {
				p.last = l
				continue
			}
		}
		list = append(list, layers{r, l, l})
	}
	return list
}

// trainCall writes the calls of a region for some layers.
func (e *emitter) trainCall(g *jen.Group, c layers) {
	name := camel(c.region.Name)
	body := []jen.Code{
		jen.If(raw("err := e.Layer(%q)", c.region.Name), raw("err != nil")).Block(jen.Return(jen.Err())),
	}
	switch {
	case c.first == c.last:
		for _, s := range append(body, raw("e.%s(%d)", name, c.first)) {
			g.Add(s)
		}
	case c.first < c.last:
		g.For(raw("l := %d; l <= %d; l++", c.first, c.last)).Block(append(body, raw("e.%s(l)", name))...)
	default:
		g.For(raw("l := %d; l >= %d; l--", c.first, c.last)).Block(append(body, raw("e.%s(l)", name))...)
	}
}

// nodeFields are the fields of trainer.Nodes.
var nodeFields = map[ir.StepPart]string{ir.PartForward: "Forward", ir.PartBackward: "Backward", ir.PartUpdate: "Update", ir.PartLookahead: "Lookahead"}

// nodeCounts returns the literal of how many nodes of each kind the phases run.
func (e *emitter) nodeCounts() jen.Code {
	counts := make([]map[ir.StepPart]int, e.phases())
	phases, parts, i := e.p.Phases(), e.p.PartsOfStep(), 0
	for r := range ir.Steps(e.calls) {
		if counts[phases[i]] == nil {
			counts[phases[i]] = map[ir.StepPart]int{}
		}
		counts[phases[i]][parts[i]] += len(r.Nodes)
		i++
	}
	return jen.Index().Qual(trainerPath, "Nodes").ValuesFunc(func(g *jen.Group) {
		for _, c := range counts {
			d := jen.Dict{}
			for part, n := range c {
				d[jen.Id(nodeFields[part])] = jen.Lit(n)
			}
			g.Values(d)
		}
	})
}

// keptParams lists what all optimizers keep, the sums of gradients first.
func (e *emitter) keptParams() (list []ir.Param) {
	var others []ir.Param
	for _, u := range e.p.Training.Updates {
		for _, p := range u.Kept {
			if strings.HasPrefix(p.Name, ir.SumPrefix) {
				list = append(list, p)
			} else {
				others = append(others, p)
			}
		}
	}
	return append(list, others...)
}
