// Package trial compares models with recorded cases: it imports, compiles and builds the models of the cases, runs them, and compares the results
// with what was recorded.
package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// textBatch returns the batch of a case of texts, whose prompt the model's head describes.
func (t *Trial) textBatch(dir *folder.Folder, u *compiler.Unit) (*runtime.Batch, error) {
	p := u.Program.Meta.Prompt
	if p == nil {
		return nil, fault.Input(t.dir, "the model has no head that reads labels in front of a text, which the case is for")
	}
	if dir.Token == nil {
		return nil, fault.Input(t.dir, "the folder has no tokenizer, so %s has no number", p.Mark)
	}
	mark, ok := dir.Token.ID(p.Mark)
	if !ok {
		return nil, fault.Input(filepath.Join(t.dir, "tokenizer.json"), "there is no token %s", p.Mark)
	}
	return t.golden.TextBatch(mark, p.After)
}

// matchBatch returns the batch of a pass of a case of texts with labels, whose prompt the model's head describes.
func (t *Trial) matchBatch(dir *folder.Folder, u *compiler.Unit, p golden.Pass) (*runtime.Batch, error) {
	m := &u.Program.Meta
	if m.Prompt == nil || dir.Token == nil {
		return nil, fault.Input(t.dir, "the case needs a tokenizer and a head that scores the labels of a prompt")
	}
	spans, err := t.tokenizer(dir)
	if err != nil {
		return nil, err
	}
	prompt, err := task.NewLabelPrompt((*engine.Prompt)(m.Prompt), spans, u.Program.Limits())
	if err != nil {
		return nil, fault.Input(t.dir, "%v", err)
	}
	return t.golden.MatchBatch(p, prompt, u.Program.Limits())
}

// tokenizer returns the tokenizer of a folder.
func (t *Trial) tokenizer(dir *folder.Folder) (tokenizer.SpanTokenizer, error) {
	tok, err := token.ForModel(dir.Token)
	if err != nil {
		return nil, err
	}
	spans, ok := tok.(tokenizer.SpanTokenizer)
	if !ok {
		return nil, fault.Input(t.dir, "the tokenizer does not know the numbers of its tokens")
	}
	return spans, nil
}

// readSchemas writes the schemas of a case as tokens.
func (t *Trial) readSchemas(dir *folder.Folder) error {
	if dir.Token == nil {
		return fault.Input(t.dir, "the case needs a tokenizer")
	}
	tokens, err := t.tokenizer(dir)
	if err != nil {
		return err
	}
	p, err := extraction.NewPrompts(tokens)
	if err != nil {
		return fault.Input(t.dir, "%v", err)
	}
	return t.golden.ReadSchemas(p)
}

// Trial is one case with its compiled model.
type Trial struct {
	golden  *golden.Case
	outputs string // the recorded tensors
	dir     string // the model folder
	wish    hf.Options
	ignore  []string // of the folder
	format  string   // of the weights; "": f32
	passes  []*pass
	steps   []*step // of training; none in a comparison of forward passes
	fault   error   // why it cannot be run; nil if it can

	untrained string // why there are no training steps, although something was recorded that they compute
}

// pass is one of the runs that a case consists of.
type pass struct {
	golden.Pass
	form  *form
	batch string // file of its ragged batch
}

// form is one compiled form of a case's model. Several passes may run the same form.
type form struct {
	built.Program
	model  golden.Model
	prefix []int32
}

// OfCase reads and compiles a case, with weights in a number format. A folder that is not a case is an error. For a case that cannot be compiled, OfCase
// returns a trial with a fault.
func OfCase(m *built.Maker, dir, precision string) (*Trial, error) {
	c, err := golden.Open(dir)
	if errors.Is(err, fs.ErrNotExist) && lacksCase(dir) {
		return nil, fault.Input(dir,
			"the folder has no case.json: it is not a case").Hint("debertac verify --model %s --outputs FILE, if it is a model's", wording.Quoted(dir))
	}
	if err != nil {
		return nil, caseFault(err)
	}
	if precision == "bf16" {
		if len(c.Texts)+len(c.Matches)+len(c.Extracts) > 0 {
			return nil, fault.Input(dir, "the case records decisions about texts, of which rounding can change those between two near numbers: it is for "+
				"weights f32")
		}
		c.AllowBF16()
	}
	t := &Trial{golden: c, outputs: c.Outputs(), dir: dir, format: precision}
	t.fault = t.compile(m)
	return t, nil
}

// lacksCase reports whether dir is a folder without a case.json.
func lacksCase(dir string) bool {
	is, err := disk.IsDir(dir)
	if err != nil || !is {
		return false
	}
	there, err := disk.Exists(filepath.Join(dir, "case.json"))
	return err == nil && !there
}

// OfModel makes a trial from a model folder and a file of recorded outputs.
func OfModel(m *built.Maker, dir, outputs string, tolerance golden.Tolerance, wishes *folder.Wishes) (*Trial, error) {
	if _, err := disk.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, folder.NoFolder(dir, err)
	}
	c, err := golden.OpenModel(filepath.Base(dir), outputs, tolerance)
	if err != nil {
		return nil, caseFault(err)
	}
	t := &Trial{golden: c, outputs: outputs, dir: dir, wish: wishes.Options(), ignore: wishes.Ignore, format: wishes.Precision}
	t.fault = t.compile(m)
	return t, nil
}

// caseFault turns a fault of a case into an error with a place.
func caseFault(err error) error {
	var bad *golden.FaultError
	if errors.As(err, &bad) {
		return fault.Input(bad.File, "%s", bad.Reason)
	}
	return err
}

// compile finds the passes that the recorded tensors ask for, and compiles the forms of the model that they run.
func (t *Trial) compile(m *built.Maker) error {
	if t.golden.Training() {
		return nil
	}
	passes, err := t.golden.Passes(t.outputs)
	if err != nil {
		return rendered(m.Console, caseFault(err))
	}
	forms := map[golden.Model]*form{}
	for _, p := range passes {
		if forms[p.Model] == nil {
			if forms[p.Model], err = t.form(m.Console, p.Model, compiler.Options{Trace: true, Perturb: p.Model.Perturb}); err != nil {
				return rendered(m.Console, caseFault(err))
			}
		}
		t.passes = append(t.passes, &pass{Pass: p, form: forms[p.Model]})
	}
	return nil
}

// form imports the case's model, with the case's mask and at least its length, and compiles it.
func (t *Trial) form(c *console.Console, m golden.Model, o compiler.Options) (*form, error) {
	kind, prefix, err := t.golden.AttentionMask()
	if err != nil {
		return nil, err
	}
	f := &form{model: m, prefix: prefix}
	dir, err := folder.Open(t.dir, true, t.ignore)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	dir.Precision = t.format
	if dir.Wish = t.wish; m.Task != "" {
		dir.Wish = hf.Options{Task: m.Task, Pool: m.Pool}
	}
	if dir.Wish.Task == "" && dir.IsPair() {
		return nil, fault.Input(dir.Dir, "the folder is a generator and a discriminator, one of them is wanted").Hint("--head fill-mask or --head rtd")
	}
	quiet := *c // notes of the import and the compiler are not results of the comparison
	quiet.Err = &bytes.Buffer{}
	src, err := folder.SpecOf(&quiet, dir, "", t.golden.Length)
	if err != nil {
		return nil, err
	}
	if kind != golden.MaskLive {
		if src, err = masked(&quiet, dir, kind, src); err != nil {
			return nil, err
		}
	}
	if f.Unit, err = source.UnitFor(&quiet, src, "", "", o); err != nil {
		return nil, err
	}
	f.Normalize = dir.Beside.Sentences != nil && dir.Beside.Sentences.Normalize
	return f, nil
}

// rendered returns an error whose text is all messages of err in full.
func rendered(c *console.Console, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimSpace(fault.Classify(c.Context, err).Render(false)))
}

// masked writes the mask of a case into its spec.
func masked(c *console.Console, dir *folder.Folder, kind golden.MaskKind, src *source.Source) (*source.Source, error) {
	text, _, err := dir.Spec(hf.Options{Model: folder.NameOf(dir.Dir), Seq: src.Spec.Models[0].Seq})
	if err != nil {
		return nil, err
	}
	word := spec.MaskCausal.String()
	if kind == golden.MaskPrefix {
		word = spec.MaskPrefix.String()
	}
	before, after, found := strings.Cut(text, "{")
	if !found {
		return nil, fault.Ours(fmt.Errorf("the imported spec has no block"))
	}
	return source.Parse(c, src.Tree.Name, []byte(before+"{\nencoder.attention.mask "+word+"\n"+after))
}

// forms returns the compiled forms of the model, each once.
func (t *Trial) forms() []*form {
	var list []*form
	for _, p := range t.passes {
		if !slices.Contains(list, p.form) {
			list = append(list, p.form)
		}
	}
	return list
}

// unit returns a compiled form of the model, or a training step.
func (t *Trial) unit() *compiler.Unit {
	if len(t.passes) > 0 {
		return t.passes[0].form.Unit
	}
	return t.steps[0].Unit
}

// isas returns the instruction sets of the compiled model that this machine has.
func (t *Trial) isas() []string {
	var names []string
	for _, name := range t.unit().Program.Meta.ISAs {
		if isa, err := cpu.ParseISA(name); err == nil && isa.Supported() {
			names = append(names, name)
		}
	}
	return names
}

var notPackage = regexp.MustCompile(`[^a-z0-9]+`)

// buildTrials packs the weights and writes the batches of all trials that can run, and builds one program of them.
func buildTrials(m *built.Maker, trials []*Trial, temp string) error {
	names := map[string]bool{}
	for _, t := range trials {
		if t.fault != nil || len(t.passes)+len(t.steps) == 0 { // a training run beside forward passes
			continue
		}
		for _, f := range t.forms() {
			stem := "case" + notPackage.ReplaceAllString(strings.ToLower(t.golden.Name+f.model.Task), "")
			name := stem
			for i := 2; names[name]; i++ {
				name = fmt.Sprintf("%sx%d", stem, i)
			}
			names[name] = true
			f.Unit.Program.Name = name
		}
		for i, s := range t.steps {
			s.Unit.Program.Name = fmt.Sprintf("step%d%s", i, notPackage.ReplaceAllString(strings.ToLower(t.golden.Name), ""))
			for names[s.Unit.Program.Name] {
				s.Unit.Program.Name += "x"
			}
			names[s.Unit.Program.Name] = true
		}
		t.fault = rendered(m.Console, caseFault(t.prepare(m.Context, temp)))
	}
	if err := buildSteps(m, trials); err != nil {
		return err
	}
	units := unitsOf(trials)
	if len(units) == 0 {
		return nil
	}
	binary, err := m.Binary(units)
	if err != nil { // one form for which no code can be generated must not prevent the others from being built
		bad := false
		for _, t := range trials {
			if t.fault == nil {
				t.fault = t.emits()
				bad = bad || t.fault != nil
			}
		}
		if !bad {
			return err
		}
		if units = unitsOf(trials); len(units) == 0 {
			return nil
		}
		if binary, err = m.Binary(units); err != nil {
			return err
		}
	}
	for _, t := range trials {
		for _, f := range t.forms() {
			f.Binary = binary
		}
	}
	return nil
}

// unitsOf returns the units to build for the trials that can run.
func unitsOf(trials []*Trial) []*compiler.Unit {
	var units []*compiler.Unit
	for _, t := range trials {
		if t.fault == nil {
			for _, f := range t.forms() {
				units = append(units, f.Unit)
			}
		}
	}
	return units
}

// emits returns the error of the first form for which no code can be generated, or nil.
func (t *Trial) emits() error {
	for _, f := range t.forms() {
		if _, err := gopackage.Emit(f.Unit.Program); err != nil {
			return err
		}
	}
	return nil
}

// prepare packs the weights of the case's models and writes the batches of its passes.
func (t *Trial) prepare(ctx context.Context, temp string) error {
	dir, err := folder.Open(t.dir, true, t.ignore)
	if err != nil {
		return err
	}
	defer dir.Close()
	for i, p := range t.passes {
		b, err := t.batch(dir, p)
		if err != nil {
			return err
		}
		p.batch = filepath.Join(temp, fmt.Sprintf("%s.%d.batch", p.form.Unit.Program.Name, i))
		if err := golden.WriteBatch(p.batch, b, nil); err != nil {
			return err
		}
	}
	if err := t.prepareSteps(ctx, dir, temp); err != nil {
		return err
	}
	for _, f := range t.forms() {
		f.Weights = filepath.Join(temp, f.Unit.Program.Name+".weights")
		if err := pack.Write(f.Weights, f.Unit.Program, dir.Source(f.Unit.Model), pack.Options{Context: ctx}); err != nil {
			return err
		}
	}
	return nil
}

// batch makes the batch of a pass.
func (t *Trial) batch(dir *folder.Folder, p *pass) (*runtime.Batch, error) {
	u := p.form.Unit
	switch {
	case t.golden.Texts != nil:
		return t.textBatch(dir, u)
	case t.golden.Matches != nil:
		return t.matchBatch(dir, u, p.Pass)
	case t.golden.Extracts != nil:
		l := u.Program.Limits()
		if l.Steps == 0 {
			return nil, fault.Input(t.dir, "the model has no head that reads a schema, which the case is for")
		}
		if err := t.readSchemas(dir); err != nil {
			return nil, err
		}
		return t.golden.ExtractBatch(p.Pass, l), nil
	}
	n := golden.Needs{Prefix: p.form.prefix, Pad: -1}
	if s := u.Model.Embed.Segment; s != nil {
		n.Types = s.Rows
	}
	if h := u.Head; h != nil {
		n.First = h.Take.Rows == spec.First || h.Take.Rows == spec.EachFirst
		n.Rows = h.Take.Rows == spec.Masked
	}
	if p.Model.Perturb {
		n.Hidden = u.Model.Hidden
	}
	if abs := u.Model.Embed.Absolute; abs != nil && abs.From > 0 { // positions begin at the row after that of the padding token
		n.Pad = int64(abs.From - 1)
	}
	return t.golden.Batch(p.Pass, n)
}

// forward runs the passes of the case on an instruction set and returns the files of what they traced, by pass.
func (t *Trial) forward(m *built.Maker, temp, isa string) (map[string]string, error) {
	files := map[string]string{}
	for i, p := range t.passes {
		f := p.form
		out := filepath.Join(temp, fmt.Sprintf("%s.%d.%s.out", f.Unit.Program.Name, i, isa))
		args := flags.Args(f.WeightsFlag(), flags.Value("--model", source.ModelName(f.Unit)), flags.Value("--batch", p.batch),
			flags.Value("--out", out), flags.Value("--isa", isa))
		cmd := f.Command(m, "forward", args)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("the compiled model fails: %w\n%s", err, strings.TrimSpace(said.String()))
		}
		files[p.Name] = out
	}
	return files, nil
}

// compare compares the outputs of the passes, and what training steps have computed, with the recorded tensors.
func (t *Trial) compare(files map[string]string, trained map[string][]float64, scope golden.Scope) ([]golden.Result, error) {
	if len(t.passes) == 0 {
		return t.golden.Compare(t.outputs, golden.Produced{Trained: trained}, scope)
	}
	main := t.passes[0].form
	p := golden.Produced{Files: files, Layers: main.Unit.Model.Layers, Unit: main.Normalize, Widths: main.Unit.Program.Meta.Widths,
		Steps: main.Unit.Program.Limits().Steps, Candidates: main.Unit.Program.Bounds.Candidates, Trained: trained, Untrained: t.untrained}
	if b := main.Unit.Program.Meta.Boundary; b != nil {
		overlap, err := extraction.ParseOverlap(b.Overlap)
		if err != nil {
			return nil, err
		}
		p.Boundary = &extraction.BoundarySettings{PairTemperature: b.Pairs, ClassTemperature: b.Classes, AbstentionThreshold: b.Above, Overlap: overlap,
			Abstention: main.Unit.Head.HasStep(spec.StepAbsent)}
	}
	if h := main.Unit.Head; h != nil {
		p.Head, p.Loss = true, h.Loss
	}
	return t.golden.Compare(t.outputs, p, scope)
}
