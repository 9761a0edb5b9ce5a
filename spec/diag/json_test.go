package diag

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestJSON checks that no message names a Go type.
func TestJSON(t *testing.T) {
	var into struct {
		Size struct {
			Rows int `json:"rows"`
		} `json:"size"`
	}
	for text, want := range map[string]string{
		`[]`:                      "it must not be a JSON array",
		`"x"`:                     "it must not be a JSON string",
		`{"size": 3}`:             "size must not be a JSON number",
		`{"size": {"rows": "x"}}`: "size.rows must not be a JSON string",
		`{"size": {"rows": 1.5}}`: "size.rows must not be a JSON number 1.5",
		`nonsense`:                "invalid character 'o' in literal null (expecting 'u')",
	} {
		err := json.Unmarshal([]byte(text), &into)
		require.Error(t, err)
		require.Equal(t, want, JSON(err))
		require.Equal(t, want, JSON(fmt.Errorf("wrapped: %w", err))[max(0, len(JSON(fmt.Errorf("wrapped: %w", err)))-len(want)):])
	}
}
