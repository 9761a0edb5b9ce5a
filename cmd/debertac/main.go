// Command debertac compiles DeBERTa models, described in the small language of .dspec files, to Go packages with assembly kernels, and packs,
// runs, measures and verifies them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/debertac/debertac/cmd/debertac/cache"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
)

// The exit codes of every verb.
const (
	exitDone    = 0
	exitInput   = 1   // the user's input is at fault
	exitUsage   = 2   // the command line is
	exitNotHeld = 3   // a check did not hold
	exitOurs    = 4   // debertac is
	exitPipe    = 141 // the reader of the output has closed it, as shells count it; signals are in runtime/interrupt
)

// grammar is the command line: a field a verb, each in the file of its name.
type grammar struct {
	Init       initVerb       `cmd:"" help:"Make a folder with a spec, a generated package and a program to start from."`
	Import     importVerb     `cmd:"" help:"Write the spec of a Hugging Face model folder."`
	Fmt        fmtVerb        `cmd:"" help:"Format specs."`
	Check      checkVerb      `cmd:"" help:"Report all errors in specs."`
	Explain    explainVerb    `cmd:"" help:"Explain a message code, a word of the language, or the cost of each line of a spec."`
	Compile    compileVerb    `cmd:"" help:"Write the Go packages of a spec."`
	Diff       diffVerb       `cmd:"" help:"Compare checked-in packages with what compile would write."`
	Dump       dumpVerb       `cmd:"" help:"Print the intermediate representation."`
	Graph      graphVerb      `cmd:"" help:"Draw the program of a spec as a picture."`
	Pack       packVerb       `cmd:"" help:"Pack a model's weights in the layout that its kernels read."`
	Build      buildVerb      `cmd:"" help:"Build one static program from a spec or a model folder."`
	Run        runVerb        `cmd:"" help:"Run a model on texts."`
	Bench      benchVerb      `cmd:"" help:"Measure a model's speed."`
	Verify     verifyVerb     `cmd:"" help:"Compare a model with recorded reference outputs, tensor by tensor."`
	Doctor     doctorVerb     `cmd:"" help:"Describe this machine: processor, kernels, Go toolchain, cache."`
	Cache      cacheVerb      `cmd:"" help:"List or remove what is kept between runs, or limit its size."`
	Version    versionVerb    `cmd:"" help:"Print the version and how this program was built."`
	Completion completionVerb `cmd:"" help:"Print a completion script for a shell."`
	Help       helpVerb       `cmd:"" help:"Print the help of a verb, or the list of all."`
}

// newGrammar makes the command line with the flags of run that the table of tasks has.
func newGrammar() *grammar { return &grammar{Run: runVerb{taskArgs: newTaskArgs()}} }

// app is what a verb works with.
type app struct {
	ctx    context.Context
	in     io.Reader
	out    io.Writer
	err    io.Writer
	color  bool // messages go to a terminal that may be coloured
	tty    bool // progress may be shown
	quiet  bool // long work is not announced
	parser *kong.Kong
	raw    map[string]string // arguments that are not valid UTF-8, by what stands in their place
	cache  *cache.Cache      // nil until it is wanted

	made map[string]string // specs that were made from a folder and are no files: what messages call them

	// interpret runs a verb of a model in this process. It is nil but in tests, which cannot build a program for each of many models.
	interpret func(p *program, in io.Reader, verb string, args []string) error
}

func main() {
	disk.GuardInputs() // the process runs one command
	ctx, stop := interrupt.Context()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// markRaw puts a mark in the place of each argument that is not valid UTF-8, because the parser would replace some of its bytes. Texts of run get their bytes back:
// what becomes of such a text is for --on-error to decide.
func (a *app) markRaw(args []string) ([]string, error) {
	args = slices.Clone(args)
	a.raw = map[string]string{}
	for i, arg := range args {
		if utf8.ValidString(arg) {
			continue
		}
		if strings.HasPrefix(arg, "-") && !slices.Contains(args[:i], "--") {
			return nil, notUTF8(arg)
		}
		args[i] = fmt.Sprintf("\x00%d", i)
		a.raw[args[i]] = arg
	}
	return args, nil
}

// unmarkRaw puts arguments back in the place of their marks.
func (a *app) unmarkRaw(texts []string) []string {
	for i, text := range texts {
		if arg, ok := a.raw[text]; ok {
			texts[i] = arg
			delete(a.raw, text)
		}
	}
	return texts
}

// notUTF8 returns the error for an argument that is not valid UTF-8.
func notUTF8(arg string) error {
	return inputFault("debertac", "the argument %q is not valid UTF-8", arg).hint("convert it first, with iconv for instance")
}

// repeated refuses a flag that is given twice, unless its values are a list: the parser would keep the last value only.
func repeated(k *kong.Context) error {
	seen := map[*kong.Flag]bool{}
	for _, p := range k.Path {
		if p.Flag == nil || p.Resolved || p.Flag.IsCumulative() {
			continue
		}
		if seen[p.Flag] {
			return usage("give it once", "--%s is given twice", p.Flag.Name)
		}
		seen[p.Flag] = true
	}
	return nil
}

// run is the whole program: it runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	f, ok := stderr.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd()))
	out := disk.NewSink(stdout)
	a := &app{
		ctx: ctx, in: stdin, out: out, err: stderr,
		color: terminal && os.Getenv("NO_COLOR") == "", tty: terminal,
	}
	whole := func(code int) int { // output that was lost is not passed over, whoever wrote it
		if err := out.Err(); err != nil && code == exitDone {
			return a.report(inputFault("", "the output is not whole: %v", err))
		}
		return code
	}
	defer func() {
		if v := recover(); v != nil {
			code = a.report(ours(fmt.Errorf("panic: %v", v)))
		}
		code = whole(code)
	}()
	parser, err := kong.New(newGrammar(),
		kong.Name("debertac"),
		kong.Description("debertac compiles a DeBERTa model, described in a .dspec file, to Go and assembly.\n\nA first look: debertac run MODEL_FOLDER \"some text\". Help of a verb: debertac help VERB."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Bind(a),
		kong.Writers(out, stderr),
		kong.Exit(func(code int) { os.Exit(whole(code)) }),
	)
	if err != nil {
		return a.report(ours(err))
	}
	a.parser = parser
	if args, err = a.markRaw(args); err != nil {
		return a.report(err)
	}
	if len(args) == 0 {
		return a.report(usage("debertac help", "a verb is missing; there are %s", list(verbNames(parser.Model))))
	}
	k, err := parser.Parse(spelled(args))
	if err != nil && out.Err() != nil { // help is printed while the command line is parsed
		return exitDone
	}
	if err != nil {
		for _, arg := range a.raw { // the parser's message would show its mark
			return a.report(notUTF8(arg))
		}
		hint := "debertac --help"
		var pe *kong.ParseError
		if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
			hint = "debertac " + pe.Context.Selected().Name + " --help"
		}
		return a.report(usage(hint, "%s", wrongLine(parser.Model, err, hint == "debertac --help")))
	}
	if err := repeated(k); err != nil {
		return a.report(err)
	}
	if verb, ok := k.Selected().Target.Addr().Interface().(*runVerb); ok {
		verb.Texts = a.unmarkRaw(verb.Texts)
	}
	for _, arg := range a.raw { // an argument of another verb, or of a flag
		return a.report(notUTF8(arg))
	}
	if err := k.Run(a); err != nil {
		return a.report(err)
	}
	return exitDone
}

// wrongLine is the parser's message in the words of the program. outside reports whether the fault stands where a verb is expected.
func wrongLine(m *kong.Application, err error, outside bool) string {
	text := strings.Replace(err.Error(), `must be one of "",`, "must be one of ", 1) // "" stands for a flag that is not given
	word, ok := strings.CutPrefix(text, "unexpected argument ")
	if !ok || !outside {
		return text
	}
	if word, meant, ok := strings.Cut(word, ", did you mean "); ok {
		return fmt.Sprintf("unknown verb %q: did you mean %s", word, meant)
	}
	return fmt.Sprintf("unknown verb %q (there are: %s)", word, strings.Join(verbNames(m), " "))
}
