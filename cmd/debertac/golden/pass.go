package golden

import (
	"slices"

	"github.com/debertac/debertac/runtime/safetensors"
)

// Model is a form of the case's model that a pass runs. Task and Pool are options of the import: the task of the head and how rows are pooled; ""
// leaves the choice to the folder. Perturb asks for an input to which numbers can be added.
type Model struct {
	Task, Pool string
	Perturb    bool
}

// Pass is one of the runs that a case consists of.
type Pass struct {
	Name  string // "" for the first pass of a case whose passes have no names
	Model Model
}

// The passes that have names.
const (
	passPooler        = "pooler"        // the first rows, after the encoder's own pooler
	passGenerator     = "generator"     // fills masks
	passDiscriminator = "discriminator" // judges what the generator wrote
	passClean         = "clean"         // without noise
	passProbe         = "probe"         // with the noise of the case
	passPerturbed     = "perturbed"     // with the noise that was moved uphill
)

// Passes lists what must be run to get the tensors that outputs holds.
func (c *Case) Passes(outputs string) ([]Pass, error) {
	switch c.Kind {
	case KindEMD:
		return []Pass{{Model: Model{Task: "emd"}}}, nil
	case KindRTD:
		return []Pass{{passGenerator, Model{Task: "emd"}}, {passDiscriminator, Model{Task: "rtd"}}}, nil
	case KindSiFT:
		m := Model{Perturb: true}
		return []Pass{{passClean, m}, {passProbe, m}, {passPerturbed, m}}, nil
	}
	if c.Matches != nil {
		return textPasses(len(c.Matches)), nil
	}
	if c.Extracts != nil {
		return textPasses(len(c.Extracts)), nil
	}
	passes := []Pass{{}}
	if c.Texts != nil {
		return passes, nil
	}
	f, err := safetensors.Open(outputs)
	if err != nil {
		return nil, err
	}
	if f.Has("pooler_output") {
		passes = append(passes, Pass{passPooler, Model{Task: "embed", Pool: "pooler"}})
	}
	return passes, f.Close()
}

// replaced returns the ids that the discriminator reads, [S, N]: the token drawn from the generator where one was to be predicted, otherwise the
// generator's input.
func (c *Case) replaced() ([]int64, error) {
	labels, err := c.need("labels", len(c.IDs), true)
	if err != nil {
		return nil, err
	}
	sampled, err := c.need("sampled_ids", len(c.IDs), true)
	if err != nil {
		return nil, err
	}
	ids := slices.Clone(c.IDs)
	for i, l := range labels.data {
		if l > 0 {
			ids[i] = int64(sampled.data[i])
		}
	}
	return ids, nil
}

// idsOf returns the token ids of a pass, [S, N].
func (c *Case) idsOf(p Pass) ([]int64, error) {
	if p.Name == passDiscriminator {
		return c.replaced()
	}
	return c.IDs, nil
}

// chosen returns a function that reports whether a head on chosen rows computes a position: if only labelled tokens are predicted, the positions with
// a label above 0, otherwise every live one.
func (c *Case) chosen() (func(i int) bool, error) {
	if c.Kind != KindEMD && c.Kind != KindRTD {
		return func(int) bool { return true }, nil
	}
	labels, err := c.need("labels", len(c.IDs), true)
	if err != nil {
		return nil, err
	}
	for i, l := range labels.data {
		if l > 0 && c.Mask[i] == 0 {
			return nil, fault(c.inputs, "labels asks for position %d of sequence %d, which attention_mask leaves out", i%c.Length, i/c.Length)
		}
	}
	return func(i int) bool { return labels.data[i] > 0 }, nil
}

// noise returns the numbers that a pass adds to the normalised input, [S, N, hidden]. It returns nil if nothing is added.
func (c *Case) noise(p Pass, hidden int) ([]float64, error) {
	size := len(c.IDs) * hidden
	switch p.Name {
	case passProbe:
		t, err := c.need("delta0", size, false)
		if err != nil {
			return nil, err
		}
		return t.data, nil
	case passPerturbed: // computing this noise takes a gradient, so the recorded noise is used
		f, err := safetensors.Open(c.Outputs())
		if err != nil {
			return nil, err
		}
		defer f.Close()
		t, err := readTensor(f, "delta1")
		if err != nil {
			return nil, err
		}
		if len(t.data) != size || t.integer {
			return nil, fault(c.Outputs(), "delta1 has the shape %v, which does not go with input_ids", t.shape)
		}
		return t.data, nil
	}
	return nil, nil
}
