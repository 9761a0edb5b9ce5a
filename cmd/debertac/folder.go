package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// folder is a Hugging Face model folder.
type folder struct {
	dir     string
	ignore  []string // names of files and fields, as the user gave them
	view    *hf.View // its small files, without what is ignored
	beside  *hf.Beside
	name    string // of the configuration's file
	config  []byte
	weights pack.Weights     // nil: the folder has none
	wish    hf.Options       // what is to be made of it
	token   *token.Tokenizer // nil: the folder has none
	kind    string           // of the tokenizer, in the spec's words; "none" without one
	lent    *lent            // where the tokenizer comes from if it is not the folder's own
	notes   []string
}

// mostText bounds what is read into memory of a folder's small files; the largest are tokenizers.
const mostText = 1 << 29

// openFolder reads a model folder's configuration, the header of its weights and its tokenizer. What the folder lacks is nil; needWeights says
// that weights must be there. What ignore names is as if it were not there.
func openFolder(dir string, needWeights bool, ignore []string) (*folder, error) {
	if dir == "" {
		return nil, usage("", "the name of the model folder is empty")
	}
	st, err := disk.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, noFolder(dir, err)
	}
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, inputFault(dir, "this is a file, a Hugging Face model folder is wanted")
	}
	f := &folder{dir: dir, ignore: ignore}
	if f.view, err = hf.NewView(noPointers{disk.FS(dir, mostText)}, ignore); err != nil {
		return nil, f.named(err)
	}
	f.notes = f.view.Notes()
	f.name = f.view.Config()
	f.config, err = f.view.ReadFile(f.name)
	if f.view.LeftOut(f.name, "") {
		return nil, inputFault(dir, "--ignore %s leaves the folder without a configuration: name a field of it, --ignore FIELD", f.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, f.noModel("the folder has no config.json, nor gliner_config.json: it is no Hugging Face model folder")
	}
	if err != nil {
		return nil, f.named(err)
	}
	weights, err := f.layout()
	switch {
	case err != nil:
		return nil, err
	case weights != nil:
		if err := f.openWeights(weights); err != nil {
			return nil, err
		}
	case needWeights:
		return nil, f.noModel("the folder has no weights: neither model.safetensors nor pytorch_model.bin, nor an index of shards")
	}
	if f.beside, err = hf.ReadBeside(f.view); err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			return nil, errors.Join(f.named(path), f.Close())
		}
		return nil, errors.Join(f.fieldFault(f.name, err), f.Close())
	}
	if err := f.readTokenizer(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// named gives a fault of one of the folder's files its full name.
func (f *folder) named(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !filepath.IsAbs(path.Path) && !strings.HasPrefix(path.Path, f.dir) {
		return &fs.PathError{Op: path.Op, Path: filepath.Join(f.dir, filepath.FromSlash(path.Path)), Err: path.Err}
	}
	if path != nil {
		return err
	}
	return inputFault(f.dir, "%v", err)
}

// Close lets go of the weights.
func (f *folder) Close() error {
	if f == nil || f.weights == nil {
		return nil
	}
	return f.weights.Close()
}

// readTokenizer loads what there is. A folder without any of a tokenizer's files has none, and says so.
func (f *folder) readTokenizer() error {
	f.kind = "none"
	found := false
	for _, name := range []string{"tokenizer.json", "spm.model", "vocab.json", "merges.txt", "vocab.txt", "bpe_encoder.bin"} {
		has, err := disk.ExistsIn(f.view, name)
		if err != nil {
			return f.named(err)
		}
		found = found || has
	}
	if !found {
		f.note("the folder has no tokenizer: the model takes token ids only")
		if f.name == glinerConfig {
			f.note("many GLiNER folders come without one: copy tokenizer.json, or spm.model, of the encoder that model_name in %s names", f.name)
		}
		return nil
	}
	t, err := loadTokenizer(f.view)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return f.named(path)
	case err != nil:
		return tokenizerFault(f.dir, f.dir, err)
	}
	f.token = t
	f.kind = kindsOfTokenizer[t.Kind()]
	f.notes = append(f.notes, t.Notes()...)
	return nil
}

func (f *folder) note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// shapes gives the tensors' shapes by name, nil without weights.
func (f *folder) shapes() (map[string][]int, error) {
	if f.weights == nil {
		return nil, nil
	}
	shapes := map[string][]int{}
	for _, name := range f.weights.Names() {
		info, err := f.weights.Info(name)
		if err != nil {
			return nil, err
		}
		shapes[name] = info.Shape
	}
	return shapes, nil
}

// spec writes the folder's spec, with its wish; what o sets beside goes first.
func (f *folder) spec(o hf.Options) (text string, notes []string, err error) {
	shapes, err := f.shapes()
	if err != nil {
		return "", nil, err
	}
	wish := f.wish
	wish.Model, wish.HeadName, wish.Tokenizer, wish.Warn = o.Model, o.HeadName, f.kind, o.Warn
	if o.Seq > 0 {
		wish.Seq = o.Seq
	}
	if f.weights != nil {
		wish.Equal = func(a, b string) (bool, error) { return pack.Equal(f.weights, a, b) }
	}
	wish.Beside = f.beside
	text, notes, err = hf.Spec(f.config, shapes, wish)
	if err != nil {
		return "", nil, f.fieldFault(f.name, err)
	}
	return text, append(notes, f.notes...), nil
}

// fieldFault puts a fault of one of the folder's files into the form of all messages, with what to do.
func (f *folder) fieldFault(file string, err error) error {
	var field *hf.FieldError
	if !errors.As(err, &field) {
		return inputFault(filepath.Join(f.dir, filepath.FromSlash(file)), "%v", err)
	}
	if field.File != "" {
		file = field.File
	}
	fault := inputFault(filepath.Join(f.dir, filepath.FromSlash(file)), "%s", field.Text())
	if field.CanIgnore {
		fault.hint("%s, if it means nothing for the model", ignoring(field.Name()))
	}
	return fault
}

// maxTokens is the model's own limit on the tokens of a text: the smaller of the rows of absolute positions, or without them the spec's seq, and of
// what the folder's files say. Of these the limit of sentence-transformers decides for embeddings, and the tokenizer's otherwise.
func (f *folder) maxTokens(m *spec.Model, embeds bool) int {
	limit := m.Seq
	if a := m.Embed.Absolute; a != nil {
		limit = min(limit, a.Rows-a.From)
	}
	own := f.beside.MaxTokens
	if embeds && f.beside.MaxSeq > 0 {
		own = f.beside.MaxSeq
	}
	if own > 0 {
		limit = min(limit, own)
	}
	return limit
}

// limitIn reads a positive number from a JSON object; 0 if it is absent, null, or so large that it stands for no limit.
func limitIn(text []byte, field string, below float64) (int, error) {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		return 0, fmt.Errorf("it is not a JSON object: %s", diag.JSON(err))
	}
	raw := bytes.TrimSpace(all[field])
	if len(raw) == 0 || string(raw) == "null" {
		return 0, nil
	}
	var x float64
	if err := json.Unmarshal(raw, &x); err != nil || x < 1 || x < below && x != math.Trunc(x) {
		return 0, fmt.Errorf("%s = %s is not a positive whole number", field, strings.TrimSpace(string(raw)))
	}
	if x >= below {
		return 0, nil
	}
	return int(x), nil
}
