package trial

// tally counts what was compared.
type tally struct {
	cases, held      int
	left             int // cases of training
	tensors, missing int
	isas             map[string]bool
}
