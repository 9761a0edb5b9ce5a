package main

import (
	"path/filepath"

	"github.com/debertac/debertac/runtime"
)

// textBatch is the batch of a case of texts, whose prompt the model's head describes.
func (t *trial) textBatch(dir *folder) (*runtime.Batch, error) {
	p := t.unit.Program.Meta.Prompt
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
