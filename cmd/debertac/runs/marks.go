package runs

import (
	"encoding/json"
	"path/filepath"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/spec/hf"
)

const (
	glinerConfig  = "gliner_config.json"
	sentenceToken = "[FLERT]" // the library gliner adds it too
	tokenizerJSON = "tokenizer.json"
	addedTokens   = "added_tokens.json"
)

// addedToken is a token in the files of a tokenizer, with the flags that the library gliner sets.
type addedToken struct {
	ID         *int   `json:"id,omitempty"` // added_tokens_decoder has it as the key
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"`
	Special    bool   `json:"special"`
}

// marked makes the tokenizer of a plain encoder that of a model whose labels stand in front of a text (GLiNER), as the library gliner does for a new model: the
// tokens around labels follow those of the tokenizer, and gliner_config.json describes the model. base is the folder or file of the tokenizer, and described
// the folder whose files describe the model, or "". It returns the folder that has both, or what it was called with if nothing is missing.
func (r *run) marked(base, described string) (tokenizer, config string, err error) {
	head := r.unit.Head
	if head.Prompt == nil || head.Model.Checkpoint != "hf.gliner" {
		return base, described, nil
	}
	files, err := baseFiles(base, described)
	if err != nil {
		return "", "", err
	}
	if err := r.mark(base, files); err != nil || r.temp == "" {
		return base, described, err
	}
	return r.temp, r.temp, nil
}

// mark makes the folder of marked, if something is missing. files are those of the tokenizer and of the description of the model.
func (r *run) mark(base string, files map[string][]byte) (err error) {
	head := r.unit.Head
	mark, hasMark := r.tok.Token.ID(head.Prompt.Mark)
	_, hasEnd := r.tok.Token.ID(head.Prompt.End)
	config := filepath.Join(runfolder.BaseFolder, glinerConfig)
	size, rows := r.tok.Token.Size(), head.Model.Vocab
	switch {
	case hasMark && hasEnd && files[config] != nil:
		return nil
	case hasMark != hasEnd:
		return fault.Input(base, "the tokenizer has one of the tokens %s and %s, which the prompt of %s needs, and not the other", head.Prompt.Mark,
			head.Prompt.End, head.FullName())
	case !hasMark && files[config] != nil:
		return fault.Input(base, "its tokenizer lacks %s and %s, which its %s asks for: add them to the tokenizer, or leave the file out", head.Prompt.Mark,
			head.Prompt.End, glinerConfig)
	}
	if !hasMark {
		added := []string{head.Prompt.Mark, head.Prompt.End}
		if _, has := r.tok.Token.ID(sentenceToken); !has {
			added = append([]string{sentenceToken}, added...)
		}
		end := size + len(added)
		if rows < end {
			return fault.Input(r.src.Tree.Name, "the prompt of %s adds %d tokens to the %d of the tokenizer, and the model has %d", head.FullName(), len(added),
				size, rows).Hint("dim vocab = %d", end)
		}
		if err := addTokens(files, r.tok.Token, added...); err != nil {
			return fault.Input(base, "%v", err)
		}
		mark = int32(end - 2)
		r.Note("%s are added to the tokenizer, as the tokens %d to %d", joined(added), size, end-1)
		if rows > end {
			r.Note("note: the model has %d tokens, and the tokenizer %d: `dim vocab = %d` in the spec makes both equal, as the library gliner wants them", rows,
				end, end)
		}
	}
	object, err := hf.GLiNER(head.Model, head, int(mark))
	if err != nil {
		return fault.Input(r.src.Tree.Name, "%v", err)
	}
	files[config] = object.Bytes()
	for _, name := range []string{"config.json", "sentence_bert_config.json"} { // of the plain encoder
		delete(files, filepath.Join(runfolder.BaseFolder, name))
	}
	if r.temp, err = disk.TempDir("", "debertac-tokenizer-"); err != nil {
		return err
	}
	for name, text := range files {
		if err := disk.WriteThrowaway(filepath.Join(r.temp, filepath.Base(name)), text, 0o600); err != nil {
			return err
		}
	}
	if r.tok, err = folder.Lend(r.Console, r.temp, nil); err != nil {
		return err
	}
	if id, ok := r.tok.Token.ID(head.Prompt.Mark); !ok || id != mark {
		return fault.Input(base, "%s cannot be added to this tokenizer: a folder with tokenizer.json can have it", head.Prompt.Mark)
	}
	return nil
}

// addTokens adds tokens to the files of a tokenizer, after all others.
func addTokens(files map[string][]byte, to *token.Tokenizer, names ...string) error {
	first := to.Size()
	path := func(name string) string { return filepath.Join(runfolder.BaseFolder, name) }
	flags := func(i int) addedToken { return addedToken{Content: names[i], Special: true} }
	if text := files[path(tokenizerJSON)]; text != nil {
		o, err := hf.ReadObject(text)
		if err != nil {
			return err
		}
		var list []json.RawMessage
		if _, err := o.Get("added_tokens", &list); err != nil {
			return err
		}
		for i := range names {
			t, id := flags(i), first+i
			t.ID = &id
			entry, err := json.Marshal(t)
			if err != nil {
				return err
			}
			list = append(list, entry)
		}
		if err := o.Set("added_tokens", list); err != nil {
			return err
		}
		files[path(tokenizerJSON)] = o.Bytes()
	} else {
		o := hf.NewObject()
		if text := files[path(addedTokens)]; text != nil {
			var err error
			if o, err = hf.ReadObject(text); err != nil {
				return err
			}
		}
		// The library transformers numbers the tokens of this file first, so those at the end that it adds without the file, such as [MASK], are there too.
		ids := map[int32]string{}
		for _, a := range to.Added() {
			ids[a.ID] = a.Content
		}
		for id := int32(first) - 1; ids[id] != ""; id-- {
			if err := o.Set(ids[id], id); err != nil {
				return err
			}
		}
		for i, name := range names {
			if err := o.Set(name, first+i); err != nil {
				return err
			}
		}
		files[path(addedTokens)] = o.Bytes()
	}
	return addToDecoder(files, path("tokenizer_config.json"), first, len(names), flags)
}

// addToDecoder adds tokens to added_tokens_decoder of a tokenizer_config.json, if it has the field.
func addToDecoder(files map[string][]byte, path string, first, n int, flags func(i int) addedToken) error {
	if files[path] == nil {
		return nil
	}
	o, err := hf.ReadObject(files[path])
	if err != nil {
		return err
	}
	tokens := map[string]json.RawMessage{}
	if there, err := o.Get("added_tokens_decoder", &tokens); err != nil || !there {
		return err
	}
	for i := range n {
		entry, err := json.Marshal(flags(i))
		if err != nil {
			return err
		}
		tokens[strconv.Itoa(first+i)] = entry
	}
	if err := o.Set("added_tokens_decoder", tokens); err != nil {
		return err
	}
	files[path] = o.Bytes()
	return nil
}
