package compiler

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"

	"github.com/debertac/debertac/ir"
)

// Optimizer describes how [Update] changes parameters. The numbers that differ from step to step are not part of it: package runtime/rate computes them.
type Optimizer struct {
	// Name is the first word of the names of its numbers; "" is update. Optimizers over one program have different names.
	Name string
	Kind OptimizerKind

	Beta1, Beta2 float64 // of AdamW, RAdam and LAMB: weights of the old moments
	Momentum     float64 // of SGD; 0: none
	Decay        float64 // weight decay, see Except
	Clip         float64 // largest norm of all gradients of this optimizer; 0: no limit

	// Except lists the kinds of tensors without decay: norm, bias.
	Except []string

	// Layers is the factor of the learning rate from each layer of the encoder to the one below it; 0 and 1: all tensors have one rate. A head has the rate
	// of the step. Layer l of L, from 0, and the convolution beside it have it times Layers to the power L-l. What comes before the encoder, such as the token
	// table and the relative table, has it times Layers to the power L+1.
	Layers float64

	Lookahead bool    // a stage that mixes the parameters with their slow weights
	Mix       float64 // of lookahead: the weight of the fast weights

	// Touched lets the rows of tables whose gradient is 0 in every column keep their values and moments. The tables are those in which tokens are looked up.
	Touched bool

	// Parts sums gradients over the parts of a batch before they are used.
	Parts bool

	// With lists the tensors that are trained, as [Sweep] does. A tensor without a gradient in the program, such as one of which the loss does not depend,
	// must not be in the list: Grad returns these tensors.
	With []string

	// Sweep names the gradients.
	Sweep Sweep
}

// OptimizerKind is the rule of an optimizer.
type OptimizerKind string

// The kinds of optimizers.
const (
	AdamW OptimizerKind = "adamw"
	RAdam OptimizerKind = "radam"
	LAMB  OptimizerKind = "lamb"
	SGD   OptimizerKind = "sgd"
)

// optimizers maps the kinds to the functions that append the update of a tensor. They return the next parameter.
var optimizers = map[OptimizerKind]func(u *update, p, g *ir.Value, decay float64) *ir.Value{
	AdamW: (*update).adamw,
	RAdam: (*update).adamw, // with other numbers
	LAMB:  (*update).lamb,
	SGD:   (*update).sgd,
}

// Names in the store of what an optimizer reads and writes. The numbers follow the name of the optimizer, such as update.rate.
const (
	StoreRate    = "rate"    // f32[1] of the batch: the learning rate of this step
	StoreMoments = "moments" // f32[3] of the batch: see op adamw; AdamW, RAdam and LAMB read it
	StoreKeep    = "keep"    // f32[1] of the batch: 0 for the first part of a batch, 1 for the others; if the batch has parts
	StoreNorm    = "norm"    // f32[1] norm of all gradients before clipping
	StoreClip    = "clip"    // f32[1] factor of the gradients
)

// Number returns the store's name of a number of the optimizer.
func (o Optimizer) Number(name string) string { return o.name() + "." + name }

// name returns the first word of the names of numbers.
func (o Optimizer) name() string { return cmp.Or(o.Name, "update") }

// The prefixes of what an optimizer keeps for a tensor from one step to the next, and of the next values.
const (
	firstPrefix   = "first."     // the moving mean of the gradient, or SGD's momentum
	secondPrefix  = "second."    // the moving mean of the square
	slowPrefix    = "slow."      // lookahead's slow weights
	sumPrefix     = ir.SumPrefix // the gradient, summed over the parts of a batch
	updatedPrefix = "updated."   // the next value of a tensor, or of what is kept for it
	mixedPrefix   = "mixed."     // the same, after lookahead
)

// UpdatedOf returns the store's name of the next value of a tensor or of what an optimizer keeps for it. Both lie in the same memory.
func UpdatedOf(name string) string { return updatedPrefix + name }

// MixedOf returns the store's name of a tensor, or of its slow weights, after the stage of lookahead.
func MixedOf(name string) string { return mixedPrefix + name }

// withoutDecay maps the words of Except to what they leave out. Biases are known by their names, which end in bias, as v1's q_bias does too, or in PyTorch's
// names of an LSTM. Gains and shifts of norms are the operands of norms.
var withoutDecay = map[string]func(g *group, v *ir.Value) bool{
	"bias": func(_ *group, v *ir.Value) bool { return biases.MatchString(v.Name) },
	"norm": func(g *group, v *ir.Value) bool { return g.norms[v] },
}

// biases matches the names of biases.
var biases = regexp.MustCompile(`bias$|\.bias_[ih]h_l[0-9]+(_reverse)?$`)

// decays reports whether weight decay applies to a tensor of a group.
func (o Optimizer) decays(g *group, v *ir.Value) bool {
	return !slices.ContainsFunc(o.Except, func(word string) bool { return withoutDecay[word](g, v) })
}

// Update appends the calls of an optimizer to a program with gradients, and adds their description to the program's Training. Each trained tensor is updated
// once. The regions follow those of the forward pass: the tensors that a region is the first to read are updated by one region, which runs once per layer as
// the other does.
//
// The results, which are outputs of the program, have the names of [UpdatedOf]. They lie in the memory of what they replace, so calls of other kinds must not
// follow.
func Update(p *ir.Program, o Optimizer) error {
	u := &update{Optimizer: o, prog: p, node: optimizers[o.Kind],
		made: ir.Update{Name: o.name(), Stages: map[string]ir.Stage{}, InPlace: map[string]string{}}}
	if err := u.check(); err != nil {
		return fmt.Errorf("optimizer %s: %w", o.Number(string(o.Kind)), err)
	}
	if o.Parts {
		u.each(ir.Accumulate, "accumulate", "adds the gradients of a part of the batch to their sums", (*update).accumulate)
	}
	u.norm()
	u.rates()
	u.each(ir.Apply, "update", "updates parameters", (*update).apply)
	if o.Lookahead {
		u.each(ir.Lookahead, "lookahead", "mixes parameters and their slow weights", (*update).lookahead)
	}
	if p.Training == nil {
		p.Training = &ir.Training{}
	}
	p.Training.Updates = append(p.Training.Updates, u.made)
	p.Outputs = append(u.outputs, p.Outputs...)
	return u.err
}

// update is the work of one call of Update.
type update struct {
	Optimizer
	prog   *ir.Program
	node   func(u *update, p, g *ir.Value, decay float64) *ir.Value
	groups []*group
	b      *ir.Builder // of the region that is being made
	of     *group      // whose region it is
	err    error

	made    ir.Update
	outputs []string
}

// group holds the tensors that one region updates.
type group struct {
	name    string // of the forward region that is the first to read them, with a number if another group has that name
	tensors []*ir.Value
	layers  []int              // numbers of the layers that it is called for
	depth   []int              // for each of them, the power of Layers
	norms   map[*ir.Value]bool // the gains and shifts of norms among the tensors
	tables  map[*ir.Value]bool // the tables in which tokens are looked up
}

// perLayer reports whether names of the group depend on the layer.
func (g *group) perLayer() bool {
	return slices.ContainsFunc(g.tensors, func(v *ir.Value) bool { return hasLayer(v.Name) })
}

// check looks at the numbers, and finds the groups.
func (u *update) check() error {
	switch {
	case u.node == nil:
		return fmt.Errorf("the kind %q is unknown", u.Kind)
	case u.Clip < 0 || math.IsNaN(u.Clip):
		return fmt.Errorf("a limit of %g for the norm, below 0", u.Clip)
	case u.Layers < 0 || u.Layers > 1:
		return fmt.Errorf("a factor of %g per layer, not above 0 and at most 1", u.Layers)
	case slices.ContainsFunc(u.Except, func(word string) bool { return withoutDecay[word] == nil }):
		return fmt.Errorf("weights without decay are %v, of which not all are known: there are norm and bias", u.Except)
	case len(u.With) == 0:
		return fmt.Errorf("no tensor is trained")
	}
	written := writtenBy(u.prog)
	for _, number := range []string{StoreNorm, StoreClip} {
		if written[u.Number(number)] {
			return fmt.Errorf("the program %s has a value %s already: the optimizer needs another name", u.prog.Name, u.Number(number))
		}
	}
	trained := map[string]bool{}
	for _, name := range u.With {
		if trained[name] {
			return fmt.Errorf("%s is named twice", name)
		}
		if !written[u.Sweep.GradOf(name)] {
			return fmt.Errorf("no call of the program %s computes the gradient of %s", u.prog.Name, name)
		}
		trained[name] = true
	}
	u.group(trained)
	for name := range trained {
		return fmt.Errorf("no call of the program %s reads a tensor %s", u.prog.Name, name)
	}
	return nil
}

// writtenBy returns the names of all that the calls of a program write.
func writtenBy(p *ir.Program) map[string]bool {
	written := map[string]bool{}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.Out {
			written[ir.At(v.Name, l)] = true
		}
	}
	return written
}

// group puts each trained tensor into the group of the first region that reads it, and deletes it from the map.
func (u *update) group(trained map[string]bool) {
	found := map[string]*group{}
	d := depthsOf(u.prog)
	for r, l := range ir.Steps(u.prog.Run) {
		var list []*ir.Value
		for _, v := range r.In {
			name := ir.At(v.Name, l)
			if v.Kind == ir.Tensor && trained[name] {
				list = append(list, v)
				delete(trained, name)
			}
		}
		if len(list) == 0 {
			continue
		}
		key := r.Name + " " + namesOf(list)
		g := found[key]
		if g == nil {
			g = &group{name: u.freshGroup(r.Name), tensors: list, norms: normsOf(r), tables: tablesOf(r)}
			found[key], u.groups = g, append(u.groups, g)
		}
		g.layers = append(g.layers, l)
		first := ir.At(list[0].Name, l)
		g.depth = append(g.depth, d[modelOf(first)].of(first))
	}
}

// normsOf returns the inputs of a region that are gains and shifts of norms.
func normsOf(r *ir.Region) map[*ir.Value]bool {
	norms := map[*ir.Value]bool{}
	for _, n := range r.Nodes {
		if n.Op == "layernorm" {
			norms[n.In[1]], norms[n.In[2]] = true, true
		}
	}
	return norms
}

// tablesOf returns the inputs of a region in which tokens are looked up.
func tablesOf(r *ir.Region) map[*ir.Value]bool {
	tables := map[*ir.Value]bool{}
	for _, n := range r.Nodes {
		if n.Op == "embed" {
			tables[n.In[0]] = true
		}
	}
	return tables
}

// freshGroup returns a name that no group has: stem, or stem with a number after it.
func (u *update) freshGroup(stem string) string {
	name := stem
	for i := 2; slices.ContainsFunc(u.groups, func(g *group) bool { return g.name == name }); i++ {
		name = stem + strconv.Itoa(i)
	}
	return name
}

// begin makes a region and its builder.
func (u *update) begin(stage ir.Stage, stem, doc string) *ir.Region {
	s := reverse{prog: u.prog}
	r := &ir.Region{Name: s.fresh(stem)}
	r.Doc = r.Name + " " + doc + "."
	u.made.Stages[r.Name] = stage
	u.b = ir.NewBuilder(r)
	u.prog.Regions = append(u.prog.Regions, r)
	return r
}

// end keeps the first error of the builder.
func (u *update) end() {
	if err := u.b.Err(); u.err == nil && err != nil {
		u.err = fmt.Errorf("region %s: %w", u.b.Region().Name, err)
	}
}

// each makes a region for each group, with what tensor appends for each of its tensors, and calls it for the group's layers.
func (u *update) each(stage ir.Stage, suffix, doc string, tensor func(u *update, v *ir.Value)) {
	for _, g := range u.groups {
		u.of = g
		r := u.begin(stage, g.name+"_"+suffix, doc)
		for _, v := range g.tensors {
			tensor(u, v)
		}
		u.end()
		u.call(r, g.layers)
	}
}

// call appends the calls of a region for layers.
func (u *update) call(r *ir.Region, layers []int) {
	for _, l := range layers {
		if n := len(u.prog.Run); n > 0 && u.prog.Run[n-1].Region == r && u.prog.Run[n-1].First+u.prog.Run[n-1].Count == l {
			u.prog.Run[n-1].Count++
			continue
		}
		u.prog.Run = append(u.prog.Run, ir.Call{Region: r, First: l, Count: 1})
	}
}

// op appends a node.
func (u *update) op(name string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return u.nodes(name, attrs, in...)[0]
}

// nodes appends a node and returns all its results.
func (u *update) nodes(name string, attrs []ir.Attr, in ...*ir.Value) []*ir.Value {
	return u.b.Node(name, u.b.Region().Pos, "", attrs, in...)
}

// batch returns a number that the trainer sets.
func (u *update) batch(name string, size int) *ir.Value {
	return u.b.Input(u.Number(name), ir.Batch, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(size)}})
}

// state returns a number that an earlier call has computed.
func (u *update) state(name string) *ir.Value {
	return u.b.Input(name, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(1)}})
}

// kept returns what the optimizer keeps for a tensor.
func (u *update) kept(prefix string, v *ir.Value) *ir.Value {
	k := u.b.Input(prefix+v.Name, ir.Optimizer, v.Type)
	for _, l := range u.of.layers {
		param := ir.Param{Name: ir.At(k.Name, l)}
		for _, d := range k.Type.Shape {
			param.Shape = append(param.Shape, d.N)
		}
		u.made.Kept = append(u.made.Kept, param)
	}
	return k
}

// replace makes a value an output that lies in the memory of an input of the region or, if the region reads the input's next value, of that one's memory.
func (u *update) replace(name string, next *ir.Value, memory string) {
	u.b.Output(name, next)
	for _, l := range u.of.layers {
		u.made.InPlace[ir.At(name, l)] = ir.At(memory, l)
		u.outputs = append(u.outputs, ir.At(name, l))
	}
}

// gradient returns the gradient of a tensor: of this part of the batch, or summed over all parts.
func (u *update) gradient(v *ir.Value) *ir.Value {
	if u.Parts {
		return u.b.Input(UpdatedOf(sumPrefix+v.Name), ir.State, v.Type)
	}
	return u.b.Input(u.Sweep.GradOf(v.Name), ir.State, v.Type)
}
