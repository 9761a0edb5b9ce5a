package trainer

import (
	"fmt"
	"os"
	"strings"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
)

// Option changes how a trainer is opened.
type Option func(*Options) error

// Options holds the settings of a trainer. Zero values stand for the defaults.
type Options struct {
	Threads int    // threads per step; 0: cpu.DefaultThreads, at most what the target in the spec allows
	ISA     string // instruction set to force; "": DEBERTAC_ISA, else the best
	Seed    uint64 // of the random numbers that decide what is dropped
	Steps   int    // steps of the training, for the course of the learning rate; 0: what the spec says, or no last step

	Texts int // of the data, if the spec counts epochs, see [Texts]; 0: not known

	Generator string // file or folder with the generator's weights, see [Generator]; "": the weights that are opened are those of both models

	MaskToken *int32 // id of the token in the place of tokens to predict; nil: the caller chooses these, see [MaskToken]
}

// Threads sets how many threads a step uses, including the caller's own. No result depends on it.
func Threads(n int) Option {
	return func(o *Options) error {
		if n < 1 || n > pool.MaxThreads {
			return ragged.Errorf("Threads(%d): it must be from 1 to %d", n, pool.MaxThreads)
		}
		o.Threads = n
		return nil
	}
}

// UseISA forces an instruction set by name: go, avx2, avx512, or avx512bf16 for a training in bf16.
func UseISA(name string) Option {
	return func(o *Options) error {
		if _, err := cpu.ParseISA(name); err != nil {
			return ragged.Errorf("UseISA: %v", err)
		}
		o.ISA = name
		return nil
	}
}

// Seed sets the seed of the random numbers of the training: two trainings with one seed have the same bits.
func Seed(n uint64) Option {
	return func(o *Options) error {
		o.Seed = n
		return nil
	}
}

// Steps sets the number of steps of the training, on which the course of the learning rate depends. It or [Texts] is needed if the spec counts epochs, unless
// the rate is constant and has no warmup that is a share of the steps. Then a training without it has no last step.
func Steps(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return ragged.Errorf("Steps(%d): it must be at least 1", n)
		}
		o.Steps = n
		return nil
	}
}

// Generator names the file or folder with the generator's weights for a training by replaced-token detection. The weights that are opened are then those of
// the detector. Where the detector has the difference from a table of the generator, the difference of both files' tables is taken; where both models have one
// table, that of the generator.
func Generator(path string) Option {
	return func(o *Options) error {
		if path == "" {
			return ragged.Errorf("Generator: the path is empty")
		}
		o.Generator = path
		return nil
	}
}

// Open reads the tensors of a program from a safetensors file, a file of torch.save (.bin, .pt or .pth), or a model folder, and starts the threads.
// Tensors have their published names; a file of the encoder alone may lack the first word of them, such as "deberta.". A file of a generator and a detector has
// the names of the program, see also [Generator]. The file may hold other tensors, but no adapters that the program does not have. Tensors of a new head or of
// an adapter that it lacks are drawn by the seed; [Trainer.Drawn] lists them.
func Open(p *Program, path string, opts ...Option) (*Trainer, error) {
	return start(p, opts, func(t *Trainer) error { return t.load(path) })
}

// start makes a trainer and fills its tensors.
func start(p *Program, opts []Option, load func(*Trainer) error) (_ *Trainer, err error) {
	if err := p.check(); err != nil {
		return nil, err
	}
	t := &Trainer{program: p}
	for i, o := range opts {
		if o == nil {
			return nil, ragged.Errorf("option %d of %d is nil: leave it out", i+1, len(opts))
		}
		if err := o(&t.options); err != nil {
			return nil, err
		}
	}
	if err = t.resolve(); err == nil {
		err = t.allocate()
	}
	if err == nil {
		err = load(t)
	}
	if err == nil {
		t.beginSlow()
		t.pool, err = pool.New(t.options.Threads)
	}
	if err == nil {
		x := &Exec{owner: t, arena: engine.NewArena(p.Arena(p.Limits.Sizes(t.options.Threads))), team: t.pool.NewTeam(), out: map[string]float32{},
			counts: map[string][]int32{}, numbers: map[string][]float32{}, traced: map[string]Traced{}, carried: map[carry][]int32{}}
		t.exec = x
		x.updates, err = p.Bind(x, t.isa)
	}
	if err != nil {
		t.release()
		return nil, err
	}
	return t, nil
}

// resolve replaces zero options by their defaults and checks the options against the limits.
func (t *Trainer) resolve() (err error) {
	p, o := t.program, &t.options
	if t.isa, err = cpu.PickISA(os.Getenv(cpu.EnvISA), o.ISA, p.ISAs); err != nil {
		return fmt.Errorf("package %s: %w", p.Name, err)
	}
	if err := p.checkMaskToken(o.MaskToken); err != nil {
		return err
	}
	if o.Threads == 0 {
		o.Threads = cpu.DefaultThreads()
		if p.Threads > 0 {
			o.Threads = min(o.Threads, p.Threads)
		}
	}
	if p.Threads > 0 && o.Threads > p.Threads {
		return ragged.Errorf("%d threads: the spec's target allows %d; raise it and compile again", o.Threads, p.Threads)
	}
	if len(p.Optimizers) == 0 {
		return nil
	}
	t.rate = p.Optimizers[0].Rate
	if o.Texts > 0 {
		if t.rate.Steps, err = p.epochSteps(o); err != nil {
			return err
		}
	}
	if o.Steps > 0 {
		t.rate.Steps = o.Steps
	}
	if share := p.Optimizers[0].Warmup; share > 0 {
		t.rate.Warmup = share * float64(t.rate.Steps)
	}
	if t.rate.Steps == 0 && (t.rate.Course != rate.Constant || p.Optimizers[0].Warmup > 0) {
		return ragged.Errorf("the spec of %s counts epochs, and the course of the learning rate depends on the steps: set them with Steps "+
			"or --total-steps, or set the number of texts with Texts", p.Name)
	}
	if err := t.rate.Check(); err != nil {
		return ragged.Errorf("%s: %v", p.Name, err)
	}
	return nil
}

// allocate makes room for the tensors, the gradients, and what the optimizer keeps.
func (t *Trainer) allocate() (err error) {
	var trained, sums, states []Param
	for _, s := range t.program.States {
		if strings.HasPrefix(s.Name, sumPrefix) {
			sums = append(sums, s)
		} else {
			states = append(states, s)
		}
	}
	for _, p := range t.program.Params {
		if p.Trained {
			trained = append(trained, p)
		}
	}
	for _, w := range t.program.Twins {
		for _, p := range t.program.Params {
			if p.Name == w.Of {
				p.Name = w.Name
				trained = append(trained, p)
			}
		}
	}
	for _, b := range []struct {
		to     *block
		params []Param
	}{{&t.values, t.program.Params}, {&t.grads, trained}, {&t.sums, sums}, {&t.states, states}} {
		if err == nil {
			*b.to, err = newBlock(b.params)
		}
	}
	return err
}

// The first words of the names of what an optimizer keeps for a tensor.
const (
	sumPrefix  = "sum."  // the gradient, summed over the parts of a batch; it means nothing between two steps
	slowPrefix = "slow." // the slow weights of lookahead
)

// beginSlow makes the slow weights those that the training begins with.
func (t *Trainer) beginSlow() {
	for i := range t.states.params {
		if tensor, ok := strings.CutPrefix(t.states.params[i].Name, slowPrefix); ok {
			if k := t.values.find(tensor); k >= 0 {
				copy(t.states.floats(i), t.values.floats(k))
			}
		}
	}
}
