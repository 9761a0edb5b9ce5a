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

// steps holds what a tokenizer does to a text before it looks up pieces, as far as tokenizer_config.json has fields for it.
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
	if err := c.agreeAdded(t); err != nil {
		return err
	}
	class := strings.TrimSuffix(c.class, "Fast")
	classes := rebuilders[t.Kind()]
	follows := slices.Contains(followers, c.class) || class != "" && kindOfClass(class) == "" // transformers treats unknown classes like one of followers
	if kind := kindOfClass(class); kind != "" && !slices.Contains(classes, class) {
		return fmt.Errorf("tokenizer_config.json: tokenizer_class is %s, a %s tokenizer, which does not follow tokenizer.json, a %s tokenizer (supported: %s; PreTrainedTokenizerFast follows tokenizer.json)",
			c.class, kind, t.Kind(), strings.Join(classes, ", "))
	}
	if class == "" {
		class = classes[0]
	}
	has := stepsOf(t)
	for _, x := range c.switches(t.Kind(), has) {
		said := x.said
		if said == flagUnset && !follows {
			said = x.absent
		}
		if !x.applies || said == flagUnset || said == x.has {
			continue
		}
		switch {
		case follows:
			t.notes = append(t.notes, fmt.Sprintf("tokenizer_config.json sets %s to %v, but tokenizer.json differs and is followed", x.key, said == flagOn))
		case x.said == flagUnset:
			return fmt.Errorf("tokenizer_config.json has no %s, which means %v with tokenizer_class %s, but tokenizer.json differs: if tokenizer.json is right, set it to %v or set tokenizer_class to PreTrainedTokenizerFast",
				x.key, said == flagOn, class, x.has == flagOn)
		default:
			return fmt.Errorf("tokenizer_config.json: %s is %v, but tokenizer.json differs, and tokenizer_class %s would not follow tokenizer.json: if tokenizer.json is right, set it to %v or set tokenizer_class to PreTrainedTokenizerFast",
				x.key, said == flagOn, class, x.has == flagOn)
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
	if lower == flagUnset {
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

// agreeAdded returns an error for a token that tokenizer_config.json or added_tokens.json adds and that tokenizer.json does not have under this
// id.
func (c *config) agreeAdded(t *Tokenizer) error {
	for _, a := range c.added {
		id, ok := t.ID(a.Content)
		if ok && id == a.ID {
			continue
		}
		file := "tokenizer_config.json: added_tokens_decoder"
		if c.bare[a.Content] {
			file = "added_tokens.json"
		}
		if !ok {
			return fmt.Errorf("%s has the token %q with the id %d, which the tokenizer does not have: one of them belongs to another model", file, a.Content, a.ID)
		}
		return fmt.Errorf("%s has the token %q with the id %d, the tokenizer has it with the id %d: one of them belongs to another model", file, a.Content, a.ID, id)
	}
	return nil
}
