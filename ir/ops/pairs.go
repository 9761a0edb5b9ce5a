package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// Values of shape [A, P] hold one number per head and per pair (i, j) of tokens of one sequence. The N×N blocks of the sequences follow each other; in a block,
// row i (the query) is outermost.

// block is one sequence in a batch.
type block struct {
	row, n int // first row, tokens
	pair   int // first pair
}

// blocks splits a batch into sequences and checks that starts fits the number of rows.
func blocks(starts *ir.Array, rows int) ([]block, error) {
	s := starts.I
	if len(s) == 0 || s[0] != 0 || int(s[len(s)-1]) != rows {
		return nil, fmt.Errorf("starts is %v for %d rows: it must begin with 0 and end with the number of rows", s, rows)
	}
	var out []block
	pair := 0
	for b := 0; b+1 < len(s); b++ {
		n := int(s[b+1] - s[b])
		if n < 0 {
			return nil, fmt.Errorf("starts is %v: it must not decrease", s)
		}
		out = append(out, block{int(s[b]), n, pair})
		pair += n * n
	}
	return out, nil
}

// pairCount returns the number of pairs of a batch.
func pairCount(list []block) int {
	if len(list) == 0 {
		return 0
	}
	last := list[len(list)-1]
	return last.pair + last.n*last.n
}

// eachPair calls f for the rows i and j of every pair of every sequence; p is the number of the pair.
func eachPair(list []block, f func(i, j, p int)) {
	for _, b := range list {
		for i := 0; i < b.n; i++ {
			for j := 0; j < b.n; j++ {
				f(b.row+i, b.row+j, b.pair+i*b.n+j)
			}
		}
	}
}

// lookup finds the row of a relative table for each pair.
type lookup struct {
	index []int32
	pos   []int32
	flip  bool
	rows  int
}

// row returns index[pos(i)-pos(j)], or index[pos(j)-pos(i)] if flipped.
func (l lookup) row(i, j int) (int, error) {
	off := int(l.pos[i] - l.pos[j])
	if l.flip {
		off = -off
	}
	at := off + len(l.index)/2
	if at < 0 || at >= len(l.index) {
		return 0, fmt.Errorf("rows %d and %d have positions %d and %d, farther apart than the index reaches (%d)", i, j, l.pos[i], l.pos[j], len(l.index)/2)
	}
	r := int(l.index[at])
	if r < 0 || r >= l.rows {
		return 0, fmt.Errorf("the index holds row %d, the table has %d rows", r, l.rows)
	}
	return r, nil
}

// each calls f for every pair and its row r of the table.
func (l lookup) each(list []block, f func(i, j, p, r int)) error {
	var bad error
	eachPair(list, func(i, j, p int) {
		r, err := l.row(i, j)
		if err != nil {
			bad = err
			return
		}
		f(i, j, p, r)
	})
	return bad
}

// pairShape checks an operand of shape [A, P] and returns A.
func pairShape(n *ir.Node, i int) (a int, err error) {
	s := n.In[i].Type.Shape
	if len(s) != 2 || !s[0].Const() || s[1] != ir.P {
		return 0, fmt.Errorf("%s is %s, not [heads, P]", operand(n, i), n.In[i].Type)
	}
	return s[0].N, nil
}

// lookupShape checks the operands index, starts and pos, which begin at operand i.
func lookupShape(n *ir.Node, i int) error {
	s := n.In[i].Type.Shape
	if len(s) != 1 || !s[0].Const() || s[0].N%2 == 0 {
		return fmt.Errorf("index is %s, not an odd number of rows", n.In[i].Type)
	}
	return first(shaped(n, i+1, ir.Bound), shaped(n, i+2, ir.T))
}

// tokenRows checks an operand of shape [T, A·D] and returns A·D.
func tokenRows(n *ir.Node, i int) (int, error) {
	rows, cols, err := matrix(n, i)
	if err == nil && rows != ir.T {
		err = fmt.Errorf("%s is %s, not one row per token", operand(n, i), n.In[i].Type)
	}
	return cols, err
}

// lookupOf reads the operand index at i and the operand pos at i+2; starts is between them.
func lookupOf(n *ir.Node, in []*ir.Array, i, rows int) lookup {
	return lookup{index: in[i].I, pos: in[i+2].I, flip: n.Flag("flip"), rows: rows}
}

// flipped returns attributes with flip inverted: the term from the key's side.
func flipped(n *ir.Node, more ...any) []ir.Attr {
	return attrs(append(more, "flip", !n.Flag("flip"))...)
}

// pairWork returns the cost of 2·D operations for each pair and head.
func pairWork(s ir.Sizes, width int) ir.Cost {
	return ir.Cost{FLOPs: 2 * float64(s.P) * float64(width)}
}
