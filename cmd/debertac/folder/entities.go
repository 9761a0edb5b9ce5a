package folder

import (
	"encoding/json"
	"path/filepath"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// glinerConfig is the configuration of a folder whose model reads labels in front of a text.
const glinerConfig = "gliner_config.json"

// entityExtra returns the settings that are packed for a head that reads labels in front of a text: the model's own limit on the words of a text, and
// the ids of the tokens around labels if the tokenizer, that of the plain encoder, does not have these tokens. It returns nil for other folders.
func (f *Folder) entityExtra(u *compiler.Unit) (map[string]string, error) {
	p := u.Program.Meta.Prompt
	if f.name != glinerConfig || p == nil {
		return nil, nil
	}
	path := filepath.Join(f.Dir, f.name)
	n, err := limitIn(f.config, "max_len", 1e6)
	if err != nil {
		return nil, fault.Input(path, "%v", err)
	}
	extra := map[string]string{}
	if n > 0 {
		extra[task.MaxWordsKey] = strconv.Itoa(n)
	}
	if f.Token == nil {
		return extra, nil
	}
	var config struct {
		Class *int `json:"class_token_index"`
	}
	if err := json.Unmarshal(f.config, &config); err != nil {
		return nil, fault.Input(path, "%s", diag.JSON(err))
	}
	id, mark := f.Token.ID(p.Mark)
	_, end := f.Token.ID(p.End)
	if mark && end {
		if c := config.Class; c != nil && *c >= 0 && *c != int(id) {
			return nil, fault.Input(path, "class_token_index = %d, but the tokenizer has the number %d for ent_token = %s: labels would be looked for at "+
				"another token", *c, id, p.Mark)
		}
		return extra, nil
	}
	// The library adds these tokens after the tokenizer's own: first the mark, then the end. Configurations that were written before the library
	// added them have no id, or -1.
	first := u.Model.Vocab - 2
	if config.Class != nil && *config.Class >= 0 {
		first = *config.Class
	}
	if first < f.Token.Size() || first+1 >= u.Model.Vocab {
		return nil, fault.Input(path, "class_token_index = %d, and the tokenizer, which has %d tokens, does not have ent_token or sep_token, %s: in a "+
			"table of %d rows the number must lie after those of the tokenizer",
			first, f.Token.Size(), p.Mark+" and "+p.End, u.Model.Vocab)
	}
	extra[task.MarkKey], extra[task.EndKey] = strconv.Itoa(first), strconv.Itoa(first+1)
	return extra, nil
}

// checkLabelTokens compares the numbers of the tokens around labels, in the config of a GLiClass model, with those of the tokenizer. The library looks for the
// numbers of the config.
func (f *Folder) checkLabelTokens(u *compiler.Unit) error {
	p := u.Program.Meta.Prompt
	if p == nil || u.Program.Meta.Task != tasktable.OwnLabels || f.Token == nil {
		return nil
	}
	path := filepath.Join(f.Dir, f.name)
	var config struct {
		Class   *int `json:"class_token_index"`
		Text    *int `json:"text_token_index"`
		Example *int `json:"example_token_index"`
	}
	if err := json.Unmarshal(f.config, &config); err != nil {
		return fault.Input(path, "%s", diag.JSON(err))
	}
	for _, t := range []struct {
		field, token string
		number       *int
	}{{"class_token_index", p.Mark, config.Class}, {"text_token_index", p.End, config.Text}, {"example_token_index", p.Example, config.Example}} {
		id, ok := f.Token.ID(t.token)
		if ok && t.number != nil && *t.number >= 0 && *t.number != int(id) {
			return fault.Input(path, "%s = %d, but the tokenizer has the number %d for %s: labels would be looked for at another token", t.field, *t.number, id,
				t.token)
		}
	}
	return nil
}
