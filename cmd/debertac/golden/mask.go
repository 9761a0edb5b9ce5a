package golden

// MaskKind states which keys a query sees.
type MaskKind uint8

// The masks that a spec can state.
const (
	MaskLive   MaskKind = iota // all live keys
	MaskCausal                 // no key after the query
	MaskPrefix                 // no key after the query, except those of the prefix
)

// AttentionMask returns the kind of attention_mask_3d: causal, or sequence to sequence with the length of each prefix in live tokens, [S]. Any other
// mask is an error.
func (c *Case) AttentionMask() (kind MaskKind, prefix []int32, err error) {
	if c.pairs == nil {
		return MaskLive, nil, nil
	}
	prefix = make([]int32, c.Sequences)
	sees := func(s, i, j int) bool { return c.pairs[(s*c.Length+i)*c.Length+j] != 0 }
	longest := int32(0)
	for s := range c.Sequences {
		first := -1
		for i := 0; i < c.Length && first < 0; i++ {
			if c.live(s, i) {
				first = i
			}
		}
		if first < 0 {
			continue
		}
		// The first query sees itself and the prefix.
		ahead := int32(0)
		for j := range c.Length {
			if c.live(s, j) && sees(s, first, j) {
				ahead++
			}
		}
		if ahead > 1 {
			prefix[s] = ahead
		}
		longest = max(longest, prefix[s])
		rank := int32(-1)
		for j := range c.Length {
			if !c.live(s, j) {
				continue
			}
			rank++
			for i := range c.Length {
				if c.live(s, i) && sees(s, i, j) != (j <= i || rank < prefix[s]) {
					return 0, nil, fault(c.inputs, "attention_mask_3d of sequence %d is neither causal nor that of a sequence with a prefix (query %d, key "+
						"%d)", s, i, j)
				}
			}
		}
	}
	if longest == 0 {
		return MaskCausal, nil, nil
	}
	return MaskPrefix, prefix, nil
}
