package folder

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/spec/hf"
)

// LentFlag is the flag that names a tokenizer for a model folder without tokenizer files.
type LentFlag struct {
	Tokenizer string `placeholder:"DIR|FILE" help:"Tokenizer for a model folder that has none: a folder, or a file tokenizer.json, spm.model or vocab.txt."`
}

// DrawnFlag is LentFlag for verbs that can draw random weights for a spec: a spec with random weights has no tokenizer either.
type DrawnFlag struct {
	Tokenizer string `placeholder:"DIR|FILE" help:"@folder_drawn_tokenizer"`
}

// Lent is the tokenizer that --tokenizer names.
type Lent struct {
	Path  string
	Token *token.Tokenizer
	Kind  string // in the spec's words
}

// kindsOfTokenizer maps the kinds of tokenizers to the spec's words for them.
var kindsOfTokenizer = map[string]string{"unigram": "sentencepiece", "byte-level BPE": "bytebpe", "WordPiece": "wordpiece"}

// tokenizerLimit limits the size of a tokenizer's file, in bytes. The largest published files have 20 MB.
const tokenizerLimit = 256 << 20

// loadTokenizer reads a folder's tokenizer. If a field of its tokenizer_config.json is left out, its tokenizer.json decides.
func loadTokenizer(v *hf.View) (*token.Tokenizer, error) {
	return token.LoadWithout(v, func(field string) bool { return v.LeftOut("tokenizer_config.json", field) })
}

// TokenizerFault returns the error for a tokenizer whose files are in dir; place is how the user named it. If a field of a file is at fault, the hint
// tells how to leave it out.
func TokenizerFault(place, dir string, err error) error {
	var field *token.FieldError
	if !errors.As(err, &field) {
		return fault.Input(place, "the tokenizer cannot be read: %v", err)
	}
	f := hf.FieldError{File: field.File, Field: field.Field, Reason: field.Reason, CanIgnore: field.CanIgnore}
	fault := fault.Input(filepath.Join(dir, filepath.FromSlash(f.File)), "the tokenizer cannot be read: %s", f.Text())
	if f.CanIgnore {
		fault.Hint("%s, if it means nothing for the model", wording.Ignoring(f.Name()))
	}
	return fault
}

// Lend reads the tokenizer that --tokenizer names, without the files and fields that ignore names. It prints the tokenizer's notes. It returns nil if
// path is "".
func Lend(c *console.Console, path string, ignore []string) (*Lent, error) {
	if path == "" {
		return nil, nil
	}
	st, err := disk.Stat(path)
	if err != nil {
		return nil, err
	}
	files := disk.FS(path, tokenizerLimit)
	if !st.IsDir() {
		if files, err = oneFile(path); err != nil {
			return nil, err
		}
	}
	view, err := hf.NewView(files, ignore)
	if err != nil {
		return nil, fault.Input(path, "%v", err)
	}
	t, err := loadTokenizer(view)
	if err != nil {
		dir := path
		if !st.IsDir() {
			dir = filepath.Dir(path)
		}
		return nil, TokenizerFault(path, dir, err)
	}
	for _, n := range append(view.Notes(), t.Notes()...) {
		c.Note("%s: note: %s", path, n)
	}
	return &Lent{path, t, kindsOfTokenizer[t.Kind()]}, nil
}

// Besides lists the files with further settings of a tokenizer.
var Besides = []string{"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"}

// single is the file system of a folder in which only one tokenizer file and the files of Besides can be seen. In it the tokenizer file has the usual
// name of its format.
type single struct {
	fs.FS
	file, name string
}

// Open opens the file under its new name, or one of Besides.
func (s single) Open(name string) (fs.File, error) {
	switch {
	case name == s.name:
		return s.FS.Open(s.file)
	case slices.Contains(Besides, name):
		return s.FS.Open(name)
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

// oneFile is the file system of a tokenizer that is named by its file.
func oneFile(path string) (fs.FS, error) {
	s := single{FS: disk.FS(filepath.Dir(path), tokenizerLimit), file: filepath.Base(path)}
	switch {
	case s.file == "vocab.json" || s.file == "merges.txt":
		return nil, fault.Input(path, "a byte-level tokenizer is two files, vocab.json and merges.txt").Hint("--tokenizer %s",
			wording.Quoted(filepath.Dir(path)))
	case strings.HasSuffix(s.file, ".json"):
		s.name = "tokenizer.json"
	case strings.HasSuffix(s.file, ".model"):
		s.name = "spm.model"
	case strings.HasSuffix(s.file, ".txt"):
		s.name = "vocab.txt"
	default:
		return nil, fault.Input(path, "the file's ending does not tell the form of its tokenizer (there are .json for tokenizer.json, .model for "+
			"SentencePiece, .txt for WordPiece)")
	}
	return s, nil
}

// OpenWith opens a model folder with the tokenizer that --tokenizer names, if any. If ignore names a tokenizer's file or field that the model folder
// lacks, it is left out of that tokenizer.
func OpenWith(c *console.Console, dir string, needWeights bool, ignore []string, tokenizer string) (*Folder, error) {
	own, its := ignore, []string(nil)
	if tokenizer != "" {
		var err error
		if own, its, err = hf.Divide(disk.FS(dir, MostText), ignore); err != nil {
			return nil, err
		}
	}
	f, err := Open(dir, needWeights, own)
	if err != nil {
		return nil, err
	}
	t, err := Lend(c, tokenizer, its)
	if err == nil {
		err = f.borrow(t)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// borrow sets the tokenizer of a folder without one to the tokenizer that --tokenizer names.
func (f *Folder) borrow(t *Lent) error {
	switch {
	case t == nil:
		return nil
	case f.Token != nil:
		return fault.Input(f.Dir, "the folder has a tokenizer of its own, so there is no place for %s", t.Path).Hint("leave out --tokenizer")
	}
	f.lent, f.Token, f.kind, f.notes = t, t.Token, t.Kind, nil
	return nil
}

// Fits returns an error for a tokenizer whose ids are not those of the model. place is where the tokenizer comes from.
func Fits(t *token.Tokenizer, kind, place string, u *compiler.Unit) error {
	switch {
	case kind != u.Model.Tokenizer:
		return fault.Input(place, "the spec has tokenizer %s, this one is %s: the model was not trained with its ids", u.Model.Tokenizer, kind).
			Hint("tokenizer %s, if the spec is wrong", kind)
	case t.Size() > u.Model.Vocab:
		return fault.Input(place, "the tokenizer has %d ids, the model's token table %d rows", t.Size(), u.Model.Vocab)
	}
	if _, err := token.ForModel(t); err != nil {
		return fault.Input(place, "no text can be framed: %v", err)
	}
	return nil
}

// options adds the tokenizer to the options of packing.
func (t *Lent) options(u *compiler.Unit, o *pack.Options) (err error) {
	if err := Fits(t.Token, t.Kind, t.Path, u); err != nil {
		return err
	}
	o.TokenizerKind = token.PackedKind
	if o.Tokenizer, err = t.Token.Marshal(); err != nil {
		return fault.Ours(err)
	}
	return nil
}

// Hash writes what identifies the tokenizer.
func (t *Lent) Hash(w io.Writer) error {
	text, err := t.Token.Marshal()
	if err != nil {
		return fault.Ours(err)
	}
	_, err = w.Write(text)
	return err
}
