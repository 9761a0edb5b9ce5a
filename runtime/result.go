package runtime

import "github.com/debertac/debertac/runtime/ragged"

import (
	"cmp"
	"slices"
)

// Classification is the result for one text.
type Classification struct {
	Label string  `json:"label"` // label with the highest score
	Index int     `json:"index"` // index of Label
	Score float32 `json:"score"` // score of Label
	// Scores holds the probability of each label [C]: the softmax of the logits or, for heads with
	// independent labels, the sigmoid of each.
	Scores []float32 `json:"scores"`
	Logits []float32 `json:"logits"` // outputs of the head [C]
	Seen
}

// Above returns the indices of the labels whose scores reach their thresholds, highest score first;
// ties: the lower index first. It is meant for labels that do not exclude each other. thresholds
// holds one number from 0 to 1 for each label, or one for all labels.
func (c *Classification) Above(thresholds ...float32) ([]int, error) {
	if n := len(thresholds); n != 1 && n != len(c.Scores) {
		return nil, ragged.Errorf("%d thresholds for %d labels: give one for each, or one for all", n, len(c.Scores))
	}
	for _, t := range thresholds {
		if !(t >= 0 && t <= 1) {
			return nil, ragged.Errorf("thresholds: %v is not a number from 0 to 1", t)
		}
	}
	labels := []int{}
	for i, p := range c.Scores {
		if p >= thresholds[min(i, len(thresholds)-1)] {
			labels = append(labels, i)
		}
	}
	slices.SortStableFunc(labels, func(a, b int) int { return cmp.Compare(c.Scores[b], c.Scores[a]) })
	return labels, nil
}

// Seen reports how much of a text the model saw.
type Seen struct {
	// Tokens is the number of tokens that the model saw, including special tokens. Tokens that lie
	// in more than one window count once.
	Tokens int `json:"tokens"`
	// Truncated is the number of tokens of the text that were cut, 0 if none.
	Truncated int `json:"truncated"`
	// Windows is the number of sequences that the text was cut into, 1 if it was not cut.
	Windows int `json:"windows"`
}
