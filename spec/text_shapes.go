package spec

import "strconv"

func itoa(n int) string { return strconv.Itoa(n) }

// shapeOf returns the text form of two extents.
func shapeOf(rows, columns int) string { return "[" + itoa(rows) + ", " + itoa(columns) + "]" }
