package export

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestLocal checks which paths a card shortens.
func TestLocal(t *testing.T) {
	for text, want := range map[string]string{
		"/home/me/my data/train.jsonl":       "train.jsonl",
		"/a/x.jsonl, /b/y.jsonl":             "x.jsonl, y.jsonl",
		"--data=/home/me/train.jsonl":        "--data=train.jsonl",
		"sub/dir/train.jsonl":                "sub/dir/train.jsonl",
		"../up/train.jsonl":                  "../up/train.jsonl",
		"tune":                               "tune",
		"https://example.org/a/b":            "https://example.org/a/b",
		"--label-map=a=/x/y/b,c=/home/me/it": "--label-map=a=b,c=it",
	} {
		require.Equal(t, want, local(text), text)
	}
}
