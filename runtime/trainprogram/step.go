package trainprogram

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/batchfile"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
)

// The names of the tensors that step writes besides "grad.NAME" and "param.NAME". If the loss has several terms, or a step several optimizers, there are also
// tensors with the names of the terms, and with those of the optimizers before NormTensor, such as generator.loss and generator.grad_norm.
const (
	LossTensor = "loss"          // F32 [steps]: of each batch, before the update
	NormTensor = "grad_norm"     // F32 [steps]: of all gradients of a step, before clipping
	RateTensor = "learning_rate" // F32 [steps]
	GradPrefix = "grad."         // before the name of a tensor: its gradient in the last step
	NewPrefix  = "param."        // before the name of a tensor: its numbers after the last step
	OfPrefix   = "value."        // before the name of a value that the program keeps: F32 [rows, columns], of the last step
)

type stepFlags struct {
	openFlags
	batches           command.Files
	out, save, resume string
	gradients, asJSON bool
	mask              int
}

func (h held) newStep(fs *flag.FlagSet) command.Action {
	f := stepFlags{openFlags: openFlags{held: h}}
	f.register(fs)
	fs.Var(&f.batches, "batch", "a safetensors `FILE` with the batch of a step, its targets among the tensors; with several of this flag, steps follow each "+
		"other. "+batchfile.Describe()+". Targets are I32 or F32, by their names in the program")
	fs.StringVar(&f.out, "out", "", "the safetensors `FILE` to write: loss, learning_rate and grad_norm of each step, as F32, and after the last step \""+
		GradPrefix+"\" and the name of each trained tensor, and \""+NewPrefix+"\" and its name")
	fs.BoolVar(&f.gradients, "gradients", false, "compute losses and gradients, and change no tensor")
	fs.IntVar(&f.mask, "mask-token", -1, "choose the tokens to predict, for batches without rows: the `ID` of the tokenizer's mask token. The tensor \""+
		WordTensor+"\" of a batch holds the word of each token, and -1 for special tokens")
	fs.StringVar(&f.resume, "resume", "", "continue from a checkpoint, the `FILE` that --save wrote")
	fs.StringVar(&f.save, "save", "", "write a checkpoint to `FILE` after the last step")
	fs.BoolVar(&f.asJSON, "json", false, "print one JSON object per step")
	return f.run
}

// stepRow is what a step reports.
type stepRow struct {
	Step *int     `json:"step,omitempty"` // nil: gradients alone
	Loss float64  `json:"loss"`
	Rate *float64 `json:"learning_rate,omitempty"`
	Norm *float64 `json:"grad_norm,omitempty"`

	Losses map[string]float64 `json:"losses,omitempty"`     // the terms of the loss, if there are several
	Norms  map[string]float64 `json:"grad_norms,omitempty"` // by optimizer, if there are several
}

func (f *stepFlags) run(ctx context.Context, s *command.Session, _ []string) error {
	switch {
	case len(f.batches) == 0 || f.out == "" && f.save == "":
		return command.Usage("step needs --batch FILE, and --out FILE or --save FILE")
	case f.mask < -1 || f.mask > math.MaxInt32:
		return command.Usage("--mask-token %d: it must be the id of a token", f.mask)
	case f.gradients && f.save != "":
		return command.Usage("--save and --gradients contradict each other: a pass that changes no tensor has nothing to save")
	}
	if err := f.places(); err != nil { // before any work
		return err
	}
	m, err := f.training()
	if err != nil {
		return err
	}
	var batches []*trainer.Batch
	for _, path := range f.batches {
		b, err := ReadBatch(path, m.Program)
		if err != nil {
			return err
		}
		batches = append(batches, b)
	}
	var opts []trainer.Option
	if f.mask >= 0 {
		opts = append(opts, trainer.MaskToken(int32(f.mask)))
	}
	t, err := f.open(m, opts...)
	if err != nil {
		return err
	}
	defer t.Close()
	if f.resume != "" {
		if err := t.Resume(f.resume); err != nil {
			return command.Faulty("", "%w", err)
		}
	}
	if err := f.places(); err != nil { // now that the inputs are known
		return err
	}
	if n := t.Options().Steps; !f.gradients && n > 0 && t.Next()+len(batches) > n { // before any step
		return command.Usage("%d batches from step %d on are more than the %d steps of the training: leave some out, or set another number with --total-steps",
			len(batches), t.Next(), n)
	}
	w := tensors{more: map[string][]float32{}}
	for i, b := range batches {
		row, err := f.one(ctx, t, m.Program, b)
		if errors.Is(err, runtime.ErrInput) || errors.Is(err, trainer.ErrNotFinite) {
			err = command.Faulty(f.batches[i], "%w", err)
		}
		if err != nil {
			return err
		}
		w.append(row)
		if err := f.print(s, row); err != nil {
			return err
		}
	}
	if f.save != "" {
		if err := t.Save(f.save); err != nil {
			return err
		}
	}
	if f.out == "" {
		return nil
	}
	return w.write(f.out, t, m.Program, !f.gradients)
}

// places refuses outputs that cannot be written.
func (f *stepFlags) places() error {
	for _, path := range []string{f.out, f.save} {
		if path == "" {
			continue
		}
		if _, err := disk.Place(path); err != nil {
			return err
		}
	}
	if f.out == "" || f.save == "" {
		return nil
	}
	same, err := disk.SamePlace(f.out, f.save)
	if same {
		return command.Usage("--out %s and --save %s name one file: choose two names", f.out, f.save)
	}
	return err
}

// one computes one step, or only its gradients.
func (f *stepFlags) one(ctx context.Context, t *trainer.Trainer, p *trainer.Program, b *trainer.Batch) (stepRow, error) {
	compute := t.Step
	if f.gradients {
		compute = t.Losses
	}
	r, err := compute(ctx, b)
	row := stepRow{Loss: float64(r.Loss), Losses: map[string]float64{}, Norms: map[string]float64{}}
	for i, v := range r.Losses {
		row.Losses[p.Losses[i].Name] = float64(v)
	}
	for i, v := range r.Norms {
		row.Norms[p.Optimizers[i].Name] = float64(v)
	}
	if norm := float64(r.Norm); !f.gradients {
		row.Step, row.Rate, row.Norm = &r.Step, &r.Rate, &norm
	}
	return row, err
}

// print prints what a step reports.
func (f *stepFlags) print(s *command.Session, row stepRow) error {
	if f.asJSON {
		return command.PrintJSON(s.Out, row)
	}
	text := fmt.Sprintf("loss %.7g", row.Loss)
	for _, name := range slices.Sorted(maps.Keys(row.Losses)) {
		text += fmt.Sprintf(", %s %.7g", name, row.Losses[name])
	}
	if row.Rate != nil {
		text = fmt.Sprintf("step %d: %s, learning rate %.4g, norm of the gradients %.6g", *row.Step, text, *row.Rate, *row.Norm)
	}
	for _, name := range slices.Sorted(maps.Keys(row.Norms)) {
		text += fmt.Sprintf(", of %s %.6g", name, row.Norms[name])
	}
	_, err := fmt.Fprintln(s.Out, text)
	return err
}

// WordTensor is the name of the tensor of a batch that masking reads: I32 [T], see trainer.Batch.
const WordTensor = "word_of"

// ReadBatch reads a batch with the targets of a program. It does not check their numbers; a step does.
func ReadBatch(path string, p *trainer.Program) (*trainer.Batch, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var names []string
	for _, t := range p.Targets {
		names = append(names, t.Name)
	}
	if p.Masking != nil {
		names = append(names, WordTensor)
	}
	of, err := batchfile.From(f, path, names...)
	if err != nil {
		return nil, err
	}
	b := &trainer.Batch{Batch: *of, Integers: map[string][]int32{}, Floats: map[string][]float32{}}
	if err := readWords(f, path, b); err != nil {
		return nil, err
	}
	for _, t := range p.Targets {
		masked := p.Masking != nil && slices.Contains(p.Masking.Targets, t.Name) && len(b.Rows) == 0
		if !f.Has(t.Name) && (t.Optional || masked) {
			continue
		}
		if !f.Has(t.Name) {
			return nil, command.Faulty(path, "it lacks the target %q", t.Name)
		}
		info, err := f.Info(t.Name)
		if err != nil {
			return nil, err
		}
		want := safetensors.I32
		if t.Floats {
			want = safetensors.F32
		}
		if info.DType != want {
			return nil, command.Faulty(path, "the target %q is %s, it must be %s", t.Name, info.DType, want)
		}
		if columns := max(t.Columns, 1); len(info.Shape) != 1 && (len(info.Shape) != 2 || info.Shape[1] != columns) {
			return nil, command.Faulty(path, "the target %q has the shape %v, it must have one dimension, or rows of %d", t.Name, info.Shape, columns)
		}
		if t.Floats {
			b.Floats[t.Name] = make([]float32, info.Elements())
			err = f.Floats(t.Name, b.Floats[t.Name])
		} else {
			b.Integers[t.Name], err = batchfile.Integers(f, t.Name, info.Elements())
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// readWords reads the word of each token, if the file has them.
func readWords(f *safetensors.File, path string, b *trainer.Batch) error {
	if !f.Has(WordTensor) {
		return nil
	}
	info, err := f.Info(WordTensor)
	if err != nil {
		return err
	}
	if info.DType != safetensors.I32 || len(info.Shape) != 1 {
		return command.Faulty(path, "the tensor %q is %s %v, it must be I32 with one dimension", WordTensor, info.DType, info.Shape)
	}
	b.WordOf, err = batchfile.Integers(f, WordTensor, info.Elements())
	return err
}

// tensors collects what the steps report.
type tensors struct {
	loss, rate, norm []float32
	more             map[string][]float32 // terms of losses and norms of optimizers, by the names of their tensors
}

func (w *tensors) append(r stepRow) {
	for name, v := range r.Losses {
		w.more[name] = append(w.more[name], float32(v))
	}
	for name, v := range r.Norms {
		w.more[name+"."+NormTensor] = append(w.more[name+"."+NormTensor], float32(v))
	}
	w.loss = append(w.loss, float32(r.Loss))
	if r.Rate != nil {
		w.rate, w.norm = append(w.rate, float32(*r.Rate)), append(w.norm, float32(*r.Norm))
	}
}

// write writes what the steps report, the gradients of the last step, and, if the steps changed them, the tensors. The file appears when it is complete.
func (w *tensors) write(path string, t *trainer.Trainer, p *trainer.Program, changed bool) error {
	list := []safetensors.Tensor{{Name: LossTensor, DType: safetensors.F32, Shape: []int{len(w.loss)}}}
	from := map[string]func() ([]float32, error){LossTensor: func() ([]float32, error) { return w.loss, nil }}
	add := func(name string, shape []int, f func() ([]float32, error)) {
		list, from[name] = append(list, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: shape}), f
	}
	for _, name := range slices.Sorted(maps.Keys(w.more)) {
		add(name, []int{len(w.more[name])}, func() ([]float32, error) { return w.more[name], nil })
	}
	if changed {
		add(RateTensor, []int{len(w.rate)}, func() ([]float32, error) { return w.rate, nil })
		add(NormTensor, []int{len(w.norm)}, func() ([]float32, error) { return w.norm, nil })
	}
	for _, q := range p.Params {
		if q.Trained {
			add(GradPrefix+q.Name, q.Shape, func() ([]float32, error) { return t.Gradient(q.Name) })
		}
		if q.Trained && changed {
			add(NewPrefix+q.Name, q.Shape, func() ([]float32, error) { return t.Tensor(q.Name) })
		}
	}
	for _, q := range p.Twins {
		i := slices.IndexFunc(p.Params, func(o trainer.Param) bool { return o.Name == q.Of })
		add(GradPrefix+q.Name, p.Params[i].Shape, func() ([]float32, error) { return t.Gradient(q.Name) })
	}
	for _, name := range p.Traced {
		v, err := t.Traced(name)
		if err != nil {
			return err
		}
		add(OfPrefix+name, []int{v.Rows, v.Columns}, func() ([]float32, error) { return v.Numbers, nil })
	}
	f, err := disk.Create(path, 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	out, err := safetensors.NewWriter(f, nil, list)
	if err != nil {
		return err
	}
	for _, name := range out.Order() {
		numbers, err := from[name]()
		if err != nil {
			return err
		}
		if err := out.WriteFloats(name, numbers); err != nil {
			return err
		}
	}
	if err := out.Close(); err != nil {
		return err
	}
	return f.Commit()
}
