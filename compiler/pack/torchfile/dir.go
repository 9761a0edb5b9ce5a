package torchfile

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// The names that published folders use.
const (
	SingleName = "pytorch_model.bin"
	IndexName  = "pytorch_model.bin.index.json"
	maxIndex   = 100_000_000
)

// In reports whether a model folder has weights of this kind.
func In(dir string) bool {
	for _, name := range []string{SingleName, IndexName} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// OpenDir opens the weights of a Hugging Face model folder: pytorch_model.bin, or else the shards that pytorch_model.bin.index.json lists. The
// index must agree with the shards both ways: each tensor lies in the shard that the index says, and each tensor of a shard is in the index.
func OpenDir(dir string) (*File, error) {
	single := filepath.Join(dir, SingleName)
	if _, err := os.Stat(single); err == nil {
		return Open(single)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	index := filepath.Join(dir, IndexName)
	shardOf, err := readIndex(index)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fault(dir, "", "neither %s nor %s is in this folder", SingleName, IndexName)
	}
	if err != nil {
		return nil, err
	}
	parts, err := openShards(dir, index, shardOf)
	if err != nil {
		return nil, errors.Join(err, closeAll(parts))
	}
	return newFile(dir, parts), nil
}

// openShards opens the shards; those that are open come back with an error too.
func openShards(dir, index string, shardOf map[string]string) (parts []*part, err error) {
	var shards []string
	for _, s := range shardOf {
		shards = append(shards, s)
	}
	slices.Sort(shards)
	found := 0
	for _, shard := range slices.Compact(shards) {
		p, err := openPart(filepath.Join(dir, shard))
		if errors.Is(err, fs.ErrNotExist) {
			err = fault(index, "", "the shard %q that it lists is missing", shard)
		}
		if err != nil {
			return parts, err
		}
		parts = append(parts, p)
		for _, t := range p.order {
			switch listed, ok := shardOf[t]; {
			case !ok:
				return parts, fault(p.name, t, "it is not listed in %s", IndexName)
			case listed != shard:
				return parts, fault(p.name, t, "%s says that it is in %q", IndexName, listed)
			}
			found++
		}
	}
	if found == len(shardOf) {
		return parts, nil
	}
	var absent []string
	for name, shard := range shardOf {
		if !slices.ContainsFunc(parts, func(p *part) bool { return filepath.Base(p.name) == shard && p.tensors[name] != nil }) {
			absent = append(absent, name)
		}
	}
	first := slices.Min(absent)
	return parts, fault(filepath.Join(dir, shardOf[first]), first, "%s lists it there, the shard lacks it (%d such tensors)", IndexName, len(absent))
}

// readIndex returns tensor name → shard file name.
func readIndex(index string) (map[string]string, error) {
	f, err := os.Open(index)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxIndex+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxIndex {
		return nil, fault(index, "", "longer than %d bytes", maxIndex)
	}
	return parseIndex(index, text)
}

func parseIndex(index string, text []byte) (map[string]string, error) {
	var doc struct {
		Metadata  json.RawMessage   `json:"metadata"` // sizes for information; published files differ in what they count
		WeightMap map[string]string `json:"weight_map"`
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&doc); err != nil {
		return nil, &safetensors.Error{File: index, Reason: "it is no index of shards", Err: err}
	}
	if rest := strings.TrimSpace(string(text[dec.InputOffset():])); rest != "" {
		return nil, fault(index, "", "its JSON object is followed by %.20q", rest)
	}
	if len(doc.WeightMap) == 0 {
		return nil, fault(index, "", "it has no weight_map, or an empty one")
	}
	for name, shard := range doc.WeightMap {
		// Nothing may lead out of the folder.
		if !strings.HasSuffix(shard, ".bin") || strings.ContainsAny(shard, `/\:`+"\x00") || !filepath.IsLocal(shard) || filepath.Base(shard) != shard {
			return nil, fault(index, name, "weight_map gives the file %q: it must be a plain .bin file name in the same folder", shard)
		}
	}
	return doc.WeightMap, nil
}
