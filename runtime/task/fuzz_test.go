package task

import (
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// nastyTexts holds texts with several bytes per character, with combining marks, and with invalid UTF-8.
var nastyTexts = []string{
	"Hello,  wörld ab [SEP] <unk>", "\U0001f600中文 👩🏽‍🚀 e\u0301 한국어 \u1112\u1161\u11ab", "\xff\xf0\x9f\x98 a\xc3", " \t\n\u3000\u00a0", "ﷺ ½ ①② ㍿ ﬁn", "",
	"x\x00y\ufeffz\ufffd",
}

// FuzzOffsets tags texts and asks questions about them with real tokenizers: SentencePiece's, with
// and without byte pieces, in both forms. Every reported part must be a part of the text and cut no
// code point.
func FuzzOffsets(f *testing.F) {
	for _, s := range nastyTexts {
		f.Add(s)
	}
	const c = 2
	head := func(task engine.Task) fake {
		return fake{
			heads:   []engine.Head{{Task: task, Rows: engine.PerToken, C: c}},
			limits:  func(l *engine.Limits) { l.Vocab, l.Types = 1<<18, 0 },
			forward: perRow(c, func(ids []int32, row, j int) float64 { return noise(int(ids[row]), row, j) }),
		}
	}
	type model struct {
		tok      tokenizer.SpanTokenizer
		tagger   *Tagger
		answerer *Answerer
	}
	var models []model
	for _, name := range []string{"spm_v3/tokenizer.json", "spm_v3/tokenizer_lower_punct.json", "spm_v3/spm.model", "spm_bytes/tokenizer.json",
		"spm_bytes/spm.model"} {
		data, err := os.ReadFile(filepath.Join("..", "token", "testdata", name))
		require.NoError(f, err)
		var tok *token.Tokenizer
		if filepath.Ext(name) == ".json" {
			tok, err = token.FromJSON(data)
		} else {
			tok, err = token.FromSPM(data, token.SPMOptions{})
		}
		require.NoError(f, err)
		t, err := token.ForModel(tok)
		require.NoError(f, err)
		long := runtime.Long(runtime.Windows(3))
		tags, span := head(tasktable.Tags), head(tasktable.Span)
		tags.token, span.token = t, t
		tagger, err := NewTagger(tags.open(f, long, runtime.MaxTokens(16)), "")
		require.NoError(f, err)
		answerer, err := NewAnswerer(span.open(f, long, runtime.MaxTokens(16)), "")
		require.NoError(f, err)
		models = append(models, model{t.(tokenizer.SpanTokenizer), tagger, answerer})
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) {
			_, err := models[0].tagger.Tag(background, []string{"fine", text}, TagOptions{})
			require.ErrorIs(t, err, runtime.ErrInput)
			return
		}
		for _, m := range models {
			spans, err := m.tok.AppendSpans(nil, text, false)
			require.NoError(t, err)
			ids, err := m.tok.AppendIDs(nil, text, false)
			require.NoError(t, err)
			require.Len(t, spans, len(ids))
			for i, s := range spans {
				require.Equal(t, ids[i], s.ID)
				require.True(t, 0 <= s.Start && s.Start <= s.End && int(s.End) <= len(text), "%+v", s)
				require.True(t, i == 0 && s.Word == 0 || i > 0 && s.Word >= spans[i-1].Word, "words rise: %+v", spans)
			}
			for _, a := range []Aggregation{AggregateNone, AggregateSimple, AggregateFirst} {
				got, err := m.tagger.Tag(background, []string{text}, TagOptions{Aggregation: a, BIO: true})
				require.NoError(t, err)
				require.Len(t, got[0].Tags, len(ids))
				for _, tag := range got[0].Tags {
					checkPart(t, text, tag.Part)
				}
				for _, e := range got[0].Entities {
					checkPart(t, text, e.Part)
				}
			}
			for _, words := range []bool{false, true} {
				got, err := m.answerer.Answer(background, []Question{{"a", text}}, AnswerOptions{Best: 5, WholeWords: words})
				require.NoError(t, err)
				for _, a := range got[0].Answers {
					checkPart(t, text, a.Part)
					require.NotEmpty(t, a.Text)
				}
			}
		}
	})
}

// FuzzPart checks that any two offsets become a part of whole code points.
func FuzzPart(f *testing.F) {
	f.Add("a\xc3é👍\xff ", 1, 3)
	f.Fuzz(func(t *testing.T, text string, start, end int) {
		at := places{text: text}
		for range 2 {
			checkPart(t, text, at.part(start, end))
			checkPart(t, text, at.part(end, start))
		}
	})
}
