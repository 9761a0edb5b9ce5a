package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// pieces is the size of the vocabulary of the mails' tokenizer.
const pieces = 8064

// mails returns the texts of the mails of the spam example, without their labels: those of the training set, and those of the development set as the test. The
// tokenizer is that of the example's model.
func mails(spam string, length int) (*data, error) {
	d := &data{name: fmt.Sprintf("mails%d", length), folder: filepath.Join(spam, "model"), length: length}
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

// tokens opens the tokenizer of a model folder.
func tokens(folder string) (tokenizer.Tokenizer, error) {
	b, err := os.ReadFile(filepath.Join(folder, "spm.model"))
	if err != nil {
		return nil, err
	}
	t, err := token.FromSPM(b, token.SPMOptions{})
	if err != nil {
		return nil, err
	}
	return token.ForModel(t)
}
