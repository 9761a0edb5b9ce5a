package golden

import (
	"slices"

	"github.com/debertac/debertac/runtime/safetensors"
)

// readInputs reads ids, mask and types, [S, N] or, for choices, [questions, choices, N].
func (c *Case) readInputs(path string) error {
	c.inputs = path
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Info(c.InputName("input_ids"))
	if err != nil {
		return err
	}
	switch s := info.Shape; len(s) {
	case 2:
		c.Sequences, c.Length, c.Choices = s[0], s[1], 1
	case 3:
		c.Sequences, c.Length, c.Choices = s[0]*s[1], s[2], s[1]
	default:
		return fault(path, "input_ids has the shape %v, two or three dimensions are wanted", s)
	}
	if c.Sequences == 0 || c.Length == 0 {
		return fault(path, "input_ids is empty")
	}
	n := c.Sequences * c.Length
	read := func(name string, into *[]int64, size int) error {
		*into = nil
		name = c.InputName(name)
		if !f.Has(name) {
			return nil
		}
		info, err := f.Info(name)
		if err != nil {
			return err
		}
		elements := 1
		for _, d := range info.Shape {
			elements *= d
		}
		if elements != size {
			return fault(path, "%s has the shape %v, which does not go with input_ids", name, info.Shape)
		}
		*into = make([]int64, size)
		return f.Ints(name, *into)
	}
	if err := read("input_ids", &c.IDs, n); err != nil {
		return err
	}
	if err := read("attention_mask", &c.Mask, n); err != nil {
		return err
	}
	if err := read("token_type_ids", &c.Types, n); err != nil {
		return err
	}
	if c.Mask == nil {
		c.Mask = make([]int64, n)
		for i := range c.Mask {
			c.Mask[i] = 1
		}
	}
	for i, m := range c.Mask {
		if m != 0 && m != 1 {
			return fault(path, "attention_mask holds %d at %d: it must be 0 or 1", m, i)
		}
	}
	if err := read("attention_mask_3d", &c.pairs, n*c.Length); err != nil {
		return err
	}
	return c.readGiven(f)
}

// given is a tensor of the inputs other than ids, or a tensor of the outputs that a pass takes as its input.
type given struct {
	shape   []int
	data    []float64
	integer bool
}

// givenNames lists the inputs of losses and of passes.
var givenNames = []string{"labels", "start_positions", "end_positions", "grad_output", "sampled_ids", "delta0"}

// readGiven reads the tensors of givenNames that are in the file.
func (c *Case) readGiven(f *safetensors.File) error {
	c.extra = map[string]*given{}
	for _, name := range givenNames {
		if !f.Has(c.InputName(name)) {
			continue
		}
		var err error
		if c.extra[name], err = readTensor(f, c.InputName(name)); err != nil {
			return err
		}
	}
	return nil
}

// readTensor reads a tensor of either type.
func readTensor(f *safetensors.File, name string) (*given, error) {
	info, err := f.Info(name)
	if err != nil {
		return nil, err
	}
	t := &given{shape: info.Shape, data: make([]float64, info.Elements()), integer: isInteger(info.DType)}
	if t.integer {
		wide := make([]int64, len(t.data))
		if err := f.Ints(name, wide); err != nil {
			return nil, err
		}
		for i, v := range wide {
			t.data[i] = float64(v)
		}
		return t, nil
	}
	floats := make([]float32, len(t.data))
	if err := f.Floats(name, floats); err != nil {
		return nil, err
	}
	for i, v := range floats {
		t.data[i] = float64(v)
	}
	return t, nil
}

// isInteger reports whether numbers of a type are read as integers.
func isInteger(t safetensors.DType) bool {
	return slices.Contains([]safetensors.DType{safetensors.I64, safetensors.I32, safetensors.U8, safetensors.Bool}, t)
}

// need returns a tensor of the inputs. It is an error if the tensor is missing or does not have size numbers.
func (c *Case) need(name string, size int, integer bool) (*given, error) {
	t := c.extra[name]
	switch {
	case t == nil:
		return nil, fault(c.inputs, "a case of kind %s needs the tensor %s", c.Kind, name)
	case len(t.data) != size:
		return nil, fault(c.inputs, "%s has the shape %v, which does not go with input_ids", name, t.shape)
	case t.integer != integer:
		return nil, fault(c.inputs, "%s must hold %s", name, map[bool]string{true: "integers", false: "float32 numbers"}[integer])
	}
	return t, nil
}

// live reports whether position p of sequence s is a token.
func (c *Case) live(s, p int) bool { return c.Mask[s*c.Length+p] == 1 }
