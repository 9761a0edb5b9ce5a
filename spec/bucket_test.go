package spec_test

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/spec"
)

// TestBucketsOfThePublishedCode compares buckets with testdata/buckets.json, which holds the buckets of the published code for distances 0 .. 2·reach−1, by
// "buckets/reach". The file lists the distances at which a new bucket begins after the exact part. In the exact part, the bucket is the distance.
func TestBucketsOfThePublishedCode(t *testing.T) {
	text, err := os.ReadFile("testdata/buckets.json")
	require.NoError(t, err)
	var tables map[string]struct {
		Len     int
		Changes [][2]int
	}
	require.NoError(t, json.Unmarshal(text, &tables))
	require.NotEmpty(t, tables)
	for name, table := range tables {
		var buckets, reach int
		_, err := fmt.Sscanf(name, "%d/%d", &buckets, &reach)
		require.NoError(t, err)
		require.Equal(t, 2*reach, table.Len)
		b := spec.Bucket{Kind: spec.Log, Exact: buckets / 2, Reach: reach}
		want, next := 0, 0
		for r := range table.Len {
			switch {
			case r <= buckets/2:
				want = r
			case next < len(table.Changes) && table.Changes[next][0] == r:
				want = table.Changes[next][1]
				next++
			}
			require.Equal(t, want, b.Index(r), "%s at %d", name, r)
			require.Equal(t, -want, b.Index(-r), "%s at %d", name, -r)
		}
	}
}

// TestRows checks that rows grow with the distance, from the table's first row to its last. They grow by 0 or 1 per token if the reach is at least e times the
// exact part, because then no bucket is narrower than a token.
func TestRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		span := rapid.IntRange(4, 300).Draw(t, "span") // with a smaller span nothing is logarithmic
		r := spec.Relative{Lo: -span, Hi: span - 1, Rows: 2 * span}
		if rapid.Bool().Draw(t, "log") {
			r.Bucket = spec.Bucket{Kind: spec.Log, Exact: span / 2, Reach: rapid.IntRange(span+2, 4*span+2).Draw(t, "reach")}
		}
		if row := r.Row(0); row != span {
			t.Fatalf("row %d at distance 0", row)
		}
		single := r.Bucket.Kind == spec.Clamp || float64(r.Bucket.Reach-1) > 2.72*float64(r.Bucket.Exact)
		jump := 0
		for d := -5 * span; d < 5*span; d++ {
			if step := r.Row(d+1) - r.Row(d); d >= 0 && jump == 0 && step > 1 {
				jump = d + 1
			}
			if step := r.Row(d+1) - r.Row(d); step < 0 || single && step > 1 {
				t.Fatalf("a step of %d at distance %d", step, d)
			}
		}
		if jump != r.Jump() {
			t.Fatalf("the first jump is at %d, not at %d", jump, r.Jump())
		}
		if first, last := r.Row(-1<<20), r.Row(1<<20); first != 0 || last != r.Rows-1 {
			t.Fatalf("ends %d and %d of %d rows", first, last, r.Rows)
		}
	})
}
