package golden

import (
	"cmp"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// Result is the comparison of one recorded tensor.
type Result struct {
	Tensor   string  `json:"tensor"`
	Group    string  `json:"group"`
	Error    float64 `json:"error"`   // largest |got − want|
	Largest  float64 `json:"largest"` // largest |want| of what was compared
	Abs      float64 `json:"atol"`    // with the part that comes from Largest
	Rel      float64 `json:"rtol"`
	Compared int     `json:"compared"`         // numbers that were compared
	At       []int   `json:"at,omitempty"`     // index of the number that is furthest outside its tolerance, or of the largest error
	Reason   string  `json:"reason,omitempty"` // why it was not compared, or is not accepted for another reason than Error
	OK       bool    `json:"ok"`
}

// Produced is what the model gave.
type Produced struct {
	File   string // safetensors: traced tensors by name, and "output", the head's own rows
	Layers int    // L
	Head   bool   // the model has a head: output is its logits, and not the last layer's rows
	Widths int    // of a head that scores spans of words for labels: the longest span; 0: other heads
}

// reader gives one produced number for an index of a recorded tensor; skip says that the index is not to be compared.
type reader func(index []int) (got float32, skip bool)

// Compare holds every recorded tensor to what the model gave, in the order in which a model computes them. forward leaves out what only
// training gives. A recorded tensor that the model does not give is a result with a reason and not OK.
func (c *Case) Compare(outputs string, p Produced, forward bool) ([]Result, error) {
	want, err := safetensors.Open(outputs)
	if err != nil {
		return nil, err
	}
	defer want.Close()
	got, err := safetensors.Open(p.File)
	if err != nil {
		return nil, err
	}
	defer got.Close()
	if c.Texts != nil {
		return c.compareTexts(want, got, p.Widths)
	}
	names := recorded(want, forward)
	k := &comparison{Case: c, layout: c.layout(), got: got, produced: p}
	var results []Result
	for _, name := range names {
		r, err := k.tensor(want, name)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
	}
	return results, nil
}

// Recorded lists the tensors of a file of outputs that are to be compared, in the order in which a model computes them. forward leaves out what
// only training gives.
func Recorded(outputs string, forward bool) ([]string, error) {
	f, err := safetensors.Open(outputs)
	if err != nil {
		return nil, err
	}
	return recorded(f, forward), f.Close()
}

func recorded(f *safetensors.File, forward bool) []string {
	names := slices.DeleteFunc(f.Names(), func(name string) bool {
		return forward && OnlyTraining(name) || slices.Contains(inputNames, name)
	})
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a, b)) })
	return names
}

// Outputs is the path of the case's recorded tensors.
func (c *Case) Outputs() string { return filepath.Join(c.Dir, outputsFile) }

// inputNames are the inputs that recorded outputs of a real model hold beside the outputs.
var inputNames = []string{
	"input_ids", "attention_mask", "token_type_ids", "attention_mask_3d",
	"labels", "start_positions", "end_positions", "grad_output", "sampled_ids", "delta0",
}

// order ranks tensors as a model computes them: layer by layer, then the head, then what training adds.
func order(name string) int {
	for i, stem := range []string{"hidden_states.", "attentions."} {
		if rest, ok := strings.CutPrefix(name, stem); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				return 2*n + i
			}
		}
	}
	switch {
	case name == "last_hidden_state":
		return 1 << 20
	case !OnlyTraining(name):
		return 1<<20 + 1
	case strings.Contains(name, "loss"):
		return 1<<20 + 2
	}
	return 1<<20 + 3
}

// comparison is one case against one set of produced tensors.
type comparison struct {
	*Case
	layout   *ragged
	got      *safetensors.File
	produced Produced
}

// tensor compares one recorded tensor.
func (k *comparison) tensor(want *safetensors.File, name string) (Result, error) {
	info, err := want.Info(name)
	if err != nil {
		return Result{}, err
	}
	r := Result{Tensor: name, Group: Group(name)}
	tol, ok := k.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(k.Dir, caseFile), "it has no tolerance for the group %s of the tensor %s", r.Group, name)
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	read, reason, err := k.reader(name, info.Shape)
	if err != nil {
		return r, err
	}
	if reason != "" {
		r.Reason = reason
		return r, nil
	}
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	data := make([]float32, n)
	if err := want.Floats(name, data); err != nil {
		return r, err
	}
	r.largest(data, info.Shape, read)
	if tol.OfLargest > 0 {
		r.Abs += tol.OfLargest * r.Largest
	}
	r.hold(data, info.Shape, read)
	return r, nil
}

// largest finds the largest number that is compared.
func (r *Result) largest(want []float32, shape []int, read reader) {
	each(shape, func(i int, index []int) {
		if _, skip := read(index); !skip {
			r.Largest = math.Max(r.Largest, math.Abs(float64(want[i])))
		}
	})
}

// hold compares all numbers of a tensor.
func (r *Result) hold(want []float32, shape []int, read reader) {
	r.OK = true
	worst := math.Inf(-1)
	each(shape, func(i int, index []int) {
		got, skip := read(index)
		if skip {
			return
		}
		w := float64(want[i])
		r.Compared++
		d := math.Abs(float64(got) - w)
		if math.IsNaN(d) {
			d = math.Inf(1)
		}
		r.Error = math.Max(r.Error, d)
		beyond := d - (r.Abs + r.Rel*math.Abs(w))
		if !(beyond <= 0) { // a tolerance that is no number holds nothing
			r.OK = false
		}
		if beyond > worst {
			worst, r.At = beyond, slices.Clone(index)
		}
	})
	if r.Compared == 0 {
		r.OK, r.Reason = false, "none of its rows is live"
	}
}

// each visits the indices of a row-major tensor; i counts them.
func each(shape []int, visit func(i int, index []int)) {
	n := 1
	for _, d := range shape {
		n *= d
	}
	index := make([]int, len(shape))
	for i := range n {
		visit(i, index)
		for d := len(index) - 1; d >= 0; d-- {
			if index[d]++; index[d] < shape[d] {
				break
			}
			index[d] = 0
		}
	}
}

// reader finds what the model gave for a recorded tensor. reason says why there is nothing.
func (k *comparison) reader(name string, shape []int) (read reader, reason string, err error) {
	source := name
	switch name {
	case "last_hidden_state":
		source = fmt.Sprintf("hidden_states.%d", k.produced.Layers)
	case "logits", "start_logits", "end_logits", "sentence_embedding":
		if k.produced.Head {
			source = "output"
		}
	}
	if !k.got.Has(source) {
		return nil, "this version does not produce it", nil
	}
	info, err := k.got.Info(source)
	if err != nil {
		return nil, "", err
	}
	size := 1
	for _, d := range info.Shape {
		size *= d
	}
	data := make([]float32, size)
	if err := k.got.Floats(source, data); err != nil {
		return nil, "", err
	}
	mismatch := fmt.Sprintf("the model gives %v, %v was recorded for %d sequences of %d", info.Shape, shape, k.Sequences, k.Length)
	rows, columns := 0, 0
	if len(info.Shape) == 2 {
		rows, columns = info.Shape[0], info.Shape[1]
	}
	l := k.layout
	perToken := rows == l.tokens && len(shape) >= 2 && shape[0] == k.Sequences && shape[1] == k.Length
	switch {
	case strings.HasPrefix(name, "attentions."):
		if len(shape) != 4 || columns != l.total || rows != shape[1] || shape[0] != k.Sequences || shape[2] != k.Length || shape[3] != k.Length {
			return nil, mismatch, nil
		}
		return k.pairs(data), "", nil
	case name == "start_logits" || name == "end_logits":
		if !perToken || columns != 2 || len(shape) != 2 {
			return nil, mismatch, nil
		}
		column := 0
		if name == "end_logits" {
			column = 1
		}
		return k.tokens(data, 2, func([]int) int { return column }), "", nil
	case perToken && len(shape) == 3 && columns == shape[2]:
		return k.tokens(data, columns, func(index []int) int { return index[2] }), "", nil
	case k.Choices > 1 && len(shape) == 2 && shape[0]*shape[1] == k.Sequences && shape[1] == k.Choices && columns == 1:
		return k.sequences(data, 1, func(index []int) (int, int) { return index[0]*k.Choices + index[1], 0 }), "", nil
	case rows == len(l.starts)-1 && columns == 1 && len(shape) == 1 && shape[0] == k.Sequences: // recorded flat
		return k.sequences(data, 1, func(index []int) (int, int) { return index[0], 0 }), "", nil
	case rows == len(l.starts)-1 && len(shape) == 2 && shape[0] == k.Sequences && shape[1] == columns:
		return k.sequences(data, columns, func(index []int) (int, int) { return index[0], index[1] }), "", nil
	}
	return nil, mismatch, nil
}

// tokens reads a [T, columns] tensor for indices that begin with sequence and position.
func (k *comparison) tokens(data []float32, columns int, column func([]int) int) reader {
	return func(index []int) (float32, bool) {
		row := k.layout.row[index[0]*k.Length+index[1]]
		if row < 0 {
			return 0, true
		}
		return data[row*columns+column(index)], false
	}
}

// sequences reads a [B, columns] tensor; at gives sequence and column of an index.
func (k *comparison) sequences(data []float32, columns int, at func([]int) (seq, column int)) reader {
	return func(index []int) (float32, bool) {
		s, column := at(index)
		if k.layout.seq[s] < 0 {
			return 0, true
		}
		return data[k.layout.seq[s]*columns+column], false
	}
}

// pairs reads an [A, P] tensor of attention weights for indices [sequence, head, query, key]. A live query's weight on a dead key is exactly
// 0: the ragged batch does not have the key.
func (k *comparison) pairs(data []float32) reader {
	l := k.layout
	return func(index []int) (float32, bool) {
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
		return data[h*l.total+l.pairs[b]+(query-first)*n+(key-first)], false
	}
}
