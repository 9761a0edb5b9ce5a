package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// lexicon is a tokenizer with a small vocabulary of pieces in the manner of SentencePiece: "▁"
// begins a word, the longest piece is taken, and a character without a piece is [UNK].
type lexicon []string

const (
	lexUNK  = 3
	lexMASK = 4
)

func newLexicon(words ...string) lexicon {
	l := lexicon{"[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"}
	for _, w := range words {
		l = append(l, strings.Fields(w)...)
	}
	return l
}

var lex = newLexicon("▁paris ▁rome ▁is ▁the ▁capital ▁of ▁france ▁a b c ▁un happy able . ▁b c ! ▁one ▁two ▁three e ▁")

func (l lexicon) encode(dst []tokenizer.Span, text string, read func(id int32) bool) ([]tokenizer.Span, error) {
	word, start := int32(-1), true
	for at := 0; at < len(text); {
		if text[at] == ' ' {
			at, start = at+1, true
			continue
		}
		if start {
			word++
		}
		id, n := int32(lexUNK), 1
		for i, p := range l {
			key := p
			if i < 5 {
				if !read(int32(i)) {
					continue
				}
			} else if rest, ok := strings.CutPrefix(p, "▁"); ok != start || rest == "" {
				continue
			} else {
				key = rest
			}
			if strings.HasPrefix(text[at:], key) && (len(key) > n || id == lexUNK) {
				id, n = int32(i), len(key)
			}
		}
		dst = append(dst, tokenizer.Span{ID: id, Start: int32(at), End: int32(at + n), Word: word})
		at, start = at+n, id == lexMASK
	}
	return dst, nil
}

func (l lexicon) AppendSpans(dst []tokenizer.Span, text string, specials bool) ([]tokenizer.Span, error) {
	return l.encode(dst, text, func(int32) bool { return specials })
}

func (l lexicon) AppendMasked(dst []tokenizer.Span, text string) ([]tokenizer.Span, error) {
	return l.encode(dst, text, func(id int32) bool { return id == lexMASK })
}

func (l lexicon) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	spans, err := l.AppendSpans(nil, text, specials)
	for _, s := range spans {
		dst = append(dst, s.ID)
	}
	return dst, err
}

func (l lexicon) Frame() tokenizer.Frame { return pieces{}.Frame() }

func (l lexicon) Decode(ids []int32, skipSpecial bool) (string, error) {
	var b strings.Builder
	for _, id := range ids {
		p, ok := l.Piece(id)
		if !ok {
			return "", fmt.Errorf("no id %d", id)
		}
		if id >= 5 || !skipSpecial {
			b.WriteString(p)
		}
	}
	return strings.TrimPrefix(strings.ReplaceAll(b.String(), "▁", " "), " "), nil
}

func (l lexicon) Piece(id int32) (string, bool) {
	if id < 0 || int(id) >= len(l) {
		return "", false
	}
	return l[id], true
}

func (l lexicon) ID(piece string) (int32, bool) {
	for i, p := range l {
		if p == piece {
			return int32(i), true
		}
	}
	return -1, false
}

func (l lexicon) IsSpecial(id int32) bool { return id < 5 }

func (l lexicon) Specials() tokenizer.SpecialIDs {
	return tokenizer.SpecialIDs{CLS: fakeCLS, SEP: fakeSEP, PAD: 0, MASK: lexMASK, UNK: lexUNK}
}

// id returns a piece's id.
func (l lexicon) id(t testing.TB, piece string) int32 {
	id, ok := l.ID(piece)
	require.True(t, ok, piece)
	return id
}

var _ tokenizer.MaskTokenizer = lexicon{}

// spare is how many columns a fake predictor has beyond its tokenizer's ids, as real models do.
const spare = 3

// scores are the logits of a fake predictor: a function of the whole sequence, of the number of
// tokens before, of the row and of the column. seen holds the tokens that the row may attend to.
type scores func(seen []int32, prefix, row, column int) float64

// logit returns a logit that changes with every argument.
func logit(seen []int32, prefix, row, column int) float64 {
	args := []int{prefix, row, column}
	for _, id := range seen {
		args = append(args, int(id))
	}
	return 3 * noise(args...)
}

// predicts returns a model that predicts the lexicon's tokens. Causal rows see the tokens up to
// themselves and those of the prefix.
func predicts(rows engine.Rows, causal, prefix bool, f scores) fake {
	v := len(lex) + spare
	return fake{
		heads: []engine.Head{{Name: "mlm", Task: tasktable.MLM, Rows: rows, C: v}},
		limits: func(l *engine.Limits) {
			l.Vocab, l.SequenceTokens, l.Causal, l.Prefix = v, 32, causal, prefix
			if rows == engine.PerRow {
				l.Rows = 16
			}
		},
		token: lex,
		forward: func(x *engine.Exec) {
			out, next := x.Out, 0
			for s := range x.B {
				lo, hi := int(x.Starts[s]), int(x.Starts[s+1])
				p := 0
				if prefix {
					p = int(x.Prefix[s])
				}
				for r := lo; r < hi; r++ {
					if rows == engine.PerRow {
						if next == len(x.Rows) || int(x.Rows[next]) != r {
							continue
						}
						next++
					}
					end := hi
					if causal {
						end = max(r+1, lo+p)
					}
					for c := range v {
						out[c] = float32(f(x.IDs[lo:end], p, r-lo, c))
					}
					out = out[v:]
				}
			}
		},
	}
}

// bothKinds runs a test with a head that computes chosen rows and with one that computes all rows.
func bothKinds(t *testing.T, f func(t *testing.T, rows engine.Rows)) {
	for _, rows := range []engine.Rows{engine.PerRow, engine.PerToken} {
		t.Run(rows.String(), func(t *testing.T) { f(t, rows) })
	}
}
