package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/cache"
)

// store opens the cache, where built programs and packed weights are kept between runs. It is the same one for the whole run.
func (a *app) store() (*cache.Cache, error) {
	if a.cache == nil {
		dir, err := cache.Default()
		if err != nil {
			return nil, inputFault("", "there is no folder for the cache: %v", err).hint("set %s to a folder", cache.Env)
		}
		a.cache = cache.New(dir, a.note)
	}
	return a.cache, nil
}

// cached returns the path of an entry of the cache, making it with create if it is not there or damaged. about says what it is.
func (a *app) cached(kind cache.Kind, name, about string, create func(temp string) error) (string, error) {
	c, err := a.store()
	if err != nil {
		return "", err
	}
	made := false // from there on faults are not those of the cache's folder
	path, err := c.Get(a.ctx, kind, name, about, func(temp string) error {
		made = true
		return create(temp)
	})
	var system *fs.PathError
	if !made && errors.As(err, &system) && a.ctx.Err() == nil {
		return "", inputFault(system.Path, "the cache cannot be used: %v", system.Err).hint("set %s to a folder that can be written", cache.Env)
	}
	return path, err
}

// digest is a short name for a set of files by their content.
func digest(files map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %d\n", name, len(files[name]))
		sum.Write(files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}
