package extractiontest_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/extraction/extractiontest"
)

func TestDiffer(t *testing.T) {
	for _, c := range []struct{ got, want, fault string }{
		{`{"a": [1, "b", null, true]}`, `{"a": [1, "b", null, true]}`, ""},
		{`{"a": [{"confidence": 0.51}]}`, `{"a": [{"confidence": 0.5}]}`, ""},
		{`{"a": [{"confidence": 0.53}]}`, `{"a": [{"confidence": 0.5}]}`, ".a[0].confidence: got 0.53, want 0.5"},
		{`{"a": [{"confidence": null}]}`, `{"a": [{"confidence": 0.5}]}`, ".a[0].confidence: got <nil>, want 0.5"},
		{`{"start": 1.01}`, `{"start": 1}`, ".start: got 1.01, want 1"},
		{`{"a": {"b": 1}}`, `{"a": {"b": 1, "c": 2}}`, ".a: got map[b:1], want map[b:1 c:2]"},
		{`{"a": {"b": 1, "c": 2}}`, `{"a": {"b": 1}}`, ".a: got map[b:1 c:2], want map[b:1]"},
		{`{"a": []}`, `{"a": {}}`, ".a: got [], want map[]"},
		{`{"a": {}}`, `{"a": []}`, ".a: got map[], want []"},
		{`[1, 2]`, `[1]`, ": got [1 2], want [1]"},
		{`["x"]`, `["y"]`, "[0]: got x, want y"},
		{`[false]`, `[null]`, "[0]: got false, want <nil>"},
		{`[{}]`, `["y"]`, "[0]: got map[], want y"},
	} {
		require.Equal(t, c.fault, extractiontest.Differ(value(t, c.got), value(t, c.want), 0.02), "%s and %s", c.got, c.want)
	}
}

func value(t *testing.T, text string) (v any) {
	require.NoError(t, json.Unmarshal([]byte(text), &v))
	return v
}
