package trainer

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/torchfile"
)

// opened opens a safetensors file, a file of torch.save, or a model folder with files of one of both forms.
func opened(path string) (published.Weights, error) {
	folder, err := disk.IsDir(path)
	switch {
	case err == nil && folder:
	case slices.Contains([]string{".bin", ".pt", ".pth"}, filepath.Ext(path)):
		return keep(torchfile.Open(path))
	default:
		return keep(safetensors.Open(path))
	}
	safe, err := safetensors.In(path)
	if err != nil {
		return nil, err
	}
	torch, err := torchfile.In(path)
	if err != nil {
		return nil, err
	}
	if torch && !safe {
		return keep(torchfile.OpenDir(path))
	}
	return keep(safetensors.OpenDir(path))
}

// keep removes the prefix of a training library from the names of tensors.
func keep[W published.Weights](w W, err error) (published.Weights, error) {
	if err != nil {
		return nil, err
	}
	plain, _, err := published.Unwrap(w)
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return plain, nil
}

// load fills the tensors of a program from the weights at a path, and those of its generator from the file that the options name.
func (t *Trainer) load(path string) (err error) {
	s := source{program: t.program}
	defer func() { err = errors.Join(err, s.close()) }()
	if s.own, err = opened(path); err != nil {
		return err
	}
	if from := t.options.Generator; from != "" {
		if len(t.program.Models) == 0 {
			return ragged.Errorf("the package %s trains one model, and no generator: leave out the option Generator", t.program.Name)
		}
		if s.generator, err = opened(from); err != nil {
			return err
		}
	}
	for _, w := range []published.Weights{s.own, s.generator} {
		if f, ok := w.(*safetensors.File); ok && f.Metadata()[engine.LayoutKey] != "" {
			return ragged.Errorf("%s holds packed weights, which have another layout: open the safetensors file or the model folder that they were packed from",
				f.Name())
		}
	}
	if err := s.noAdapters(); err != nil {
		return err
	}
	t.drawn, err = t.values.read(&s, t.options.Seed)
	return err
}

// source is where the tensors of a program are read from.
type source struct {
	program   *Program
	own       published.Weights // of the model, of both models, or of the detector
	generator published.Weights // nil: own holds the generator
}

// close closes the files.
func (s *source) close() error {
	var list []error
	for _, w := range []published.Weights{s.own, s.generator} {
		if w != nil {
			list = append(list, w.Close())
		}
	}
	return errors.Join(list...)
}

// noAdapters refuses weights with adapters that the program does not have: without them they are those of another model.
func (s *source) noAdapters() error {
	for _, w := range []published.Weights{s.own, s.generator} {
		if w == nil {
			continue
		}
		for _, name := range w.Names() {
			if published.Adapter(name) && !slices.ContainsFunc(s.program.Params, func(p Param) bool { return p.Name == name }) {
				return ragged.Errorf("%s has an adapter that the package %s does not train, such as %s: open merged weights, which SaveModel of its trainer "+
					"writes, or give the training the same lora", w.Name(), s.program.Name, name)
			}
		}
	}
	return nil
}

// place is where a file holds a tensor.
type place struct {
	in    published.Weights
	name  string
	minus string // the tensor of the program to subtract: the file holds its sum with the tensor; "": none
}

// find returns where the files hold a tensor of the program.
func (s *source) find(name string) (place, bool) {
	if in, ok := published.Find(s.own.Has, name); ok {
		return place{in: s.own, name: in}, true
	}
	for _, m := range s.program.Models {
		prefix := m.Name + "."
		rest, ok := strings.CutPrefix(name, prefix)
		if !ok {
			continue
		}
		both := func(n string) bool { return s.own.Has(prefix + n) }
		if in, ok := published.Find(both, rest); ok {
			return place{in: s.own, name: prefix + in}, true
		}
		alone := s.own
		if m.Name == generator {
			alone = s.generator
		}
		for _, t := range m.Tensors {
			last := len(t.Of) - 1
			if t.Of[last] != name {
				continue
			}
			p := place{in: s.own}
			if last > 0 {
				p.minus = t.Of[0]
			}
			if in, ok := published.Find(both, t.Name); ok {
				p.name = prefix + in
				return p, true
			}
			if alone == nil {
				continue
			}
			if p.name, ok = published.Find(alone.Has, t.Name); ok {
				p.in = alone
				return p, true
			}
		}
	}
	return place{}, false
}

// missing returns the error for a tensor that the files do not have.
func (s *source) missing(name string) error {
	in := s.own
	if strings.HasPrefix(name, generator+".") && s.generator != nil {
		in = s.generator
	}
	hint := "the file must be of the model that the spec describes, under the names that the published checkpoints have"
	switch {
	case len(s.program.Models) > 0 && s.generator == nil:
		hint = "the package trains two models: the names of a file of both begin with generator. and discriminator.; for the file of a detector alone, " +
			"name that of the generator with the option Generator"
	case len(s.program.Models) > 0:
		hint = "the option Generator names the file of the generator, and the file that is opened is that of the detector"
	}
	return ragged.Errorf("%s has no tensor %s, which the package %s trains or reads: %s", in.Name(), name, s.program.Name, hint)
}

// read fills all tensors from files. It draws those that the files lack and that may be new, and returns their names. Numbers that are not finite, and
// tensors of a checkpoint that differ from what Save has written, are errors.
func (b *block) read(s *source, seed uint64) (drawn []string, err error) {
	sums := map[published.Weights]checksums{}
	for _, w := range []published.Weights{s.own, s.generator} {
		if f, ok := w.(*safetensors.File); ok {
			if sums[w], err = sumsOf(f); err != nil {
				return nil, err
			}
		}
	}
	var last []func() error // what is read after the tensors that it subtracts
	for i := range b.params {
		p := &b.params[i]
		at, ok := s.find(p.Name)
		switch {
		case ok && at.minus != "":
			last = append(last, func() error { return b.readOne(i, at, sums[at.in]) })
		case ok:
			if err := b.readOne(i, at, sums[at.in]); err != nil {
				return nil, err
			}
		case p.New:
			b.set(i, p.draw(seed))
			drawn = append(drawn, p.Name)
		default:
			return nil, s.missing(p.Name)
		}
	}
	for _, f := range last {
		if err := f(); err != nil {
			return nil, err
		}
	}
	return drawn, nil
}

// readOne reads one tensor.
func (b *block) readOne(i int, from place, sums checksums) error {
	p := &b.params[i]
	rows, columns := p.columns()
	if info, err := from.in.Info(from.name); err == nil && p.Rows && len(info.Shape) == 2 && info.Shape[1] == columns && info.Shape[0] > 0 {
		rows = info.Shape[0]
	} else if err := from.in.Check(from.name, p.Shape...); err != nil {
		return err
	}
	dense := make([]float32, rows*columns)
	if err := from.in.Floats(from.name, dense); err != nil {
		return err
	}
	if sum, ok := sums[from.name]; ok && sum != checksum(dense) {
		return ragged.Errorf("%s is damaged: the numbers of %s do not have their checksum", from.in.Name(), from.name)
	}
	if at := slices.IndexFunc(dense, func(v float32) bool { return !finite(v) }); at >= 0 {
		return ragged.Errorf("%s: number %d of %s is %v: it must be finite", from.in.Name(), at, from.name, dense[at])
	}
	if p.Rows {
		dense = b.fit(dense, p.Shape[0], columns)
	}
	if from.minus != "" {
		for k, v := range b.dense(b.find(from.minus)) {
			dense[k] -= v
		}
	}
	b.set(i, dense)
	return nil
}

// fit returns a table with another number of rows. Rows at the end are left out, or begin as the mean of all, as the library transformers begins the rows of
// tokens that are added to a tokenizer.
func (b *block) fit(table []float32, rows, columns int) []float32 {
	have := len(table) / columns
	if have >= rows {
		return table[:rows*columns]
	}
	mean := make([]float64, columns)
	for k, v := range table {
		mean[k%columns] += float64(v) / float64(have)
	}
	b.grown = rows - have
	for range b.grown {
		for _, v := range mean {
			table = append(table, float32(v))
		}
	}
	return table
}
