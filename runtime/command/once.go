package command

import (
	"errors"
	"flag"
	"strings"
)

// errTwice ends the parsing of a command line that has a flag twice; see once.
var errTwice = errors.New("given twice")

// Files is the value of a flag that can be given several times, once for each file.
type Files []string

// String returns the files, with commas between them.
func (f *Files) String() string { return strings.Join(*f, ",") }

// Set adds a file.
func (f *Files) Set(path string) error {
	*f = append(*f, path)
	return nil
}

// once makes each flag of fs refuse a second value, unless it is a list; package flag itself would keep the last one. undo restores the flags, for help.
// twice returns the name of the flag that was given twice, or "".
func once(fs *flag.FlagSet) (undo func(), twice func() string) {
	name := ""
	fs.VisitAll(func(f *flag.Flag) {
		if _, list := f.Value.(*Files); !list {
			f.Value = &onceValue{Value: f.Value, name: f.Name, twice: &name}
		}
	})
	undo = func() {
		fs.VisitAll(func(f *flag.Flag) {
			if v, ok := f.Value.(*onceValue); ok {
				f.Value = v.Value
			}
		})
	}
	return undo, func() string { return name }
}

// onceValue is the value of a flag that may be set once.
type onceValue struct {
	flag.Value
	name  string
	set   bool
	twice *string // set to the flag's name if the flag is set again
}

// Set sets the flag, or returns errTwice.
func (v *onceValue) Set(text string) error {
	if v.set {
		*v.twice = v.name
		return errTwice
	}
	v.set = true
	return v.Value.Set(text)
}

// IsBoolFlag reports whether the flag can stand without a value. Package flag calls it.
func (v *onceValue) IsBoolFlag() bool {
	b, ok := v.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
