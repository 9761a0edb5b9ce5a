package docs_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

var (
	fenced     = regexp.MustCompile("(?ms)^```\n(.*?)^```\n")
	statements = regexp.MustCompile(`^(dspec 1|model|head|train|target) `)
	given      = regexp.MustCompile(`(?m)^(model|head) .*\n`)
	trained    = regexp.MustCompile(`(?m)^train (\w+) on `)
)

// TestExamples checks the specs in the pages about the language and about training. A training without models is one of the first spec of its page that has
// heads in one line.
func TestExamples(t *testing.T) {
	for _, page := range []string{"language.md", "training.md"} {
		text, err := os.ReadFile(page)
		require.NoError(t, err)
		heads, trainings := "", 0
		for _, block := range fenced.FindAllStringSubmatch(string(text), -1) {
			example := block[1]
			if !statements.MatchString(strings.ReplaceAll(example, "\n", " ")) {
				continue
			}
			if !strings.HasPrefix(example, "dspec 1") {
				if strings.HasPrefix(example, "train ") {
					example = heads + example
				}
				example = "dspec 1\n" + example
			}
			if found := strings.Join(given.FindAllString(example, -1), ""); heads == "" && strings.Contains(found, "loss ") {
				heads = found
			}
			if m := trained.FindStringSubmatch(example); m != nil {
				trainings++
				if !strings.Contains(example, "\ntarget ") {
					example += "target t { emit train " + m[1] + " as package \"example\" }\n"
				}
			}
			s, faults := spec.ParseAndResolve(page, []byte(example))
			require.Empty(t, faults, example)
			require.Empty(t, compiler.NotYet(s), example)
		}
		require.Greater(t, trainings, 2, page)
	}
}
