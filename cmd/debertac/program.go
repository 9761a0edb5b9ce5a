package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// programOptions say how a model is to be made runnable.
type programOptions struct {
	wishes
	lentFlag
	target     string
	spec       string                     // of a model folder: use this spec instead of the folder's own
	weights    string                     // packed weights; "" packs the folder's
	shapesOnly bool                       // of a model folder: its weights may be missing, only their shapes are looked at
	texts      bool                       // it is to read texts: a folder needs a tokenizer
	seed       *uint64                    // random weights instead
	draw       bool                       // the verb has --random-weights and takes a tokenizer for it
	draws      bool                       // weights that are drawn serve as well: the verb measures
	accept     func(*compiler.Unit) error // holds what the verb wants to what is compiled, before anything is packed or built; nil: it wants nothing
}

// program is a built model with its weights.
type program struct {
	binary  string
	weights string // packed
	unit    *compiler.Unit

	normalize bool // its folder says that embeddings are divided by their length
}

// program makes a spec or a model folder runnable: compiles it, builds it and packs its weights, each only if the cache does not have it.
func (a *app) program(path string, o programOptions) (*program, error) {
	if o.weights != "" && o.seed != nil {
		return nil, usage("give one of them", "--weights and --random-weights contradict each other")
	}
	src, dir, err := a.open(path, o)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	if dir == nil && o.weights == "" && o.seed == nil {
		more := ", then --weights model.weights"
		if o.draws {
			more += "; or --random-weights 1, which draws them"
		} else if o.draw {
			more += "; or --random-weights 1 with --tokenizer DIR, which draws them"
		}
		return nil, noWeights(src, path, "a spec has no weights: name packed ones", "model.weights", more)
	}
	if o.texts && o.weights == "" && dir != nil && dir.token == nil {
		return nil, inputFault(path, "the folder has no tokenizer, which texts need: tokenizer.json, spm.model, vocab.json with merges.txt, or vocab.txt").
			hint("--tokenizer DIR, the folder of the tokenizer that the model was trained with")
	}
	unit, err := a.oneOf(src, dir, o)
	if err == nil && o.accept != nil {
		err = o.accept(unit)
	}
	if err != nil {
		return nil, err
	}
	if o.texts && o.weights == "" && dir == nil && o.Tokenizer == "" {
		if unit.Model.Tokenizer == "none" {
			return nil, inputFault(path, "the spec says tokenizer none: the model takes token ids, and run reads texts").hint("tokenizer sentencepiece in the spec, and --tokenizer DIR")
		}
		return nil, inputFault(path, "drawn weights come without a tokenizer, which texts need: name a %s tokenizer with at most %d ids", unit.Model.Tokenizer, unit.Model.Vocab).
			hint("--tokenizer DIR, such as the folder of a published model")
	}
	tokenizer, err := a.lentToSpec(dir, o)
	if err != nil {
		return nil, err
	}
	if tokenizer != nil {
		if err := fits(tokenizer.token, tokenizer.kind, tokenizer.path, unit); err != nil {
			return nil, err
		}
	}
	p := &program{unit: unit, weights: o.weights}
	if dir != nil && vectors(unit.Program.Meta.Task) {
		p.normalize = dir.beside.Sentences != nil && dir.beside.Sentences.Normalize
	}
	units := []*compiler.Unit{unit}
	built := a.interpret != nil
	if !built {
		if built, err = a.isBuilt(units); err != nil {
			return nil, err
		}
	}
	if !built { // what is not there is said before any work
		if _, err := build.FindGo(a.ctx); err != nil {
			return nil, err
		}
	}
	// Weights are packed first: faults of a folder's tensors are more frequent than faults of ours, and packing is the quicker of the two.
	switch {
	case p.weights != "":
	case o.seed != nil:
		p.weights, err = a.randomWeights(unit, *o.seed, dir, tokenizer)
	default:
		p.weights, err = a.folderWeights(unit, dir)
	}
	if err != nil || a.interpret != nil {
		return p, err
	}
	p.binary, err = a.binary(units)
	return p, err
}

// oneOf compiles the one thing that is wanted. A folder's own spec has the head that was wished for, and no other.
func (a *app) oneOf(src *source, dir *folder, o programOptions) (*compiler.Unit, error) {
	head := o.Head
	if dir != nil && o.spec == "" {
		if head == "" && dir.isPair() {
			return nil, inputFault(dir.dir, "the folder is a generator and a discriminator, one of them is wanted").hint("--head fill-mask or --head rtd")
		}
		head = ""
	}
	return a.unitFor(src, o.target, head, compiler.Options{})
}

// open reads a spec, or a model folder and its spec; the folder is nil for a spec.
func (a *app) open(path string, o programOptions) (*source, *folder, error) {
	if err := o.check(); err != nil {
		return nil, nil, err
	}
	if o.Tokenizer != "" && o.weights != "" {
		return nil, nil, usage("leave out --tokenizer", "--tokenizer is for weights that are packed now: those of --weights have theirs inside")
	}
	if path == "" {
		return nil, nil, usage("", "the name of the spec or model folder is empty")
	}
	st, err := disk.Stat(path)
	if err == nil && st.IsDir() {
		dir, err := a.openWith(path, o.seed == nil && o.weights == "" && !o.shapesOnly, o.Ignore, o.Tokenizer)
		if err != nil {
			return nil, nil, err
		}
		if o.spec == "" {
			if err := o.ofFolder(); err != nil {
				return nil, nil, errors.Join(err, dir.Close())
			}
			dir.wish = o.options()
		} else if err := o.besideSpec(o.spec); err != nil {
			return nil, nil, errors.Join(err, dir.Close())
		}
		src, err := a.specOf(dir, o.spec, 0)
		if err != nil {
			return nil, nil, errors.Join(err, dir.Close())
		}
		return src, dir, nil
	}
	if o.spec != "" {
		return nil, nil, usage("", "--spec belongs to a model folder, and %s is none", path)
	}
	ofSpec := o.wishes
	if o.Tokenizer != "" {
		ofSpec.Ignore = nil // it is the tokenizer's
	}
	if err := ofSpec.ofSpec(path); err != nil {
		return nil, nil, err
	}
	if o.Tokenizer != "" && !o.draw {
		return nil, nil, usage("leave out --tokenizer", "--tokenizer is for a model folder that has none: %s is a spec, whose weights are packed with their tokenizer", path)
	}
	if o.Tokenizer != "" && o.seed == nil {
		return nil, nil, usage("--random-weights 1", "--tokenizer is for a spec whose weights are drawn, or for a model folder: the weights of a spec are packed with their tokenizer")
	}
	if errors.Is(err, fs.ErrNotExist) && path != "-" {
		return nil, nil, noFolder(path, err)
	}
	src, err := a.loadWith(path, spec.Options{Drawn: o.seed != nil})
	return src, nil, err
}

// specOf gives the spec of a model folder: the given file's, or the one that import would write, whose bound is raised to seq.
func (a *app) specOf(dir *folder, file string, seq int) (*source, error) {
	if file != "" {
		return a.load(file)
	}
	name := filepath.Join(dir.dir, "model.dspec")
	if a.made == nil {
		a.made = map[string]string{}
	}
	a.made[name] = fmt.Sprintf("%s (debertac import %s writes the spec that it stands for)", filepath.Join(dir.dir, dir.name), dir.dir)
	text, _, err := dir.spec(hf.Options{Model: nameOf(dir.dir), Warn: func(text string) {
		a.note("%s: note: %s", filepath.Join(dir.dir, dir.name), text)
	}})
	if err != nil {
		return nil, err
	}
	src, err := a.parse(name, []byte(text))
	if err != nil || src.spec.Models[0].Seq >= seq {
		return src, err
	}
	if text, _, err = dir.spec(hf.Options{Model: nameOf(dir.dir), Seq: seq, Warn: func(string) {}}); err != nil {
		return nil, err
	}
	return a.parse(name, []byte(text))
}

// unitFor compiles what the target emits and picks one: the named head, or the only one there is.
func (a *app) unitFor(src *source, target, head string, o compiler.Options) (*compiler.Unit, error) {
	o.Target = target
	if head != "" {
		o.Emit = head
		if t := src.spec.Target(target); t == nil || !emitsModel(t, head) {
			h, err := findHead(src, head)
			if err != nil {
				return nil, err
			}
			o.Emit = h.FullName()
		}
	}
	return a.oneUnit(src, o)
}

// emitsModel reports whether a target emits a model of this name without a head, or an ensemble.
func emitsModel(t *spec.Target, name string) bool {
	return slices.ContainsFunc(t.Emit, func(e spec.Emit) bool {
		return e.Ensemble != nil && e.Ensemble.Name == name || e.Kind == spec.EmitInfer && e.Head == nil && e.Model != nil && e.Model.Name == name
	})
}

// findHead finds a head by its name or its full name.
func findHead(src *source, name string) (*spec.Head, error) {
	var found []*spec.Head
	var names []string
	for _, h := range src.spec.Heads {
		names = append(names, h.FullName())
		if h.Name == name || h.FullName() == name {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, inputFault(src.tree.Name, "no head is named %s; there are %s", name, list(names))
	}
	return nil, inputFault(src.tree.Name, "several heads are named %s: give one of %s", name, list(names))
}

// binary builds one program of the units, or finds it in the cache. Generated code follows from the program and this very executable, so it is
// only made when it is to be built.
func (a *app) binary(units []*compiler.Unit) (string, error) {
	name, err := a.binaryName(units)
	if err != nil {
		return "", err
	}
	var names []string
	for _, u := range units {
		names = append(names, unitName(u))
	}
	return a.cached(cache.Built, name, "program of "+list(names), func(temp string) error {
		stop := a.building()
		defer stop()
		packages, err := emitAll(units)
		if err != nil {
			return err
		}
		return a.build(packages, temp)
	})
}

// binaryName is the name under which the cache has the program of the units, or would have it.
func (a *app) binaryName(units []*compiler.Unit) (string, error) {
	sum := sha256.New()
	if err := a.identify(sum); err != nil {
		return "", err
	}
	if err := describeUnits(sum, units); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// isBuilt reports whether the cache has the program of the units.
func (a *app) isBuilt(units []*compiler.Unit) (bool, error) {
	name, err := a.binaryName(units)
	if err != nil {
		return false, err
	}
	c, err := a.store()
	if err != nil {
		return false, err
	}
	return c.Has(cache.Built, name), nil
}

// describeUnits writes everything that the code of the units follows from.
func describeUnits(w io.Writer, units []*compiler.Unit) error {
	for _, u := range units {
		meta, err := json.Marshal(u.Program.Meta) // what its pointers point at, and not where that lies
		if err != nil {
			return ours(err)
		}
		fmt.Fprintf(w, "%s %s %s %+v\n%s\n", u.Program.Name, u.Program.File, meta, u.Program.Bounds, ir.Print(u.Program))
	}
	return nil
}

// build builds one static program of the packages.
func (a *app) build(packages []*codegen.Package, out string) error {
	err := build.Build(a.ctx, packages, out)
	var compile *build.CompileError
	if errors.As(err, &compile) {
		return ours(err)
	}
	return err
}

// identify writes what this program is: everything in the cache depends on it.
func (a *app) identify(w io.Writer) error {
	sum := ownSum.Load()
	if sum == nil {
		exe, err := os.Executable()
		if err != nil {
			return ours(err)
		}
		h := sha256.New()
		if err := hashFile(h, exe); err != nil {
			return err
		}
		text := hex.EncodeToString(h.Sum(nil))
		sum = &text
		ownSum.Store(sum)
	}
	_, err := io.WriteString(w, *sum)
	return err
}

// ownSum is the hash of this program, once it is known: it does not change while it runs.
var ownSum atomic.Pointer[string]

// hashFile writes a file's name and content.
func hashFile(w io.Writer, path string) error {
	f, err := disk.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintf(w, "%s\n", filepath.Base(path))
	_, err = io.Copy(w, f)
	return err
}

// flag is one flag of a built program.
type flag struct{ name, value string }

// boolFlag is a flag without a value, "" if it is off.
func boolFlag(name string, on bool) flag {
	if on {
		return flag{name: name}
	}
	return flag{}
}

// intFlag is a flag that is left out when it is 0.
func intFlag(name string, n int) flag {
	if n == 0 {
		return flag{}
	}
	return flag{name, strconv.Itoa(n)}
}

// flags writes flags as arguments; those without a name are left out, and so are those of an empty value that need one.
func flags(list ...flag) []string {
	var args []string
	for _, f := range list {
		switch {
		case f.name == "":
		case f.value == "":
			args = append(args, f.name)
		default:
			args = append(args, f.name+"="+f.value)
		}
	}
	return args
}

// valueFlag is a flag that is left out when its value is empty.
func valueFlag(name, value string) flag {
	if value == "" {
		return flag{}
	}
	return flag{name, value}
}

// weightsFlag tells the program where its weights are.
func (p *program) weightsFlag() flag { return valueFlag("--weights", p.weights) }

// command prepares a verb of the built program. Signals reach it too, and it gets some time to stop.
func (p *program) command(a *app, verb string, args []string) *exec.Cmd {
	cmd := exec.CommandContext(a.ctx, p.binary, slices.Concat([]string{verb}, args)...)
	cmd.Args[0] = "debertac" // its name in messages; in the cache it has a number
	interrupt.Forward(a.ctx, cmd, a.tty)
	return cmd
}

// exec runs a verb of the built program on this program's streams; its exit code becomes ours.
func (p *program) exec(a *app, verb string, args []string) error { return p.feed(a, a.in, verb, args) }

// feed is exec with another standard input. The program's own fault goes before one of reading that input, as exec.Cmd has it.
func (p *program) feed(a *app, in io.Reader, verb string, args []string) error {
	if a.interpret != nil {
		return a.interpret(p, in, verb, args)
	}
	cmd := p.command(a, verb, args)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in, a.out, a.err
	if s, ok := a.out.(*disk.Sink); ok {
		cmd.Stdout = s.Unwrap() // the child is to have the terminal itself, not a pipe
	}
	return a.childFault(cmd.Run())
}

// childFault passes the exit code of a built program on; it has said itself what is wrong. One that a signal ended could not.
func (a *app) childFault(err error) error {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch {
	case exit.ExitCode() > 0 && a.ctx.Err() != nil: // the signal is ours to report, whatever the program made of it
		return &fault{code: interrupt.Code(a.ctx)}
	case exit.ExitCode() > 0:
		return &fault{code: exit.ExitCode()}
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	switch {
	case !ok || !status.Signaled():
		return err
	case a.ctx.Err() != nil: // it took too long to stop
		return a.ctx.Err()
	case status.Signal() == syscall.SIGPIPE: // who read the output has enough of it
		return &fault{code: exitPipe}
	case status.Signal() == syscall.SIGKILL:
		return inputFault("debertac", "the model's program was killed from outside").hint("is there enough memory?")
	}
	return err
}

// modelName is the name of a unit in a built program.
func modelName(u *compiler.Unit) string { return u.Program.Name }

// packedKey identifies packed weights: the program that packs, the layout, the spec, and what is packed.
func (a *app) packedKey(u *compiler.Unit, more func(io.Writer) error) (string, error) {
	sum := sha256.New()
	if err := a.identify(sum); err != nil {
		return "", err
	}
	fmt.Fprintf(sum, "%s\n%s\n%s\n", ir.PackedLayout, u.Program.Meta.SpecHash, ir.Print(u.Program))
	if err := more(sum); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// emit generates the package of a program. Tests that generate the same one hundreds of times replace it with one that keeps the package.
var emit = codegen.Emit

// emitAll generates the packages of compiled units.
func emitAll(units []*compiler.Unit) ([]*codegen.Package, error) {
	var packages []*codegen.Package
	for _, u := range units {
		pkg, err := emit(u.Program)
		if err != nil {
			return nil, ours(err)
		}
		packages = append(packages, pkg)
	}
	return packages, nil
}
