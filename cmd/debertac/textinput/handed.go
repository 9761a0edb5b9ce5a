package textinput

import (
	"os"
	"regexp"
	"strconv"
)

// descriptor is the name of an open file of a process, as shells give it for <(command). 0, 1 and 2 are those of the built program too.
var descriptor = regexp.MustCompile(`^/(?:dev|proc/self)/fd/([3-9]|[1-9][0-9]{1,5})$`)

// Handed returns an input that this process has open already and that the built program would not have; nil for any other one. The program reads it
// from its standard input.
func (i *Args) Handed() (*os.File, error) {
	m := descriptor.FindStringSubmatch(i.Input)
	if m == nil {
		return nil, nil
	}
	fd, err := strconv.Atoi(m[1])
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), i.Input)
	if _, err := f.Stat(); err != nil {
		return nil, err
	}
	return f, nil
}
