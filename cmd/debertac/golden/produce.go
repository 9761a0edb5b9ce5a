package golden

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// reader returns the produced number for an index of a recorded tensor. skip reports that this number is not compared.
type reader func(index []int) (got float64, skip bool)

// value is what was produced for a recorded tensor: a reader, or the reason why nothing was produced.
type value struct {
	read   reader
	reason string // it is not produced
	left   string // it is left out
}

// outputTensor is the name of the head's output in the file of a pass.
const outputTensor = "output"

// sources maps recorded tensors with names of their own to the passes that produce them.
var sources = map[string]string{
	"pooler_output": passPooler, "clean_logits": passClean, "probe_logits": passProbe, "pert_logits": passPerturbed, "mlm_logits": passGenerator,
	"rtd_logits": passDiscriminator,
}

// source returns the pass, and the tensor of that pass, that a recorded tensor is compared with.
func (k *comparison) source(name string) (pass, tensor string) {
	if pass, ok := sources[name]; ok {
		return pass, outputTensor
	}
	switch name {
	case "normed":
		return passClean, name
	case "last_hidden_state":
		return "", fmt.Sprintf("hidden_states.%d", k.produced.Layers)
	case "logits", "start_logits", "end_logits", "sentence_embedding":
		if k.produced.Head {
			return "", outputTensor
		}
	}
	if rest, ok := strings.CutPrefix(name, "steps."); ok {
		if step, err := strconv.Atoi(rest); err == nil {
			if tensor := fmt.Sprintf("decoder.%d", step+1); step > 0 || k.has("", tensor) {
				return "", tensor
			}
			return "", fmt.Sprintf("hidden_states.%d", k.produced.Layers) // without the decoder the head reads the last layer
		}
	}
	return "", name
}

// has reports whether a pass has produced a tensor.
func (k *comparison) has(pass, tensor string) bool {
	return k.files[pass] != nil && k.files[pass].Has(tensor)
}

// grid is a produced tensor, [rows, columns].
type grid struct {
	data          []float64
	rows, columns int
}

// row returns row i.
func (g *grid) row(i int) []float64 { return g.data[i*g.columns : (i+1)*g.columns] }

// grid reads a tensor of a pass. It returns nil if the pass did not produce it.
func (k *comparison) grid(pass, tensor string) (*grid, error) {
	if !k.has(pass, tensor) {
		return nil, nil
	}
	t, err := readTensor(k.files[pass], tensor)
	if err != nil {
		return nil, err
	}
	if len(t.shape) != 2 || t.shape[1] == 0 {
		return nil, fault(k.produced.Files[pass], "%s has the shape %v, two dimensions are wanted", tensor, t.shape)
	}
	return &grid{t.data, t.shape[0], t.shape[1]}, nil
}

// value returns what the model has produced for a recorded tensor of the given shape.
func (k *comparison) value(name string, shape []int) (value, error) {
	trained, computed := k.produced.Trained[name]
	switch {
	case computed || OnlyTraining(name):
		return k.trained(name, shape, trained), nil
	case Group(name) == "loss":
		return k.loss(name, shape)
	case name == "positions" && k.Kind == KindEMD, name == "new_input_ids", name == "rtd_labels":
		return k.given(name, shape)
	}
	pass, tensor := k.source(name)
	g, err := k.grid(pass, tensor)
	if err != nil {
		return value{}, err
	}
	if g == nil {
		return notProduced, nil
	}
	if name == "sentence_embedding" && k.produced.Unit {
		divideByLength(g)
	}
	if read := k.reader(name, g, shape); read != nil {
		return value{read: read}, nil
	}
	return value{reason: fmt.Sprintf("the model produces %v, %v was recorded for %d sequences of %d", []int{g.rows, g.columns}, shape, k.Sequences,
		k.Length)}, nil
}

// trained returns the value of a tensor that training steps compute. numbers is nil for a tensor that they have not computed. A gradient that no step computes
// is 0: nothing reads the tensor, or the loss does not depend on it.
func (k *comparison) trained(name string, shape []int, numbers []float64) value {
	if k.produced.Trained == nil {
		if k.Ends() && k.Dead() {
			return value{left: deadRows}
		}
		return value{reason: cmp.Or(k.produced.Untrained, notProduced.reason)}
	}
	if g := Group(name); g == "other" && k.layout.tokens > 0 && len(numbers)%k.layout.tokens == 0 && len(numbers) > 0 { // rows of live tokens alone
		columns := len(numbers) / k.layout.tokens
		if read := k.reader(name, &grid{numbers, k.layout.tokens, columns}, shape); read != nil {
			return value{read: read}
		}
	}
	strides, size := make([]int, len(shape)), 1
	for i := len(shape) - 1; i >= 0; i-- {
		strides[i] = size
		size *= shape[i]
	}
	switch {
	case numbers == nil && Group(name) == "grad":
		numbers = make([]float64, size)
	case numbers == nil:
		return notProduced
	case len(numbers) != size:
		return value{reason: fmt.Sprintf("the training step produces %d numbers, %v was recorded", len(numbers), shape)}
	}
	return value{read: func(index []int) (float64, bool) {
		at := 0
		for i, n := range index {
			at += n * strides[i]
		}
		return numbers[at], false
	}}
}

// notProduced is the value of a tensor that no pass produces.
var notProduced = value{reason: "this version does not produce it"}

// reader returns a reader that maps the indices of a recorded tensor of the given shape to numbers of g. It returns nil if the shapes do not fit.
func (k *comparison) reader(name string, g *grid, shape []int) reader {
	l, dims := k.layout, len(shape)
	perToken := g.rows == l.tokens && dims >= 2 && shape[0] == k.Sequences && shape[1] == k.Length
	perSequence := g.rows == len(l.starts)-1
	switch {
	case strings.HasPrefix(name, "attentions."):
		if !slices.Equal(shape, []int{k.Sequences, g.rows, k.Length, k.Length}) || g.columns != l.total {
			return nil
		}
		return k.pairsOf(g)
	case name == "start_logits" || name == "end_logits":
		if !perToken || g.columns != 2 || dims != 2 {
			return nil
		}
		column := 0
		if name == "end_logits" {
			column = 1
		}
		return k.tokensOf(g, func([]int) int { return column })
	case (k.Kind == KindEMD || k.Kind == KindRTD) && dims == 2 && strings.HasSuffix(name, "logits") && shape[0] == g.rows &&
		shape[1] == g.columns: // of chosen rows
		return func(index []int) (float64, bool) { return g.row(index[0])[index[1]], false }
	case perToken && dims == 3 && g.columns == shape[2]:
		return k.tokensOf(g, func(index []int) int { return index[2] })
	case perToken && dims == 2 && g.columns == 1:
		return k.tokensOf(g, func([]int) int { return 0 })
	case k.Choices > 1 && dims == 2 && shape[0]*shape[1] == k.Sequences && shape[1] == k.Choices && g.columns == 1 && perSequence:
		return k.sequencesOf(g, func(index []int) (int, int) { return index[0]*k.Choices + index[1], 0 })
	case perSequence && g.columns == 1 && dims == 1 && shape[0] == k.Sequences: // recorded flat
		return k.sequencesOf(g, func(index []int) (int, int) { return index[0], 0 })
	case perSequence && g.columns == 1 && dims == 2 && shape[0] == 1 && shape[1] == k.Sequences: // as one row
		return k.sequencesOf(g, func(index []int) (int, int) { return index[1], 0 })
	case perSequence && dims == 2 && shape[0] == k.Sequences && shape[1] == g.columns:
		return k.sequencesOf(g, func(index []int) (int, int) { return index[0], index[1] })
	}
	return nil
}

// given returns the tensors that follow from the inputs: which positions are predicted, what the discriminator reads, and its targets.
func (k *comparison) given(name string, shape []int) (value, error) {
	chosen, err := k.chosen()
	if err != nil {
		return value{}, err
	}
	var at []int
	for i := range k.IDs {
		if k.Mask[i] == 1 && chosen(i) {
			at = append(at, i)
		}
	}
	if name == "positions" {
		if !slices.Equal(shape, []int{len(at)}) {
			return value{reason: fmt.Sprintf("labels has %d tokens to predict, %v was recorded", len(at), shape)}, nil
		}
		return value{read: func(index []int) (float64, bool) { return float64(at[index[0]]), false }}, nil
	}
	numbers := k.targets
	if name == "new_input_ids" {
		numbers = k.written
	}
	list, err := numbers()
	if err != nil {
		return value{}, err
	}
	if !slices.Equal(shape, []int{k.Sequences, k.Length}) {
		return value{reason: fmt.Sprintf("%v was recorded for %d sequences of %d", shape, k.Sequences, k.Length)}, nil
	}
	return value{read: func(index []int) (float64, bool) {
		i := index[0]*k.Length + index[1]
		return list[i], k.Mask[i] == 0
	}}, nil
}

// written returns the ids that the discriminator reads, [S, N].
func (k *comparison) written() ([]float64, error) {
	ids, err := k.replaced()
	out := make([]float64, len(ids))
	for i, id := range ids {
		out[i] = float64(id)
	}
	return out, err
}

// targets returns 1 where the token that the generator wrote is not the original one, otherwise 0, [S, N].
func (k *comparison) targets() ([]float64, error) {
	ids, err := k.replaced()
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ids))
	for i, l := range k.extra["labels"].data {
		if l > 0 && float64(ids[i]) != l {
			out[i] = 1
		}
	}
	return out, nil
}

// divideByLength divides every row by its Euclidean length. A row of zeros stays as it is.
func divideByLength(g *grid) {
	for i := range g.rows {
		squares := 0.0
		for _, v := range g.row(i) {
			squares += v * v
		}
		if length := math.Sqrt(squares); length > 0 {
			for j := range g.row(i) {
				g.row(i)[j] /= length
			}
		}
	}
}

// tokensOf returns a reader of a [T, columns] tensor for indices that begin with sequence and position.
func (k *comparison) tokensOf(g *grid, column func([]int) int) reader {
	return func(index []int) (float64, bool) {
		row := k.layout.row[index[0]*k.Length+index[1]]
		if row < 0 {
			return 0, true
		}
		return g.row(row)[column(index)], false
	}
}

// sequencesOf returns a reader of a [B, columns] tensor; at returns the sequence and the column of an index.
func (k *comparison) sequencesOf(g *grid, at func([]int) (seq, column int)) reader {
	return func(index []int) (float64, bool) {
		s, column := at(index)
		if k.layout.seq[s] < 0 {
			return 0, true
		}
		return g.row(k.layout.seq[s])[column], false
	}
}

// pairsOf returns a reader of an [A, P] tensor of attention weights for indices [sequence, head, query, key]. A live query's weight on a dead key is
// exactly 0, because the ragged batch does not have the key.
func (k *comparison) pairsOf(g *grid) reader {
	l := k.layout
	return func(index []int) (float64, bool) {
		s, h, i, j := index[0], index[1], index[2], index[3]
		query, key := l.row[s*k.Length+i], l.row[s*k.Length+j]
		if query < 0 {
			return 0, true
		}
		if key < 0 {
			return 0, false
		}
		b := l.seq[s]
		first, n := l.starts[b], l.starts[b+1]-l.starts[b]
		return g.row(h)[l.pairs[b]+(query-first)*n+(key-first)], false
	}
}
