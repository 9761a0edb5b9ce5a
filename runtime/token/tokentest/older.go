package tokentest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
)

// older reads a folder's older files as if it had no tokenizer.json. A vocab.txt does not tell the case of its texts. If
// there is no tokenizer_config.json either, the tokenizer.json next to it decides.
func (v *verifier) older(b []byte) (func(line []byte) error, error) {
	t, err := v.loadOlder(b)
	if err != nil {
		return nil, err
	}
	return v.encodings(t)
}

func (v *verifier) loadOlder(b []byte) (*token.Tokenizer, error) {
	config, err := disk.ExistsIn(v.fsys, "tokenizer_config.json")
	if err != nil {
		return nil, err
	}
	vocab, err := disk.ExistsIn(v.fsys, "vocab.txt")
	if err != nil {
		return nil, err
	}
	doc, err := fs.ReadFile(v.fsys, "tokenizer.json")
	if !vocab || config || errors.Is(err, fs.ErrNotExist) {
		return token.Load(without{v.fsys, "tokenizer.json"})
	}
	if err != nil {
		return nil, err
	}
	var says struct {
		Normalizer struct {
			Lowercase    bool  `json:"lowercase"`
			StripAccents *bool `json:"strip_accents"`
			Chinese      *bool `json:"handle_chinese_chars"`
		} `json:"normalizer"`
	}
	if err := json.Unmarshal(doc, &says); err != nil {
		return nil, fmt.Errorf("tokenizer.json: %w", err)
	}
	n := &says.Normalizer
	return token.FromWordPiece(b, token.WordPieceOptions{Lower: n.Lowercase, Accents: n.StripAccents, JoinIdeographs: n.Chinese != nil && !*n.Chinese})
}

// without is a file system that lacks one file.
type without struct {
	fs.FS
	name string
}

func (w without) Open(name string) (fs.File, error) {
	if name == w.name {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return w.FS.Open(name)
}
