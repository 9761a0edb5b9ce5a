package engine

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/tasktable"
)

func TestOutLen(t *testing.T) {
	b := &runtime.Batch{
		IDs: make([]int32, 9), Starts: []int32{0, 4, 9}, Rows: []int32{1, 5, 7},
		Words: []int32{1, 2, 2, 4, 6, 9}, WordStarts: []int32{0, 2, 3}, Marks: []int32{0, 4, 5}, MarkStarts: []int32{0, 1, 3},
	}
	for rows, want := range map[Rows]int{PerSequence: 2, PerToken: 9, PerRow: 3, PerPair: 2*1 + 1*2, PerWord: 3} {
		h := Head{Rows: rows, C: 5}
		require.Equal(t, want*5, h.OutLen(b), rows)
	}
}

// TestHeadChecks checks that a package whose heads contradict themselves is not opened.
func TestHeadChecks(t *testing.T) {
	for want, h := range map[string]Head{
		`has the task "dance"`:                              {Task: "dance", C: 1},
		`has the task "", which`:                            {C: 1},
		"has one row per token, its task is labels":         {Task: tasktable.Labels, Rows: PerToken, C: 2},
		"has 3 outputs per row, its task span has 2":        {Task: tasktable.Span, Rows: PerToken, C: 3},
		"has 3 outputs per row, its task score has 1":       {Task: tasktable.Score, C: 3},
		"has 7 outputs per row, its task mlm has 10":        {Task: tasktable.MLM, Rows: PerRow, C: 7},
		"has 4 outputs per row, its task entities has":      {Task: tasktable.Entities, Rows: PerPair, C: 4},
		`has a width of 2, its task is "labels"`:            {Task: tasktable.Labels, C: 2, Width: 2},
		`has a CRF, its task is "labels"`:                   {Task: tasktable.Labels, C: 2, CRF: true},
		`decodes "bio", its task is "labels"`:               {Task: tasktable.Labels, C: 2, Decode: "bio"},
		"has one row per word, but by the limits":           {Task: tasktable.Tags, Rows: PerWord, C: 2},
		"takes chosen rows, the limit of a batch":           {Task: tasktable.MLM, Rows: PerRow, C: 10},
		"has one row per word and label, but by the limits": {Task: tasktable.Entities, Rows: PerPair, C: 3},
	} {
		p := Program{Name: "p", Arena: func(Sizes) int64 { return 0 }, Bind: func(*Weights, cpu.ISA) (NewForward, error) { return nil, nil },
			Limits: Limits{Vocab: 10, SequenceTokens: 4, BatchSequences: 2, BatchTokens: 8}, Heads: []Head{h}}
		require.ErrorContains(t, p.check(), want)
	}
}
