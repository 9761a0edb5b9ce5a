package main

import (
	"path/filepath"
	"strconv"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/task"
)

// glinerConfig is the configuration of a folder whose model reads labels in front of a text.
const glinerConfig = "gliner_config.json"

// maxWords is the model's own limit on the words of a text, in the form that is packed; nil: it has none.
func (f *folder) maxWords() (map[string]string, error) {
	if f.name != glinerConfig {
		return nil, nil
	}
	n, err := limitIn(f.config, "max_len", 1e6)
	if err != nil {
		return nil, inputFault(filepath.Join(f.dir, f.name), "%v", err)
	}
	if n == 0 {
		return nil, nil
	}
	return map[string]string{task.MaxWordsKey: strconv.Itoa(n)}, nil
}

// textBatch is the batch of a case of texts, whose prompt the model's head describes.
func (t *trial) textBatch(dir *folder, u *compiler.Unit) (*runtime.Batch, error) {
	p := u.Program.Meta.Prompt
	if p == nil {
		return nil, inputFault(t.dir, "the model has no head that reads labels in front of a text, which the case is for")
	}
	if dir.token == nil {
		return nil, inputFault(t.dir, "the folder has no tokenizer, so %s has no number", p.Mark)
	}
	mark, ok := dir.token.ID(p.Mark)
	if !ok {
		return nil, inputFault(filepath.Join(t.dir, "tokenizer.json"), "there is no token %s", p.Mark)
	}
	return t.golden.TextBatch(mark, p.After)
}
