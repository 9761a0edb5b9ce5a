// Package masking chooses the tokens that a model learns to predict, and what stands in their places.
package masking

import (
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/ragged"
)

// Rule tells how tokens are chosen (He et al. 2021; Joshi et al. 2020 for runs). It is the rule of the code that DeBERTa was trained with.
//
// The units are tokens, or whole words. From the first unit on, a length n is drawn for a run, with a probability in proportion to 1/n up to Runs. Of the next
// n·w units n neighbours are chosen, at a random place, where w is the largest whole number below 1/Share; then the walk goes on after these units. The chosen
// units are masked from the first one on, until a text has as many masked tokens as its share, but at least one. So the end of a text is masked a little less.
// With a Share above 0.4 too few units would be chosen: there every unit is in a run, and the runs are masked in a random order.
type Rule struct {
	Share  float64 // of the tokens of a text, special tokens included
	Words  bool    // the units are whole words
	Runs   int     // units of the longest run
	Keep   float64 // share of the chosen tokens that stay as they are
	Random float64 // share of the chosen tokens that become a random token of the vocabulary; the others become the mask token
}

// slack is how many tokens more than twice its share a text may have masked, so that no word is cut. A word that is longer is not masked.
const slack = 7

// wanted returns the number of masked tokens after which no more are masked in a text of n tokens.
func (r *Rule) wanted(n int) int { return max(1, int(math.Round(r.Share*float64(n)))) }

// Most returns a number of tokens that Apply never exceeds, for a batch of at most as many tokens and sequences.
func (r *Rule) Most(tokens, sequences int) int {
	return min(tokens, int(math.Ceil(2*r.Share*float64(tokens)))+(2+slack)*sequences)
}

// Apply masks tokens of a batch in place, and sets Rows to the masked tokens. word holds the word of each token [T], as tokenizer.Span counts words in a text,
// and -1 for tokens that are never masked. Neighbours with one number are a word. If word is nil, the first and the last token of a sequence are never masked,
// and the units must be tokens. mask is the mask token, and vocab the number of tokens. The result depends on the key and on the place of a token in the batch.
func (r *Rule) Apply(b *ragged.Batch, word []int32, key dropout.Key, mask int32, vocab int) {
	b.Rows = nil
	for s := range b.Sequences() {
		m := &masker{Rule: r, Draws: DrawsOf(key, s), batch: b, word: word, mask: mask, vocab: vocab}
		m.sequence(s)
	}
}

// Draws is a sequence of random numbers. A number is a function of the key, of a row, and of its place in the sequence.
type Draws struct {
	row uint32
	n   int
}

// DrawsOf returns the sequence of a row.
func DrawsOf(key dropout.Key, row int) Draws { return Draws{row: dropout.Row(key, row)} }

// Uniform returns a random number from 0 to below 1.
func (d *Draws) Uniform() float64 {
	d.n++
	return float64(dropout.Number(d.row, d.n-1)) / (1 << 32)
}

// Below returns a random number from 0 to n-1.
func (d *Draws) Below(n int) int { return int(d.Uniform() * float64(n)) }

// Shuffle brings a list into a random order.
func Shuffle[E any](d *Draws, list []E) {
	for i := len(list) - 1; i > 0; i-- {
		k := d.Below(i + 1)
		list[i], list[k] = list[k], list[i]
	}
}

// masker masks a sequence of a batch.
type masker struct {
	*Rule
	Draws
	batch *ragged.Batch
	word  []int32
	mask  int32
	vocab int
}

// unit is a row of neighbouring tokens of the batch that are masked together.
type unit struct{ first, end int }

// units lists the units of a sequence that may be masked.
func (m *masker) units(s int) (list []unit) {
	b := m.batch
	first, end := int(b.Starts[s]), int(b.Starts[s+1])
	for i := first; i < end; i++ {
		word := int32(i)
		switch {
		case len(m.word) > 0:
			if word = m.word[i]; word < 0 {
				continue
			}
		case i == first || i == end-1:
			continue
		}
		if n := len(list); m.Words && n > 0 && list[n-1].end == i && m.word[i-1] == word {
			list[n-1].end++
			continue
		}
		list = append(list, unit{i, i + 1})
	}
	return list
}

// sequence masks a sequence, and appends its rows to those of the batch.
func (m *masker) sequence(s int) {
	wanted := m.wanted(m.batch.Length(s))
	from := len(m.batch.Rows)
	for _, u := range m.chosen(m.units(s)) {
		count, n := len(m.batch.Rows)-from, u.end-u.first
		if count >= wanted {
			break
		}
		if count+n > 2*wanted+slack {
			continue
		}
		for i := u.first; i < u.end; i++ {
			m.batch.Rows = append(m.batch.Rows, int32(i))
			switch x := m.Draws.Uniform(); {
			case x < m.Keep:
			case x < m.Keep+m.Random:
				m.batch.IDs[i] = int32(m.Below(m.vocab))
			default:
				m.batch.IDs[i] = m.mask
			}
		}
	}
	slices.Sort(m.batch.Rows[from:])
}

// chosen returns the units of all runs, in the order in which they are masked.
func (m *masker) chosen(units []unit) (list []unit) {
	room := int(math.Ceil(1/m.Rule.Share-1e-9)) - 1
	if m.Rule.Share > 0.4 {
		room = 1
	}
	var runs [][]unit
	for at := 0; at < len(units); {
		n := m.length()
		window := min(n*room, len(units)-at)
		first := at
		if room > 1 {
			first += m.Below(window)
		}
		end := min(first+n, len(units))
		runs = append(runs, units[first:end])
		at = max(at+window, end)
	}
	if room == 1 {
		Shuffle(&m.Draws, runs)
	}
	return slices.Concat(runs...)
}

// length draws the length of a run.
func (m *masker) length() int {
	sum := 0.0
	for n := 1; n <= m.Runs; n++ {
		sum += 1 / float64(n)
	}
	x := m.Draws.Uniform() * sum
	for n := 1; n < m.Runs; n++ {
		if x -= 1 / float64(n); x < 0 {
			return n
		}
	}
	return m.Runs
}
