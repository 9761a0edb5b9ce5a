package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"unicode"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// mails returns the texts of the mails of the spam example, without their labels: those of the training set, and those of the development set as the test.
// Tokens are characters: signs, letters and digits. A letter at the beginning of a word is another token than the same letter inside a word. The tokenizer
// maps texts to lower case.
func mails(spam string, length int) (*data, error) {
	d := &data{name: fmt.Sprintf("mails%d", length), length: length}
	for c := rune(' ' + 1); c < 0x7f; c++ {
		if unicode.IsUpper(c) {
			continue
		}
		if d.tokens = append(d.tokens, string(c)); unicode.IsLetter(c) || unicode.IsDigit(c) {
			d.tokens = append(d.tokens, "##"+string(c))
		}
	}
	var err error
	if d.train, err = texts(filepath.Join(spam, "mails", "train.jsonl.gz")); err != nil {
		return nil, err
	}
	d.test, err = texts(filepath.Join(spam, "mails", "dev.jsonl.gz"))
	return d, err
}

// texts reads the texts of a compressed file with one JSON object per line.
func texts(path string) ([]example.Example, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReader(f))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	var list []example.Example
	for lines := json.NewDecoder(z); lines.More(); {
		var mail struct{ Text string }
		if err := lines.Decode(&mail); err != nil {
			return nil, fmt.Errorf("%s: mail %d: %w", path, len(list)+1, err)
		}
		list = append(list, example.Example{Text: mail.Text})
	}
	return list, nil
}

// excerpts returns the beginnings of the first count texts that have at least as many tokens as a sequence of the given length holds, as sequences with the
// special tokens around them.
func excerpts(t tokenizer.Tokenizer, list []example.Example, length, count int) ([][]int32, error) {
	frame := t.Frame()
	open, _, end := frame.Around(false)
	room := length - len(open) - len(end)
	var found [][]int32
	for i := range list {
		if len(found) == count {
			return found, nil
		}
		ids, err := t.AppendIDs(append([]int32{}, open...), list[i].Text, false)
		if err != nil {
			return nil, err
		}
		if len(ids) >= len(open)+room {
			found = append(found, append(ids[:len(open)+room], end...))
		}
	}
	if len(found) < count {
		return nil, fmt.Errorf("%d texts have at least %d tokens, want %d", len(found), room, count)
	}
	return found, nil
}

// tokenizer opens the tokenizer of data that have tokens.
func (d *data) tokenizer() (tokenizer.Tokenizer, error) {
	t, err := token.FromWordPiece([]byte(d.list()), token.WordPieceOptions{Lower: true})
	if err != nil {
		return nil, err
	}
	return token.ForModel(t)
}
