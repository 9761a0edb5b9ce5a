package golden

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Result is the comparison of one recorded tensor.
type Result struct {
	Tensor   string  `json:"tensor"`
	Group    string  `json:"group"`
	Error    float64 `json:"error"`   // largest |got − want|
	Largest  float64 `json:"largest"` // largest |want| of the numbers that were compared
	Abs      float64 `json:"atol"`    // absolute tolerance, with the part that comes from Largest
	Rel      float64 `json:"rtol"`
	Compared int     `json:"compared"`         // numbers that were compared
	At       []int   `json:"at,omitempty"`     // index of the number that is furthest outside its tolerance, or of the largest error
	Reason   string  `json:"reason,omitempty"` // why the tensor was not compared, or was not accepted for a reason other than Error
	Left     string  `json:"left,omitempty"`   // why the tensor is left out: it depends on rows that attention_mask leaves out
	OK       bool    `json:"ok"`
}

// Produced describes what the case's model has computed.
type Produced struct {
	Files  map[string]string // safetensors files by pass: traced tensors by name, and "output", the head's own rows
	Layers int               // L
	Head   bool              // the model has a head: output is its logits, and not the last layer's rows
	Loss   string            // of the head, as the language names it; "" if it has no loss
	Unit   bool              // a sentence_embedding is output divided by its length, which happens after the model
	// Trained holds what training steps have computed, by the names of recorded tensors, and the loss by the name StepLoss; nil: nothing was trained.
	Trained   map[string][]float64
	Untrained string // why nothing was trained

	Steps      int                          // of a head that reads a schema: the greatest number of steps; 0: other heads
	Candidates int                          // of a head that chooses spans: the most of a text; 0: other heads
	Boundary   *extraction.BoundarySettings // of such a head
	Widths     int                          // of a head that scores spans of words for labels: the longest span; 0: other heads
}

// Scope selects the recorded tensors that are compared.
type Scope struct {
	Forward bool  // leave out what only training produces
	Layers  []int // of the hidden states, only those after these layers; nil: all
}

// Compare compares every recorded tensor with what the model has computed, in the order in which a model computes them. For a recorded tensor that
// the model does not produce, OK is false and Reason is set. For a tensor that depends on rows which a compiled model does not compute, Left is set.
func (c *Case) Compare(outputs string, p Produced, scope Scope) ([]Result, error) {
	want, err := safetensors.Open(outputs)
	if err != nil {
		return nil, err
	}
	defer want.Close()
	k := &comparison{Case: c, layout: c.layout(), produced: p, files: map[string]*safetensors.File{}}
	defer func() {
		for _, f := range k.files {
			_ = f.Close() // it was only read
		}
	}()
	for pass, path := range p.Files {
		if k.files[pass], err = safetensors.Open(path); err != nil {
			delete(k.files, pass)
			return nil, err
		}
	}
	if c.Texts != nil {
		return c.compareTexts(want, k.files[""], p.Widths)
	}
	if c.Matches != nil {
		return k.compareMatches(want)
	}
	if c.Extracts != nil {
		if k.Kind == KindBoundary {
			return k.compareBoundaries(want)
		}
		return k.compareExtracts(want)
	}
	var results []Result
	for _, l := range scope.Layers {
		if name := fmt.Sprintf("hidden_states.%d", l); !want.Has(name) {
			results = append(results, Result{Tensor: name, Group: Group(name), Reason: "it was not recorded"})
		}
	}
	for _, name := range recorded(want, scope) {
		r, err := k.tensor(want, name)
		if err != nil {
			return nil, err
		}
		results = append(results, r)
		if numbers := p.Trained[name+OfStep]; numbers != nil {
			if r, err = k.ofStep(want, name, numbers); err != nil {
				return nil, err
			}
			results = append(results, r)
		}
	}
	return append(results, k.unrecorded(want)...), nil
}

// OfStep follows the name of a recorded tensor that a training step computes too, such as the loss. It is compared besides what follows from the outputs of
// forward passes.
const OfStep = " of the step"

// StepLoss names the loss that a training step computes.
const StepLoss = "loss" + OfStep

// ofStep compares what a training step computes with a recorded tensor.
func (k *comparison) ofStep(want *safetensors.File, name string, numbers []float64) (Result, error) {
	info, err := want.Info(name)
	if err != nil {
		return Result{}, err
	}
	r, err := k.compared(want, name, k.trained(name, info.Shape, numbers))
	r.Tensor = name + OfStep
	return r, err
}

// unrecorded returns a result for each tensor that training steps have computed and that was not recorded.
func (k *comparison) unrecorded(want *safetensors.File) (results []Result) {
	for _, name := range slices.Sorted(maps.Keys(k.produced.Trained)) {
		if g := Group(name); !want.Has(name) && (g == "grad" || g == "param") { // not all runs recorded the numbers of their steps
			results = append(results, Result{Tensor: name, Group: Group(name), Reason: "it was not recorded"})
		}
	}
	return results
}

// Recorded lists the tensors of a file of outputs that are to be compared, in the order in which a model computes them.
func Recorded(outputs string, scope Scope) ([]string, error) {
	f, err := safetensors.Open(outputs)
	if err != nil {
		return nil, err
	}
	return recorded(f, scope), f.Close()
}

func recorded(f *safetensors.File, scope Scope) []string {
	names := slices.DeleteFunc(f.Names(), func(name string) bool {
		if rest, ok := strings.CutPrefix(name, "hidden_states."); ok && scope.Layers != nil {
			if n, err := strconv.Atoi(rest); err == nil && !slices.Contains(scope.Layers, n) {
				return true
			}
		}
		return scope.Forward && OnlyTraining(name) || slices.Contains(inputNames, name)
	})
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a, b)) })
	return names
}

// Outputs returns the path of the case's recorded tensors.
func (c *Case) Outputs() string { return filepath.Join(c.Dir, outputsFile) }

// inputNames lists the inputs that a file of recorded outputs of a real model holds besides the outputs.
var inputNames = append([]string{"input_ids", "attention_mask", "token_type_ids", "attention_mask_3d"}, givenNames...)

// stages lists the tensors after the layers, in the order in which a model computes them. Tensors that are not listed come before the losses.
var stages = []string{
	"last_hidden_state", "steps.0", "steps.1", "positions", "pooler_output", "normed", "clean_logits", "task_loss", "probe_logits", "inner_loss",
	"pert_logits", "adv_loss", "mlm_logits", "mlm_loss", "new_input_ids", "rtd_labels", "rtd_logits", "rtd_loss", "", "loss_per_token", "loss",
}

// order returns the place of a tensor in the order of computation: layer by layer, then the head, then what training adds.
func order(name string) int {
	for i, stem := range []string{"hidden_states.", "attentions."} {
		if rest, ok := strings.CutPrefix(name, stem); ok {
			if n, err := strconv.Atoi(rest); err == nil {
				return 2*n + i
			}
		}
	}
	stage := slices.Index(stages, name)
	switch {
	case OnlyTraining(name):
		stage = len(stages)
	case stage < 0:
		stage = slices.Index(stages, "")
	}
	return 1<<20 + stage
}

// comparison compares one case with one set of produced tensors.
type comparison struct {
	*Case
	layout   *liveRows
	files    map[string]*safetensors.File // by pass
	produced Produced
}

// tensor compares one recorded tensor.
func (k *comparison) tensor(want *safetensors.File, name string) (Result, error) {
	info, err := want.Info(name)
	if err != nil {
		return Result{}, err
	}
	got, err := k.value(name, info.Shape)
	if err != nil {
		return Result{}, err
	}
	return k.compared(want, name, got)
}

// compared compares what was produced for a recorded tensor.
func (k *comparison) compared(want *safetensors.File, name string, got value) (Result, error) {
	r := Result{Tensor: name, Group: Group(name)}
	tol, ok := k.Tolerance[r.Group]
	if !ok {
		return r, fault(filepath.Join(k.Dir, caseFile), "it has no tolerance for the group %s of the tensor %s", r.Group, name)
	}
	info, err := want.Info(name)
	if err != nil {
		return r, err
	}
	if got.reason != "" || got.left != "" {
		r.Reason, r.Left = got.reason, got.left
		r.OK = got.left != ""
		return r, nil
	}
	data, err := readTensor(want, name)
	if err != nil {
		return r, err
	}
	if data.integer { // exactly
		tol = Tolerance{}
	}
	r.Abs, r.Rel = tol.Abs, tol.Rel
	r.largest(data.data, info.Shape, got.read)
	if tol.OfLargest > 0 {
		r.Abs += tol.OfLargest * r.Largest
	}
	r.hold(data.data, info.Shape, got.read)
	return r, nil
}

// largest sets r.Largest to the largest |want| that is compared.
func (r *Result) largest(want []float64, shape []int, read reader) {
	each(shape, func(i int, index []int) {
		if _, skip := read(index); !skip {
			r.Largest = math.Max(r.Largest, math.Abs(want[i]))
		}
	})
}

// hold compares all numbers of a tensor.
func (r *Result) hold(want []float64, shape []int, read reader) {
	r.OK = true
	worst := math.Inf(-1)
	each(shape, func(i int, index []int) {
		got, skip := read(index)
		if skip {
			return
		}
		w := want[i]
		r.Compared++
		d := math.Abs(got - w)
		if math.IsNaN(d) || math.IsInf(d, 0) {
			d = math.MaxFloat64 // JSON has no infinity
		}
		r.Error = math.Max(r.Error, d)
		beyond := d - (r.Abs + r.Rel*math.Abs(w))
		if !(beyond <= 0) { // also true if the tolerance is NaN
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

// each calls visit with every index of a row-major tensor, and with its number i.
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
