package safetensors

import (
	"errors"
	"strings"
	"testing"
)

// FuzzIndex checks that an accepted index of shards names plain files, and that anything else is an
// *Error.
func FuzzIndex(f *testing.F) {
	for _, s := range []string{
		`{"metadata": {"total_size": 12}, "weight_map": {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors"}}`,
		`{"weight_map": {}}`, `{"weight_map": {"a": "../x.safetensors"}}`, `{"weight_map": {"a": "a.safetensors", "a": "b.safetensors"}}`,
		`{"weight_map": {"a": 3}, "metadata": [[[]]]}`, `{"metadata": null} x`, `[]`, ``, `{"weight_map": null}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		shards, err := parseIndex("fuzz", ".safetensors", text)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		if len(shards) == 0 {
			t.Fatal("no shards and no error")
		}
		for name, file := range shards {
			if !strings.HasSuffix(file, ".safetensors") || strings.ContainsAny(file, "/\\\x00") || file == ".." {
				t.Fatalf("%q lies in %q", name, file)
			}
		}
	})
}
