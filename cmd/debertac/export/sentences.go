package export

import (
	"encoding/json"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// modulesFile lists the modules of a sentence-transformers model.
const modulesFile = "modules.json"

// ofSentences reports whether a file of a folder belongs to the modules of sentence-transformers, which make vectors of rows.
func ofSentences(name string) bool {
	return name == modulesFile || name == "config_sentence_transformers.json" || strings.Contains(name, "_Pooling/") || strings.Contains(name, "_Normalize/") ||
		strings.Contains(name, "_Dense/")
}

// module is an entry of modules.json.
type module struct {
	Idx  int    `json:"idx"`
	Name string `json:"name"`
	Path string `json:"path"`
	Type string `json:"type"`
}

// sentences adds the modules of sentence-transformers to the folder of a head whose rows become vectors, unless the folder has them: the mean or the first
// row.
func sentences(dir string, h *spec.Head) error {
	if h.Task() != tasktable.Vector || len(h.Steps) > 0 {
		return nil
	}
	path := filepath.Join(dir, modulesFile)
	if there, err := disk.Exists(path); err != nil || there {
		return err
	}
	const pooling = "1_Pooling"
	if err := disk.MkdirAll(filepath.Join(dir, pooling), 0o777); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(dir, pooling, "config.json"), map[string]any{
		"word_embedding_dimension": h.Model.Hidden, "pooling_mode_cls_token": h.Take.Rows == spec.First, "pooling_mode_mean_tokens": h.Take.Rows == spec.Mean,
		"pooling_mode_max_tokens": false, "pooling_mode_mean_sqrt_len_tokens": false,
	}); err != nil {
		return err
	}
	return writeJSON(path, []module{{0, "0", "", "sentence_transformers.models.Transformer"},
		{1, "1", pooling, "sentence_transformers.models.Pooling"}})
}

// writeJSON writes a value with an indent of two spaces.
func writeJSON(path string, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(path, append(text, '\n'), 0o666)
}
