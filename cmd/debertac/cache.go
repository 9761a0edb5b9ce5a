package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// envCache names the environment variable that moves the cache.
const envCache = "DEBERTAC_CACHE"

// cacheDir is where built programs and packed weights are kept between runs. Everything in it can be made again.
func cacheDir() (string, error) {
	if dir := os.Getenv(envCache); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", inputFault("", "there is no folder for the cache: %v", err).hint("set %s to a folder", envCache)
	}
	return filepath.Join(dir, "debertac"), nil
}

// cached gives the path of an entry of the cache, making it with create if it is not there. create gets a path beside it: what it leaves
// there is renamed, so that an entry is whole or absent, whatever happens to this process or to another one that makes the same.
func cached(path string, create func(temp string) error) error {
	if _, err := os.Stat(path); err == nil {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // says when it was last of use; a cache that cannot be written still serves
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	temp := filepath.Join(dir, filepath.Base(path))
	if err := create(temp); err != nil {
		return err
	}
	if err := os.Rename(temp, path); err != nil {
		return err
	}
	return prune(filepath.Dir(path), time.Now().Add(-unusedFor))
}

// unusedFor is how long an entry of the cache is kept after its last use. Every change of a model, or of debertac, makes new ones.
const unusedFor = 30 * 24 * time.Hour

// prune removes the files of a folder of the cache that were not of use since. A program that runs keeps what it has opened.
func prune(dir string, since time.Time) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // another process has removed it meanwhile
		}
		if err != nil {
			return err
		}
		if info.ModTime().Before(since) {
			if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// sizeOf sums the sizes of the files below a folder; a folder that is not there has size 0.
func sizeOf(dir string) (bytes int64, files int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // another process has removed it meanwhile
		}
		if err != nil {
			return err
		}
		bytes += info.Size()
		files++
		return nil
	})
	return bytes, files, err
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
