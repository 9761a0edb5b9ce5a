package torchfile

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// The file names in published folders.
const (
	SingleName = "pytorch_model.bin"
	IndexName  = "pytorch_model.bin.index.json"
)

// In reports whether a model folder has weights in this format.
func In(dir string) (bool, error) {
	for _, name := range []string{SingleName, IndexName} {
		if there, err := disk.Exists(filepath.Join(dir, name)); there || err != nil {
			return there, err
		}
	}
	return false, nil
}

// OpenDir opens the weights of a Hugging Face model folder: pytorch_model.bin, or the shards that pytorch_model.bin.index.json lists. The index and the shards
// must agree: each tensor lies in the shard that the index names, and the index lists each tensor of each shard.
func OpenDir(dir string) (*File, error) {
	single := filepath.Join(dir, SingleName)
	if there, err := disk.Exists(single); err != nil {
		return nil, err
	} else if there {
		return Open(single)
	}
	index := filepath.Join(dir, IndexName)
	shardOf, err := safetensors.ReadIndex(index, ".bin")
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

// openShards opens the shards. On an error it also returns the shards that are open, so that the caller can close them.
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
				return parts, fault(p.name, t, "%s lists it in %q", IndexName, listed)
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
