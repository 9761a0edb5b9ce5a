package runtime

// FillPositions writes the position of each token in its sequence to dst, [T]: the batch's own positions if it has them, else 0, 1, 2, … from
// the start of each sequence.
func FillPositions(dst []int32, b *Batch) {
	if len(b.Positions) != 0 {
		copy(dst, b.Positions)
		return
	}
	for s := 1; s < len(b.Starts); s++ {
		rows := dst[b.Starts[s-1]:b.Starts[s]]
		for i := range rows {
			rows[i] = int32(i)
		}
	}
}
