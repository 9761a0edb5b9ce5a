package golden

// Targets holds what a loss compares with a model's numbers, by the names in the program.
type Targets struct {
	Integers map[string][]int32
	Floats   map[string][]float32
}

// Given returns an input of the case, such as labels. integer reports whether the recorded numbers are integers. It returns nil if there is no such input.
func (c *Case) Given(name string) (data []float64, integer bool) {
	t := c.extra[name]
	if t == nil {
		return nil, false
	}
	return t.data, t.integer
}

// Rows returns the row of the batch for each position, [S, N]; -1 for a position that attention_mask leaves out.
func (c *Case) Rows() []int { return c.layout().row }

// Dead reports whether attention_mask leaves out a position.
func (c *Case) Dead() bool {
	for _, m := range c.Mask {
		if m == 0 {
			return true
		}
	}
	return false
}

// Ends reports whether the targets are the first and last tokens of answers.
func (c *Case) Ends() bool {
	return c.extra["start_positions"] != nil && c.extra["end_positions"] != nil
}
