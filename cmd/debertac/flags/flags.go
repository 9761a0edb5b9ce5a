// Package flags checks the numbers of the command line, has the flags of run as the table lists them, and writes flags for built programs.
package flags

import (
	"strconv"
)

// Flag is one flag of a built program.
type Flag struct{ Name, Value string }

// Switch is a flag without a value, "" if it is off.
func Switch(name string, on bool) Flag {
	if on {
		return Flag{Name: name}
	}
	return Flag{}
}

// Count is a flag that is left out when it is 0.
func Count(name string, n int) Flag {
	if n == 0 {
		return Flag{}
	}
	return Flag{name, strconv.Itoa(n)}
}

// Args writes flags as arguments; those without a name are left out, and so are those of an empty value that need one.
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

// Value is a flag that is left out when its value is empty.
func Value(name, value string) Flag {
	if value == "" {
		return Flag{}
	}
	return Flag{name, value}
}

// OptionalCount is a flag that is left out when it was not given; 0 is a value.
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

// Text is a flag that is left out when it was not given; the empty text is a value.
func Text(name string, text *string) Flag {
	switch {
	case text == nil:
		return Flag{}
	case *text == "":
		return Flag{Name: name + "="} // empty, which the program may refuse, and not left out
	}
	return Flag{name, *text}
}
