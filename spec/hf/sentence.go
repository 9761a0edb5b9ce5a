package hf

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// Sentences holds what a folder of the sentence-transformers layout decides about embeddings.
type Sentences struct {
	Pool      string   // mean or first; "": another way, which is in Other
	Normalize bool     // vectors are divided by their length
	Other     []string // other steps of the folder, which a spec cannot describe
	skip      error    // why prompts are not understood: the rows of a prompt do not count
}

// ReadSentences reads modules.json. read returns a file of the folder by its path with slashes. The first module is the encoder. A pooling and a division by
// the length are understood; every other module is listed in Other.
func ReadSentences(modules []byte, read func(path string) ([]byte, error)) (*Sentences, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(modules, &list); err != nil {
		return nil, moduleFault("it is not a list of modules: %s", diag.JSON(err))
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, moduleFault("it lists %d modules", len(list))
	}
	s := &Sentences{}
	for i, raw := range list {
		folder, class, err := readModule(raw)
		if err != nil {
			return nil, err
		}
		switch {
		case i == 0 && class == "Transformer" && folder != "":
			return nil, moduleFault("the encoder's files are in the folder %s: that is the model folder", folder)
		case i == 0 && class == "Transformer":
		case class == "Pooling" && s.Pool == "" && !s.Normalize && len(s.Other) == 0:
			file := path.Join(folder, "config.json")
			text, err := read(file)
			if err != nil {
				return nil, err
			}
			if err := s.pooling(file, text); err != nil {
				return nil, err
			}
		case class == "Normalize":
			if err := normalized(path.Join(folder, "config.json"), read); err != nil {
				return nil, err
			}
			s.Normalize = true
		default:
			s.Other = append(s.Other, fmt.Sprintf("the module %s", class))
		}
	}
	return s, nil
}

// modulesFile is the file that lists the modules of a sentence-transformers model.
const modulesFile = "modules.json"

func moduleFault(format string, args ...any) error {
	return &FieldError{File: modulesFile, Reason: fmt.Sprintf(format, args...), CanIgnore: true}
}

// readModule reads an entry of modules.json. It returns the module's folder and the last part of its class.
func readModule(raw json.RawMessage) (folder, class string, err error) {
	c, err := readConfig(raw)
	if err != nil {
		return "", "", moduleFault("an entry is not a module: %v", err)
	}
	c.file, c.table = modulesFile, moduleTable
	if folder, err = c.text("path", ""); err != nil {
		return "", "", err
	}
	full, err := c.text("type", "")
	if err != nil {
		return "", "", err
	}
	class = full[strings.LastIndex(full, ".")+1:]
	if folder = strings.TrimSuffix(folder, "/"); folder != "" && !fs.ValidPath(folder) {
		return "", "", moduleFault("the module %s has the path %q, which is outside the folder", class, folder)
	}
	return folder, class, c.rest()
}

// normalized reads the config of a division by the length. Only later versions write that file.
func normalized(file string, read func(string) ([]byte, error)) error {
	text, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c, err := readConfig(text)
	if err != nil {
		return &FieldError{File: file, Reason: err.Error()}
	}
	c.file, c.table = file, normalizeTable
	return c.rest()
}

// poolModes maps the fields of a pooling's config to ways of pooling. If several are set, the vector holds their results side by side.
var poolModes = map[string]string{
	"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max",
	"pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
	"pooling_mode_weightedmean_tokens":  "weightedmean", "pooling_mode_lasttoken": "lasttoken",
}

// poolingTable lists the fields of a pooling's config.
var poolingTable = []group{
	{Applied, "pooling_mode_cls_token pooling_mode_mean_tokens pooling_mode_max_tokens pooling_mode_mean_sqrt_len_tokens pooling_mode_weightedmean_tokens " +
		"pooling_mode_lasttoken pooling_mode",
		"how the rows of a text's tokens become one vector: the first row and the mean are understood, others need --pool", nil},
	{Harmless, "word_embedding_dimension embedding_dimension", "the width of the rows, which config.json has", nil},
	{Applied, "include_prompt", "whether the rows of a prompt count; false is refused for a mean of a model with prompts", nil},
}

func (s *Sentences) pooling(file string, text []byte) error {
	c, err := readConfig(text)
	if err != nil {
		return &FieldError{File: file, Reason: err.Error()}
	}
	c.file, c.table = file, poolingTable
	included, err := c.boolean("include_prompt", true)
	if err != nil {
		return err
	}
	if !included {
		s.skip = c.refuse("include_prompt", "= false: the rows of a prompt would not count, which is not understood")
	}
	var set []string
	for _, name := range sortedKeys(poolModes) {
		on, err := c.boolean(name, false)
		if err != nil {
			return err
		}
		if on {
			set = append(set, poolModes[name])
		}
	}
	if c.has("pooling_mode") { // the form since version 5
		modes, err := c.parts("pooling_mode")
		if err != nil {
			return err
		}
		for _, m := range modes {
			if m == "cls" {
				m = "first"
			}
			set = append(set, m)
		}
	}
	if err := c.rest(); err != nil {
		return err
	}
	if len(set) == 1 && slices.Contains([]string{"mean", "first"}, set[0]) {
		s.Pool = set[0]
		return nil
	}
	s.Other = append(s.Other, "the pooling "+strings.Join(set, " beside "))
	return nil
}

// sentences returns the modules beside the config, or nil if there are no modules.
func (o *Options) sentences() *Sentences {
	if o.Beside == nil {
		return nil
	}
	return o.Beside.Sentences
}

// embed adds the pooling that makes one vector from the rows.
func (h *heads) embed() error {
	pool, s := h.opts.Pool, h.opts.sentences()
	if pool == "" && s != nil && len(s.Other) > 0 {
		return fmt.Errorf("the folder's modules.json has %s, which a spec cannot describe: choose a pooling without it: %s", strings.Join(s.Other, " and "),
			strings.Join(Pools, ", "))
	}
	if pool == "" && s != nil {
		if pool = s.Pool; pool == "" {
			return fmt.Errorf("the folder's modules.json has no module Pooling, so it makes no vector per text: choose a pooling: %s",
				strings.Join(Pools, ", "))
		}
	}
	if s != nil && s.Normalize {
		h.c.note("the folder's modules.json divides every vector by its length, which a spec cannot describe: weights that are packed from the " +
			"folder record it")
	}
	if pool == "" {
		pool = "mean"
	}
	if pool != "first" && s != nil && s.skip != nil && slices.ContainsFunc(h.opts.Beside.Prompts, func(p Prompt) bool { return p.Text != "" }) {
		return s.skip
	}
	name := &head{name: "embed"}
	switch pool {
	case "none":
		return nil
	case "pooler":
		tensor := "pooler.dense.weight"
		if h.tensors != nil && h.tensors[tensor] == nil && h.tensors[h.kind+"."+tensor] == nil {
			return fmt.Errorf("the pooling pooler is asked for, but the file has no %s", tensor)
		}
		act := strings.TrimSpace("act " + h.f.poolAct)
		if !h.deberta() {
			act = "act tanh"
		}
		name.add("take first", "linear hidden", act)
	default:
		name.add("take " + pool)
	}
	h.w.head = name
	return nil
}
