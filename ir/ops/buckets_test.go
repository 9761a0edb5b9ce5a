package ops_test

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
)

// TestLogBuckets compares buckets with those of the published models, recorded from PyTorch at every distance up to twice the reach.
func TestLogBuckets(t *testing.T) {
	text, err := os.ReadFile("testdata/log_buckets.json")
	require.NoError(t, err)
	var file struct{ Tables map[string][]int }
	require.NoError(t, json.Unmarshal(text, &file))
	require.Len(t, file.Tables, 5)
	for key, want := range file.Tables {
		b, m, _ := strings.Cut(key, "/")
		buckets, err := strconv.Atoi(b)
		require.NoError(t, err)
		reach, err := strconv.Atoi(m)
		require.NoError(t, err)
		require.Len(t, want, 2*reach)
		index := row(t, "log", buckets, len(want), buckets/2, reach)
		for r, bucket := range want {
			require.EqualValues(t, min(bucket+buckets, 2*buckets-1), index[len(want)-1+r], "%s: offset %d", key, r)
			require.EqualValues(t, max(buckets-bucket, 0), index[len(want)-1-r], "%s: offset -%d", key, r)
		}
	}
}

// TestClamp checks that clamped offsets end at 0 and at 2·span-1. This is not symmetric: offsets span and span-1 both have the last row.
func TestClamp(t *testing.T) {
	require.Equal(t, []int32{0, 0, 0, 1, 2, 3, 3, 3, 3}, row(t, "clamp", 2, 5, 0, 0))
}

// row returns the index that the op computes.
func row(t *testing.T, kind string, span, length, exact, reach int) []int32 {
	r := &ir.Region{}
	b := ir.NewBuilder(r)
	list := []ir.Attr{ir.A("kind", kind), ir.A("span", span), ir.A("length", length)}
	if kind == "log" {
		list = append(list, ir.A("exact", exact), ir.A("reach", reach))
	}
	b.Op("buckets", r.Pos, "", list)
	require.NoError(t, b.Err())
	out, err := ir.Lookup("buckets").Ref(r.Nodes[0], nil)
	require.NoError(t, err)
	for i := 1; i < len(out[0].I); i++ { // attention kernels rely on this
		require.Contains(t, []int32{0, 1}, out[0].I[i]-out[0].I[i-1], "step at %d", i)
	}
	return out[0].I
}

// TestBucketsRefused checks that a reach that is not greater than the exact part is refused: it has no logarithm.
func TestBucketsRefused(t *testing.T) {
	b := ir.NewBuilder(&ir.Region{})
	b.Op("buckets", b.Region().Pos, "", []ir.Attr{ir.A("kind", "log"), ir.A("span", 8), ir.A("length", 9), ir.A("exact", 4), ir.A("reach", 5)})
	require.ErrorContains(t, b.Err(), "reach 5 must be more than exact 4")
}
