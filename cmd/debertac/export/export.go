// Package export makes folders of what a training has made: a Hugging Face model folder, or an adapter in the layout of PEFT.
package export

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/outfolder"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// Source is what a folder is made of.
type Source struct {
	Checkpoint string         // a checkpoint of the training
	Unit       *compiler.Unit // the training
	Base       string         // folder with config.json and the files of the tokenizer that the training began with; "": none
	BaseName   string         // name of the model that the training began from, for the adapter; "": it began from drawn weights
	Card       *Card          // README.md; nil: none
	Generator  bool           // of two models, the generator
}

// Written describes the folder that was made.
type Written struct {
	Class   string // the library's class that the folder names; "": it has no class for the head, or the folder is an adapter
	Tensors int
	Notes   []string
}

// Folder makes a Hugging Face model folder: config.json, model.safetensors with the published names, the files of base, README.md. Adapters are merged. out
// must not exist; it appears when it is complete.
func Folder(ctx context.Context, s Source, out string) (w *Written, err error) {
	f, folder, err := s.open(out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	defer folder.Discard()
	model, head, err := s.model()
	if err != nil {
		return nil, err
	}
	config, err := s.config(model, head)
	if err != nil {
		return nil, fault.Input(out, "%v", err)
	}
	w = &Written{Class: config.Class, Notes: config.Notes}
	tensors, err := s.tensors(f)
	if err != nil {
		return nil, err
	}
	w.Tensors = len(tensors)
	if s.Base != "" {
		err = outfolder.Copy(ctx, s.Base, folder.Dir(), func(name string) bool {
			return name != configFile(model) && name != "README.md" && !outfolder.Weights(name) && (head.Task() == tasktable.Vector || !ofSentences(name))
		})
		if err != nil {
			return nil, err
		}
	}
	if err := disk.WriteFile(filepath.Join(folder.Dir(), configFile(model)), config.Config.Bytes(), 0o666); err != nil {
		return nil, err
	}
	if err := outfolder.Write(ctx, filepath.Join(folder.Dir(), "model.safetensors"), map[string]string{"format": "pt"}, tensors); err != nil {
		return nil, err
	}
	if err := sentences(folder.Dir(), head); err != nil {
		return nil, err
	}
	if s.Card != nil {
		text := s.Card.text(head, w, "transformers")
		if err := disk.WriteFile(filepath.Join(folder.Dir(), "README.md"), text, 0o666); err != nil {
			return nil, err
		}
	}
	return w, folder.Commit()
}

// Adapter makes a folder with the adapter of a training that has one, in the layout of PEFT.
func Adapter(ctx context.Context, s Source, out string) (w *Written, err error) {
	tr := s.Unit.Program.Training
	if len(tr.Merges) == 0 {
		return nil, fault.Input(s.Checkpoint, "the training %s has no adapters: its spec lacks lora", s.Unit.Training.Name).
			Hint("without --adapter the model is exported")
	}
	f, folder, err := s.open(out)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	defer folder.Discard()
	t := adapter.Trained{Tensors: f, Merges: tr.Merges, Task: s.Unit.Head.Task(), Dropout: s.Unit.Training.Lora.Dropout, Base: s.BaseName}
	for _, p := range tr.Params {
		if p.Grad != "" && !published.Adapter(p.Name) {
			t.Head = append(t.Head, p.Name)
		}
	}
	if err := adapter.Write(ctx, folder.Dir(), t); err != nil {
		return nil, err
	}
	if s.Card != nil {
		w := &Written{}
		if err := disk.WriteFile(filepath.Join(folder.Dir(), "README.md"), s.Card.text(s.Unit.Head, w, "peft"), 0o666); err != nil {
			return nil, err
		}
	}
	return &Written{Tensors: 2*len(tr.Merges) + len(t.Head)}, folder.Commit()
}

// open opens the checkpoint and starts the folder.
func (s *Source) open(out string) (*checked, *disk.Folder, error) {
	f, err := safetensors.Open(s.Checkpoint)
	if err != nil {
		return nil, nil, err
	}
	c := &checked{File: f, path: s.Checkpoint}
	if err = check(s.Checkpoint, f, s.Unit); err == nil {
		c.sums, err = checksums(s.Checkpoint, f)
	}
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	folder, err := disk.CreateFolder(out)
	if err != nil {
		return nil, nil, errors.Join(output.Fault(err), f.Close())
	}
	return c, folder, nil
}

// The keys of a checkpoint's metadata, see package trainer.
const (
	keySpec = "debertac.spec"
	keyStep = "debertac.step"
	keySums = "debertac.crc32c"
)

// Check refuses a file that is not a checkpoint of a training, or that of another step than its name tells.
func Check(path string, u *compiler.Unit) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	return check(path, f, u)
}

// check is Check for an open file.
func check(path string, f *safetensors.File, u *compiler.Unit) error {
	m := f.Metadata()
	if have, want := m[keySpec], u.Program.Meta.SpecHash; have != "" && have != want {
		return fault.Input(path, "it is a checkpoint of another model: its spec has the hash %.12s, that of the run has %.12s", have, want)
	}
	for _, key := range []string{keyStep, keySums} {
		if m[keySpec] != "" && m[key] == "" {
			return fault.Input(path, "it is damaged: %s is missing", key)
		}
	}
	if step, ok := runfolder.StepOf(path); ok && m[keyStep] != "" && m[keyStep] != strconv.Itoa(step) {
		return fault.Input(path, "it is the checkpoint after step %s, and its name tells another step: name it as it was, or take another one", m[keyStep])
	}
	return nil
}

// checksums returns the checksums of a checkpoint, if it has some.
func checksums(path string, f *safetensors.File) (sums map[string]uint32, err error) {
	if text := f.Metadata()[keySums]; text != "" {
		if err := json.Unmarshal([]byte(text), &sums); err != nil {
			return nil, fault.Input(path, "it is damaged: %s cannot be read: %v", keySums, err)
		}
	}
	return sums, nil
}

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checked is a checkpoint whose tensors are compared with their checksums when they are read.
type checked struct {
	*safetensors.File
	path string
	sums map[string]uint32
}

// Floats reads a tensor.
func (c *checked) Floats(name string, v []float32) error {
	if err := c.File.Floats(name, v); err != nil {
		return err
	}
	if want, ok := c.sums[name]; ok && crc32.Checksum(safetensors.FloatBytes(v), castagnoli) != want {
		return fault.Input(c.path, "it is damaged: %s does not have its checksum", name).Hint("export another checkpoint with --step")
	}
	return nil
}

// The names of two models that are trained together.
const (
	generator     = "generator"
	discriminator = "discriminator"
)

// model returns the model that is exported, with its head.
func (s *Source) model() (*spec.Model, *spec.Head, error) {
	if !s.Generator {
		return s.Unit.Head.Model, s.Unit.Head, nil
	}
	if s.Unit.Training.Replace == nil {
		return nil, nil, fault.Usage("", "--generator belongs to a training that replaces tokens, and %s trains one model", s.Unit.Training.Name)
	}
	h := s.Unit.Training.Replace.Generator
	return h.Model, h, nil
}

// configFile returns the name of the file that describes a model.
func configFile(m *spec.Model) string {
	if m.Checkpoint == "hf.gliner" {
		return "gliner_config.json"
	}
	return "config.json"
}

// config returns config.json.
func (s *Source) config(m *spec.Model, h *spec.Head) (*hf.Written, error) {
	var base *hf.Object
	if s.Base != "" {
		path := filepath.Join(s.Base, configFile(m))
		if there, err := disk.Exists(path); err != nil {
			return nil, err
		} else if there {
			text, err := disk.ReadFile(path, 4<<20)
			if err != nil {
				return nil, err
			}
			if base, err = hf.ReadObject(text); err != nil {
				return nil, fault.Input(path, "%v", err)
			}
		}
	}
	return hf.Config(m, h, base)
}

// tensors lists the tensors of the model: those of the checkpoint, with adapters merged, and of two models the sums of shared tables.
func (s *Source) tensors(f *checked) (list []outfolder.Tensor, err error) {
	for _, t := range s.stored() {
		info, err := f.Info(t.Of[0])
		if err != nil {
			return nil, fmt.Errorf("%w: the checkpoint is of another training than the spec", err)
		}
		x := outfolder.Tensor{Tensor: safetensors.Tensor{Name: t.Name, DType: safetensors.F32, Shape: info.Shape}}
		x.Bytes = func() ([]byte, error) {
			v, err := s.value(f, t, info.Elements())
			return safetensors.FloatBytes(v), err
		}
		list = append(list, x)
	}
	return list, nil
}

// stored lists the tensors of the model that is exported.
func (s *Source) stored() (list []ir.Stored) {
	tr, name := s.Unit.Program.Training, discriminator
	if s.Generator {
		name = generator
	}
	for _, m := range tr.Models {
		if m.Name == name {
			return m.Tensors
		}
	}
	for _, p := range tr.Params {
		if !slices.ContainsFunc(tr.Merges, func(m ir.Merge) bool { return p.Name == m.Down || p.Name == m.Up }) {
			list = append(list, ir.Stored{Name: p.Name, Of: []string{p.Name}})
		}
	}
	return list
}

// value returns the n numbers of a tensor.
func (s *Source) value(f *checked, t ir.Stored, n int) ([]float32, error) {
	sum := make([]float32, n)
	if err := f.Floats(t.Of[0], sum); err != nil {
		return nil, err
	}
	for _, of := range t.Of[1:] {
		v := make([]float32, n)
		if err := f.Floats(of, v); err != nil {
			return nil, err
		}
		for i, x := range v {
			sum[i] += x
		}
	}
	if err := s.merge(f, t.Name, sum); err != nil {
		return nil, err
	}
	for i, x := range sum {
		if y := float64(x); math.IsNaN(y) || math.IsInf(y, 0) {
			return nil, fmt.Errorf("%s: the number %d of %s is %v: export an earlier checkpoint", s.Checkpoint, i, t.Name, x)
		}
	}
	return sum, nil
}

// merge adds the adapters of a matrix to it.
func (s *Source) merge(f *checked, name string, w []float32) error {
	var wide []float64
	for _, m := range s.Unit.Program.Training.Merges {
		if m.Of != name {
			continue
		}
		if wide == nil {
			wide = outfolder.Wide(w)
		}
		if err := adapter.Add(wide, f, m); err != nil {
			return err
		}
	}
	for i, x := range wide {
		w[i] = float32(x)
	}
	return nil
}
