package dataset

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/example"
)

// conll reads sentences with one word per line, in columns, and blank lines between the sentences (Tjong Kim Sang and De Meulder 2003).
type conll struct {
	file        string
	w           *window
	words, tags int // columns from 1, or from the end with -1 as the last
	columns     int // of the file; 0: not known yet
}

// maxSentence bounds a sentence, in bytes, because its words take more memory than their text.
const maxSentence = 8 << 20

// sentence is a sentence that is being read.
type sentence struct {
	e        *example.Example
	size     int
	why      string // what is wrong with it
	whereWhy int64
}

// fail notes the first fault of the sentence.
func (s *sentence) fail(line int64, why string) {
	if s.why == "" {
		s.why, s.whereWhy = why, line
	}
}

func (c *conll) read(q []result) ([]result, error) {
	s := sentence{}
	for {
		line, number, err := c.w.line()
		switch {
		case errors.Is(err, errTooLong):
			s.begin(number)
			s.fail(number, tooLongRow)
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return q, err
		}
		blank := len(bytes.TrimSpace(line)) == 0 || bytes.HasPrefix(line, []byte("-DOCSTART-"))
		switch {
		case s.e == nil && err != nil:
			return q, err
		case s.e == nil && (blank || c.comment(line)):
			continue
		case blank && s.why != "":
			return append(q, faulty(c.file, s.whereWhy, s.why)), nil
		case blank:
			return append(q, result{example: s.e}), nil
		}
		s.begin(number)
		if s.size += len(line); s.size > maxSentence {
			s.fail(number, "the sentence that begins in line "+strconv.FormatInt(s.e.At, 10)+" is longer than "+strconv.Itoa(maxSentence>>20)+" MiB")
		}
		if s.why == "" {
			if why := c.word(s.e, line); why != "" {
				s.fail(number, why)
			}
		}
	}
}

// begin begins the sentence, unless it has begun.
func (s *sentence) begin(line int64) {
	if s.e == nil {
		s.e = &example.Example{At: line}
	}
}

// cells returns the columns of a line: between tabs if there are tabs, else between spaces.
func cells(line []byte) []string {
	text := string(line)
	if strings.Contains(text, "\t") {
		return strings.Split(strings.TrimRight(text, "\t "), "\t")
	}
	return strings.Fields(text)
}

// comment reports whether a line in front of a sentence is a comment: it begins with "#", and it is not a word "#" in the columns of the file.
func (c *conll) comment(line []byte) bool {
	if len(line) == 0 || line[0] != '#' || bytes.HasPrefix(line, []byte("#\t")) {
		return false
	}
	return c.columns == 0 || len(cells(line)) != c.columns
}

// word adds the word of a line to a sentence. It returns what is wrong with the line.
func (c *conll) word(e *example.Example, line []byte) string {
	if !utf8.Valid(line) {
		return notUTF8
	}
	all := cells(line)
	if c.columns == 0 {
		if why := c.has(len(all)); why != "" {
			return why
		}
		c.columns = len(all)
	}
	if len(all) != c.columns {
		return fmt.Sprintf("it has %s, and the first line of the file has %d", wording.Counted(len(all), "column", "columns"), c.columns)
	}
	word, tag := place(c.words, len(all)), place(c.tags, len(all))
	if all[word] == "" {
		return "the word is empty"
	}
	e.Words = append(e.Words, all[word])
	if word == tag { // the file has no tags
		return ""
	}
	if all[tag] == "" {
		return "the tag is missing"
	}
	e.Tags = append(e.Tags, all[tag])
	return ""
}

// has returns what is wrong if a file of n columns lacks one that is asked for.
func (c *conll) has(n int) string {
	for _, column := range []int{c.words, c.tags} {
		if column > n || -column > n {
			return fmt.Sprintf("it has %s, and column %d is asked for", wording.Counted(n, "column", "columns"), column)
		}
	}
	return ""
}

// place returns the index of a column that counts from 1, or from the end with -1 as the last, of n.
func place(column, n int) int {
	if column < 0 {
		return n + column
	}
	return column - 1
}

func openCoNLL(s *source, o *Options) (reader, error) {
	c := &conll{file: s.file, w: s.window(), words: o.Words, tags: o.Tags}
	if c.words == 0 {
		c.words = 1
	}
	if c.tags == 0 {
		c.tags = -1
	}
	return c, nil
}
