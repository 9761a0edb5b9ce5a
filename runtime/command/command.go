// Package command is the frame of the command lines of built programs: a table of verbs with their flags, the standard streams, help, faults and exit codes.
// Packages program and trainprogram fill it with verbs.
package command

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
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/pool"
)

// Streams holds the standard streams of a run of the program.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
	// InTerminal, OutTerminal and ErrTerminal report which of the streams are terminals. While results are printed, the progress bar is
	// drawn only if Err is a terminal and Out is not, so that the two do not mix on the screen.
	InTerminal, OutTerminal, ErrTerminal bool
}

// Program is a command line.
type Program struct {
	About  string // what the binary is, after its name in the help
	Verbs  []Verb
	Models []string // that the binary holds
}

// Verb is one row of the table of verbs.
type Verb struct {
	Name    string
	Args    string // arguments in the usage line; "": the verb takes flags only
	Doc     string
	Example string // without the binary's name
	Make    func(*flag.FlagSet) Action
}

// Action runs a verb after its flags are parsed.
type Action func(ctx context.Context, s *Session, args []string) error

// Session is one run of the program.
type Session struct {
	Streams
	Name string // name of the binary, for messages
}

// Main runs the command line of the process and exits with its code. Ctrl-C and SIGTERM stop it between layers; a second signal kills it.
func Main(p *Program) {
	disk.GuardInputs() // never stopped: the process runs one command
	ctx, stop := interrupt.Context()
	code := p.Run(ctx, os.Args[1:], Streams{
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

// Run runs one command line and returns the exit code. Errors are printed to Err.
func (p *Program) Run(ctx context.Context, args []string, streams Streams) int {
	out := disk.NewSink(streams.Out)
	streams.Out = out
	s := &Session{streams, filepath.Base(os.Args[0])}
	err := p.run(ctx, s, args)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		if out.Err() == nil {
			return ExitDone
		}
		err = Faulty("", "the output is not whole: %w", out.Err())
	}
	code := ExitCode(err)
	if code == ExitInterrupted {
		code = interrupt.Code(ctx)
		fmt.Fprintf(s.Err, "%s: stopped\n", s.Name)
		return code
	}
	fmt.Fprintf(s.Err, "%s: %v\n", s.Name, err)
	var fault *pool.PanicError
	if errors.As(err, &fault) {
		fmt.Fprintf(s.Err, "This is a fault of the program, not of its input. Where it happened:\n%s", fault.Stack)
	}
	return code
}

func (p *Program) run(ctx context.Context, s *Session, args []string) (err error) {
	defer func() {
		if v := recover(); v != nil {
			err = &pool.PanicError{Value: v, Stack: stack()}
		}
	}()
	if len(args) == 0 {
		p.help(s, s.Err)
		return Usage("a verb is missing")
	}
	switch args[0] {
	case "help", "-h", "--help", "-help", "-?":
		if len(args) == 1 {
			p.help(s, s.Out)
			return nil
		}
		if len(args) > 2 {
			return Usage("help takes one verb: %q", args[2])
		}
		args = []string{args[1], "--help"}
	case "--version", "-version", "-v":
		args = append([]string{"version"}, args[1:]...)
	}
	var names []string
	for i := range p.Verbs {
		v := &p.Verbs[i]
		if v.Name == args[0] {
			return v.run(ctx, s, args[1:])
		}
		names = append(names, v.Name)
	}
	return Usage("unknown verb %q (there are: %s)", args[0], strings.Join(names, " "))
}

// run parses the flags of a verb and runs it.
func (v *Verb) run(ctx context.Context, s *Session, args []string) error {
	fs := flag.NewFlagSet(v.Name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {}
	act := v.Make(fs)
	undo, twice := once(fs)
	rest, err := parseMixed(fs, args)
	undo()
	if name := twice(); name != "" {
		return Usage("%s: --%s is given twice: give it once", v.Name, name)
	}
	if errors.Is(err, flag.ErrHelp) {
		v.help(s, fs)
		return err
	}
	if err != nil {
		fault := strings.NewReplacer(" for flag -", " for flag --", "not defined: -", "not defined: --", "needs an argument: -",
			"needs an argument: --").Replace(err.Error())
		return Usage("%s: %s (%s %s --help lists the flags)", v.Name, fault, s.Name, v.Name)
	}
	if len(rest) > 0 && v.Args == "" {
		return Usage("%s takes no arguments, only flags: %q", v.Name, rest[0])
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

func (p *Program) help(s *Session, w io.Writer) {
	fmt.Fprintf(w, "%s: %s.\n\nUsage: %s VERB [flags]\n\n", s.Name, p.About, s.Name)
	for _, v := range p.Verbs {
		fmt.Fprintf(w, "  %-8s %s\n", v.Name, v.Doc)
	}
	fmt.Fprintf(w, "  %-8s %s\n\n%s help VERB lists the flags of a verb.\n", "help", "print this list, or the flags of a verb", s.Name)
	if len(p.Models) > 1 {
		fmt.Fprintf(w, "\nModels in this binary (--model picks one): %s\n", strings.Join(p.Models, " "))
	}
}

func (v *Verb) help(s *Session, fs *flag.FlagSet) {
	fmt.Fprintf(s.Out, "%s %s %s: %s.\n\nExample: %s %s\n\nFlags:\n", s.Name, v.Name, strings.TrimSpace(v.Args+" [flags]"), v.Doc, s.Name, v.Example)
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

// Pick returns the number of the model that --model names.
func Pick(models []string, name string) (int, error) {
	if name == "" {
		switch len(models) {
		case 0:
			return 0, errors.New("this binary was built without a model")
		case 1:
			return 0, nil
		}
		return 0, Usage("--model is needed: this binary holds %s", strings.Join(models, " "))
	}
	for i, m := range models {
		if m == name {
			return i, nil
		}
	}
	return 0, Usage("no model %q in this binary (there are: %s)", name, strings.Join(models, " "))
}
