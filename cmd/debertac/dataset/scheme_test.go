package dataset

import (
	"bufio"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/example"
)

// TestSpans compares the entities of tags that their scheme forbids with those that seqeval finds, see testdata/record_spans.py.
func TestSpans(t *testing.T) {
	f, err := os.Open("testdata/spans.jsonl")
	require.NoError(t, err)
	defer f.Close()
	n := 0
	for s := bufio.NewScanner(f); s.Scan(); n++ {
		var recorded struct {
			Tags     []string
			Entities [][3]any
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &recorded))
		var want []example.Entity
		for _, e := range recorded.Entities {
			want = append(want, example.Entity{Label: e[0].(string), Start: int(e[1].(float64)), End: int(e[2].(float64))})
		}
		require.Equal(t, want, spans(recorded.Tags), recorded.Tags)
		for _, scheme := range []string{schemeBIO, schemeIOB1, schemeBIOES, schemeBILOU} {
			tags := encode(want, len(recorded.Tags), scheme)
			at, why := wrong(tags, scheme)
			require.Equal(t, -1, at, why)
			require.Equal(t, want, spans(tags))
		}
	}
	require.Equal(t, 400, n)
}
