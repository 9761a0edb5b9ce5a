package prediction_test

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/prediction"
)

// FuzzPredictions scores lines under every task: each line is scored or refused, and a report is JSON that comes back.
func FuzzPredictions(f *testing.F) {
	for _, row := range prediction.Tasks {
		f.Add(row.Line)
		f.Add(row.Line + "\n" + row.Line)
	}
	for _, text := range []string{`{"label":[],"gold":[]}`, `{"label":["x"],"gold":[]}`,
		`{"label":"a","gold":"b","group":"g","answer":"x","answers":["y"],"score":0.5}`,
		`{"answer":"","answers":[],"no_answer":1e308}`, `{"log_probability":-1e308,"counted":0}`, `{"label":"","gold":"","loss":1e308,"terms":0}`} {
		f.Add(text)
		f.Add(text + "\n" + text)
	}
	f.Fuzz(func(t *testing.T, lines string) {
	tasks:
		for _, row := range prediction.Tasks {
			s, err := prediction.NewScorer(row.Name, prediction.Options{Resamples: 2})
			require.NoError(t, err)
			r := prediction.NewReader(strings.NewReader(lines))
			for {
				p, _, err := r.Next()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil || s.Add(p) != nil {
					continue tasks
				}
			}
			report, err := s.Report()
			if err != nil {
				continue
			}
			text, err := json.Marshal(report)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, new(prediction.Report)))
		}
	})
}
