package program

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/pool"
)

// Model is a compiled model that the binary holds.
type Model struct {
	Name      string          // what --model takes
	Program   *engine.Program // the generated package's description of itself
	Precision string          // number format of the products, for bench: f32, bf16, int8; "" if not known
}

// Streams holds the standard streams of a run of the program.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTerminal, OutTerminal and ErrTerminal report which of the streams are terminals. While results are printed, the progress bar is
	// drawn only if Err is a terminal and Out is not, so that the two do not mix on the screen.
	InTerminal, OutTerminal, ErrTerminal bool
}

// The exit codes.
const (
	ExitDone        = 0                       // all went well
	ExitInput       = 1                       // the user's input, weights or files are at fault
	ExitUsage       = 2                       // a wrong command line
	ExitCheck       = 3                       // a check did not hold
	ExitFault       = 4                       // a fault of the program itself
	ExitInterrupted = interrupt.CodeInterrupt // stopped by Ctrl-C
	ExitTerminated  = interrupt.CodeTerminate // stopped by SIGTERM
)

// Main runs the command line of the process and exits with its code. Ctrl-C and SIGTERM stop it between layers; a second signal kills it.
func Main(models []Model) {
	disk.GuardInputs() // never stopped: the process runs one command
	ctx, stop := interrupt.Context()
	code := Run(ctx, models, os.Args[1:], Streams{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		InTerminal: terminal(os.Stdin), OutTerminal: terminal(os.Stdout), ErrTerminal: terminal(os.Stderr),
	})
	stop()
	os.Exit(code)
}

// terminal reports whether f is a character device other than the null device.
func terminal(f *os.File) bool {
	st, err := f.Stat()
	if err != nil || st.Mode()&os.ModeCharDevice == 0 {
		return false
	}
	null, err := os.Stat(os.DevNull)
	return err != nil || !os.SameFile(st, null)
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

// verbs returns the table of verbs. It is a function because the functions in the table use it: help lists the verbs.
func verbs() []verb {
	return []verb{
		{"run", "[TEXT …]", "run the model on texts: the arguments, --input, or the lines of standard input",
			`run --input mails.jsonl --json > results.jsonl`, newRun},
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

// Run runs one command line and returns the exit code. Errors are printed to Err.
func Run(ctx context.Context, models []Model, args []string, streams Streams) int {
	out := disk.NewSink(streams.Out)
	streams.Out = out
	s := &session{streams, models, filepath.Base(os.Args[0])}
	err := s.run(ctx, args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		if out.Err() == nil {
			return ExitDone
		}
		err = faulty("", "the output is not whole: %w", out.Err())
	}
	code := exitCode(err)
	if code == ExitInterrupted {
		code = interrupt.Code(ctx)
		fmt.Fprintf(s.Err, "%s: stopped\n", s.name)
		return code
	}
	fmt.Fprintf(s.Err, "%s: %v\n", s.name, err)
	var p *pool.PanicError
	if errors.As(err, &p) {
		fmt.Fprintf(s.Err, "This is a fault of the program, not of its input. Where it happened:\n%s", p.Stack)
	}
	return code
}

func (s *session) run(ctx context.Context, args []string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &pool.PanicError{Value: v, Stack: stack()}
		}
	}()
	if len(args) == 0 {
		s.help(s.Err)
		return usage("a verb is missing")
	}
	switch args[0] {
	case "help", "-h", "--help", "-help", "-?":
		if len(args) == 1 {
			s.help(s.Out)
			return nil
		}
		if len(args) > 2 {
			return usage("help takes one verb: %q", args[2])
		}
		args = []string{args[1], "--help"}
	case "--version", "-version", "-v":
		args = append([]string{"version"}, args[1:]...)
	}
	var names []string
	for _, v := range verbs() {
		if v.name == args[0] {
			return s.verb(ctx, v, args[1:])
		}
		names = append(names, v.name)
	}
	return usage("unknown verb %q (there are: %s)", args[0], strings.Join(names, " "))
}

// verb parses the flags of a verb and runs it.
func (s *session) verb(ctx context.Context, v verb, args []string) error {
	fs := flag.NewFlagSet(v.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	act := v.make(fs)
	undo, twice := once(fs)
	rest, err := parseMixed(fs, args)
	undo()
	if name := twice(); name != "" {
		return usage("%s: --%s is given twice: give it once", v.name, name)
	}
	if errors.Is(err, flag.ErrHelp) {
		s.verbHelp(v, fs)
		return err
	}
	if err != nil {
		fault := strings.NewReplacer(" for flag -", " for flag --", "not defined: -", "not defined: --", "needs an argument: -",
			"needs an argument: --").Replace(err.Error())
		return usage("%s: %s (%s %s --help lists the flags)", v.name, fault, s.name, v.name)
	}
	if len(rest) > 0 && v.args == "" {
		return usage("%s takes no arguments, only flags: %q", v.name, rest[0])
	}
	return act(ctx, s, rest)
}

// parseMixed parses flags before, between and after other arguments, up to "--". It returns the other arguments.
func parseMixed(fs *flag.FlagSet, args []string) (rest []string, err error) {
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		left := fs.Args()
		if n := len(args) - len(left); len(left) == 0 || n > 0 && args[n-1] == "--" {
			return append(rest, left...), nil
		}
		rest = append(rest, left[0])
		args = left[1:]
	}
}

func (s *session) help(w io.Writer) {
	fmt.Fprintf(w, "%s: a model compiled by debertac.\n\nUsage: %s VERB [flags]\n\n", s.name, s.name)
	for _, v := range verbs() {
		fmt.Fprintf(w, "  %-8s %s\n", v.name, v.doc)
	}
	fmt.Fprintf(w, "  %-8s %s\n\n%s help VERB lists the flags of a verb.\n", "help", "print this list, or the flags of a verb", s.name)
	if len(s.models) > 1 {
		fmt.Fprintf(w, "\nModels in this binary (--model picks one): %s\n", strings.Join(s.modelNames(), " "))
	}
}

func (s *session) verbHelp(v verb, fs *flag.FlagSet) {
	fmt.Fprintf(s.Out, "%s %s %s: %s.\n\nExample: %s %s\n\nFlags:\n", s.name, v.name, strings.TrimSpace(v.args+" [flags]"), v.doc, s.name, v.example)
	fs.VisitAll(func(f *flag.Flag) {
		arg, doc := flag.UnquoteUsage(f)
		if _, rest, ok := strings.Cut(doc, "\n"); ok { // the first line held only the placeholder
			doc = rest
		}
		line := strings.TrimSpace("--" + f.Name + " " + arg)
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" && f.DefValue != "0s" {
			doc += " (default " + f.DefValue + ")"
		}
		fmt.Fprintf(s.Out, "  %-26s %s\n", line, doc)
	})
}

func (s *session) modelNames() []string {
	var names []string
	for _, m := range s.models {
		names = append(names, m.Name)
	}
	return names
}
