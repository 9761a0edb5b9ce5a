// Package textinput has the flags of run for where texts come from, and converts the files that built programs do not read.
package textinput

import (
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/runtime/disk"
	builtprogram "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Args holds the flags of run for where the texts come from and which fields they have.
type Args struct {
	Input, Format string
	Fields        map[string]string // values of the other flags of the input that were given, by the name of the flag
}

// Of returns the Args of the flags of run.
func Of(run *flags.Handed) Args {
	i := Args{Input: run.Text("input"), Format: run.Text("format"), Fields: map[string]string{}}
	for _, f := range tasktable.CommonFlags {
		if f.Group == tasktable.InputGroup && run.Given(f.Name) {
			i.Fields[f.Name] = run.Text(f.Name)
		}
	}
	return i
}

// Check checks, before anything is built, whether the input can be read.
func (i *Args) Check() error {
	if i.Input == "" || i.Input == "-" {
		return nil
	}
	st, err := disk.Stat(i.Input)
	switch {
	case err != nil:
		return err
	case st.IsDir():
		return fault.Input(i.Input, "this is a folder, a file of texts is wanted")
	}
	if i.Format == "" && !converts(i.Input) && st.Mode().IsRegular() { // the name of a pipe does not tell its format
		if _, err := builtprogram.InputFormat(i.Input); err != nil {
			return fault.Input(i.Input, "%s", strings.TrimPrefix(err.Error(), i.Input+": "))
		}
	}
	return nil
}
