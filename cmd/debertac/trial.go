package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// trial is one case on its way through the compiler.
type trial struct {
	golden  *golden.Case
	outputs string // the recorded tensors
	dir     string // the model folder
	prefix  []int32
	unit    *compiler.Unit
	fault   error // why it cannot be run; nil if it can
	program program
	batch   string // file of the ragged batch
}

// trial reads and compiles a case. A folder that is no case is an error; a case that cannot be compiled is a trial with a fault.
func (v *verifyVerb) trial(a *app, dir string) (*trial, error) {
	c, err := golden.Open(dir)
	if err != nil {
		return nil, caseFault(err)
	}
	t := &trial{golden: c, outputs: c.Outputs(), dir: dir}
	t.fault = t.compile(a)
	return t, nil
}

// modelTrial makes a case of a real model and recorded outputs.
func (v *verifyVerb) modelTrial(a *app) (*trial, error) {
	tolerance := golden.Tolerance{Abs: v.Atol, Rel: v.Rtol}
	if v.OfLargest > 0 {
		tolerance = golden.Tolerance{OfLargest: v.OfLargest}
	}
	c, err := golden.OpenModel(filepath.Base(v.Model), "", v.Outputs, tolerance)
	if err != nil {
		return nil, caseFault(err)
	}
	t := &trial{golden: c, outputs: v.Outputs, dir: v.Model}
	t.fault = t.compile(a)
	return t, nil
}

// caseFault puts what is wrong with a case into the form of all messages.
func caseFault(err error) error {
	var bad *golden.FaultError
	if errors.As(err, &bad) {
		return inputFault(bad.File, "%s", bad.Reason)
	}
	return err
}

// compile imports the case's model, with the case's mask and at least its length, and compiles it with the hidden states as outputs.
func (t *trial) compile(a *app) error {
	if !t.golden.HasBatch() {
		return fmt.Errorf("a case of kind %s is more than a forward pass of token ids, which is all that this version compares", t.golden.Kind)
	}
	kind, prefix, err := t.golden.AttentionMask()
	if err != nil {
		return err
	}
	t.prefix = prefix
	dir, err := openFolder(t.dir, true)
	if err != nil {
		return err
	}
	defer dir.Close()
	quiet := *a // what import and the compiler remark is not what is verified
	quiet.err = &bytes.Buffer{}
	src, err := quiet.specOf(dir, "", t.golden.Length)
	if err != nil {
		return rendered(a, err)
	}
	if kind != golden.MaskLive {
		if src, err = masked(&quiet, dir, kind, src); err != nil {
			return rendered(a, err)
		}
	}
	t.unit, err = quiet.unitFor(src, "", "", compiler.Options{Trace: true})
	return rendered(a, err)
}

// rendered is an error with all its messages in full.
func rendered(a *app, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimSpace(a.classify(err).render(false)))
}

// masked writes the mask of a case into its spec.
func masked(a *app, dir *folder, kind golden.MaskKind, src *source) (*source, error) {
	text, _, err := dir.spec(hf.Options{Model: nameOf(dir.dir), Seq: src.spec.Models[0].Seq})
	if err != nil {
		return nil, err
	}
	word := spec.MaskCausal.String()
	if kind == golden.MaskPrefix {
		word = spec.MaskPrefix.String()
	}
	before, after, found := strings.Cut(text, "{")
	if !found {
		return nil, ours(fmt.Errorf("the imported spec has no block"))
	}
	return a.parse(src.tree.Name, []byte(before+"{\nencoder.attention.mask "+word+"\n"+after))
}

// isas lists the instruction sets of the compiled model that this machine has.
func (t *trial) isas() []string {
	var names []string
	for _, name := range t.unit.Program.Meta.ISAs {
		if isa, err := runtime.ParseISA(name); err == nil && isa.Supported() {
			names = append(names, name)
		}
	}
	return names
}

var notPackage = regexp.MustCompile(`[^a-z0-9]+`)

// buildTrials packs the weights and writes the batches of all trials that can run, and builds one program of them.
func (a *app) buildTrials(trials []*trial, temp string) error {
	names := map[string]bool{}
	var units []*compiler.Unit
	for _, t := range trials {
		if t.fault != nil {
			continue
		}
		name := "case" + notPackage.ReplaceAllString(strings.ToLower(t.golden.Name), "")
		for i := 2; names[name]; i++ {
			name = fmt.Sprintf("case%s%d", notPackage.ReplaceAllString(strings.ToLower(t.golden.Name), ""), i)
		}
		names[name] = true
		t.unit.Program.Name = name
		if _, t.fault = codegen.Emit(t.unit.Program); t.fault == nil { // one that fails is not to keep the others from being built
			t.fault = t.prepare(a.ctx, temp)
		}
		if t.fault == nil {
			units = append(units, t.unit)
		}
	}
	if len(units) == 0 {
		return nil
	}
	binary, err := a.binary(units)
	for _, t := range trials {
		t.program.binary = binary
	}
	return err
}

// prepare packs the case's weights and writes its batch.
func (t *trial) prepare(ctx context.Context, temp string) error {
	m, h := t.unit.Model, t.unit.Head
	types := 0
	if m.Embed.Segment != nil {
		types = m.Embed.Segment.Rows
	}
	dir, err := openFolder(t.dir, true)
	if err != nil {
		return err
	}
	defer dir.Close()
	var b *runtime.Batch
	if t.golden.Texts != nil {
		b, err = t.textBatch(dir)
	} else {
		b, err = t.golden.Batch(types, t.prefix, h != nil && (h.Take.Rows == spec.First || h.Take.Rows == spec.EachFirst))
	}
	if err != nil {
		return err
	}
	t.batch = filepath.Join(temp, t.unit.Program.Name+".batch")
	if err := golden.WriteBatch(t.batch, b); err != nil {
		return err
	}
	t.program.weights = filepath.Join(temp, t.unit.Program.Name+".weights")
	return pack.Write(t.program.weights, t.unit.Program, dir.source(t.unit.Model), pack.Options{Context: ctx})
}

// forward runs the case on an instruction set and gives the file of what the model traced.
func (t *trial) forward(a *app, temp, isa string) (string, error) {
	out := filepath.Join(temp, t.unit.Program.Name+"."+isa+".out")
	args := flags(t.program.weightsFlag(), flag{"--model", modelName(t.unit)}, flag{"--batch", t.batch}, flag{"--out", out}, flag{"--isa", isa})
	cmd := t.program.command(a.ctx, "forward", args)
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("the compiled model fails: %w\n%s", err, strings.TrimSpace(said.String()))
	}
	if _, err := os.Stat(out); err != nil {
		return "", err
	}
	return out, nil
}
