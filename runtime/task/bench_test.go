package task

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// BenchmarkAnswer measures the cost of a question without the model: 360 tokens of context, the 20
// best answers.
func BenchmarkAnswer(b *testing.B) {
	f := spanHead(func(ids []int32, row, side int) float64 { return 6 * noise(int(ids[row]), row, side) })
	f.limits = func(l *engine.Limits) { l.SequenceTokens, l.BatchTokens = 512, 512 }
	a, err := NewAnswerer(f.open(b), "")
	require.NoError(b, err)
	q := []Question{{"who", strings.Repeat("some wörds ", 90)}}
	for b.Loop() {
		if _, err := a.Answer(background, q, AnswerOptions{Best: 20}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkTagCRF measures the cost of a text without the model: 500 tokens with 9 labels that are
// decoded together.
func BenchmarkTagCRF(b *testing.B) {
	const c = 9
	labels := []string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC", "B-ORG", "I-ORG", "B-MISC", "I-MISC"}
	f := fake{
		heads:   []engine.Head{{Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: labels, CRF: true, Decode: "bio"}},
		forward: perRow(c, func(ids []int32, row, j int) float64 { return noise(int(ids[row]), row, j) }),
		limits:  func(l *engine.Limits) { l.SequenceTokens, l.BatchTokens = 512, 512 },
		tensors: map[string][]float32{engine.CRFTransitions: make([]float32, c*c), engine.CRFStart: make([]float32, c), engine.CRFEnd: make([]float32, c)},
	}
	tagger, err := NewTagger(f.open(b), "")
	require.NoError(b, err)
	texts := []string{strings.Repeat("word ", 249)}
	for b.Loop() {
		if _, err := tagger.Tag(background, texts, TagOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}
