package trainer

import (
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"math"
	"slices"
	"strconv"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// The keys of a checkpoint's metadata.
const (
	keyFormat = "debertac.checkpoint" // version of this layout
	keySpec   = "debertac.spec"       // sha256 of the canonical spec, see [Program.SpecHash]
	keyStep   = "debertac.step"       // number of the next step
	keySeed   = "debertac.seed"       // of what is dropped
	keyKind   = "debertac.optimizer"  // the rule of the optimizer
	keySums   = "debertac.crc32c"     // JSON: tensor → checksum of its numbers
)

// checkpointFormat is the version of the layout of checkpoints.
const checkpointFormat = "1"

// mostSteps is the greatest number of a step that a checkpoint may hold: learning rates are computed in float64.
const mostSteps = 1 << 53

// Save writes a checkpoint to path: the tensors under their published names, what the optimizer keeps, the number of the next step, the seed, and a checksum of
// each tensor. The file appears when it is complete; an old file of that name stays as it is until then. A model folder can hold it in place of
// model.safetensors, unless the tensors are those of adapters. [Trainer.SaveModel] writes the model alone.
func (t *Trainer) Save(path string) error {
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return err
	}
	var list []safetensors.Tensor
	from, sums := map[string]func() []float32{}, checksums{}
	for _, b := range []*block{&t.values, &t.states} {
		for i, p := range b.params {
			list = append(list, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape})
			from[p.Name] = func() []float32 { return b.dense(i) }
			sums[p.Name] = checksum(b.dense(i))
		}
	}
	text, err := json.Marshal(sums)
	if err != nil {
		return err
	}
	meta := map[string]string{keyFormat: checkpointFormat, keySpec: t.program.SpecHash, keyStep: strconv.Itoa(t.step),
		keySeed: strconv.FormatUint(t.options.Seed, 10), keyKind: t.program.kind(), keySums: string(text),
		"format": "pt"}
	return writeTensors(path, meta, list, from)
}

// writeTensors writes a file with tensors, whose numbers from returns by their names. The file appears when it is complete.
func writeTensors(path string, meta map[string]string, list []safetensors.Tensor, from map[string]func() []float32) error {
	out, err := disk.Create(path, 0o666)
	if err != nil {
		return err
	}
	defer out.Discard()
	w, err := safetensors.NewWriter(out, meta, list)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		if err := w.WriteFloats(name, from[name]()); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return out.Commit()
}

// Resume continues from a checkpoint that Save has written, for the same model and the same optimizer: the steps that follow have the bits of a training that
// was not interrupted. The seed is that of the checkpoint; the learning rates are those of this trainer's steps, see [Steps]. After an error, the trainer is as
// it was before.
func (t *Trainer) Resume(path string) error {
	t.life.Lock()
	defer t.life.Unlock()
	if t.closed {
		return runtime.ErrClosed
	}
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	step, seed, err := t.checkpoint(f)
	if err != nil {
		return err
	}
	var next [2]block
	for i, b := range []*block{&t.values, &t.states} {
		if next[i], err = newBlock(b.params); err == nil {
			_, err = next[i].read(&source{program: t.program, own: f}, 0)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		for i, b := range []*block{&t.values, &t.states} {
			for k := range b.params {
				copy(b.floats(k), next[i].floats(k))
			}
		}
		t.step, t.options.Seed, t.broken = step, seed, nil
	}
	for i := range next {
		next[i].free()
	}
	return err
}

// kind returns the rule of the optimizer, or "" for a program that has no optimizer.
func (p *Program) kind() string {
	if len(p.Optimizers) == 0 {
		return ""
	}
	return p.Optimizers[0].Kind
}

// checkpoint checks that a file is a checkpoint of the program, and returns the number of the next step and the seed.
func (t *Trainer) checkpoint(f *safetensors.File) (step int, seed uint64, err error) {
	m := f.Metadata()
	switch {
	case m[keyFormat] == "":
		return 0, 0, ragged.Errorf("%s is not a checkpoint of a training: NewTrainer opens the weights of a model", f.Name())
	case m[keyFormat] != checkpointFormat:
		return 0, 0, ragged.Errorf("%s is a checkpoint of the layout %s, this program reads %s", f.Name(), m[keyFormat], checkpointFormat)
	case m[keySpec] != t.program.SpecHash:
		return 0, 0, ragged.Errorf("%s is a checkpoint of another model: its spec has the hash %.12s, the package %s has %.12s", f.Name(), m[keySpec],
			t.program.Name, t.program.SpecHash)
	}
	for i := range t.program.Params {
		if p := &t.program.Params[i]; !f.Has(p.Name) {
			return 0, 0, ragged.Errorf("%s lacks the tensor %s", f.Name(), p.Name)
		}
	}
	for i := range t.states.params {
		if p := &t.states.params[i]; !f.Has(p.Name) {
			return 0, 0, ragged.Errorf("%s is of a training of other tensors, or with another optimizer: it lacks %s", f.Name(), p.Name)
		}
	}
	if m[keyKind] != t.program.kind() {
		return 0, 0, ragged.Errorf("%s is of a training with the optimizer %s, the package %s has %s", f.Name(), m[keyKind], t.program.Name, t.program.kind())
	}
	for _, name := range f.Names() {
		if t.values.find(name) < 0 && t.states.find(name) < 0 {
			return 0, 0, ragged.Errorf("%s is of another training: it holds %s, which the package %s does not keep", f.Name(), name, t.program.Name)
		}
	}
	if step, err = strconv.Atoi(m[keyStep]); err != nil || step < 0 || step > mostSteps {
		return 0, 0, ragged.Errorf("%s is damaged: the number of the step is %q", f.Name(), m[keyStep])
	}
	if seed, err = strconv.ParseUint(m[keySeed], 10, 64); err != nil {
		return 0, 0, ragged.Errorf("%s is damaged: the seed is %q", f.Name(), m[keySeed])
	}
	sums, err := sumsOf(f)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range f.Names() {
		if _, ok := sums[name]; !ok {
			return 0, 0, ragged.Errorf("%s is damaged: it holds no checksum of %s", f.Name(), name)
		}
	}
	return step, seed, nil
}

// checksums maps the tensors of a checkpoint to checksums of their numbers.
type checksums map[string]uint32

// castagnoli is the polynomial of CRC-32C.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum returns the CRC-32C of numbers, as a checkpoint holds them.
func checksum(numbers []float32) (sum uint32) {
	buf := make([]byte, 0, 1<<16)
	for part := range slices.Chunk(numbers, cap(buf)/4) {
		buf = buf[:0]
		for _, v := range part {
			buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
		}
		sum = crc32.Update(sum, castagnoli, buf)
	}
	return sum
}

// sumsOf reads the checksums of a file; none if it is no checkpoint.
func sumsOf(f *safetensors.File) (sums checksums, err error) {
	text := f.Metadata()[keySums]
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &sums); err != nil {
		return nil, ragged.Errorf("%s is damaged: %s cannot be read: %v", f.Name(), keySums, err)
	}
	return sums, nil
}
