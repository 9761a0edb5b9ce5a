// Command debertac compiles DeBERTa models, described in the small language of .dspec files, to Go packages with assembly kernels, and packs,
// runs, measures and verifies them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/alecthomas/kong"
	"golang.org/x/term"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/completion"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/prepare"
	"github.com/debertac/debertac/cmd/debertac/scaffold"
	"github.com/debertac/debertac/cmd/debertac/sweep"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/tasktable"
)

// grammar is the command line: one field per verb, each in the file of its name.
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
	Export     exportVerb     `cmd:"" help:"Write a Hugging Face folder of a run."`
	Merge      mergeVerb      `cmd:"" help:"Merge an adapter of PEFT or GLiNER2 into a model folder."`
	Plot       plotVerb       `cmd:"" help:"Draw the metrics of runs over their steps."`
	Run        runVerb        `cmd:"" help:"Run a model on texts."`
	Eval       evalVerb       `cmd:"" help:"Compare a model with examples, or recorded predictions with what is right, and print metrics."`
	Prepare    prepareVerb    `cmd:"" help:"Tokenize data files for a training."`
	Train      trainVerb      `cmd:"" help:"Train a model on data files."`
	Bench      benchVerb      `cmd:"" help:"Measure a model's speed."`
	Verify     verifyVerb     `cmd:"" help:"Compare a model with recorded reference outputs, tensor by tensor."`
	Doctor     doctorVerb     `cmd:"" help:"Describe this machine: processor, kernels, Go toolchain, cache."`
	Cache      cacheVerb      `cmd:"" help:"List or remove what is kept between runs, or limit its size."`
	Version    versionVerb    `cmd:"" help:"Print the version and how this program was built."`
	Completion completionVerb `cmd:"" help:"Print a completion script for a shell."`
	Help       helpVerb       `cmd:"" help:"Print the help of a verb, or the list of all."`
}

// newGrammar makes the command line, with the flags of run and eval from the table of tasks.
func newGrammar() *grammar {
	return &grammar{Run: runVerb{Handed: flags.NewHanded(tasktable.RunFlags())}, Eval: evalVerb{Handed: flags.NewHanded(tasktable.EvalFlags())}}
}

// identity returns the hash of this program's file. The hash is a part of all names in the cache, so no program uses what another version has made.
var identity = built.OwnSum

// rawArguments holds the arguments that are not valid UTF-8, by the marks that replace them.
type rawArguments map[string]string

func main() {
	disk.GuardInputs() // the process runs one command
	ctx, stop := interrupt.Context()
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// markRaw replaces each argument that is not valid UTF-8 by a mark, because the parser would replace some of its bytes. Texts of run get their bytes
// back, because --on-error decides what happens to such a text.
func markRaw(args []string) ([]string, rawArguments, error) {
	args = slices.Clone(args)
	raw := rawArguments{}
	for i, arg := range args {
		if utf8.ValidString(arg) {
			continue
		}
		if strings.HasPrefix(arg, "-") && !slices.Contains(args[:i], "--") {
			return nil, nil, notUTF8(arg)
		}
		args[i] = fmt.Sprintf("\x00%d", i)
		raw[args[i]] = arg
	}
	return args, raw, nil
}

// unmark replaces marks by the arguments that they stand for.
func (raw rawArguments) unmark(texts []string) []string {
	for i, text := range texts {
		if arg, ok := raw[text]; ok {
			texts[i] = arg
			delete(raw, text)
		}
	}
	return texts
}

// notUTF8 returns the error for an argument that is not valid UTF-8.
func notUTF8(arg string) error {
	return fault.Input("debertac", "the argument %q is not valid UTF-8", arg).Hint("convert it first, with iconv for instance")
}

// misused refuses a flag that is given twice, unless its values are a list: the parser would keep only the last value. It also refuses an empty value
// of a flag that takes a name, which would count as an absent flag.
func misused(k *kong.Context) error {
	seen := map[*kong.Flag]bool{}
	for _, p := range k.Path {
		if p.Flag == nil || p.Resolved || p.Flag.IsCumulative() {
			continue
		}
		if seen[p.Flag] {
			return fault.Usage("give it once", "--%s is given twice", p.Flag.Name)
		}
		seen[p.Flag] = true
		if empty := p.Flag.Target; empty.Kind() == reflect.String && empty.String() == "" {
			return fault.Usage("", "--%s is empty: give %s, or leave the flag out", p.Flag.Name, p.Flag.FormatPlaceHolder())
		}
	}
	return nil
}

// parsers holds parsers that have parsed a command line and can parse another. Tests run thousands of command lines in one process, and making a
// parser takes longer than most of these runs.
var parsers sync.Pool

// takeParser returns a parser of the command line, which prints and exits as its fields specify.
func takeParser() (*kong.Kong, error) {
	if p, ok := parsers.Get().(*kong.Kong); ok {
		return p, nil
	}
	return kong.New(newGrammar(),
		kong.Name("debertac"),
		kong.Description("debertac compiles a DeBERTa model, described in a .dspec file, to Go and assembly.\n\n"+
			"A first look: debertac run MODEL_FOLDER \"some text\"."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		helpTexts(),
		kong.KindMapper(reflect.Map, kong.MapperFunc(pairs)),
	)
}

// helpTexts replaces help of the form @NAME by the text of that name. Tags have such names for texts that are too long for a line. The parser's own variables
// could do this, but take 10 ms at each start.
func helpTexts() kong.Option {
	return kong.PostBuild(func(k *kong.Kong) error {
		all := map[string]string{}
		for _, texts := range []map[string]string{folder.Help(), gopackage.Help(), scaffold.Help(), sweep.Help(), verifyHelp(), evalHelp(), prepare.Help()} {
			maps.Copy(all, texts)
		}
		for _, verb := range k.Model.Children {
			for _, f := range verb.Flags {
				name, ok := strings.CutPrefix(f.Help, "@")
				if !ok {
					continue
				}
				if f.Help, ok = all[name]; !ok {
					return fmt.Errorf("--%s has no help", f.Name)
				}
			}
		}
		return nil
	})
}

// run is the whole program: it runs one command line and returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) (code int) {
	f, ok := stderr.(*os.File)
	terminal := ok && term.IsTerminal(int(f.Fd()))
	out := disk.NewSink(stdout)
	c := &console.Console{
		Context: ctx, In: stdin, Out: out, Err: stderr,
		Color: terminal && os.Getenv("NO_COLOR") == "", Terminal: terminal,
	}
	whole := func(code int) int { // output that is lost is an error, whichever code wrote it
		if err := out.Err(); err != nil && code == fault.ExitDone {
			return c.Report(fault.Input("", "the output is not whole: %v", err))
		}
		return code
	}
	defer func() {
		if v := recover(); v != nil {
			code = c.Report(fault.Ours(fmt.Errorf("panic: %v", v)))
		}
		code = whole(code)
	}()
	parser, err := takeParser()
	if err != nil {
		return c.Report(fault.Ours(err))
	}
	defer parsers.Put(parser)
	parser.Stdout, parser.Stderr, parser.Exit = out, stderr, func(code int) { os.Exit(whole(code)) }
	args, raw, err := markRaw(args)
	if err != nil {
		return c.Report(err)
	}
	if len(args) == 0 {
		return c.Report(fault.Usage("debertac help", "a verb is missing; there are %s", wording.List(completion.Names(parser.Model))))
	}
	k, err := parser.Parse(spelled(args))
	if err != nil && out.Err() != nil { // help is printed while the command line is parsed
		return fault.ExitDone
	}
	if err != nil {
		for _, arg := range raw { // the parser's message would show its mark
			return c.Report(notUTF8(arg))
		}
		hint := "debertac --help"
		var pe *kong.ParseError
		if errors.As(err, &pe) && pe.Context != nil && pe.Context.Selected() != nil {
			hint = "debertac " + pe.Context.Selected().Name + " --help"
		}
		return c.Report(fault.Usage(hint, "%s", wrongLine(parser.Model, err, hint == "debertac --help")))
	}
	if err := misused(k); err != nil {
		return c.Report(err)
	}
	if verb, ok := k.Selected().Target.Addr().Interface().(*runVerb); ok {
		verb.Texts = raw.unmark(verb.Texts)
	}
	for _, arg := range raw { // an argument of another verb, or of a flag
		return c.Report(notUTF8(arg))
	}
	if err := k.Run(c, &built.Maker{Console: c, Sum: identity}); err != nil {
		return c.Report(err)
	}
	return fault.ExitDone
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
	return fmt.Sprintf("unknown verb %q (there are: %s)", word, strings.Join(completion.Names(m), " "))
}
