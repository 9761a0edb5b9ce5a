package engine

// Cut divides the rows of a matrix product into kernel calls. A call is bounded because assembly cannot be preempted. A strip is the rows of one tile.
// Each call computes whole strips, so cutting adds no strip, and the numbers of strips per call differ by at most one.
type Cut struct {
	Calls        int
	rows, strips int
}

// CutRows divides rows ≥ 1 into calls of at most `most` rows, for tiles of `tile` rows: strips = ⌈rows/tile⌉, calls = ⌈strips/⌊most/tile⌋⌉.
func CutRows(rows, tile, most int) Cut {
	strips := (rows + tile - 1) / tile
	each := max(most/tile, 1)
	return Cut{Calls: (strips + each - 1) / each, rows: rows, strips: strips}
}

// Part returns the first row of call i and the number m of its rows.
func (c Cut) Part(i int) (row, m int) {
	row = c.rows * (c.strips * i / c.Calls) / c.strips
	return row, c.rows*(c.strips*(i+1)/c.Calls)/c.strips - row
}
