package prepared

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// File is a file of prepared data. It is safe for concurrent use.
type File struct {
	Meta
	file    *safetensors.File
	columns []string
}

// Open opens a file and checks that its columns fit its description.
func Open(path string) (*File, error) {
	f, err := safetensors.Open(path)
	if err != nil {
		return nil, err
	}
	p, err := open(f)
	if err != nil {
		f.Close() // read only
		return nil, err
	}
	return p, nil
}

func open(f *safetensors.File) (*File, error) {
	m, err := decodeMeta(f.Name(), f.Metadata())
	if err != nil {
		return nil, err
	}
	p := &File{Meta: *m, file: f}
	if err := f.Check(rowsTensor, m.Rows+1); err != nil {
		return nil, err
	}
	if err := f.Check(atTensor, m.Rows); err != nil {
		return nil, err
	}
	for _, name := range f.Names() {
		if name == rowsTensor || name == atTensor || strings.HasSuffix(name, startsSuffix) {
			continue
		}
		if err := f.Check(name+startsSuffix, m.Sequences+1); err != nil {
			return nil, err
		}
		p.columns = append(p.columns, name)
	}
	return p, nil
}

// Close unmaps the file.
func (p *File) Close() error { return p.file.Close() }

// Name returns the path of the file.
func (p *File) Name() string { return p.file.Name() }

// longs returns the numbers i and i+1 of a tensor of 8-byte numbers.
func (p *File) longs(name string, i int) (from, to int64, err error) {
	err = p.file.Range(name, 8*int64(i), 8*int64(i)+16, func(data []byte) {
		from, to = int64(binary.LittleEndian.Uint64(data)), int64(binary.LittleEndian.Uint64(data[8:]))
	})
	if err == nil && (from < 0 || to < from) {
		err = fmt.Errorf("%s: %s falls from %d to %d at %d: the file is damaged, prepare the data again", p.Name(), name, from, to, i)
	}
	return from, to, err
}

// At returns the number of a row in the source.
func (p *File) At(row int) (at int64, err error) {
	err = p.file.Range(atTensor, 8*int64(row), 8*int64(row)+8, func(data []byte) { at = int64(binary.LittleEndian.Uint64(data)) })
	return at, err
}

// Length returns the number of tokens of a row, over all its sequences.
func (p *File) Length(row int) (int, error) {
	from, to, err := p.sequences(row)
	if err != nil {
		return 0, err
	}
	first, _, err := p.longs("ids"+startsSuffix, from)
	if err != nil || to == from {
		return 0, err
	}
	_, end, err := p.longs("ids"+startsSuffix, to-1)
	return int(end - first), err
}

// sequences returns the numbers of the first sequence of a row, and of the one after its last.
func (p *File) sequences(row int) (from, to int, err error) {
	a, b, err := p.longs(rowsTensor, row)
	if err == nil && b > int64(p.Sequences) {
		err = fmt.Errorf("%s: row %d ends after sequence %d of %d: the file is damaged, prepare the data again", p.Name(), row, b, p.Sequences)
	}
	return int(a), int(b), err
}

// Row reads a row.
func (p *File) Row(row int) ([]Sequence, error) {
	from, to, err := p.sequences(row)
	if err != nil {
		return nil, err
	}
	list := make([]Sequence, to-from)
	for i := range list {
		for _, name := range p.columns {
			if err := p.fill(&list[i], name, from+i); err != nil {
				return nil, err
			}
		}
	}
	return list, nil
}

// fill reads the numbers of a column of a sequence.
func (p *File) fill(s *Sequence, name string, number int) error {
	from, to, err := p.longs(name+startsSuffix, number)
	if err != nil {
		return err
	}
	values := make([]int32, to-from)
	if err := p.file.Range(name, 4*from, 4*to, func(data []byte) {
		for i := range values {
			values[i] = int32(binary.LittleEndian.Uint32(data[4*i:]))
		}
	}); err != nil {
		return err
	}
	target, floats, ok := targetOf(name)
	switch {
	case !ok:
		for _, c := range columns {
			if c.name == name {
				c.set(s, values)
			}
		}
	case floats:
		if s.Floats == nil {
			s.Floats = map[string][]float32{}
		}
		numbers := make([]float32, len(values))
		for i, v := range values {
			numbers[i] = math.Float32frombits(uint32(v))
		}
		s.Floats[target] = numbers
	default:
		if s.Integers == nil {
			s.Integers = map[string][]int32{}
		}
		s.Integers[target] = values
	}
	return nil
}
