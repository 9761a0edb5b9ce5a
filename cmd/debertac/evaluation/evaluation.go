// Package evaluation runs the verb eval of built programs on examples, and shows metrics to people: as text, and tables of confusion as pictures.
package evaluation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
)

// Source reads examples. At the end it returns io.EOF.
type Source interface {
	Next() (*example.Example, error)
}

// Data holds examples in the form that built programs read. It can be used for any number of evaluations.
type Data struct {
	lines []byte
	N     int // examples
}

// Load reads all examples of a source.
func Load(src Source) (*Data, error) {
	d := &Data{}
	var b bytes.Buffer
	for {
		e, err := src.Next()
		if errors.Is(err, io.EOF) {
			d.lines = b.Bytes()
			return d, nil
		}
		if err == nil {
			err = example.Encode(&b, e)
		}
		if err != nil {
			return nil, err
		}
		d.N++
	}
}

// Run evaluates a program on data: it runs the program's verb eval with the given flags, and returns the metrics that it prints. The flags must not contain
// --input. A failure of the program has been printed by it, and is an error with its exit code.
func Run(m *built.Maker, p *built.Program, d *Data, args []string) (*prediction.Report, error) {
	var out bytes.Buffer
	if err := p.Connect(m, bytes.NewReader(d.lines), &out, "eval", args); err != nil {
		return nil, err
	}
	r := &prediction.Report{}
	if err := json.Unmarshal(out.Bytes(), r); err != nil {
		return nil, fault.Ours(err)
	}
	return r, nil
}
