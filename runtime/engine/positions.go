package engine

// FillPositions writes the position of each token in its sequence to dst [T]. These are the batch's own positions if it has them. Otherwise
// they rise by one from the start of each sequence, beginning at the number of tokens that its past holds, or at 0.
func (x *Exec) FillPositions(dst []int32) {
	x.Batch.FillPositions(dst)
	if len(x.past) == 0 || len(x.Positions) != 0 {
		return
	}
	for s := range x.Sequences() {
		before := int32(x.pastTokens(s))
		rows := dst[x.Starts[s]:x.Starts[s+1]]
		for i := range rows {
			rows[i] += before
		}
	}
}
