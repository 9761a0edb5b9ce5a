package trial

// tally counts what was compared.
type tally struct {
	cases, held      int
	left             int // training runs that were left out
	tensors, missing int
	isas             map[string]bool
}
