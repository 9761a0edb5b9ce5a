package token

import (
	"fmt"
	"math"
)

// MaxPieceBytes is the length of the longest piece that a vocabulary may hold. It bounds the work per character of a
// text.
const MaxPieceBytes = 1024

// unknownPenalty is how far the score of an unknown character lies below the vocabulary's lowest score (10 in both
// forms).
const unknownPenalty = 10

// unigram is a unigram language model over pieces: a text is segmented into the sequence of pieces with the highest sum
// of scores (Kudo 2018, "Subword Regularization", section 3.2, solved by Viterbi).
type unigram struct {
	pieces   trie      // marked: the names of special tokens, which literal text must not become
	scores   []float64 // by id
	unknown  int32     // id of an unknown character
	penalty  float64   // score of an unknown character
	fallback bool      // unknown characters become byte pieces
	bytes    [256]int32
	// If single is set, sums are rounded to float32 and run through the whole text, as in SentencePiece. Otherwise they
	// are float64 and start at each word. The two differ on near ties.
	single bool
}

// cell is the best path that ends at one byte position.
type cell struct {
	score float64
	start int32 // where its last piece starts, counted from the window's start
	id    int32
}

// lattice is the working memory of a segmentation.
type lattice struct {
	cells []cell
	nodes []node
}

// node is one piece of the best path; it ends before byte end of the text.
type node struct{ end, id int32 }

// charBytes is the length of a UTF-8 sequence by the upper half of its first byte.
var charBytes = [16]uint8{1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4}

var unreached = math.Inf(-1)

// best leaves the best path over text in l.nodes. If literal is set, it ignores marked pieces.
//
// Cells are kept only for a window. If no piece crosses a position, every path goes through it; the path up to there is
// final, and the window starts again. In practice this happens at every word.
func (m *unigram) best(l *lattice, text []byte, literal bool) {
	units, scores := m.pieces, m.scores
	l.nodes = l.nodes[:0]
	if len(l.cells) < 256 {
		l.cells = make([]cell, 256)
	}
	cells := l.cells
	root := uint32(units[0]) >> unitBase
	cells[0] = cell{}
	base, reach, n := 0, 0, len(text)
	for p := 0; p < n; {
		if p == reach && p > base {
			cells[0] = cell{score: l.flush(base, p)}
			base = p
		}
		here := cells[p-base].score
		width := min(int(charBytes[text[p]>>4]), n-p)
		if want := p + MaxPieceBytes - base; want >= len(cells) {
			l.cells = append(make([]cell, 0, 2*want), cells...)
			l.cells = l.cells[:cap(l.cells)]
			cells = l.cells
		}
		known := false
		from := root
		for k, end := p, min(n, p+MaxPieceBytes); k < end; {
			c := uint32(text[k])
			u := units[from^c]
			if uint32(u)&unitLabels != unitLive|c {
				break
			}
			k++
			from = uint32(u) >> unitBase
			v := uint32(u >> 32)
			if v == 0 {
				continue
			}
			if v >= unitMark {
				if literal {
					continue
				}
				v &^= unitMark
			}
			score := here + scores[v-1]
			if m.single {
				score = float64(float32(score))
			}
			for reach < k {
				reach++
				cells[reach-base].score = unreached
			}
			if at := &cells[k-base]; score > at.score {
				*at = cell{score, int32(p - base), int32(v - 1)}
			}
			known = known || k == p+width
		}
		if !known {
			k := p + width
			for reach < k {
				reach++
				cells[reach-base].score = unreached
			}
			score := here + m.penalty
			if m.single {
				score = float64(float32(score))
			}
			if at := &cells[k-base]; score > at.score {
				*at = cell{score, int32(p - base), m.unknown}
			}
		}
		p += width
	}
	l.flush(base, n)
}

// flush appends the best path from base to end and returns its score.
func (l *lattice) flush(base, end int) float64 {
	first := len(l.nodes)
	for at := int32(end - base); at > 0; at = l.cells[at].start {
		l.nodes = append(l.nodes, node{int32(base) + at, l.cells[at].id})
	}
	for i, j := first, len(l.nodes)-1; i < j; i, j = i+1, j-1 {
		l.nodes[i], l.nodes[j] = l.nodes[j], l.nodes[i]
	}
	return l.cells[end-base].score
}

// newUnigram builds the model over a vocabulary. left reports pieces that text cannot become (nil: none), and special reports pieces that literal text cannot
// become. score[id] is the score of a piece. If pieces are equal, the last one counts.
func newUnigram(v *vocabulary, scores []float64, left, special func(id int32) bool) (*unigram, error) {
	m := &unigram{scores: scores}
	for i := range m.bytes {
		m.bytes[i] = -1
	}
	order := v.sorted()
	var keys []string
	var ids []int32
	for _, id := range order {
		if left != nil && left(id) {
			continue
		}
		if k := v.text(id); len(keys) > 0 && keys[len(keys)-1] == k {
			ids[len(ids)-1] = max(ids[len(ids)-1], id)
		} else {
			keys, ids = append(keys, k), append(ids, id)
		}
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("the vocabulary has no piece that text can become")
	}
	var err error
	m.pieces, err = buildTrie(keys, ids, special)
	return m, err
}

func (m *unigram) kind() string   { return "unigram" }
func (m *unigram) missing() int32 { return m.unknown }

// setFallback turns on byte fallback with the byte pieces of v.
func (m *unigram) setFallback(v *vocabulary) {
	m.fallback = true
	for _, id := range v.sorted() {
		if b, ok := byteOfPiece(v.text(id)); ok {
			m.bytes[b] = max(m.bytes[b], id)
		}
	}
}

// byteOfPiece parses the name of a byte piece, <0x00> to <0xFF> with capital digits.
func byteOfPiece(s string) (byte, bool) {
	if len(s) != 6 || s[:3] != "<0x" || s[5] != '>' {
		return 0, false
	}
	hi, ok1 := hexDigit(s[3])
	lo, ok2 := hexDigit(s[4])
	return hi<<4 | lo, ok1 && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case '0' <= c && c <= '9':
		return c - '0', true
	case 'A' <= c && c <= 'F':
		return c - 'A' + 10, true
	}
	return 0, false
}

func (m *unigram) check(ids int) error {
	if err := m.pieces.check(len(m.scores)); err != nil {
		return err
	}
	if len(m.scores) != ids || m.unknown < 0 || int(m.unknown) >= ids {
		return fmt.Errorf("%d scores for %d pieces, unknown id %d", len(m.scores), ids, m.unknown)
	}
	for i, s := range m.scores {
		if !(math.Abs(s) <= maxScore) {
			return fmt.Errorf("piece %d has score %v (want a number of at most %g)", i, s, float64(maxScore))
		}
	}
	if !(math.Abs(m.penalty) <= 2*maxScore) {
		return fmt.Errorf("the unknown score is %v", m.penalty)
	}
	for b, id := range m.bytes {
		if id < -1 || int(id) >= ids {
			return fmt.Errorf("byte piece %d has id %d of %d", b, id, ids)
		}
	}
	return nil
}

// maxScore bounds a piece's score, so that no sum over a text can overflow a float32.
const maxScore = 1e9
