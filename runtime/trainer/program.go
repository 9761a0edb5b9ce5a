package trainer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
)

// Program describes a generated training package. It is fixed at compile time and shared by all trainers of the package.
type Program struct {
	Name      string        // name of the package, for messages
	SpecHash  string        // sha256 of the canonical spec of the model, its head and its adapters; of several losses: of all heads; of two models: of both
	ISAs      []cpu.ISA     // instruction sets that its kernels exist for
	Limits    engine.Limits // the spec's limits on a batch
	Epochs    int           // passes over the data, if the spec counts them; otherwise 0
	Batch     int           // sequences of a step
	Threads   int           // the most threads that a step may use, from the spec's target; 0: no limit
	Params    []Param       // the tensors of the checkpoint, in the order of the schedule
	Twins     []Twin        // second names of tensors
	States    []Param       // what the optimizer keeps for tensors, in the order of the schedule: first the sums of gradients, if a batch has parts
	Keys      int           // keys of dropout that a pass needs
	Targets   []Target      // what a batch holds besides the inputs of the model
	Counts    []Count       // what a pass over a part of a batch needs to know of the whole; none: a batch is one pass
	Masking   *Masking      // how the tokens to predict are chosen; nil: the program predicts none
	Noise     float64       // the standard deviation of the delta of batches that have none, see package dropout; 0: batches have none
	Negatives float64       // labels of other texts that a text is asked for, for each label of its own, see [Trainer.Labels]; 0: none
	Traced    []string      // values that a pass keeps for [Trainer.Traced]
	Merges    []Merge       // the matrices that adapters change, for [Trainer.SaveModel]
	Models    []Model       // the generator and the discriminator; none: the program trains one model, whose tensors are Params
	Losses    []Loss        // the terms of the loss; none: it is one number, "loss"
	Nodes     []Nodes       // of each of the steps that Bind returns

	// Arena returns the number of arena bytes that a step of these sizes needs. It must not fall when a size rises.
	Arena func(engine.Sizes) int64

	// Bind connects the kernels of an instruction set with the memory of a trainer. It returns one step, or one for each optimizer.
	Bind func(x *Exec, isa cpu.ISA) ([]Step, error)

	// Optimizers has an entry for each update; none: the program computes gradients and changes nothing. All have the learning rate of the first.
	Optimizers []Optimizer
}

// Nodes counts the nodes of a step, in the order in which they run.
type Nodes struct {
	Forward   int // up to the loss
	Backward  int // compute the gradients
	Update    int
	Lookahead int // of the mix with slow weights, in steps that have one
}

// Loss is a term of a loss with several.
type Loss struct {
	Name   string  // of the number in the program
	Weight float64 // in the sum
}

// Step holds the parts of a training step, in the order in which a trainer calls them. A program with two optimizers, which run one after the other, has two of
// them: the pass of the second reads what the first has changed.
type Step struct {
	Pass      func() error // the loss and the gradients of a batch; must come first, because it places the activations
	Norm      func() error // the norm of all gradients; nil without an optimizer
	Apply     func() error // changes the tensors and what the optimizer keeps
	Lookahead func() error // mixes the tensors with their slow weights; nil without lookahead
}

// Optimizer describes the numbers that differ from step to step.
type Optimizer struct {
	Name         string // the first word of the names of its numbers
	Kind         string // adamw, radam, lamb or sgd
	Beta1, Beta2 float64
	Eps          float64
	Correct      bool          // bias correction of the moments
	Rate         rate.Schedule // Steps is 0 if the spec counts epochs: see Steps of the options
	Warmup       float64       // the share of the steps that the warmup takes; 0: Rate.Warmup holds
	Every        int           // steps between two mixes with the slow weights; 0: no mix
}

// Model is one of two models that a program trains.
type Model struct {
	Name    string // generator or discriminator: the first word of the names of its tensors in the program
	Tensors []Stored
}

// Stored describes a tensor of a model as a sum of tensors of the program.
type Stored struct {
	Name string   // in a checkpoint of the model alone
	Of   []string // among Params
}

// Twin is a second name of a tensor, for the second of two optimizers that both change it. Each of them has a gradient and a state of its own for it.
type Twin struct {
	Name string
	Of   string // the name among Params
}

// Param is a tensor of the checkpoint.
type Param struct {
	Name    string // published name
	Shape   []int
	Trained bool // the program computes its gradient

	Init Init // how it begins in a training from scratch, see [Start], and as a new tensor
	New  bool // the weights from which a training starts may lack it: it is of a head, or of an adapter
	Rows bool // the weights from which a training starts may have more rows, or fewer: new rows begin as the mean of the others
}

// Init is the distribution of the numbers of a new tensor: Mean + Normal·n + Uniform·u with a standard normal n and u from -1 to 1.
type Init struct{ Mean, Normal, Uniform float64 }

// columns returns the extent of a row; an array of another rank than 2 is one row.
func (p *Param) columns() (rows, columns int) {
	rows, columns = 1, 1
	if len(p.Shape) == 2 {
		return p.Shape[0], p.Shape[1]
	}
	for _, n := range p.Shape {
		columns *= n
	}
	return rows, columns
}

// floats returns the floats that a tensor takes in memory. Rows are padded with zeros to whole vectors of 16.
func (p *Param) floats() int {
	rows, columns := p.columns()
	return rows * rowFloats(columns)
}

// rowFloats returns the floats that a row of n numbers takes, see ir.RowFloats.
func rowFloats(n int) int { return (n + 15) / 16 * 16 }

// Want returns the number of numbers in a batch of these sizes.
func (t *Target) Want(s ragged.Sizes) int { return *s.At(t.Rows) * max(t.Columns, 1) }

// check returns an error if a program is not whole. It is an internal error, not the user's.
func (p *Program) check() error {
	switch {
	case p == nil:
		return ragged.Errorf("the program is nil: pass the Program of a generated package")
	case p.Arena == nil || p.Bind == nil || len(p.Params) == 0:
		return fmt.Errorf("package %s: Arena, Bind and Params are needed", p.Name)
	}
	for i, s := range p.States {
		if i > 0 && strings.HasPrefix(s.Name, sumPrefix) && !strings.HasPrefix(p.States[i-1].Name, sumPrefix) {
			return fmt.Errorf("package %s: the state %s does not stand before what is kept from step to step", p.Name, s.Name)
		}
	}
	for _, m := range p.Models {
		for _, s := range m.Tensors {
			if len(s.Of) == 0 || slices.ContainsFunc(s.Of, func(of string) bool {
				return !slices.ContainsFunc(p.Params, func(q Param) bool { return q.Name == of })
			}) {
				return fmt.Errorf("package %s: the tensor %s of the %s is made of none among Params", p.Name, s.Name, m.Name)
			}
		}
	}
	return nil
}
