package trainer

import (
	"math"

	"github.com/debertac/debertac/runtime/ragged"
)

// Texts sets the number of texts of the data for a training whose spec counts epochs, and so its number of steps. In an epoch each text is in one batch, and
// the last batch may be smaller.
func Texts(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return ragged.Errorf("Texts(%d): it must be at least 1", n)
		}
		o.Texts = n
		return nil
	}
}

// epochSteps returns the number of steps of the epochs of a spec over the texts of the options.
func (p *Program) epochSteps(o *Options) (int, error) {
	switch {
	case p.Epochs == 0:
		return 0, ragged.Errorf("Texts(%d): the spec of %s counts steps: leave the option out", o.Texts, p.Name)
	case o.Steps > 0:
		return 0, ragged.Errorf("Texts(%d) and Steps(%d) both set the number of steps: leave one of them out", o.Texts, o.Steps)
	}
	steps := 1 + (o.Texts-1)/p.Batch
	if steps > math.MaxInt32/p.Epochs {
		return 0, ragged.Errorf("%d epochs of %d texts are more than %d steps", p.Epochs, o.Texts, math.MaxInt32)
	}
	return steps * p.Epochs, nil
}
