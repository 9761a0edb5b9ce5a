// Package evaluation runs the verb eval of built programs on examples, and shows metrics to people: as text, and tables of confusion as pictures.
package evaluation

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/command"
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

// listed is how many rows that cannot be used a message names.
const listed = 5

// Load reads all examples of a source. Rows that cannot be used are an error, which counts them and names the first ones.
func Load(src Source) (*Data, error) {
	d := &Data{}
	var b bytes.Buffer
	var bad []string
	count := 0
	for {
		e, err := src.Next()
		var row *dataset.RowError
		switch {
		case errors.Is(err, io.EOF) && count > 0:
			return nil, fault.Input("", "%s cannot be used for an evaluation:\n%s", command.Plural(count, "row"), strings.Join(bad, "\n"))
		case errors.Is(err, io.EOF):
			d.lines = b.Bytes()
			return d, nil
		case errors.As(err, &row):
			if count++; count <= listed {
				bad = append(bad, row.Error())
			}
			continue
		case err != nil:
			return nil, err
		}
		if e.File != "" {
			e.Where = e.Place()
		}
		if err := example.Encode(&b, e); err != nil {
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
