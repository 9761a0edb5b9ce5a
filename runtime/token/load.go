package token

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
)

// MaxFile is the largest file of a tokenizer that is read, in bytes. Published ones have up to about 35 MB.
const MaxFile = 256 << 20

// Load reads the tokenizer of a model folder. Each of its files must be a regular file of at most MaxFile bytes. A link whose target is missing is an
// error, not an absent file.
//
// If the folder has tokenizer.json, Load follows it. Otherwise it reads the older files: spm.model (SentencePiece's own form), vocab.json with
// merges.txt (see FromBPE) or vocab.txt (see FromWordPiece). For these, tokenizer_config.json and added_tokens.json set lower case, punctuation, spaces
// and added tokens.
//
// The names of special tokens come from tokenizer_config.json and special_tokens_map.json, if these exist. A name that the tokenizer does not have is
// an error, or a note if nothing here would use it. A tokenizer_class of another kind than the files is an error. A setting in tokenizer_config.json
// that contradicts tokenizer.json is an error if transformers would follow it, else a note.
//
// The flags of added tokens in tokenizer_config.json (added_tokens_decoder) replace those of tokenizer.json, as in transformers 4.34 and later, with a
// note. An error in a field of the small files is a *FieldError.
func Load(fsys fs.FS) (*Tokenizer, error) { return LoadWithout(fsys, nil) }

func loadFiles(fsys fs.FS, cfg config) (*Tokenizer, error) {
	b, err := disk.ReadFileIn(fsys, "tokenizer.json", MaxFile)
	if err == nil {
		t, err := fromJSON(b, cfg.agreeAdded)
		if err != nil {
			return nil, err
		}
		if err := cfg.agree(t); err != nil {
			return nil, err
		}
		return t, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := olderFile(fsys, cfg.class)
	if err != nil {
		return nil, err
	}
	b, err = disk.ReadFileIn(fsys, file, MaxFile)
	if err != nil {
		return nil, err
	}
	n := &cfg.names
	switch file {
	case "spm.model":
		return FromSPM(b, SPMOptions{Lower: cfg.lower == flagOn, SplitPunct: cfg.punct == flagOn, Added: cfg.added, CLS: n[0].name, SEP: n[1].name,
			PAD: n[2].name, MASK: n[3].name})
	case "vocab.txt":
		if cfg.basic == flagOff {
			return nil, refuse(configFile, "do_basic_tokenize", "is false, which is not supported (supported: true)")
		}
		o := WordPieceOptions{Lower: cfg.lower != flagOff, JoinIdeographs: cfg.ideographs == flagOff, Added: cfg.tokens(false), CLS: n[0].name,
			SEP: n[1].name, PAD: n[2].name, MASK: n[3].name, UNK: n[4].name}
		if cfg.accents != flagUnset {
			on := cfg.accents == flagOn
			o.Accents = &on
		}
		return FromWordPiece(b, o)
	}
	merges, err := disk.ReadFileIn(fsys, "merges.txt", MaxFile)
	if err != nil {
		return nil, err
	}
	roberta, err := cfg.roberta(b)
	if err != nil {
		return nil, err
	}
	return FromBPE(b, merges, BPEOptions{
		Roberta: roberta, PrefixSpace: cfg.prefix == flagOn, KeepOffsets: cfg.trim == flagOff, Added: cfg.tokens(true),
		CLS: n[0].name, SEP: n[1].name, PAD: n[2].name, MASK: n[3].name, UNK: n[4].name,
	})
}

// kindsOfClass holds the kinds of the tokenizer classes in published configurations, without their ending "Fast".
var kindsOfClass = map[string]string{
	"DebertaV2Tokenizer": "unigram", "XLMRobertaTokenizer": "unigram", "AlbertTokenizer": "unigram", "CamembertTokenizer": "unigram",
	"T5Tokenizer": "unigram", "XLNetTokenizer": "unigram",
	"DebertaTokenizer": "byte-level BPE", "RobertaTokenizer": "byte-level BPE", "GPT2Tokenizer": "byte-level BPE", "BartTokenizer": "byte-level BPE",
	"LongformerTokenizer": "byte-level BPE",
	"BertTokenizer":       "WordPiece", "DistilBertTokenizer": "WordPiece", "ElectraTokenizer": "WordPiece", "MPNetTokenizer": "WordPiece",
	"MobileBertTokenizer": "WordPiece",
}

func kindOfClass(class string) string { return kindsOfClass[strings.TrimSuffix(class, "Fast")] }

// olderFile chooses the vocabulary: by the tokenizer's class, else the only one that exists.
func olderFile(fsys fs.FS, class string) (string, error) {
	kinds := map[string]string{"spm.model": "unigram", "vocab.json": "byte-level BPE", "vocab.txt": "WordPiece"}
	var have []string
	for _, file := range []string{"spm.model", "vocab.json", "vocab.txt"} {
		there, err := disk.ExistsIn(fsys, file)
		if err != nil {
			return "", err
		}
		if there {
			have = append(have, file)
		}
	}
	merges, err := disk.ExistsIn(fsys, "merges.txt")
	if err != nil {
		return "", err
	}
	memory, err := disk.ExistsIn(fsys, "bpe_encoder.bin")
	if err != nil {
		return "", err
	}
	want := kindOfClass(class)
	switch {
	case len(have) == 0 && memory:
		return "", errors.New("the folder has bpe_encoder.bin but neither tokenizer.json nor vocab.json with merges.txt (that file is a program's memory, " +
			"which is not read; later versions of the checkpoint have the others)")
	case len(have) == 0:
		return "", errors.New("the folder has neither tokenizer.json nor spm.model, vocab.json with merges.txt, or vocab.txt (one of these is read)")
	case want != "":
		for _, file := range have {
			if kinds[file] == want {
				have = []string{file}
			}
		}
		if kinds[have[0]] != want {
			return "", refuse(configFile, "tokenizer_class", "is %s, a %s tokenizer, but the folder has %s, a %s vocabulary: one of them belongs to "+
				"another model", class, want, have[0], kinds[have[0]])
		}
	case len(have) > 1:
		return "", refuse(have[len(have)-1], "", "the folder has %s, and tokenizer_config.json has no tokenizer_class to choose one of them",
			strings.Join(have, " and "))
	}
	if have[0] == "vocab.json" && !merges {
		return "", errors.New("the folder has vocab.json but no merges.txt, which belongs to it")
	}
	return have[0], nil
}

func readMembers(fsys fs.FS, file string) (map[string]jnode, error) {
	b, err := disk.ReadFileIn(fsys, file, MaxFile)
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

// readAddedDecoder reads added_tokens_decoder: an object from ids to tokens. open holds the ids of the tokens without the flag normalized.
func readAddedDecoder(n jnode, named func(string) bool) (out []AddedToken, open map[int32]bool, err error) {
	all, order, err := n.members()
	if err != nil {
		return nil, nil, err
	}
	open = map[int32]bool{}
	for _, k := range order {
		id, err := strconv.ParseUint(k, 10, 24)
		if err != nil {
			return nil, nil, all[k].errorf("the key is not an id")
		}
		a, absent, err := readFlags(all[k], named)
		if err != nil {
			return nil, nil, err
		}
		if strconv.FormatUint(id, 10) != k {
			return nil, nil, all[k].errorf("the key is not an id as it is written: %d", id)
		}
		a.ID = int32(id)
		open[a.ID] = absent
		out = append(out, a)
	}
	return out, open, nil
}
