package dataset_test

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// TestFlags checks that each role has a flag, and that flags become options.
func TestFlags(t *testing.T) {
	grammar := struct{ dataset.Flags }{dataset.NewFlags()}
	parser, err := kong.New(&grammar)
	require.NoError(t, err)
	args := []string{"--format", "csv", "--dataset", "mnli", "--split", "test", "--offsets", "characters", "--word-column", "2", "--tag-column=-1",
		"--scheme", "bio", "--want-scheme", "bilou", "--repair-tags"}
	want := dataset.Options{Format: "csv", Task: "mnli", Split: "test", Characters: true, Words: 2, Tags: -1, Scheme: "bio", WantScheme: "bilou", Repair: true,
		Fields: map[string]string{}}
	for _, r := range dataset.Roles() {
		args = append(args, "--"+dataset.FieldFlag(r.Name), "my "+r.Name)
		want.Fields[r.Name] = "my " + r.Name
	}
	_, err = parser.Parse(args)
	require.NoError(t, err)
	require.Equal(t, want, grammar.Options())

	grammar.Flags = dataset.NewFlags()
	parser, err = kong.New(&grammar)
	require.NoError(t, err)
	_, err = parser.Parse(nil)
	require.NoError(t, err)
	require.Equal(t, dataset.Options{}, grammar.Options())
}
