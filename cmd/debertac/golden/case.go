package golden

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// Tolerance bounds a difference: |got − want| <= Abs + Rel·|want| + OfLargest·max|want|, the largest number that is compared of the tensor.
type Tolerance struct {
	Abs       float64 `json:"atol"`
	Rel       float64 `json:"rtol"`
	OfLargest float64 `json:"of_largest,omitempty"`
}

// Case is one case, with its inputs read.
type Case struct {
	Dir       string               `json:"-"`
	Name      string               `json:"name"`
	Kind      string               `json:"kind"`
	Shows     string               `json:"shows"`
	Head      string               `json:"head"`
	Tolerance map[string]Tolerance `json:"tolerance"` // by group

	Texts []Text `json:"-"` // of kind gliner, instead of the following

	IDs, Mask, Types []int64 // [S, N]
	Sequences        int     // S; the choices of a multiple choice count one by one
	Length           int     // N
	Choices          int     // of each question; 1 where there are none
	pairs            []int64 // attention_mask_3d, [S, N, N]; nil: none
}

// The files of a case.
const (
	caseFile    = "case.json"
	inputsFile  = "inputs.safetensors"
	outputsFile = "outputs.safetensors"
)

// FaultError says what is wrong with a case or with what it is compared with.
type FaultError struct {
	File   string
	Reason string
}

// Error is the file and the reason.
func (e *FaultError) Error() string { return e.File + ": " + e.Reason }

func fault(file, format string, args ...any) error {
	return &FaultError{file, fmt.Sprintf(format, args...)}
}

// Open reads a case's description and inputs. Errors are of type *FaultError, *safetensors.Error, or those of the file system.
func Open(dir string) (*Case, error) {
	path := filepath.Join(dir, caseFile)
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	c := &Case{Dir: dir}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fault(path, "it is not valid: %v", err)
	}
	if c.Name == "" {
		c.Name = filepath.Base(dir)
	}
	path = filepath.Join(dir, inputsFile)
	switch {
	case strings.HasPrefix(c.Kind, "train"):
		return c, nil
	case c.Kind == "gliner":
		return c, c.readTexts()
	}
	return c, c.readInputs(path)
}

// HasBatch reports whether the case has one batch of token ids. Training runs have inputs step by step.
func (c *Case) HasBatch() bool { return c.IDs != nil || c.Texts != nil }

// OpenModel makes a case of recorded outputs of a real model: a safetensors file that holds input_ids, attention_mask and, if there are types,
// token_type_ids beside the outputs. Everything is held to one tolerance.
func OpenModel(name, head, outputs string, t Tolerance) (*Case, error) {
	c := &Case{Dir: filepath.Dir(outputs), Name: name, Kind: "model", Head: head, Tolerance: map[string]Tolerance{}}
	for _, g := range []string{"hidden_states", "attentions", "grad", "param", "loss", "other"} {
		c.Tolerance[g] = t
	}
	return c, c.readInputs(outputs)
}

// readInputs reads ids, mask and types, [S, N] or, for choices, [questions, choices, N].
func (c *Case) readInputs(path string) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Info("input_ids")
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
	return read("attention_mask_3d", &c.pairs, n*c.Length)
}

// live reports whether position p of sequence s is a token.
func (c *Case) live(s, p int) bool { return c.Mask[s*c.Length+p] == 1 }

// MaskKind is which keys a query sees.
type MaskKind uint8

// The masks that a spec can state.
const (
	MaskLive   MaskKind = iota // all live keys
	MaskCausal                 // no key behind the query
	MaskPrefix                 // no key behind the query, but for those of the prefix
)

// AttentionMask recognises attention_mask_3d: causal, or sequence to sequence with the length of each prefix, counted in live tokens, [S].
// Any other mask is an error.
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
					return 0, nil, fault(filepath.Join(c.Dir, inputsFile), "attention_mask_3d of sequence %d is neither causal nor that of a sequence with a prefix (query %d, key %d)", s, i, j)
				}
			}
		}
	}
	if longest == 0 {
		return MaskCausal, nil, nil
	}
	return MaskPrefix, prefix, nil
}

// Group is the group of tolerances that a tensor belongs to.
func Group(name string) string {
	for _, g := range []string{"grad", "hidden_states", "attentions", "param"} {
		if strings.HasPrefix(name, g+".") {
			return g
		}
	}
	if strings.Contains(name, "loss") {
		return "loss"
	}
	return "other"
}

// OnlyTraining reports whether a tensor comes from a backward pass or a training run, which a comparison of the forward pass leaves out.
func OnlyTraining(name string) bool {
	switch {
	case strings.HasPrefix(name, "grad."), strings.HasPrefix(name, "param."), strings.HasSuffix(name, "grad_norms"), strings.Contains(name, "loss"):
		return true
	}
	switch name {
	case "learning_rates", "delta_grad", "delta1", "pert_logits":
		return true
	}
	return false
}
