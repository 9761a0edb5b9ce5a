package command

import "flag"

// LowerDefault sets the value of a flag that is not given to the limit of the program if its default is above the limit.
func LowerDefault(fs *flag.FlagSet, name string, value *int, limit int) {
	given := false
	fs.Visit(func(f *flag.Flag) { given = given || f.Name == name })
	if !given {
		*value = min(*value, limit)
	}
}
