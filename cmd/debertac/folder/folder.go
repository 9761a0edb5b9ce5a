// Package folder reads Hugging Face model folders: their configuration, weights and tokenizer. It writes the spec of a folder, and packs its weights.
package folder

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/hf"
)

// Folder is a Hugging Face model folder.
type Folder struct {
	Dir     string
	ignore  []string // names of files and fields, as the user gave them
	view    *hf.View // its small files, without those that are ignored
	Beside  *hf.Beside
	name    string // of the file with the configuration
	config  []byte
	Weights pack.Weights     // nil: the folder has none
	Wish    hf.Options       // what to make from the folder
	Rank    int              // greatest rank of adapters that calls can choose; 0: none
	Vectors bool             // results have vectors
	Token   *token.Tokenizer // nil: the folder has none
	kind    string           // of the tokenizer, in the spec's words; "none" without one
	lent    *Lent            // where the tokenizer comes from if it is not the folder's own
	notes   []string

	Precision string // of the weights, as in a target; "": f32
}

// MostText limits the size of a small file of the folder that is read into memory, in bytes; the largest are tokenizers.
const MostText = 1 << 29

// Open reads a model folder's configuration, the header of its weights and its tokenizer. Weights and Token are nil if the folder lacks them; with
// needWeights, missing weights are an error. The folder is read as if the files and fields that ignore names were not there.
func Open(dir string, needWeights bool, ignore []string) (*Folder, error) {
	if dir == "" {
		return nil, fault.Usage("", "the name of the model folder is empty")
	}
	st, err := disk.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, NoFolder(dir, err)
	}
	if err != nil {
		return nil, err
	}
	if !st.IsDir() {
		return nil, fault.Input(dir, "this is a file, a Hugging Face model folder is wanted")
	}
	f := &Folder{Dir: dir, ignore: ignore}
	if f.view, err = hf.NewView(noPointers{disk.FS(dir, MostText)}, ignore); err != nil {
		return nil, f.named(err)
	}
	f.notes = f.view.Notes()
	f.name = f.view.Config()
	f.config, err = f.view.ReadFile(f.name)
	if f.view.LeftOut(f.name, "") {
		return nil, fault.Input(dir, "--ignore %s leaves the folder without a configuration: name a field of it, --ignore FIELD", f.name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, f.noModel("the folder has no config.json, nor gliner_config.json: it is not a Hugging Face model folder")
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
	if f.Beside, err = hf.ReadBeside(f.view); err != nil {
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

// named puts the full path of a file into its error.
func (f *Folder) named(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) && !filepath.IsAbs(path.Path) && !strings.HasPrefix(path.Path, f.Dir) {
		return &fs.PathError{Op: path.Op, Path: filepath.Join(f.Dir, filepath.FromSlash(path.Path)), Err: path.Err}
	}
	if path != nil {
		return err
	}
	return fault.Input(f.Dir, "%v", err)
}

// Close closes the weights.
func (f *Folder) Close() error {
	if f == nil || f.Weights == nil {
		return nil
	}
	return f.Weights.Close()
}

// readTokenizer loads the folder's tokenizer. For a folder without any of a tokenizer's files it adds a note.
func (f *Folder) readTokenizer() error {
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
		f.Note("the folder has no tokenizer: the model takes token ids only")
		if f.name == glinerConfig {
			f.Note("many GLiNER folders come without one: copy tokenizer.json, or spm.model, of the encoder that model_name in %s names", f.name)
		}
		return nil
	}
	t, err := loadTokenizer(f.view)
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return f.named(path)
	case err != nil:
		return TokenizerFault(f.Dir, f.Dir, err)
	}
	f.Token = t
	f.kind = kindsOfTokenizer[t.Kind()]
	f.notes = append(f.notes, t.Notes()...)
	return nil
}

// Note adds a line about what was found in the folder.
func (f *Folder) Note(format string, args ...any) {
	f.notes = append(f.notes, fmt.Sprintf(format, args...))
}

// shapes returns the tensors' shapes by name, nil without weights.
func (f *Folder) shapes() (map[string][]int, error) {
	if f.Weights == nil {
		return nil, nil
	}
	shapes := map[string][]int{}
	for _, name := range f.Weights.Names() {
		info, err := f.Weights.Info(name)
		if err != nil {
			return nil, err
		}
		shapes[name] = info.Shape
	}
	return shapes, nil
}

// Spec writes the folder's spec, with the options in Wish. The names, Warn and, if it is set, Seq of o replace those of Wish.
func (f *Folder) Spec(o hf.Options) (text string, notes []string, err error) {
	shapes, err := f.shapes()
	if err != nil {
		return "", nil, err
	}
	wish := f.Wish
	wish.Model, wish.HeadName, wish.Tokenizer, wish.Warn = o.Model, o.HeadName, f.kind, o.Warn
	if o.Seq > 0 {
		wish.Seq = o.Seq
	}
	if f.Weights != nil {
		wish.Equal = func(a, b string) (bool, error) { return pack.Equal(f.Weights, a, b) }
	}
	wish.Beside = f.Beside
	if wish.Encoder, err = f.view.ReadFile(hf.EncoderFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", nil, f.named(err)
	}
	text, notes, err = hf.Spec(f.config, shapes, wish)
	if err != nil {
		return "", nil, f.fieldFault(f.name, err)
	}
	target := ""
	if f.Rank > 0 {
		target += fmt.Sprintf("    adapters rank <= %d\n", f.Rank)
	}
	if f.Vectors {
		target += "    vectors\n"
	}
	if f.Precision != "" && f.Precision != "f32" {
		target += "    weights " + f.Precision + "\n"
	}
	if target != "" {
		text += "\ntarget chosen {\n" + target + "}\n"
	}
	return text, append(notes, f.notes...), nil
}

// fieldFault turns a fault in one of the folder's files into a message with a hint.
func (f *Folder) fieldFault(file string, err error) error {
	var field *hf.FieldError
	if !errors.As(err, &field) {
		return fault.Input(filepath.Join(f.Dir, filepath.FromSlash(file)), "%v", err)
	}
	if field.File != "" {
		file = field.File
	}
	fault := fault.Input(filepath.Join(f.Dir, filepath.FromSlash(file)), "%s", field.Text())
	if field.CanIgnore {
		fault.Hint("%s, if it means nothing for the model", wording.Ignoring(field.Name()))
	}
	return fault
}

// MaxTokens returns the model's own limit on the tokens of a text. It is the smallest of the spec's seq, the rows of absolute positions if the model
// has them, and the limit in the folder's files. The last is the limit of sentence-transformers for embeddings, and the tokenizer's limit otherwise.
func (f *Folder) MaxTokens(m *spec.Model, embeds bool) int {
	limit := m.Seq
	if a := m.Embed.Absolute; a != nil {
		limit = min(limit, a.Rows-a.From)
	}
	if m.Checkpoint == "hf.gliner2" { // its library tokenizes words one by one, and has no limit on their tokens
		return limit
	}
	own := f.Beside.MaxTokens
	if embeds && f.Beside.MaxSeq > 0 {
		own = f.Beside.MaxSeq
	}
	if own > 0 {
		limit = min(limit, own)
	}
	return limit
}

// limitIn reads a positive number from a JSON object. It returns 0 if the number is absent, null, or so large that it means no limit.
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

// Hash writes the content of every file of the folder that packing reads, and the tokenizer that it has borrowed.
func (f *Folder) Hash(w io.Writer) error {
	if f.lent != nil {
		if err := f.lent.Hash(w); err != nil {
			return err
		}
	}
	entries, err := disk.ReadDir(f.Dir)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "ignore %q\n", f.ignore)
	weights := ".safetensors" // the folder's other files are not read
	safe, err := safetensors.In(f.Dir)
	if err != nil {
		return err
	}
	if !safe {
		weights = ".bin"
	}
	encoder := filepath.Join(f.Dir, filepath.FromSlash(hf.EncoderFile))
	if has, err := disk.Exists(encoder); err != nil {
		return err
	} else if has {
		if err := cache.HashFile(w, encoder); err != nil {
			return err
		}
	}
	for _, e := range entries {
		switch filepath.Ext(e.Name()) {
		case ".json", weights, ".model", ".txt":
			st, err := disk.Stat(filepath.Join(f.Dir, e.Name())) // published folders are often made of links
			if err != nil {
				return err
			}
			if !st.Mode().IsRegular() {
				continue
			}
			if err := cache.HashFile(w, filepath.Join(f.Dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}
