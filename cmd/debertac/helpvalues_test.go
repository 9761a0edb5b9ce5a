package main

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// TestDataFlagsInHelpHaveValues checks the examples of the help of verbs that read data: the formats and data sets that they name must exist.
func TestDataFlagsInHelpHaveValues(t *testing.T) {
	values := map[string][]string{"format": dataset.FormatNames(), "dataset": dataset.TaskNames()}
	given := regexp.MustCompile(`--(format|dataset)[ =]([a-z0-9_-]+)`)
	seen := 0
	for verb, text := range tablesOfFlags(t).help {
		if verb != "train" && verb != "prepare" && verb != "eval" {
			continue // other verbs have formats of other things
		}
		for _, m := range given.FindAllStringSubmatch(text, -1) {
			seen++
			assert.Contains(t, values[m[1]], m[2], "the help of debertac %s: %s", verb, m[0])
		}
	}
	require.GreaterOrEqual(t, seen, 3)
}
