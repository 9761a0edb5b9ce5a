// Package built makes models runnable: it builds their programs and packs their weights, each only if the cache does not have it, and runs them.
package built

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"os/exec"
	"slices"
	"sync/atomic"
	"syscall"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
)

// Program is a built model with its weights.
type Program struct {
	Binary  string
	Weights string // path of the packed weights
	Unit    *compiler.Unit

	Normalize bool // embeddings are divided by their length, as its folder demands
}

// Make makes a spec or a model folder runnable: compiles it, builds it and packs its weights, each only if the cache does not have it.
func (m *Maker) Make(path string, o model.Options) (*Program, error) {
	if o.Weights != "" && o.Seed != nil {
		return nil, fault.Usage("give one of them", "--weights and --random-weights contradict each other")
	}
	src, dir, err := model.Open(m.Console, path, o)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if dir == nil && o.Weights == "" && o.Seed == nil {
		more := ", then --weights model.weights"
		if o.DrawsAlone {
			more += "; or --random-weights 1, which draws them"
		} else if o.DrawsForTokenizer {
			more += "; or --random-weights 1 with --tokenizer DIR, which draws them"
		}
		return nil, folder.NoWeights(src, path, "a spec has no weights: name packed ones", "model.weights", more)
	}
	if o.Texts && o.Weights == "" && dir != nil && dir.Token == nil {
		return nil, fault.Input(path, "the folder has no tokenizer, which texts need: tokenizer.json, spm.model, vocab.json with merges.txt, or vocab.txt").
			Hint("--tokenizer DIR, the folder of the tokenizer that the model was trained with")
	}
	unit, err := model.One(m.Console, src, dir, o)
	if err == nil && o.Accept != nil {
		err = o.Accept(unit)
	}
	if err != nil {
		return nil, err
	}
	if o.Texts && o.Weights == "" && dir == nil && o.Tokenizer == "" {
		if unit.Model.Tokenizer == "none" {
			return nil, fault.Input(path, "the spec has tokenizer none: the model takes token ids, and run reads texts").Hint("tokenizer sentencepiece in " +
				"the spec, and --tokenizer DIR")
		}
		return nil, fault.Input(path, "drawn weights come without a tokenizer, which texts need: name a %s tokenizer with at most %d ids",
			unit.Model.Tokenizer, unit.Model.Vocab).
			Hint("--tokenizer DIR, such as the folder of a published model")
	}
	tokenizer, err := model.LentToSpec(m.Console, dir, o)
	if err != nil {
		return nil, err
	}
	if tokenizer != nil {
		if err := folder.Fits(tokenizer.Token, tokenizer.Kind, tokenizer.Path, unit); err != nil {
			return nil, err
		}
	}
	p := &Program{Unit: unit, Weights: o.Weights}
	if dir != nil && folder.Vectors(unit.Program.Meta.Task) {
		p.Normalize = dir.Beside.Sentences != nil && dir.Beside.Sentences.Normalize
	}
	units := []*compiler.Unit{unit}
	built := m.Interpret != nil
	if !built {
		if built, err = m.isBuilt(units); err != nil {
			return nil, err
		}
	}
	if !built { // a missing Go toolchain is reported before any work
		if _, err := build.FindGo(m.Context); err != nil {
			return nil, err
		}
	}
	// Weights are packed first: faults of a folder's tensors are more frequent than internal errors, and packing is the quicker of the two.
	switch {
	case p.Weights != "":
	case o.Seed != nil:
		p.Weights, err = m.randomWeights(unit, *o.Seed, dir, tokenizer)
	default:
		p.Weights, err = m.folderWeights(unit, dir)
	}
	if err != nil || m.Interpret != nil {
		return p, err
	}
	p.Binary, err = m.Binary(units)
	return p, err
}

// Binary returns the path of one program of the units. It finds the program in the cache, or builds it. Generated code depends only on the units and
// on this executable, so it is generated only for a build.
func (m *Maker) Binary(units []*compiler.Unit) (string, error) {
	name, err := m.binaryName(units)
	if err != nil {
		return "", err
	}
	var names []string
	for _, u := range units {
		names = append(names, source.UnitName(u))
	}
	return m.Cached(cache.Built, name, "program of "+wording.List(names), func(temp string) error {
		stop := m.Building()
		defer stop()
		packages, err := gopackage.EmitAll(units)
		if err != nil {
			return err
		}
		return m.Build(packages, temp)
	})
}

// binaryName returns the name of the program of the units in the cache, whether it is there or not.
func (m *Maker) binaryName(units []*compiler.Unit) (string, error) {
	sum := sha256.New()
	if err := m.identify(sum); err != nil {
		return "", err
	}
	for _, u := range units {
		if err := gopackage.Describe(sum, u.Program); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// isBuilt reports whether the cache has the program of the units.
func (m *Maker) isBuilt(units []*compiler.Unit) (bool, error) {
	name, err := m.binaryName(units)
	if err != nil {
		return false, err
	}
	c, err := m.Store()
	if err != nil {
		return false, err
	}
	return c.Has(cache.Built, name), nil
}

// Build builds one static program of the packages.
func (m *Maker) Build(packages []*codegen.Package, out string) error {
	err := build.Build(m.Context, packages, out)
	var compile *build.CompileError
	if errors.As(err, &compile) {
		return fault.Ours(err)
	}
	return err
}

// OwnSum returns the hash of this program's file, which everything in the cache depends on. The file is read once: it does not change while the
// program runs.
func OwnSum() (string, error) {
	if sum := hashed.Load(); sum != nil {
		return *sum, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fault.Ours(err)
	}
	h := sha256.New()
	if err := cache.HashFile(h, exe); err != nil {
		return "", err
	}
	sum := hex.EncodeToString(h.Sum(nil))
	hashed.Store(&sum)
	return sum, nil
}

// hashed holds the result of OwnSum.
var hashed atomic.Pointer[string]

// identify writes the hash of this program, which is a part of all names in the cache.
func (m *Maker) identify(w io.Writer) error {
	sum, err := m.Sum()
	if err == nil {
		_, err = io.WriteString(w, sum)
	}
	return err
}

// WeightsFlag returns the flag that names the file of the program's weights.
func (p *Program) WeightsFlag() flags.Flag { return flags.Value("--weights", p.Weights) }

// Command returns the command that runs a verb of the built program. Signals reach the program too, and it gets some time to stop.
func (p *Program) Command(m *Maker, verb string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(m.Context, p.Binary, slices.Concat([]string{verb}, args)...)
	cmd.Args[0] = "debertac" // its name in messages; in the cache it has a number
	interrupt.Forward(m.Context, cmd, m.Terminal)
	return cmd
}

// Exec runs a verb of the built program on this program's streams. This program ends with the same exit code.
func (p *Program) Exec(m *Maker, verb string, args []string) error {
	return p.Feed(m, m.In, verb, args)
}

// Feed runs a verb like Exec, but with another standard input. If the program fails and reading the input fails too, Feed returns the program's error, as
// exec.Cmd does.
func (p *Program) Feed(m *Maker, in io.Reader, verb string, args []string) error {
	return p.Connect(m, in, m.Out, verb, args)
}

// Connect runs a verb like Feed, but with another standard output too.
func (p *Program) Connect(m *Maker, in io.Reader, out io.Writer, verb string, args []string) error {
	if m.Interpret != nil {
		return m.Interpret(p, in, out, verb, args)
	}
	cmd := p.Command(m, verb, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, out, m.Err
	if s, ok := out.(*disk.Sink); ok {
		cmd.Stdout = s.Unwrap() // the child gets the terminal itself, not a pipe
	}
	return m.ChildFault(cmd.Run())
}

// ChildFault returns the error for a built program that failed, with the program's exit code. The program has printed its own message, unless a
// signal ended it.
func (m *Maker) ChildFault(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch {
	case exit.ExitCode() > 0 && m.Context.Err() != nil: // the signal reached this program too, which reports it whatever the program's exit code is
		return &fault.Error{Code: interrupt.Code(m.Context)}
	case exit.ExitCode() > 0:
		return &fault.Error{Code: exit.ExitCode()}
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case !ok || !status.Signaled():
		return err
	case m.Context.Err() != nil: // it took too long to stop
		return m.Context.Err()
	case status.Signal() == syscall.SIGPIPE: // the reader of the output has closed it
		return &fault.Error{Code: fault.ExitPipe}
	case status.Signal() == syscall.SIGKILL:
		return fault.Input("debertac", "the model's program was killed from outside").Hint("is there enough memory?")
	}
	return err
}

// Maker makes models runnable: it builds their programs and packs their weights, or finds both in the cache.
type Maker struct {
	*console.Console
	Sum   func() (string, error) // the hash of this program: OwnSum, or a function that returns a known hash
	cache *cache.Cache           // nil until Store opens it

	// Interpret runs a verb of a model in this process. Only tests set it, because they cannot build a program for each of many models.
	Interpret func(p *Program, in io.Reader, out io.Writer, verb string, args []string) error
}
