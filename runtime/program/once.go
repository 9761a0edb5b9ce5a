package program

import (
	"errors"
	"flag"
)

// errTwice ends the parsing of a command line with a flag that is given twice; see once.
var errTwice = errors.New("given twice")

// once makes each flag of fs refuse a second value, which package flag would keep in place of the first. undo restores the flags, for help. twice
// returns the name of the flag that was given twice, or "".
func once(fs *flag.FlagSet) (undo func(), twice func() string) {
	name := ""
	fs.VisitAll(func(f *flag.Flag) { f.Value = &onceValue{Value: f.Value, name: f.Name, twice: &name} })
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
	twice *string // the name goes here if it is set again
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

// IsBoolFlag reports whether the flag needs no value, as package flag asks.
func (v *onceValue) IsBoolFlag() bool {
	b, ok := v.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
