package token

import (
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// flag is a switch that a file may leave out.
type flag uint8

const (
	flagUnset flag = iota
	flagOn
	flagOff
)

// specialName is the name of a special token, with the file and the member it was read from.
type specialName struct{ name, file, key string }

// config holds the contents of the small files next to a vocabulary.
type config struct {
	class   string         // tokenizer_class
	names   [5]specialName // [CLS], [SEP], [PAD], [MASK], [UNK]
	others  []specialName  // names that are not used here
	added   []AddedToken
	flagged []AddedToken            // tokens that have flags but no ids
	bare    map[string]bool         // tokens of added_tokens.json, which has ids but no flags
	open    map[int32]bool          // tokens of added_tokens_decoder without the flag normalized, by id
	inputs  []string                // model_input_names; nil: the class decides
	there   bool                    // tokenizer_config.json exists
	hidden  func(field string) bool // see LoadWithout
	// do_lower_case, strip_accents, tokenize_chinese_chars, do_basic_tokenize, add_prefix_space, trim_offsets, split_by_punct
	lower, accents, ideographs, basic, prefix, trim, punct flag
	unknown                                                *int32 // unk_id, the id of the piece for what no other piece stands for; nil: the vocabulary decides
}

var nameKeys = [5]string{"cls_token", "sep_token", "pad_token", "mask_token", "unk_token"}

// readConfig reads special_tokens_map.json, tokenizer_config.json and added_tokens.json. They have many members that do not concern the
// tokenizer, so unknown members are not an error here.
func readConfig(fsys fs.FS) (c config, err error) {
	var flags [5]jnode // the names that are objects with flags
	for _, file := range []string{specialFile, configFile} {
		all, err := readMembers(fsys, file)
		if err != nil {
			return c, err
		}
		if err := c.readNames(file, all, &flags); err != nil {
			return c, inFile(file, err)
		}
		if file == configFile {
			if err := c.readSwitches(all); err != nil {
				return c, inFile(file, err)
			}
		}
	}
	have := map[string]bool{}
	for _, a := range c.added {
		have[a.Content] = true
	}
	for i, n := range flags {
		if n.raw == nil || have[c.names[i].name] {
			continue
		}
		a, _, err := readFlags(n, c.isNamed)
		if err != nil {
			return c, inFile(c.names[i].file, err)
		}
		a.ID, a.Special = -1, true
		c.flagged = append(c.flagged, a)
	}
	all, err := readMembers(fsys, addedFile)
	if err != nil {
		return c, err
	}
	c.bare = map[string]bool{}
	for name, n := range all {
		id, err := n.integer(maxID + 1)
		if err != nil {
			return c, refuse(addedFile, name, "cannot be read: want a whole number from 0 to %d", maxID)
		}
		if !have[name] {
			special := name == "[MASK]" || slices.ContainsFunc(c.names[:], func(n specialName) bool { return n.name == name })
			c.added = append(c.added, AddedToken{ID: int32(id), Content: name, Special: special})
			c.bare[name] = true
		}
	}
	return c, nil
}

// tokens joins ids and flags, for the older files that are read as tokenizer.json. If strip is set, a mask token without flags includes the
// spaces before it.
func (c *config) tokens(strip bool) []AddedToken {
	out := slices.Clone(c.added)
	for i := range out {
		a := &out[i]
		mask := a.Content == c.names[3].name || c.names[3].name == "" && (a.Content == "[MASK]" || a.Content == "<mask>")
		if c.bare[a.Content] && mask {
			a.LStrip, a.Special = strip, true
		}
	}
	for _, f := range c.flagged {
		if i := slices.IndexFunc(out, func(a AddedToken) bool { return a.Content == f.Content }); i < 0 {
			out = append(out, f)
		} else if c.bare[f.Content] {
			f.ID = out[i].ID
			out[i] = f
		}
	}
	return out
}

// readNames reads the members that name special tokens. Each is a string, or an object with the name as its content.
func (c *config) readNames(file string, all map[string]jnode, flags *[5]jnode) error {
	read := func(n jnode, key string) (specialName, error) {
		text := n
		if n.raw[0] == '{' {
			m, err := tokenObject(n)
			if err != nil {
				return specialName{}, err
			}
			text = m["content"]
		}
		s, err := text.str()
		return specialName{s, file, key}, err
	}
	for i, k := range nameKeys {
		n := all[k]
		if n.null() {
			continue
		}
		name, err := read(n, k)
		if err != nil {
			return err
		}
		if was := c.names[i]; was.name != "" && was.name != name.name {
			return contradicts(was, name)
		}
		c.names[i] = name
		if flags[i] = (jnode{}); n.raw[0] == '{' {
			flags[i] = n
		}
	}
	for _, k := range []string{"bos_token", "eos_token"} {
		if n := all[k]; !n.null() {
			name, err := read(n, k)
			if err != nil {
				return err
			}
			if i := slices.IndexFunc(c.others, func(was specialName) bool { return was.key == k }); i >= 0 && c.others[i].name != name.name {
				return contradicts(c.others[i], name)
			}
			c.others = append(c.others, name)
		}
	}
	for _, key := range []string{"additional_special_tokens", "extra_special_tokens"} {
		list, err := namesIn(all[key])
		if err != nil {
			return err
		}
		for _, x := range list {
			if x.null() {
				return x.errorf("want a name")
			}
			name, err := read(x, key)
			if err != nil {
				return err
			}
			c.others = append(c.others, name)
		}
	}
	return nil
}

// contradicts returns the error for a token's name that differs between two files.
func contradicts(a, b specialName) error {
	return refuse(a.file, a.key, "is %q, but %s has %q: one of them belongs to another model", a.name, b.file, b.name)
}

// namesIn returns the entries of a list, or the values of an object, which later versions of the library write.
func namesIn(n jnode) (list []jnode, err error) {
	switch {
	case n.null():
		return nil, nil
	case n.raw[0] != '{':
		return n.array()
	}
	all, order, err := n.members()
	for _, k := range order {
		list = append(list, all[k])
	}
	return list, err
}

// isNamed reports whether a token is one of those that the files name as special.
func (c *config) isNamed(name string) bool {
	is := func(n specialName) bool { return n.name == name }
	return slices.ContainsFunc(c.names[:], is) || slices.ContainsFunc(c.others, is)
}

// flagKeys holds the fields of a token's object. transformers marks the objects of some files with __type.
var flagKeys = []string{"content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type"}

// tokenObject reads the object of a token. A field that is unknown is an error that names it.
func tokenObject(n jnode) (map[string]jnode, error) {
	all, order, err := n.members()
	if err != nil {
		return nil, err
	}
	for _, k := range order {
		if !slices.Contains(flagKeys, k) {
			return nil, &nodeError{all[k].path, "is not known (known for a token: " + strings.Join(flagKeys[:len(flagKeys)-1], ", ") + ")", true}
		}
	}
	if t := all["__type"]; !t.null() {
		if _, err := t.one("AddedToken"); err != nil {
			return nil, err
		}
	}
	for _, k := range flagKeys {
		if _, ok := all[k]; !ok {
			all[k] = n.at(k)
		}
	}
	return all, nil
}

// readFlags reads a token's text and flags. As in the reference library, special tokens are looked for in texts as they are, and others in the normal form,
// unless the flag normalized decides otherwise. open reports whether this flag is absent.
func readFlags(n jnode, named func(string) bool) (a AddedToken, open bool, err error) {
	all, err := tokenObject(n)
	if err != nil {
		return a, false, err
	}
	if a.Content, err = all["content"].str(); err != nil {
		return a, false, err
	}
	for _, f := range a.flags() {
		if *f.on, err = all[f.key].flag(f.key == "normalized" && !a.Special && !named(a.Content)); err != nil {
			return a, false, err
		}
	}
	return a, all["normalized"].null(), nil
}

// tokenFlag is a flag of an added token with its name in the files.
type tokenFlag struct {
	key string
	on  *bool
}

// flags returns the flags of a token. special comes before normalized, whose default depends on it.
func (a *AddedToken) flags() []tokenFlag {
	return []tokenFlag{{"single_word", &a.SingleWord}, {"lstrip", &a.LStrip}, {"rstrip", &a.RStrip}, {"special", &a.Special}, {"normalized", &a.Normalized}}
}

// readSwitches reads the members that only tokenizer_config.json has.
func (c *config) readSwitches(all map[string]jnode) (err error) {
	for _, f := range []struct {
		key string
		v   *flag
	}{
		{"do_lower_case", &c.lower}, {"strip_accents", &c.accents}, {"tokenize_chinese_chars", &c.ideographs},
		{"do_basic_tokenize", &c.basic}, {"add_prefix_space", &c.prefix}, {"trim_offsets", &c.trim},
		{"split_by_punct", &c.punct},
	} {
		n := all[f.key]
		if n.null() {
			continue
		}
		on, err := n.flag(false)
		if err != nil {
			return err
		}
		if *f.v = flagOff; on {
			*f.v = flagOn
		}
	}
	if on, err := all["split_special_tokens"].flag(false); err != nil || on {
		return refuse(configFile, "split_special_tokens", "must be false: with true, names of special tokens in texts would be text")
	}
	if on, err := all["add_special_tokens"].flag(true); err != nil || !on {
		return refuse(configFile, "add_special_tokens", "must be true: the model was trained with its special tokens around texts")
	}
	if n := all["unk_id"]; !n.null() {
		id, err := n.integer(maxID)
		if err != nil {
			return err
		}
		unknown := int32(id)
		c.unknown = &unknown
	}
	if n := all["tokenizer_class"]; !n.null() {
		if c.class, err = n.str(); err != nil {
			return err
		}
	}
	if n := all["model_input_names"]; !n.null() {
		list, err := n.array()
		if err != nil {
			return err
		}
		c.inputs = []string{}
		for _, x := range list {
			name, err := x.str()
			if err != nil {
				return err
			}
			c.inputs = append(c.inputs, name)
		}
	}
	if n := all["added_tokens_decoder"]; !n.null() {
		c.added, c.open, err = readAddedDecoder(n, c.isNamed)
	}
	return err
}

// untyped holds the classes, without their ending "Fast", whose texts have no token types unless model_input_names lists them. Version 5 writes
// TokenizersBackend where earlier versions wrote PreTrainedTokenizerFast, whose texts had token types.
var untyped = []string{"TokenizersBackend", "RobertaTokenizer", "XLMRobertaTokenizer", "CamembertTokenizer", "GPT2Tokenizer", "BartTokenizer",
	"LongformerTokenizer", "DistilBertTokenizer", "MPNetTokenizer"}

// noTypes reports whether the model gets no token types, so that second texts of pairs have type 0.
func (c *config) noTypes() bool {
	if c.inputs != nil {
		return !slices.Contains(c.inputs, "token_type_ids")
	}
	return slices.Contains(untyped, strings.TrimSuffix(c.class, "Fast"))
}

// roberta reports whether the tokenizer is RoBERTa's and not DeBERTa's. Both use byte-level BPE. It decides by the tokenizer's class, by the name
// of the first token, or by the names that the vocabulary has.
func (c *config) roberta(vocab []byte) (bool, error) {
	switch strings.TrimSuffix(c.class, "Fast") {
	case "DebertaTokenizer":
		return false, nil
	case "RobertaTokenizer", "LongformerTokenizer", "BartTokenizer":
		return true, nil
	}
	switch c.names[0].name {
	case "[CLS]":
		return false, nil
	case "<s>":
		return true, nil
	}
	doc, err := parseJSON("vocab.json", vocab)
	if err != nil {
		return false, err
	}
	_, byText, err := doc.ids()
	if err != nil {
		return false, fmt.Errorf("vocab.json: %w", err)
	}
	_, square := byText["[CLS]"]
	_, angle := byText["<s>"]
	if square == angle {
		return false, fmt.Errorf("whether texts are framed as [CLS] … [SEP] (DeBERTa) or <s> … </s> (RoBERTa) is open: tokenizer_config.json has no "+
			"tokenizer_class or cls_token that decides it, and vocab.json has %s of the names", map[bool]string{true: "both", false: "neither"}[square])
	}
	return angle, nil
}
