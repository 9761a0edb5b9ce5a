package program

import (
	"context"
	"flag"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
)

// Model is a compiled model that the binary holds.
type Model struct {
	Name      string          // what --model takes
	Program   *engine.Program // the generated package's description of itself
	Precision string          // number format of the products, for bench: f32, bf16, int8; "" if not known
}

// Streams holds the standard streams of a run of the program.
type Streams = command.Streams

// The exit codes.
const (
	ExitDone        = command.ExitDone        // all went well
	ExitInput       = command.ExitInput       // the user's input, weights or files are at fault
	ExitUsage       = command.ExitUsage       // a wrong command line
	ExitCheck       = command.ExitCheck       // a check did not hold
	ExitFault       = command.ExitFault       // a fault of the program itself
	ExitInterrupted = command.ExitInterrupted // stopped by Ctrl-C
	ExitTerminated  = command.ExitTerminated  // stopped by SIGTERM
)

// Main runs the command line of the process and exits with its code. Ctrl-C and SIGTERM stop it between layers; a second signal kills it.
func Main(models []Model) { command.Main(programOf(models)) }

// Run runs one command line and returns the exit code. Errors are printed to Err.
func Run(ctx context.Context, models []Model, args []string, streams Streams) int {
	return programOf(models).Run(ctx, args, streams)
}

// programOf returns the command line of a binary that holds models.
func programOf(models []Model) *command.Program {
	p := &command.Program{About: "a model compiled by debertac", Models: namesOf(models)}
	for _, v := range verbs() {
		p.Verbs = append(p.Verbs, command.Verb{Name: v.name, Args: v.args, Doc: v.doc, Example: v.example, Make: func(fs *flag.FlagSet) command.Action {
			act := v.make(fs)
			return func(ctx context.Context, s *command.Session, args []string) error {
				return act(ctx, &session{s.Streams, models, s.Name}, args)
			}
		}})
	}
	return p
}

// verb is one row of the table of verbs.
type verb struct {
	name    string
	args    string // arguments in the usage line
	doc     string
	example string // without the binary's name
	make    func(*flag.FlagSet) action
}

// action runs a verb after its flags are parsed.
type action func(ctx context.Context, s *session, args []string) error

// session is one run of the program.
type session struct {
	Streams
	models []Model
	name   string // name of the binary, for messages
}

// verbs returns the table of verbs.
func verbs() []verb {
	return []verb{
		{"run", "[TEXT …]", "run the model on texts: the arguments, --input, or the lines of standard input",
			`run --input mails.jsonl --json > results.jsonl`, newRun},
		{"eval", "", "compare the model with examples, the JSON lines of --input or of standard input, and print metrics",
			`eval --input test.jsonl`, newEval},
		{"forward", "", "compute a batch of token ids and write every traced tensor",
			`forward --batch in.safetensors --out out.safetensors`, newForward},
		{"bench", "", "measure latency, throughput, allocations, memory and start-up with random token ids",
			`bench --batch 8 --tokens 128 --threads 2 --json`, newBench},
		{"first", "", "start, compute one text of 16 tokens, and print how long that took since the process began",
			`first --threads 2`, newFirst},
		{"doctor", "", "report processor, kernels and threads, compare all weights with their hashes, run the self-test",
			`doctor --weights spam.weights`, newDoctor},
		{"version", "", "print the version, and how the program was built", `version --json`, newVersion},
	}
}

// namesOf returns the names of models.
func namesOf(models []Model) []string {
	var names []string
	for _, m := range models {
		names = append(names, m.Name)
	}
	return names
}
