package cachelist

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
)

// TestParseSize checks that the units of sizes are powers of 1024, like those of printed sizes.
func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{
		"20GB": 20 << 30, "20 GiB": 20 << 30, "1.5kb": 1536, " 7 B ": 7, "0B": 0, "2tib": 2 << 40, "500MB": 500 << 20, "none": cache.NoLimit,
		"NONE": cache.NoLimit,
	} {
		got, err := parseSize(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for _, text := range []string{"", "20", "GB", "-1GB", "NaNGB", "1e30GB", "+InfB", "x GB", "1 2GB"} {
		_, err := parseSize(text)
		require.Error(t, err, text)
	}
	require.Equal(t, "none", limitText(cache.NoLimit))
	require.Equal(t, "20.00 GiB", limitText(20<<30))
}
