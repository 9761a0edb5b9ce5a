package built

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/appended"
)

// randomWeights packs random weights into the cache. dir and t may be nil.
func (m *Maker) randomWeights(u *compiler.Unit, seed uint64, dir *folder.Folder, t *folder.Lent) (string, error) {
	key, err := m.packedKey(u, func(w io.Writer) error {
		if _, err := fmt.Fprintf(w, "random %d\n", seed); err != nil {
			return err
		}
		if t != nil {
			return t.Hash(w)
		}
		if dir == nil {
			return nil
		}
		return dir.Hash(w)
	})
	if err != nil {
		return "", err
	}
	about := fmt.Sprintf("random weights %d of %s", seed, source.UnitName(u))
	return m.Cached(cache.Packed, key+weightsEnding, about, func(out string) error { return folder.PackRandom(m.Console, u, seed, dir, t, out) })
}

// folderWeights packs a folder's weights into the cache, keyed by the content of its files.
func (m *Maker) folderWeights(u *compiler.Unit, dir *folder.Folder) (string, error) {
	stop := m.Progress("reading weights")
	key, err := m.packedKey(u, dir.Hash)
	stop()
	if err != nil {
		return "", err
	}
	return m.Cached(cache.Packed, key+weightsEnding, "weights of "+dir.Dir, func(out string) error { return folder.Pack(m.Console, u, dir, out) })
}

// weightsEnding ends the names of packed weights in the cache.
const weightsEnding = ".weights"

// packedKey identifies packed weights: the program that packs, the layout, the spec, and what is packed.
func (m *Maker) packedKey(u *compiler.Unit, more func(io.Writer) error) (string, error) {
	sum := sha256.New()
	if err := m.identify(sum); err != nil {
		return "", err
	}
	fmt.Fprintf(sum, "%s\n%s\n%s\n", ir.PackedLayout, u.Program.Meta.SpecHash, ir.Print(u.Program))
	if err := more(sum); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil))[:32], nil
}

// Embedded returns the packed weights of every unit: the given file, or those of the folder.
func (m *Maker) Embedded(units []*compiler.Unit, dir *folder.Folder, weights string) ([]appended.Source, error) {
	var sources []appended.Source
	for _, u := range units {
		path := weights
		if path == "" {
			var err error
			if path, err = m.folderWeights(u, dir); err != nil {
				return nil, err
			}
		}
		sources = append(sources, appended.Source{Name: source.ModelName(u), Path: path})
	}
	return sources, nil
}
