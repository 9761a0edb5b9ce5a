package attention

// Order tells a fold how the rows of a vector's offsets lie. A fold adds numbers whose offsets share a row of the relative table. It first brings the sums of
// runs of equal rows to the places of their rows, in a window as wide as a vector:
//
//	16 lanes: the lane of each place if all rows are different, [16]
//	 8 lanes: for each set of lanes in which a run ends, the lane of each place, or -1 for a place without a sum, [256][8]
//
// Two numbers follow: the distance from the row of the first lane to the first row of the window, and from the row of the first lane to that of the last if all
// rows are different.
type Order []int32

// orders holds the order of vectors of 8 and 16 lanes whose rows fall or rise.
var orders = map[int]map[bool]Order{8: {false: newOrder(8, false), true: newOrder(8, true)}, 16: {false: newOrder(16, false), true: newOrder(16, true)}}

// OrderOf returns the order of vectors of 8 or 16 lanes whose rows fall or rise.
func OrderOf(lanes int, rises bool) Order { return orders[lanes][rises] }

// newOrder returns the order of vectors of some lanes.
func newOrder(lanes int, rises bool) Order {
	// The window of rows that fall ends with the row of the first lane.
	place := func(k int) int {
		if rises {
			return k
		}
		return lanes - 1 - k
	}
	var o Order
	if lanes == 16 {
		o = make(Order, lanes)
		for k := range lanes {
			o[place(k)] = int32(k)
		}
	} else {
		for ends := range 1 << lanes {
			row := make([]int32, lanes)
			for i := range row {
				row[i] = -1
			}
			run := 0
			for lane := range lanes {
				if ends>>lane&1 == 1 {
					row[place(run)] = int32(lane)
					run++
				}
			}
			o = append(o, row...)
		}
	}
	if rises {
		return append(o, 0, int32(lanes-1))
	}
	return append(o, int32(1-lanes), int32(1-lanes))
}
