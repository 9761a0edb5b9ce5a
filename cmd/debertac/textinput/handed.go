package textinput

import (
	"os"
	"regexp"
	"strconv"
)

// descriptor matches the name of an open file of a process, which shells pass for <(command). 0, 1 and 2 are open in the built program too.
var descriptor = regexp.MustCompile(`^/(?:dev|proc/self)/fd/([3-9]|[1-9][0-9]{1,5})$`)

// Handed returns an input that is open in this process but would not be open in the built program. The program reads it from its standard input. For
// any other input it returns nil.
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
