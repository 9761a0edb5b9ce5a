package golden

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec/diag"
)

// Tolerance limits a difference: |got − want| <= Abs + Rel·|want| + OfLargest·max|want|, where max|want| is the largest compared number of the tensor.
type Tolerance struct {
	Abs       float64 `json:"atol"`
	Rel       float64 `json:"rtol"`
	OfLargest float64 `json:"of_largest,omitempty"`
}

// BF16 is the largest difference that weights in bfloat16 may make to a recorded tensor, as a share of its largest number; docs/tasks/precision.md derives it.
const BF16 = 0.04

// AllowBF16 widens the tolerances of a case to what weights in bfloat16 may change. States and probabilities of attention are many numbers, of which the
// largest is several times as large as most, so their errors are half of those of a few logits. A loss has the errors of two logits.
func (c *Case) AllowBF16() {
	for group, t := range c.Tolerance {
		bound := map[string]float64{"hidden_states": BF16 / 2, "attentions": BF16 / 2, "loss": 2 * BF16}[group]
		if bound == 0 {
			bound = BF16
		}
		t.OfLargest = max(t.OfLargest, bound)
		c.Tolerance[group] = t
	}
}

// Case is one case with its inputs.
type Case struct {
	Dir       string               `json:"-"`
	Name      string               `json:"name"`
	Kind      string               `json:"kind"`
	Shows     string               `json:"shows"`
	Head      string               `json:"head"`
	Tolerance map[string]Tolerance `json:"tolerance"` // by group, see Group

	Texts   []Text  `json:"-"` // of a case of kind gliner, instead of the following fields
	Matches []Match `json:"-"` // of a case of kind gliclass, instead of the following fields
	// Extracts are the texts of a case of kind gliner2, instead of the following fields.
	Extracts []Extract `json:"-"`

	IDs, Mask, Types []int64 // [S, N]
	Sequences        int     // S; each choice of a question counts as a sequence
	Length           int     // N
	Choices          int     // per question; 1 without questions
	inputs           string  // the file that holds them
	prefix           string  // of their names there; of a step of a training run
	pairs            []int64 // attention_mask_3d, [S, N, N]; nil if the case has no such mask

	// extra holds the other inputs by name: the targets of losses, and the inputs of other passes.
	extra map[string]*given

	Lambda      float64 `json:"rtd_lambda"`         // weight of the discriminator's loss
	Adversarial float64 `json:"sift_lambda"`        // weight of the disagreement with the perturbed pass
	Inner       string  `json:"inner_loss"`         // the loss by which the perturbation was found: symmetric-kl, kl or mse
	Move        float64 `json:"sift_learning_rate"` // the largest component of a move of the perturbation
}

// The kinds of cases in case.json. Kinds that begin with train are training runs.
const (
	KindLibrary = "library" // one forward pass
	KindEMD     = "emd"     // the enhanced mask decoder
	KindRTD     = "rtd"     // a generator and a discriminator
	KindSiFT    = "sift"    // a clean pass, one with given noise, one with noise moved uphill
	KindGLiNER  = "gliner"  // texts with labels
	// KindGLiClass is for texts that are scored against labels.
	KindGLiClass = "gliclass"
	// KindGLiNER2 is for texts with schemas.
	KindGLiNER2 = "gliner2"
	kindModel   = "model" // recorded outputs of a real model
)

// Training reports whether the case is a training run.
func (c *Case) Training() bool { return strings.HasPrefix(c.Kind, "train") }

// The files of a case.
const (
	caseFile    = "case.json"
	inputsFile  = "inputs.safetensors"
	outputsFile = "outputs.safetensors"
)

// FaultError is the error for a case, or a file that it is compared with, that cannot be used.
type FaultError struct {
	File   string
	Reason string
}

// Error returns the file and the reason.
func (e *FaultError) Error() string { return e.File + ": " + e.Reason }

func fault(file, format string, args ...any) error {
	return &FaultError{file, fmt.Sprintf(format, args...)}
}

// mostText limits the size of a case's JSON files, in bytes.
const mostText = 256 << 20

// Open reads a case's description and inputs. Errors are of type *FaultError, *safetensors.Error, or those of the file system.
func Open(dir string) (*Case, error) {
	path := filepath.Join(dir, caseFile)
	text, err := disk.ReadFile(path, mostText)
	if err != nil {
		return nil, err
	}
	c := &Case{Dir: dir}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fault(path, "it is not valid: %s", diag.JSON(err))
	}
	if c.Name == "" {
		c.Name = filepath.Base(dir)
	}
	path = filepath.Join(dir, inputsFile)
	switch c.Kind {
	case KindGLiNER:
		return c, c.readTexts()
	case KindGLiClass:
		return c, c.readMatches()
	case KindGLiNER2, KindBoundary:
		return c, c.readExtracts()
	case KindLibrary, KindEMD, KindRTD, KindSiFT:
		return c, c.readInputs(path)
	}
	if c.Training() {
		return c, nil
	}
	return nil, fault(filepath.Join(dir, caseFile), "kind %q is unknown: there are library, emd, rtd, sift, gliner, gliclass, gliner2, gliner2_boundary, "+
		"train and train_ref",
		c.Kind)
}

// OpenModel makes a case of recorded outputs of a real model: a safetensors file with the outputs, input_ids, attention_mask and, if there are types,
// token_type_ids. All tensors have the tolerance t.
func OpenModel(name, outputs string, t Tolerance) (*Case, error) {
	c := &Case{Dir: filepath.Dir(outputs), Name: name, Kind: kindModel, Tolerance: map[string]Tolerance{}}
	for _, g := range []string{"hidden_states", "attentions", "grad", "param", "loss", "other"} {
		c.Tolerance[g] = t
	}
	return c, c.readInputs(outputs)
}

// Group returns the group of a tensor; tolerances are per group.
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
	case strings.HasPrefix(name, "grad."), strings.HasPrefix(name, "param."), strings.HasSuffix(name, "grad_norms"):
		return true
	}
	switch name {
	case "learning_rates", "delta_grad", "delta1":
		return true
	}
	return false
}
