package compiler

import (
	"math"

	"github.com/debertac/debertac/ir"
)

// accumulate appends the sum of a tensor's gradient over the parts of a batch.
func (u *update) accumulate(v *ir.Value) {
	g := u.b.Input(u.Sweep.GradOf(v.Name), ir.State, v.Type)
	sum := u.op("accumulate", nil, u.kept(sumPrefix, v), g, u.batch(StoreKeep, 1))
	u.replace(UpdatedOf(sumPrefix+v.Name), sum, sumPrefix+v.Name)
}

// squares returns the name in the store of the sum of the squares of a group's gradients.
func (u *update) squares(g *group) string {
	name := u.Number("squares." + g.name)
	if g.perLayer() {
		name += ".{l}"
	}
	return name
}

// norm appends the regions that compute the norm of all gradients: one for each group, and one that adds up their results.
func (u *update) norm() {
	var sums []string
	for _, g := range u.groups {
		u.of = g
		r := u.begin(ir.Norm, g.name+"_squares", "adds up the squares of gradients")
		var terms []*ir.Value
		for _, v := range g.tensors {
			terms = append(terms, u.op("square_sum", nil, u.gradient(v)))
		}
		name := u.squares(g)
		u.b.Output(name, u.op("total", nil, terms...))
		u.end()
		u.call(r, g.layers)
		for _, l := range g.layers {
			sums = append(sums, ir.At(name, l))
		}
	}
	r := u.begin(ir.Norm, u.name()+"_"+StoreNorm, "computes the norm of all gradients, and the factor that clips them")
	var terms []*ir.Value
	for _, name := range sums {
		terms = append(terms, u.state(name))
	}
	norm := u.op("norm", nil, u.op("total", nil, terms...))
	u.b.Output(u.Number(StoreNorm), norm)
	if u.Clip > 0 {
		u.b.Output(u.Number(StoreClip), u.op("clip", []ir.Attr{ir.A("limit", u.Clip)}, norm))
	} else {
		zero := u.op("zeros", []ir.Attr{ir.A("shape", []int{1})})
		u.b.Output(u.Number(StoreClip), u.op("offset", []ir.Attr{ir.A("by", 1.0)}, zero))
	}
	u.end()
	u.call(r, []int{0})
	u.outputs = append(u.outputs, u.Number(StoreNorm))
}

// layered reports whether tensors have different learning rates.
func (u *update) layered() bool { return u.Layers != 0 && u.Layers != 1 }

// rateOf returns the name in the store of a group's learning rate.
func (u *update) rateOf(g *group) string {
	name := u.Number(StoreRate + "." + g.name)
	if g.perLayer() {
		name += ".{l}"
	}
	return name
}

// rates appends the region that computes the learning rate of each group and layer from that of the step.
func (u *update) rates() {
	if !u.layered() {
		return
	}
	r := u.begin(ir.Apply, u.name()+"_rates", "computes the learning rate of each layer")
	for _, g := range u.groups {
		for i, l := range g.layers {
			by := math.Pow(u.Layers, float64(g.depth[i]))
			u.b.Output(ir.At(u.rateOf(g), l), u.op("scale", []ir.Attr{ir.A("by", by)}, u.batch(StoreRate, 1)))
		}
	}
	u.end()
	u.call(r, []int{0})
}

// rate returns the learning rate of the group whose region is being made.
func (u *update) rate() *ir.Value {
	if u.layered() {
		return u.state(u.rateOf(u.of))
	}
	return u.batch(StoreRate, 1)
}

// apply appends the update of a tensor.
func (u *update) apply(v *ir.Value) {
	decay := 0.0
	if u.decays(u.of, v) {
		decay = u.Decay
	}
	p := u.b.Input(v.Name, ir.Tensor, v.Type)
	u.replace(UpdatedOf(v.Name), u.node(u, p, u.gradient(v), decay), v.Name)
}

// keep makes the next value of what is kept for a tensor an output.
func (u *update) keep(prefix string, p, next *ir.Value) {
	u.replace(UpdatedOf(prefix+p.Name), next, prefix+p.Name)
}

// clip returns the factor of the gradients.
func (u *update) clip() *ir.Value { return u.state(u.Number(StoreClip)) }

// moments returns the attributes of an update with moments.
func (u *update) moments(decay float64) []ir.Attr {
	return []ir.Attr{ir.A("beta1", u.Beta1), ir.A("beta2", u.Beta2), ir.A("decay", decay)}
}

// byRows returns the attribute of an update that only rows with a gradient have.
func (u *update) byRows(p *ir.Value) []ir.Attr {
	for v := range u.of.tables {
		if u.Touched && v.Name == p.Name {
			return []ir.Attr{ir.A("touched", true)}
		}
	}
	return nil
}

// adamw appends an update by AdamW or RAdam.
func (u *update) adamw(p, g *ir.Value, decay float64) *ir.Value {
	attrs := append(u.moments(decay), u.byRows(p)...)
	next := u.nodes("adamw", attrs, p, g, u.kept(firstPrefix, p), u.kept(secondPrefix, p), u.rate(), u.clip(), u.batch(StoreMoments, 3))
	if u.b.Err() == nil {
		u.keep(firstPrefix, p, next[1])
		u.keep(secondPrefix, p, next[2])
	}
	return next[0]
}

// lamb appends an update by LAMB.
func (u *update) lamb(p, g *ir.Value, decay float64) *ir.Value {
	numbers := u.batch(StoreMoments, 3)
	next := u.nodes("lamb_moments", u.moments(decay), p, g, u.kept(firstPrefix, p), u.kept(secondPrefix, p), u.clip(), numbers)
	if u.b.Err() != nil {
		return next[0]
	}
	u.keep(firstPrefix, p, next[0])
	u.keep(secondPrefix, p, next[1])
	return u.op("lamb", []ir.Attr{ir.A("decay", decay)}, p, next[0], next[1], u.rate(), u.op("trust", nil, next[2]), numbers)
}

// sgd appends an update by gradient descent.
func (u *update) sgd(p, g *ir.Value, decay float64) *ir.Value {
	in := []*ir.Value{p, g, u.rate(), u.clip()}
	if u.Momentum != 0 {
		in = append(in, u.kept(firstPrefix, p))
	}
	next := u.nodes("sgd", append([]ir.Attr{ir.A("decay", decay), ir.A("momentum", u.Momentum)}, u.byRows(p)...), in...)
	if u.b.Err() == nil && len(next) > 1 {
		u.keep(firstPrefix, p, next[1])
	}
	return next[0]
}

// lookahead appends the outer step of lookahead for a tensor.
func (u *update) lookahead(v *ir.Value) {
	p := u.b.Input(UpdatedOf(v.Name), ir.State, v.Type)
	next := u.nodes("lookahead", []ir.Attr{ir.A("mix", u.Mix)}, p, u.kept(slowPrefix, v))
	if u.b.Err() == nil {
		u.replace(MixedOf(v.Name), next[0], v.Name)
		u.replace(MixedOf(slowPrefix+v.Name), next[1], slowPrefix+v.Name)
	}
}
