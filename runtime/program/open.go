package program

import (
	"errors"
	"flag"
	"os"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/appended"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// openFlags holds the flags of every verb that opens a model.
type openFlags struct {
	model, weights, isa, head, adapter string
	threads                            int
	pin, verify                        bool
}

func (o *openFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&o.model, "model", "", "the `NAME` of the model, if the binary holds several")
	fs.StringVar(&o.weights, "weights", "", "packed weights, the `FILE` that debertac pack made; not needed if they are inside the binary")
	new(tableFlags).declareAll(fs, map[string]any{"isa": &o.isa, "threads": &o.threads, "verify": &o.verify, "pin": &o.pin, "adapter": &o.adapter})
}

func (o *openFlags) registerHead(fs *flag.FlagSet) {
	fs.StringVar(&o.head, "head", "", "the `NAME` of the output; the first if none is given")
}

// pick finds the model that --model names.
func (o *openFlags) pick(s *session) (*Model, error) {
	i, err := command.Pick(namesOf(s.models), o.model)
	if err != nil {
		return nil, err
	}
	return &s.models[i], nil
}

// open opens the model with the weights of --weights, or else those inside the binary.
func (o *openFlags) open(s *session, more ...runtime.Option) (*engine.Core, *Model, error) {
	m, err := o.pick(s)
	if err != nil {
		return nil, nil, err
	}
	if o.threads < 0 || o.threads > pool.MaxThreads {
		return nil, nil, usage("--threads %d: it must be from 1 to %d, or 0 for all cores", o.threads, pool.MaxThreads)
	}
	if most := m.Program.Threads; most > 0 && o.threads > most {
		return nil, nil, usage("--threads %d: this program was built for up to %d threads (in a spec: threads <= %d in the target)", o.threads, most, o.threads)
	}
	if o.isa != "auto" && o.isa != "" {
		if _, err := cpu.ParseISA(o.isa); err != nil {
			return nil, nil, usage("--isa: %v", err)
		}
	}
	isa, env := o.isa, os.Getenv(cpu.EnvISA)
	if isa == "auto" {
		isa = ""
	}
	if isa != "" || env != "" && env != "auto" { // a set that is forced and cannot be used is a fault of the input
		if _, err := cpu.PickISA(env, isa, m.Program.ISAs); err != nil {
			return nil, nil, usage("%v", err)
		}
	}
	opts := append([]runtime.Option{runtime.UseISA(isa)}, more...)
	if o.threads > 0 {
		opts = append(opts, runtime.Threads(o.threads))
	}
	if o.pin {
		opts = append(opts, runtime.PinThreads())
	}
	if o.verify {
		opts = append(opts, runtime.VerifyWeights())
	}
	opts = append(opts, runtime.Concurrency(1)) // a program makes one call at a time
	core, err := o.load(m, opts)
	if err != nil {
		var p *pool.PanicError
		if errors.As(err, &p) {
			return nil, nil, err
		}
		var bad *command.UsageError
		if errors.As(err, &bad) {
			return nil, nil, err
		}
		return nil, nil, faulty("", "%w", err)
	}
	view, err := core.Adapter(o.adapter)
	if err != nil {
		core.Close()
		return nil, nil, usage("--adapter: %v", err)
	}
	return view, m, nil
}

func (o *openFlags) load(m *Model, opts []runtime.Option) (*engine.Core, error) {
	if o.weights != "" {
		return engine.Open(m.Program, o.weights, opts...)
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	entries, err := appended.Find(exe)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name == m.Name {
			return engine.OpenAt(m.Program, exe, e.Offset, e.Size, opts...)
		}
	}
	return nil, usage("--weights FILE is needed: there are no weights of %s inside this binary", m.Name)
}
