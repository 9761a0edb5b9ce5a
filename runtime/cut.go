package runtime

// Cut divides the rows of a matrix product into calls of a kernel. Assembly cannot be preempted, so that a call has a bound; whole strips (the
// rows of a tile) go to a call and the calls are near-equal, so that cutting makes no strip lower.
type Cut struct {
	Calls        int
	rows, strips int
}

// CutRows cuts rows ≥ 1 into calls of at most most rows, for tiles of that many rows: strips = ⌈rows/tile⌉, calls = ⌈strips/⌊most/tile⌋⌉.
func CutRows(rows, tile, most int) Cut {
	strips := (rows + tile - 1) / tile
	each := max(most/tile, 1)
	return Cut{Calls: (strips + each - 1) / each, rows: rows, strips: strips}
}

// Part gives the first row of call i and its number of rows.
func (c Cut) Part(i int) (row, m int) {
	row = c.rows * (c.strips * i / c.Calls) / c.strips
	return row, c.rows*(c.strips*(i+1)/c.Calls)/c.strips - row
}
