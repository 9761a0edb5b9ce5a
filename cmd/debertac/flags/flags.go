// Package flags checks the numbers on the command line, makes the flags of run from the table of tasks, and writes flags for built programs.
package flags

import (
	"strconv"
)

// Flag is one flag of a built program.
type Flag struct{ Name, Value string }

// Switch returns a flag without a value. If on is false, its name is "".
func Switch(name string, on bool) Flag {
	if on {
		return Flag{Name: name}
	}
	return Flag{}
}

// Count returns a flag that is left out if n is 0.
func Count(name string, n int) Flag {
	if n == 0 {
		return Flag{}
	}
	return Flag{name, strconv.Itoa(n)}
}

// Args writes flags as arguments. Flags without a name are left out.
func Args(list ...Flag) []string {
	var args []string
	for _, f := range list {
		switch {
		case f.Name == "":
		case f.Value == "":
			args = append(args, f.Name)
		default:
			args = append(args, f.Name+"="+f.Value)
		}
	}
	return args
}

// Value returns a flag that is left out if its value is empty.
func Value(name, value string) Flag {
	if value == "" {
		return Flag{}
	}
	return Flag{name, value}
}

// OptionalCount returns a flag that is left out if n is nil; 0 is a value.
func OptionalCount(name string, n *int) Flag {
	if n == nil {
		return Flag{}
	}
	return Flag{name, strconv.Itoa(*n)}
}

// realFlag is OptionalCount for real numbers.
func realFlag(name string, x *float64) Flag {
	if x == nil {
		return Flag{}
	}
	return Flag{name, strconv.FormatFloat(*x, 'g', -1, 64)}
}

// Text returns a flag that is left out if text is nil; the empty text is a value.
func Text(name string, text *string) Flag {
	switch {
	case text == nil:
		return Flag{}
	case *text == "":
		return Flag{Name: name + "="} // an empty value is passed on, and the program may refuse it
	}
	return Flag{name, *text}
}
