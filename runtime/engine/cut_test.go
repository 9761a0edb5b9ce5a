package engine

import "testing"

// TestCutRows checks that the parts cover each row once, in order, and that no part is empty or
// larger than allowed.
func TestCutRows(t *testing.T) {
	for _, tile := range []int{1, 6, 14} {
		for _, most := range []int{1, tile, 3 * tile, 3*tile + 1} {
			for rows := 1; rows < 200; rows++ {
				c := CutRows(rows, tile, most)
				next := 0
				for i := range c.Calls {
					row, m := c.Part(i)
					if row != next || m < 1 || m > max(most, tile) {
						t.Fatalf("%d rows, tile %d, at most %d: call %d has %d rows from %d, the last one ended at %d", rows, tile, most, i, m, row, next)
					}
					next = row + m
				}
				if next != rows {
					t.Fatalf("%d rows, tile %d, at most %d: only %d are covered", rows, tile, most, next)
				}
			}
		}
	}
}
