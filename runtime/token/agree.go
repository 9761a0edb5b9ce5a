package token

import (
	"fmt"
	"slices"
	"strings"
)

// followers holds the values of tokenizer_class for which transformers uses tokenizer.json as it is.
var followers = []string{"PreTrainedTokenizer", "PreTrainedTokenizerFast", "TokenizersBackend"}

// rebuilders holds, for each kind of tokenizer, the classes for which transformers uses only the vocabulary of tokenizer.json and makes the steps
// before it from the fields of tokenizer_config.json. The first class is the one for folders that name none.
var rebuilders = map[string][]string{
	"WordPiece":      {"BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"},
	"unigram":        {"DebertaV2Tokenizer"},
	"byte-level BPE": {"RobertaTokenizer", "DebertaTokenizer", "BartTokenizer", "LongformerTokenizer"},
}

// steps holds what a tokenizer does to a text before it looks up pieces. It has only the steps for which tokenizer_config.json has fields.
type steps struct {
	lower, accents, ideographs, clean, prefix, bytes, punct bool
}

func stepsOf(t *Tokenizer) (s steps) {
	for _, n := range t.steps {
		switch n := n.(type) {
		case lowercase:
			s.lower = true
		case bertAccents, dropMarks:
			s.accents = true
		case bertClean:
			s.clean, s.ideographs = true, n.ideographs
		}
	}
	for _, p := range t.cuts {
		switch p := p.(type) {
		case *byteLevel:
			s.bytes, s.prefix = true, p.prefix
		case punctuation:
			s.punct = true
		}
	}
	return s
}

// agree compares the other files with tokenizer.json. A difference is an error if transformers would not follow tokenizer.json, because then the
// model was trained with only one of the two. Otherwise it is a note.
func (c *config) agree(t *Tokenizer) error {
	class := strings.TrimSuffix(c.class, "Fast")
	classes := rebuilders[t.Kind()]
	// transformers treats unknown classes like one of followers
	follows := c.hidden("tokenizer_class") || slices.Contains(followers, c.class) || class != "" && kindOfClass(class) == ""
	if kind := kindOfClass(class); kind != "" && !slices.Contains(classes, class) {
		return refuse(configFile, "tokenizer_class", "is %s, a class for %s tokenizers, but the tokenizer in tokenizer.json is of the kind %s (classes for "+
			"it: %s, PreTrainedTokenizerFast)",
			c.class, kind, t.Kind(), strings.Join(classes, ", "))
	}
	if class == "" {
		class = classes[0]
	}
	if u, ok := t.model.(*unigram); ok && c.unknown != nil && *c.unknown != u.unknown && !c.hidden("unk_id") {
		if !follows {
			return refuse(configFile, "unk_id", "is %d, in tokenizer.json it is %d: one of them belongs to another model", *c.unknown, u.unknown)
		}
		t.notes = append(t.notes, fmt.Sprintf("tokenizer_config.json sets unk_id to %d, but tokenizer.json has %d and is followed", *c.unknown, u.unknown))
	}
	has := stepsOf(t)
	for _, x := range c.switches(t.Kind(), has) {
		said := x.said
		if said == flagUnset && !follows {
			said = x.absent
		}
		if !x.applies || said == flagUnset || said == x.has || c.hidden(x.key) {
			continue
		}
		switch {
		case follows:
			t.notes = append(t.notes, fmt.Sprintf("tokenizer_config.json sets %s to %v, but tokenizer.json differs and is followed", x.key, said == flagOn))
		case x.said == flagUnset:
			if c.class != "" {
				return refuse(configFile, "tokenizer_class", "is %s, with which an absent %s means %v, but tokenizer.json differs: if tokenizer.json is "+
					"right, set %[2]s to %[4]v or set tokenizer_class to PreTrainedTokenizerFast",
					c.class, x.key, said == flagOn, x.has == flagOn)
			}
			return &FieldError{configFile, "", fmt.Sprintf("it has no %s, which means %v with tokenizer_class %s, but tokenizer.json differs: if "+
				"tokenizer.json is right, set it to %v or set tokenizer_class to PreTrainedTokenizerFast",
				x.key, said == flagOn, class, x.has == flagOn), c.there}
		default:
			return refuse(configFile, x.key, "is %v, but tokenizer.json differs, and tokenizer_class %s would not follow tokenizer.json: if tokenizer.json "+
				"is right, set it to %v or set tokenizer_class to PreTrainedTokenizerFast",
				said == flagOn, class, x.has == flagOn)
		}
	}
	return nil
}

// toggle is a field of tokenizer_config.json together with what tokenizer.json has in its place.
type toggle struct {
	key       string
	said, has flag
	absent    flag // what transformers uses if the field is absent; unset: nothing
	applies   bool
}

// switches returns the fields that a kind of tokenizer reads.
func (c *config) switches(kind string, has steps) []toggle {
	wordPiece, unigram := kind == "WordPiece", kind == "unigram"
	lower := c.lower
	switch {
	case c.hidden("do_lower_case"):
		lower = onOff(has.lower)
	case lower == flagUnset:
		lower = onOff(wordPiece)
	}
	prefix := flagUnset
	if has.bytes {
		prefix = flagOff
	}
	return []toggle{
		{"do_lower_case", c.lower, onOff(has.lower), onOff(wordPiece), wordPiece || unigram},
		{"strip_accents", c.accents, onOff(has.accents), lower, wordPiece},
		{"tokenize_chinese_chars", c.ideographs, onOff(has.ideographs), flagOn, wordPiece},
		{"split_by_punct", c.punct, onOff(has.punct), flagOff, unigram},
		{"add_prefix_space", c.prefix, onOff(has.prefix), prefix, has.bytes},
		{"tokenizer_class", flagUnset, onOff(has.lower), flagOff, kind == "byte-level BPE"}, // these tokenizers have no step before the cut
	}
}

func onOff(on bool) flag {
	if on {
		return flagOn
	}
	return flagOff
}

// agreeAdded returns the added tokens of tokenizer.json with the changes that tokenizer_config.json and added_tokens.json make. transformers adds the tokens of
// these files again after it has read tokenizer.json. So the flags of added_tokens_decoder replace those of tokenizer.json, and a token that only the
// vocabulary has becomes an added token. A token that tokenizer.json does not have under this id is an error.
func (c *config) agreeAdded(t *Tokenizer, added []AddedToken) ([]AddedToken, error) {
	find := func(name string) (*AddedToken, int32) {
		if i := slices.IndexFunc(added, func(a AddedToken) bool { return a.Content == name }); i >= 0 {
			return &added[i], added[i].ID
		}
		id, _ := t.ID(name) // nothing is added to t yet
		return nil, id
	}
	for _, a := range c.added {
		old, id := find(a.Content)
		file, field := configFile, fmt.Sprintf("added_tokens_decoder.%d", a.ID)
		if c.bare[a.Content] {
			file, field = addedFile, a.Content
		}
		switch {
		case id < 0:
			return nil, refuse(file, field, "is the token %q with the id %d, which the tokenizer does not have: one of them belongs to another model",
				a.Content, a.ID)
		case id != a.ID:
			return nil, refuse(file, field, "is the token %q with the id %d, the tokenizer has it with the id %d: one of them belongs to another model",
				a.Content, a.ID, id)
		case c.bare[a.Content]: // its flags are not known
		case old == nil:
			a.Special = a.Special || c.isNamed(a.Content)
			added = append(added, a)
		default:
			if err := c.replace(t, old, a, field); err != nil {
				return nil, err
			}
		}
	}
	for _, n := range slices.Concat(c.names[:], c.others) {
		if n.name == "" {
			continue
		}
		if old, id := find(n.name); old == nil && id >= 0 {
			added = append(added, AddedToken{ID: id, Content: n.name, Special: true})
		}
	}
	return added, nil
}

// replace sets the flags of a token of tokenizer.json to those of added_tokens_decoder. A flag that is hidden keeps the value of tokenizer.json, and
// a special token stays special. A difference in normalized is an error for a special token, because versions 4 and 5 of transformers then find it in
// different places.
func (c *config) replace(t *Tokenizer, old *AddedToken, a AddedToken, field string) error {
	was, now := old.flags(), a.flags()
	for i, f := range now {
		if c.hidden(field + "." + f.key) {
			*f.on = *was[i].on
		} else if f.key == "normalized" && c.open[a.ID] {
			*f.on = !a.Special && !c.isNamed(a.Content)
		}
	}
	if old.Special && old.Normalized != a.Normalized {
		const rest = "tokenizer.json has %v: versions 4 and 5 of transformers then find it in different places; set both files to the same value"
		if c.open[a.ID] {
			return refuse(configFile, field, "has no normalized for the special token %q, which means %v, but "+rest, a.Content, a.Normalized, old.Normalized)
		}
		return refuse(configFile, field+".normalized", "is %v for the special token %q, "+rest, a.Normalized, a.Content, old.Normalized)
	}
	a.Special = a.Special || old.Special
	for i, f := range now {
		if *was[i].on != *f.on {
			t.notes = append(t.notes, fmt.Sprintf("%s: %s.%s is %v for the token %q, tokenizer.json has %v; the former is followed, as by transformers",
				configFile, field, f.key, *f.on, a.Content, *was[i].on))
		}
	}
	*old = a
	return nil
}
