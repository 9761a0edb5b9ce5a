package folder

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/spec"
)

// TestEntityExtra reads the limit on words, and the ids of the tokens around labels if the tokenizer is that of the plain encoder.
func TestEntityExtra(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "tasks", "entities", "tokenizer.json"))
	require.NoError(t, err)
	tok, err := token.FromJSON(text)
	require.NoError(t, err)
	of := func(mark, config string, rows int) (map[string]string, error) {
		u := &compiler.Unit{Program: &ir.Program{Meta: ir.Meta{Prompt: &ir.Prompt{Mark: mark, End: "<<SEP>>"}}}, Model: &spec.Model{Vocab: rows}}
		return (&Folder{Dir: "gl", name: glinerConfig, config: []byte(config), Token: tok}).entityExtra(u)
	}
	n := tok.Size()
	extra, err := of("<<ENT>>", `{"max_len": 384}`, n)
	require.NoError(t, err)
	require.Equal(t, map[string]string{task.MaxWordsKey: "384"}, extra)
	extra, err = of("<<OTHER>>", `{"class_token_index": -1}`, n+2)
	require.NoError(t, err)
	require.Equal(t, map[string]string{task.MarkKey: strconv.Itoa(n), task.EndKey: strconv.Itoa(n + 1)}, extra, "the last two rows")
	extra, err = of("<<OTHER>>", `{"class_token_index": `+strconv.Itoa(n+1)+`}`, n+5)
	require.NoError(t, err)
	require.Equal(t, map[string]string{task.MarkKey: strconv.Itoa(n + 1), task.EndKey: strconv.Itoa(n + 2)}, extra)
	for _, config := range []string{`{"class_token_index": 5}`, `{"class_token_index": ` + strconv.Itoa(n+4) + `}`, `{"class_token_index": "x"}`,
		`{"max_len": -3}`} {
		_, err = of("<<OTHER>>", config, n+5)
		require.ErrorContains(t, err, "gliner_config.json")
	}
	_, err = of("<<ENT>>", `{"class_token_index": 5}`, n)
	require.ErrorContains(t, err, "class_token_index = 5, but the tokenizer has the number")
	extra, err = (&Folder{name: "config.json"}).entityExtra(&compiler.Unit{Program: &ir.Program{}})
	require.NoError(t, err)
	require.Nil(t, extra)
}

// TestCheckLabelTokens compares the numbers of the tokens around labels with those of the tokenizer.
func TestCheckLabelTokens(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "examples", "tasks", "own_labels", "tokenizer.json"))
	require.NoError(t, err)
	tok, err := token.FromJSON(text)
	require.NoError(t, err)
	u := &compiler.Unit{Program: &ir.Program{Meta: ir.Meta{Task: tasktable.OwnLabels, Prompt: &ir.Prompt{Mark: "<<LABEL>>", End: "<<SEP>>",
		Example: "<<EXAMPLE>>"}}}}
	for config, want := range map[string]string{
		`{"class_token_index": 450, "text_token_index": 451, "example_token_index": 452}`: "",
		`{"class_token_index": -1}`:                            "",
		`{"class_token_index": 7}`:                             "class_token_index = 7, but the tokenizer has the number 450 for <<LABEL>>",
		`{"class_token_index": 450, "text_token_index": 452}`:  "text_token_index = 452, but the tokenizer has the number 451 for <<SEP>>",
		`{"class_token_index": 450, "example_token_index": 0}`: "example_token_index = 0",
		`{"class_token_index": "x"}`:                           "config.json",
	} {
		err := (&Folder{Dir: "gc", name: "config.json", config: []byte(config), Token: tok}).checkLabelTokens(u)
		if want == "" {
			require.NoError(t, err, config)
			continue
		}
		require.ErrorContains(t, err, want)
	}
}
