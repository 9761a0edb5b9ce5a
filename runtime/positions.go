package runtime

// FillPositions writes the position of each token in its sequence to dst [T]. These are the batch's own positions if it has them. Otherwise
// they rise by one from the start of each sequence, beginning at the number of tokens that its past holds, or at 0.
func FillPositions(dst []int32, b *Batch) {
	if len(b.Positions) != 0 {
		copy(dst, b.Positions)
		return
	}
	for s := 1; s < len(b.Starts); s++ {
		rows, first := dst[b.Starts[s-1]:b.Starts[s]], b.pastTokens(s-1)
		for i := range rows {
			rows[i] = int32(first + i)
		}
	}
}
