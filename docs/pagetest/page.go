// Package pagetest holds what the tests of the pages in docs share: it reads pages, runs the commands on them with a debertac that it builds, and compares
// what they print with what the pages show.
package pagetest

import "strings"

// Block is the text between two fences of a page.
type Block struct {
	Kind  string // the fence's words
	Text  string
	Line  int // of the opening fence, from 1
	Start int // of the text, a byte of the page
}

// Blocks finds the fenced blocks of a page.
func Blocks(page string) (list []Block) {
	at, line := 0, 0
	open := -1
	for l := range strings.SplitAfterSeq(page, "\n") {
		line++
		if kind, ok := strings.CutPrefix(strings.TrimRight(l, "\n"), "```"); ok {
			if open < 0 {
				list, open = append(list, Block{Kind: kind, Line: line, Start: at + len(l)}), at+len(l)
			} else {
				list[len(list)-1].Text, open = page[open:at], -1
			}
		}
		at += len(l)
	}
	return list
}

// Command is a command of a page, with what the page shows below it.
type Command struct {
	Text, Prints string
	Line         int
}

// Commands reads a console block: commands after "$ ", which continue on the next line after a backslash, and their outputs.
func (b *Block) Commands() (list []Command) {
	more := false
	for i, l := range strings.SplitAfter(b.Text, "\n") {
		c, begins := strings.CutPrefix(l, "$ ")
		switch {
		case begins:
			list = append(list, Command{Text: c, Line: b.Line + 1 + i})
		case len(list) == 0:
			continue
		case more:
			list[len(list)-1].Text += l
		default:
			list[len(list)-1].Prints += l
		}
		more = (begins || more) && strings.HasSuffix(l, "\\\n")
	}
	return list
}
