package gauge

import (
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
)

// maxLengths bounds a file of lengths, in bytes.
const maxLengths = 64 << 20

// ReadLengths reads the lengths of sequences, in tokens, from a file of numbers that white space separates. It returns at least one. An error names the
// file and the line of what is not a number from 1 to most.
func ReadLengths(path string, most int) ([]int, error) {
	text, err := disk.ReadFile(path, maxLengths)
	if err != nil {
		return nil, err
	}
	var list []int
	line := 0
	for row := range strings.Lines(string(text)) {
		line++
		for f := range strings.FieldsSeq(row) {
			n, err := strconv.Atoi(f)
			if err != nil || n < 1 {
				return nil, command.Faulty(path+":"+strconv.Itoa(line), "%q is not a number of tokens", command.Shorten(f, 40))
			}
			if n > most {
				return nil, command.Faulty(path+":"+strconv.Itoa(line), "%d tokens, the limit of a sequence is %d", n, most)
			}
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, command.Faulty(path, "it holds no lengths")
	}
	return list, nil
}
