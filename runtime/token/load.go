package token

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
)

// Load reads the tokenizer of a model folder. A folder with tokenizer.json follows that form, one with only spm.model
// SentencePiece's own, with what tokenizer_config.json and added_tokens.json say about lower case, punctuation and added
// tokens. The names of special tokens come from tokenizer_config.json and special_tokens_map.json where they are there.
func Load(fsys fs.FS) (*Tokenizer, error) {
	cfg, err := readConfig(fsys)
	if err != nil {
		return nil, err
	}
	b, err := fs.ReadFile(fsys, "tokenizer.json")
	if err == nil {
		t, err := FromJSON(b)
		if err != nil {
			return nil, err
		}
		if err := t.setNames(cfg.names["cls_token"], cfg.names["sep_token"], cfg.names["pad_token"], cfg.names["mask_token"]); err != nil {
			return nil, fmt.Errorf("tokenizer_config.json: %w", err)
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	b, err = fs.ReadFile(fsys, "spm.model")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("the folder has neither tokenizer.json nor spm.model (supported so far: these two)")
	}
	if err != nil {
		return nil, err
	}
	return FromSPM(b, SPMOptions{
		Lower: cfg.lower, SplitPunct: cfg.punct, Added: cfg.added,
		CLS: cfg.names["cls_token"], SEP: cfg.names["sep_token"], PAD: cfg.names["pad_token"], MASK: cfg.names["mask_token"],
	})
}

type config struct {
	lower, punct bool
	names        map[string]string
	added        []AddedToken
}

// readConfig reads the small files beside the vocabulary. They hold much that is not the tokenizer's, so that unknown
// members are no fault here.
func readConfig(fsys fs.FS) (c config, err error) {
	c.names = map[string]string{}
	for _, file := range []string{"special_tokens_map.json", "tokenizer_config.json"} {
		all, err := readMembers(fsys, file)
		if err != nil {
			return c, err
		}
		for _, k := range []string{"cls_token", "sep_token", "pad_token", "mask_token"} {
			n := all[k]
			if n.null() {
				continue
			}
			// A name is a string, or an object with the name as its content.
			if n.raw[0] == '{' {
				m, _, err := n.members()
				if err != nil {
					return c, fmt.Errorf("%s: %w", file, err)
				}
				n = m["content"]
			}
			if c.names[k], err = n.str(); err != nil {
				return c, fmt.Errorf("%s: %s: %w", file, k, err)
			}
		}
		if file != "tokenizer_config.json" {
			continue
		}
		if c.lower, err = all["do_lower_case"].flag(false); err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
		if c.punct, err = all["split_by_punct"].flag(false); err != nil {
			return c, fmt.Errorf("%s: %w", file, err)
		}
		if n := all["added_tokens_decoder"]; !n.null() {
			if c.added, err = readAddedDecoder(n); err != nil {
				return c, fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	all, err := readMembers(fsys, "added_tokens.json")
	if err != nil {
		return c, err
	}
	have := map[string]bool{}
	for _, a := range c.added {
		have[a.Content] = true
	}
	for name, n := range all {
		id, err := n.integer(maxID + 1)
		if err != nil {
			return c, fmt.Errorf("added_tokens.json: %w", err)
		}
		if !have[name] {
			c.added = append(c.added, AddedToken{ID: int32(id), Content: name, Special: name == c.names["mask_token"] || name == "[MASK]"})
		}
	}
	return c, nil
}

func readMembers(fsys fs.FS, file string) (map[string]jnode, error) {
	b, err := fs.ReadFile(fsys, file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	doc, err := parseJSON(file, b)
	if err != nil {
		return nil, err
	}
	all, _, err := doc.members()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return all, nil
}

// readAddedDecoder reads added_tokens_decoder: an object from ids to tokens.
func readAddedDecoder(n jnode) ([]AddedToken, error) {
	all, order, err := n.members()
	if err != nil {
		return nil, err
	}
	var out []AddedToken
	for _, k := range order {
		id, err := strconv.ParseUint(k, 10, 24)
		if err != nil {
			return nil, all[k].errorf("the key is not an id")
		}
		var a struct {
			Content    *string `json:"content"`
			SingleWord bool    `json:"single_word"`
			LStrip     bool    `json:"lstrip"`
			RStrip     bool    `json:"rstrip"`
			Normalized bool    `json:"normalized"`
			Special    bool    `json:"special"`
		}
		if err := json.Unmarshal(all[k].raw, &a); err != nil || a.Content == nil {
			return nil, all[k].errorf("want an object with content and the flags of an added token")
		}
		out = append(out, AddedToken{int32(id), *a.Content, a.SingleWord, a.LStrip, a.RStrip, a.Normalized, a.Special})
	}
	return out, nil
}
