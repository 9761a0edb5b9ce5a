package main

import (
	"encoding/json"
	"path/filepath"
	"strconv"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/spec/diag"
)

// glinerConfig is the configuration of a folder whose model reads labels in front of a text.
const glinerConfig = "gliner_config.json"

// entityExtra is what is packed for a head that reads labels in front of a text: the model's own limit on the words of a text, and the numbers of the
// tokens around labels where the tokenizer, that of the plain encoder, does not have them; nil for other folders.
func (f *folder) entityExtra(u *compiler.Unit) (map[string]string, error) {
	p := u.Program.Meta.Prompt
	if f.name != glinerConfig || p == nil {
		return nil, nil
	}
	path := filepath.Join(f.dir, f.name)
	n, err := limitIn(f.config, "max_len", 1e6)
	if err != nil {
		return nil, inputFault(path, "%v", err)
	}
	extra := map[string]string{}
	if n > 0 {
		extra[task.MaxWordsKey] = strconv.Itoa(n)
	}
	if f.token == nil {
		return extra, nil
	}
	var config struct {
		Class *int `json:"class_token_index"`
	}
	if err := json.Unmarshal(f.config, &config); err != nil {
		return nil, inputFault(path, "%s", diag.JSON(err))
	}
	id, mark := f.token.ID(p.Mark)
	_, end := f.token.ID(p.End)
	if mark && end {
		if c := config.Class; c != nil && *c >= 0 && *c != int(id) {
			return nil, inputFault(path, "class_token_index = %d, but the tokenizer has the number %d for ent_token = %s: labels would be looked for at another token", *c, id, p.Mark)
		}
		return extra, nil
	}
	// The library adds them after the tokenizer's own tokens, the end after the mark; configs written before it has done so have no number, or -1.
	first := u.Model.Vocab - 2
	if config.Class != nil && *config.Class >= 0 {
		first = *config.Class
	}
	if first < f.token.Size() || first+1 >= u.Model.Vocab {
		return nil, inputFault(path, "class_token_index = %d, and the tokenizer, which has %d tokens, does not have ent_token or sep_token, %s: in a table of %d rows the number must lie behind the tokenizer's",
			first, f.token.Size(), p.Mark+" and "+p.End, u.Model.Vocab)
	}
	extra[task.MarkKey], extra[task.EndKey] = strconv.Itoa(first), strconv.Itoa(first+1)
	return extra, nil
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
