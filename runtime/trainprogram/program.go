// Package trainprogram is the command line of a built binary that trains: it holds one or more compiled training steps. A generated main passes them to it:
//
//	func main() { trainprogram.Main([]trainprogram.Model{{Name: "nli", Program: nli.Program()}}) }
//
// The binary's verbs are train (a run over prepared data), step (batches in, losses, gradients and changed tensors out), bench and version. Results go to
// standard output or to files, everything else to standard error. With --json, results are one JSON object per line.
package trainprogram

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/trainer"
)

// Model is a compiled training step that the binary holds.
type Model struct {
	Name    string           // what --model takes
	Program *trainer.Program // the generated package's description of itself
}

// Main runs the command line of the process and exits with its code. Ctrl-C and SIGTERM stop a step before its update; a second signal kills the process.
func Main(models []Model) { command.Main(programOf(models)) }

// Run runs one command line and returns the exit code. Errors are printed to Err.
func Run(ctx context.Context, models []Model, args []string, streams command.Streams) int {
	return programOf(models).Run(ctx, args, streams)
}

// programOf returns the command line of a binary that holds models.
func programOf(models []Model) *command.Program {
	p := &command.Program{About: "training steps compiled by debertac"}
	for _, m := range models {
		p.Models = append(p.Models, m.Name)
	}
	h := held{models, p.Models}
	p.Verbs = []command.Verb{
		{Name: "step", Doc: "compute training steps on batches of token ids, and write losses, gradients and changed tensors",
			Example: "step --weights model.safetensors --batch in.safetensors --out out.safetensors", Make: h.newStep},
		{Name: "train", Doc: "train on prepared data, and write metrics and checkpoints into the folder of the run",
			Example: "train --weights model.safetensors --data train.prepared --run runs/first", Make: h.newTrain},
		{Name: "bench", Doc: "measure a training step with random token ids: forward pass, backward pass and optimizer, dropout on",
			Example: "bench --random-weights 1 --batch 8 --tokens 128 --threads 2 --json", Make: h.newBench},
		{Name: "version", Doc: "print the version, and how the program was built", Example: "version --json", Make: h.newVersion},
	}
	return p
}

// held holds the models of the binary.
type held struct {
	models []Model
	names  []string
}

// openFlags holds the flags of every verb that opens a trainer.
type openFlags struct {
	held
	model, weights, isa string
	generator           string
	threads, total      int
	draw                *uint64
	seed                uint64
}

// registerModel registers the flags that every verb has.
func (o *openFlags) registerModel(fs *flag.FlagSet) {
	fs.StringVar(&o.model, "model", "", "the `NAME` of the training, if the binary holds several")
	fs.StringVar(&o.weights, "weights", "",
		"`FILE` with the tensors of the model under their published names, in the form of safetensors or torch.save, or a model folder")
	fs.StringVar(&o.generator, "generator", "",
		"`FILE` or folder with the generator, for a training by replaced-token detection where --weights has the detector alone")
	fs.StringVar(&o.isa, "isa", "", "instruction `SET`: go, avx2, avx512, avx512bf16; the best of this machine if none is given")
	fs.IntVar(&o.threads, "threads", 0, "`N` threads per step; 0: the number of physical cores")
}

func (o *openFlags) register(fs *flag.FlagSet) {
	o.registerModel(fs)
	fs.Func("random-weights", "draw the tensors by this `SEED` instead", func(text string) error {
		var n uint64
		if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text {
			return fmt.Errorf("a seed is a whole number from 0 to %d", ^uint64(0))
		}
		o.draw = &n
		return nil
	})
	fs.Uint64Var(&o.seed, "dropout-seed", 0, "`SEED` of what dropout leaves out")
	fs.IntVar(&o.total, "total-steps", 0, "the course of the learning rate is that of a training of `N` steps; 0: as many as the spec says")
}

// training returns the training that the flags name.
func (o *openFlags) training() (*Model, error) {
	if (o.weights != "") == (o.draw != nil) {
		return nil, command.Usage("either --weights FILE or --random-weights SEED is needed")
	}
	i, err := command.Pick(o.names, o.model)
	if err != nil {
		return nil, err
	}
	return &o.models[i], o.check(o.models[i].Program)
}

// open opens a training with the tensors that the flags name.
func (o *openFlags) open(m *Model, opts ...trainer.Option) (t *trainer.Trainer, err error) {
	opts = append(append(opts, trainer.Seed(o.seed)), o.options()...)
	if o.total > 0 {
		opts = append(opts, trainer.Steps(o.total))
	}
	if o.draw != nil {
		t, err = trainer.Draw(m.Program, *o.draw, opts...)
	} else {
		t, err = trainer.Open(m.Program, o.weights, opts...)
	}
	var p *pool.PanicError
	if err != nil && !errors.As(err, &p) {
		err = command.Faulty("", "%w", err)
	}
	return t, err
}

// options returns the options of the flags that every verb has.
func (o *openFlags) options() (opts []trainer.Option) {
	if o.threads > 0 {
		opts = append(opts, trainer.Threads(o.threads))
	}
	if o.isa != "" {
		opts = append(opts, trainer.UseISA(o.isa))
	}
	if o.generator != "" {
		opts = append(opts, trainer.Generator(o.generator))
	}
	return opts
}

// check refuses flags that are wrong for a program.
func (o *openFlags) check(p *trainer.Program) error {
	if o.generator != "" && o.draw != nil {
		return command.Usage("--random-weights draws the generator too: leave out --generator")
	}
	if o.generator != "" && len(p.Models) == 0 {
		return command.Usage("--generator: the training %s has no generator", p.Name)
	}
	if o.threads < 0 || o.threads > pool.MaxThreads {
		return command.Usage("--threads %d: it must be from 1 to %d, or 0 for all cores", o.threads, pool.MaxThreads)
	}
	if p.Threads > 0 && o.threads > p.Threads {
		return command.Usage("--threads %d: this program was built for up to %d threads (in a spec: threads <= %d in the target)", o.threads, p.Threads,
			o.threads)
	}
	if o.total < 0 {
		return command.Usage("--total-steps %d: it must be at least 1", o.total)
	}
	if o.isa != "" {
		if _, err := cpu.ParseISA(o.isa); err != nil {
			return command.Usage("--isa: %v", err)
		}
	}
	if _, err := cpu.PickISA(os.Getenv(cpu.EnvISA), o.isa, p.ISAs); err != nil { // a set that is forced and cannot be used
		return command.Usage("%v", err)
	}
	return nil
}

type versionModel struct {
	Name     string        `json:"name"`
	SpecHash string        `json:"spec_sha256"`
	ISAs     []string      `json:"isas"`
	Limits   engine.Limits `json:"limits"`
	Numbers  int64         `json:"parameters"` // of all tensors
	Trained  int64         `json:"trained"`    // of those that a step changes
}

type versionReport struct {
	command.Build
	Models []versionModel `json:"trainings"`
}

func (h held) newVersion(fs *flag.FlagSet) command.Action {
	asJSON := fs.Bool("json", false, "print a JSON object")
	return func(_ context.Context, s *command.Session, _ []string) error {
		r := versionReport{Build: command.ThisBuild(), Models: []versionModel{}}
		for _, m := range h.models {
			v := versionModel{Name: m.Name, SpecHash: m.Program.SpecHash, Limits: m.Program.Limits}
			for _, i := range m.Program.ISAs {
				v.ISAs = append(v.ISAs, i.String())
			}
			for i := range m.Program.Params {
				p := &m.Program.Params[i]
				n := int64(1)
				for _, d := range p.Shape {
					n *= int64(d)
				}
				v.Numbers += n
				if p.Trained {
					v.Trained += n
				}
			}
			r.Models = append(r.Models, v)
		}
		if *asJSON {
			return command.PrintJSON(s.Out, r)
		}
		fmt.Fprintln(s.Out, r.Build)
		for _, m := range r.Models {
			fmt.Fprintf(s.Out, "training %s: spec sha256 %.12s…, kernels %s, %d of %d parameters trained, up to %s of %d tokens per step\n",
				m.Name, m.SpecHash, strings.Join(m.ISAs, " "), m.Trained, m.Numbers, command.Plural(m.Limits.BatchSequences, "sequence"),
				m.Limits.SequenceTokens)
		}
		return nil
	}
}
