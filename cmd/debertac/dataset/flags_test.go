package dataset_test

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// TestFlags checks that flags become options.
func TestFlags(t *testing.T) {
	var grammar struct{ dataset.Flags }
	parser, err := kong.New(&grammar)
	require.NoError(t, err)
	_, err = parser.Parse([]string{"--field", "text=my text", "--field", "label=gold", "--dataset", "mnli", "--split", "test", "--characters",
		"--word-column", "2", "--tag-column=-1", "--scheme", "bio", "--want-scheme", "bilou", "--repair-tags"})
	require.NoError(t, err)
	require.Equal(t, dataset.Options{
		Format: "csv", Fields: map[string]string{"text": "my text", "label": "gold"}, Task: "mnli", Split: "test", Characters: true,
		Words: 2, Tags: -1, Scheme: "bio", WantScheme: "bilou", Repair: true,
	}, grammar.Options("csv"))
	grammar.Flags = dataset.Flags{}
	_, err = parser.Parse(nil)
	require.NoError(t, err)
	require.Equal(t, dataset.Options{}, grammar.Options(""))
}
