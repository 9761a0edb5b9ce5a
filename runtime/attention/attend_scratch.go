package attention

// Scratch returns how many floats of scratch memory the forward pass needs if no sequence has more than n rows, in plain Go or with kernels.
func (a *Attend) Scratch(n int) int { return a.scratchOf(n, false, a.forwardLengths) }

// GradScratch returns how many floats of scratch memory the backward pass needs if no sequence has more than n rows, in plain Go or with kernels.
func (a *Attend) GradScratch(n int) int { return a.scratchOf(n, true, a.gradLengths) }

// scratchOf returns the larger of the two needs.
func (a *Attend) scratchOf(n int, grad bool, lengths func(n int) []int) int {
	most := a.plainScratch(n, grad)
	if a.hasKernels() {
		sum := 0
		for _, l := range lengths(n) {
			sum += l
		}
		most = max(most, sum)
	}
	return most
}
