package trainer

import (
	"slices"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged"
)

// negativesLayer is the number of the layer in the keys of negatives, see [noiseLayer].
const negativesLayer = 3

// Labels returns the labels that each text of the next step's batch is asked for: its own, and labels that only other texts of the batch have, in a random
// order. own holds the labels of each text, all of them in the batch, whatever its parts are. For each label of its own, a text is asked for as many others as
// the spec's statement `negatives` says; a text without labels counts as one with one label. A fraction is drawn: 0.5 is one more for every second text. If the
// other texts have too few labels, it is asked for all of them.
//
// The caller writes the labels of a text into its prompt, in the order of the result. A text has no spans of the others. The result depends on the seed, the
// step and the place of a text. Errors wrap runtime.ErrInput.
func (t *Trainer) Labels(own [][]string) ([][]string, error) {
	p := t.program
	if p.Negatives == 0 {
		return nil, ragged.Errorf("%s asks a text for its own labels alone: write `negatives 1 from batch` in the spec", p.Name)
	}
	if n, most := len(own), p.Limits.BatchSequences; n == 0 || n > most && len(p.Counts) == 0 {
		return nil, ragged.Errorf("the batch has %d texts, it must have from 1 to %d", n, most)
	}
	var all []string
	for i, list := range own {
		for k, label := range list {
			switch {
			case label == "":
				return nil, ragged.Errorf("label %d of text %d is empty", k, i)
			case slices.Contains(list[:k], label):
				return nil, ragged.Errorf("text %d has the label %q twice", i, label)
			case !slices.Contains(all, label):
				all = append(all, label)
			}
		}
	}
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}
	key := dropout.KeyOf(t.options.Seed, t.step, 0, 0, negativesLayer)
	asked := make([][]string, len(own))
	for i, list := range own {
		d := masking.DrawsOf(key, i)
		others := slices.DeleteFunc(slices.Clone(all), func(label string) bool { return slices.Contains(list, label) })
		masking.Shuffle(&d, others)
		wanted := p.Negatives * float64(max(1, len(list)))
		count := int(wanted)
		if d.Uniform() < wanted-float64(count) {
			count++
		}
		asked[i] = slices.Concat(list, others[:min(count, len(others))])
		masking.Shuffle(&d, asked[i])
	}
	return asked, nil
}
