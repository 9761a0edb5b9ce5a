// Package evaluation runs the verb eval of built programs on examples, and shows metrics to people: as text, and tables of confusion as pictures.
package evaluation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
)

// Source reads examples. At the end it returns io.EOF.
type Source interface {
	Next() (*example.Example, error)
}

// Data holds examples in the form that built programs read, in a temporary file. It can be used for any number of evaluations, and must be closed.
type Data struct {
	lines *disk.Spool
	N     int   // examples
	Kinds *Data // a few examples of each kind, which have the same metrics; of Kinds itself nil
}

// newData makes data without examples.
func newData() (*Data, error) {
	lines, err := disk.NewSpool()
	return &Data{lines: lines}, err
}

// add adds an example.
func (d *Data) add(line []byte) error {
	d.N++
	_, err := d.lines.Write(line)
	return err
}

// Close removes the temporary file.
func (d *Data) Close() error {
	if d.Kinds != nil {
		return errors.Join(d.Kinds.Close(), d.lines.Close())
	}
	return d.lines.Close()
}

// perKind is the number of examples of each kind in Kinds.
const perKind = 2

// kind returns what of an example decides which metrics there are: which fields are set, and whether lists are empty.
func kind(e *example.Example) string {
	var b strings.Builder
	v := reflect.ValueOf(e).Elem()
	for i := range v.NumField() {
		f := v.Field(i)
		if f.Kind() == reflect.Slice {
			f = f.Slice(0, min(1, f.Len()))
		}
		fmt.Fprintf(&b, "%t %t ", f.IsZero(), f.Kind() == reflect.Slice && f.Len() == 0)
	}
	return b.String()
}

// listed is how many rows that cannot be used a message names.
const listed = 5

// Load reads all examples of a source. Rows that cannot be used are an error, which counts them and names the first ones.
func Load(src Source) (d *Data, err error) {
	if d, err = newData(); err != nil {
		return nil, err
	}
	if d.Kinds, err = newData(); err != nil {
		return nil, errors.Join(err, d.lines.Close())
	}
	if err := d.load(src); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// load adds the examples of a source.
func (d *Data) load(src Source) error {
	kinds := map[string]int{}
	var line bytes.Buffer
	var bad []string
	count := 0
	for {
		e, err := src.Next()
		var row *dataset.RowError
		switch {
		case errors.Is(err, io.EOF) && count > 0:
			return fault.Input("", "%s cannot be used for an evaluation:\n%s", command.Plural(count, "row"), strings.Join(bad, "\n"))
		case errors.Is(err, io.EOF):
			return nil
		case errors.As(err, &row):
			if count++; count <= listed {
				bad = append(bad, row.Error())
			}
			continue
		case err != nil:
			return err
		}
		if e.File != "" {
			e.Where = e.Place()
		}
		line.Reset()
		if err := example.Encode(&line, e); err != nil {
			return err
		}
		if err := d.add(line.Bytes()); err != nil {
			return err
		}
		if k := kind(e); kinds[k] < perKind {
			kinds[k]++
			if err := d.Kinds.add(line.Bytes()); err != nil {
				return err
			}
		}
	}
}

// Run evaluates a program on data: it runs the program's verb eval with the given flags, and returns the metrics that it prints. The flags must not contain
// --input. A failure of the program has been printed by it, and is an error with its exit code.
func Run(m *built.Maker, p *built.Program, d *Data, args []string) (*prediction.Report, error) {
	in, err := d.lines.Reader()
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := p.Connect(m, in, &out, "eval", args); err != nil {
		return nil, err
	}
	r := &prediction.Report{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fault.Ours(err)
	}
	return r, nil
}
