package cache

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
)

// DefaultLimit is the limit on the size of a cache for which no other limit is set, in bytes: a dozen programs with the weights of base models.
const DefaultLimit = 10 << 30

// NoLimit is the limit of a cache that may grow without a limit.
const NoLimit = math.MaxInt64

// limitFile holds the limit, in bytes, as a decimal number.
const limitFile = "limit"

// Limit returns the limit on the cache's size in bytes: DefaultLimit unless SetLimit has set another one.
func (c *Cache) Limit() (int64, error) {
	path := filepath.Join(c.dir, limitFile)
	text, err := disk.ReadFile(path, 64)
	if errors.Is(err, fs.ErrNotExist) {
		return DefaultLimit, nil
	}
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s: %q is not a size in bytes", path, text)
	}
	return n, nil
}

// SetLimit sets the limit on the cache's size in bytes, for all later runs. It removes nothing: Trim does.
func (c *Cache) SetLimit(bytes int64) error {
	if err := disk.MkdirAll(c.dir, 0o777); err != nil {
		return err
	}
	return disk.RewriteFile(filepath.Join(c.dir, limitFile), []byte(strconv.FormatInt(bytes, 10)+"\n"), 0o666)
}
