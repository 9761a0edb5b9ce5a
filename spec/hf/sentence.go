package hf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Sentences is what a folder of the sentence-transformers layout says about embeddings.
type Sentences struct {
	Pool      string   // mean or first; "" another way, which is in Other
	Normalize bool     // vectors are divided by their length
	Other     []string // what else the folder does, which no spec can say
}

// ReadSentences reads modules.json. read gives a file of the folder by its path with slashes. The first module is the encoder; a pooling and a
// division by the length are understood, and every other module is listed.
func ReadSentences(modules []byte, read func(path string) ([]byte, error)) (*Sentences, error) {
	var list []struct {
		Path string `json:"path"`
		Type string `json:"type"`
	}
	if err := json.Unmarshal(modules, &list); err != nil {
		return nil, fmt.Errorf("it is not a list of modules: %w", err)
	}
	if len(list) == 0 || len(list) > 100 {
		return nil, fmt.Errorf("it lists %d modules", len(list))
	}
	s := &Sentences{}
	for i, m := range list {
		class := m.Type[strings.LastIndex(m.Type, ".")+1:]
		switch {
		case i == 0 && class == "Transformer":
		case class == "Pooling" && s.Pool == "" && !s.Normalize && len(s.Other) == 0:
			if strings.HasPrefix(m.Path, "/") || strings.Contains(m.Path, "..") {
				return nil, fmt.Errorf("the module %s has the path %q, which leads out of the folder", class, m.Path)
			}
			text, err := read(m.Path + "/config.json")
			if err != nil {
				return nil, err
			}
			if err := s.pooling(text); err != nil {
				return nil, fmt.Errorf("%s/config.json: %w", m.Path, err)
			}
		case class == "Normalize":
			s.Normalize = true
		default:
			s.Other = append(s.Other, fmt.Sprintf("the module %s", class))
		}
	}
	return s, nil
}

// poolModes are the fields of a pooling's config, each a way; several that are set are side by side in the vector.
var poolModes = map[string]string{
	"pooling_mode_cls_token": "first", "pooling_mode_mean_tokens": "mean", "pooling_mode_max_tokens": "max", "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len",
	"pooling_mode_weightedmean_tokens": "weightedmean", "pooling_mode_lasttoken": "lasttoken",
}

// poolingTable is the fields of a pooling's config.
var poolingTable = []group{
	{Applied, "pooling_mode_cls_token pooling_mode_mean_tokens pooling_mode_max_tokens pooling_mode_mean_sqrt_len_tokens pooling_mode_weightedmean_tokens pooling_mode_lasttoken pooling_mode",
		"how the rows of a text's tokens become one vector: the first row and the mean are understood, others need --pool", nil},
	{Harmless, "word_embedding_dimension embedding_dimension", "the width of the rows, which config.json has", nil},
	{Harmless, "include_prompt", "the rows of a prompt would be left out of the vector", []string{"true"}},
}

func (s *Sentences) pooling(text []byte) error {
	c, err := readConfig(text)
	if err != nil {
		return err
	}
	c.table = poolingTable
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
	if c.has("pooling_mode") { // how versions from 5 on write it
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

// embed makes one vector of the rows.
func (h *heads) embed() error {
	pool, s := h.opts.Pool, h.opts.Sentence
	if pool == "" && s != nil && len(s.Other) > 0 {
		return fmt.Errorf("the folder's modules.json has %s, which no spec can say: choose a pooling without it: %s", strings.Join(s.Other, " and "), strings.Join(Pools, ", "))
	}
	if pool == "" && s != nil {
		pool = s.Pool
	}
	if s != nil && s.Normalize {
		h.c.note("the folder's modules.json divides every vector by its length, of which a spec says nothing: run does it for the folder; use --normalize elsewhere")
	}
	if pool == "" {
		pool = "mean"
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
