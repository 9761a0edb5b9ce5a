package attention

// Scratch returns how many floats of scratch memory the forward pass needs if no sequence has more than n rows.
func (a *Attend) Scratch(n int) int { return a.plainScratch(n, false) }

// GradScratch returns how many floats of scratch memory the backward pass needs if no sequence has more than n rows.
func (a *Attend) GradScratch(n int) int { return a.plainScratch(n, true) }
