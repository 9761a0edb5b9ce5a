package built

import (
	"errors"
	"io/fs"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// Store opens the cache, where built programs and packed weights are kept between runs. Later calls return the same cache.
func (m *Maker) Store() (*cache.Cache, error) {
	if m.cache == nil {
		dir, err := cache.Default()
		if err != nil {
			return nil, fault.Input("", "there is no folder for the cache: %v", err).Hint("set %s to a folder", cache.Env)
		}
		m.cache = cache.New(dir, m.Note)
	}
	return m.cache, nil
}

// Cached returns the path of an entry of the cache. If the entry is missing or damaged, create makes it. about describes the entry.
func (m *Maker) Cached(kind cache.Kind, name, about string, create func(temp string) error) (string, error) {
	c, err := m.Store()
	if err != nil {
		return "", err
	}
	made := false // once create runs, faults are no longer those of the cache's folder
	path, err := c.Get(m.Context, kind, name, about, func(temp string) error {
		made = true
		return create(temp)
	})
	var system *fs.PathError
	if !made && errors.As(err, &system) && m.Context.Err() == nil {
		return "", fault.Input(system.Path, "the cache cannot be used: %v", system.Err).Hint("set %s to a folder that can be written", cache.Env)
	}
	return path, err
}
