package safetensors

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
)

const (
	singleName = "model.safetensors"
	indexName  = "model.safetensors.index.json"
	maxIndex   = 100_000_000
)

// In reports whether a model folder has weights that OpenDir opens. A link whose target is missing
// is an error.
func In(dir string) (bool, error) {
	for _, name := range []string{singleName, indexName} {
		if there, err := disk.Exists(filepath.Join(dir, name)); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// OpenDir opens the weights of a Hugging Face model folder: model.safetensors, or else the shards
// that model.safetensors.index.json lists. Index and shards must agree: each tensor must lie in the
// shard that the index names for it, and each tensor of a shard must be in the index.
func OpenDir(dir string) (*File, error) {
	single := filepath.Join(dir, singleName)
	if there, err := disk.Exists(single); err != nil {
		return nil, err
	} else if there {
		return Open(single)
	}
	index := filepath.Join(dir, indexName)
	if there, err := disk.Exists(index); err != nil {
		return nil, err
	} else if !there {
		return nil, fault(dir, "", "neither %s nor %s is in this folder", singleName, indexName)
	}
	return openSharded(dir, index)
}

func openSharded(dir, index string) (*File, error) {
	shardOf, err := ReadIndex(index, ".safetensors")
	if err != nil {
		return nil, err
	}
	var shards []string
	for _, s := range shardOf {
		shards = append(shards, s)
	}
	slices.Sort(shards)
	var parts []*part
	closeAll := func() {
		for _, p := range parts {
			_ = p.file.Close() // an earlier error is reported
		}
	}
	found := map[string]bool{}
	for _, shard := range slices.Compact(shards) {
		p, err := openPart(filepath.Join(dir, shard))
		if errors.Is(err, fs.ErrNotExist) {
			err = fault(index, "", "the shard %q that it lists is missing", shard)
		}
		if err != nil {
			closeAll()
			return nil, err
		}
		parts = append(parts, p)
		for _, t := range p.header.tensors {
			switch listed, ok := shardOf[t.Name]; {
			case !ok:
				err = fault(p.name, t.Name, "it is not listed in %s", indexName)
			case listed != shard:
				err = fault(p.name, t.Name, "%s lists it in %q", indexName, listed)
			}
			if err != nil {
				closeAll()
				return nil, err
			}
			found[t.Name] = true
		}
	}
	if len(found) < len(shardOf) {
		var absent []string
		for name := range shardOf {
			if !found[name] {
				absent = append(absent, name)
			}
		}
		closeAll()
		first := slices.Min(absent)
		return nil, fault(filepath.Join(dir, shardOf[first]), first, "%s lists it there, the shard lacks it (%d such tensors)", indexName, len(absent))
	}
	return newFile(dir, parts), nil
}

// ReadIndex reads the index of a model folder's shards: tensor name → file name. File names must
// end in ending and must not leave the folder.
func ReadIndex(index, ending string) (map[string]string, error) {
	text, err := disk.ReadFile(index, maxIndex)
	if err != nil {
		return nil, err
	}
	return parseIndex(index, ending, text)
}

func parseIndex(index, ending string, text []byte) (map[string]string, error) {
	p := &parser{file: index, text: text, dec: json.NewDecoder(strings.NewReader(string(text)))}
	p.dec.UseNumber()
	var shardOf map[string]string
	seen := map[string]bool{}
	err := p.object("", func(key string) error {
		if seen[key] {
			return fault(index, "", "the field %q occurs twice", key)
		}
		seen[key] = true
		switch key {
		case "metadata": // sizes, for information only; published files count different things
			var skip json.RawMessage
			if err := p.dec.Decode(&skip); err != nil {
				return fault(index, "", "metadata is not valid JSON: %v", err)
			}
			return nil
		case "weight_map":
			shardOf = map[string]string{}
			return p.object("", func(name string) error {
				if _, twice := shardOf[name]; twice {
					return fault(index, name, "weight_map lists it twice")
				}
				t, err := p.token(name)
				if err != nil {
					return err
				}
				shard, ok := t.(string)
				if !ok {
					return fault(index, name, "weight_map must hold a file name, it holds %s", describe(t))
				}
				if !strings.HasSuffix(shard, ending) || !plainName(shard) {
					return fault(index, name, "weight_map names the file %q: it must be a plain %s file name in the same folder", shard, ending)
				}
				shardOf[name] = shard
				return nil
			})
		}
		return fault(index, "", "unknown field %q (known: metadata, weight_map)", key)
	})
	if err != nil {
		return nil, err
	}
	if rest := strings.TrimSpace(string(text[p.dec.InputOffset():])); rest != "" {
		return nil, fault(index, "", "its JSON object is followed by %.20q", rest)
	}
	if len(shardOf) == 0 {
		return nil, fault(index, "", "it has no weight_map, or an empty one")
	}
	return shardOf, nil
}

// plainName reports whether s is a plain file name, which cannot lead out of the folder.
func plainName(s string) bool {
	return !strings.ContainsAny(s, `/\:`+"\x00") && filepath.IsLocal(s) && filepath.Base(s) == s
}
