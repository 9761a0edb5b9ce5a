package golden

import (
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/spec/diag"
)

// Recipe is how the model of a training run was trained: AdamW with decoupled decay and clipping.
type Recipe struct {
	Task    string  // emd or rtd for runs of kind train_ref; otherwise the case's head
	Steps   int     // of the run
	Rate    float64 // largest learning rate
	Beta1   float64
	Beta2   float64
	Eps     float64
	Decay   float64
	Clip    float64 // largest norm of all gradients
	Correct bool    // bias correction of the moments
	Warmup  float64 // in steps
	Start   bool    // the rate falls from the first step on, and jumps at the end of the warmup
	Lambda  float64 // weight of the discriminator's loss
}

// recipeFile is the part of case.json that describes a training run, in the words of both kinds.
type recipeFile struct {
	Task      string `json:"task"`
	Steps     int    `json:"steps"`
	Optimizer struct {
		Rate       float64   `json:"lr"`
		Betas      []float64 `json:"betas"`
		Eps        float64   `json:"eps"`
		Decay      float64   `json:"weight_decay"`
		ShortDecay float64   `json:"wd"`
		Clip       float64   `json:"clip_global_norm"`
		ShortClip  float64   `json:"clip"`
		Correct    *bool     `json:"bias_correction"`
		Warmup     float64   `json:"warmup"` // share of the steps
		Steps      float64   `json:"warmup_steps"`
		Total      int       `json:"total_steps"`
		Lambda     float64   `json:"lam"`
	} `json:"optimizer"`
}

// Recipe reads how the model of a training run was trained.
func (c *Case) Recipe() (*Recipe, error) {
	path := filepath.Join(c.Dir, caseFile)
	text, err := disk.ReadFile(path, mostText)
	if err != nil {
		return nil, err
	}
	var f recipeFile
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fault(path, "it is not valid: %s", diag.JSON(err))
	}
	o := f.Optimizer
	r := &Recipe{Task: f.Task, Steps: max(f.Steps, o.Total), Rate: o.Rate, Beta1: 0.9, Beta2: 0.999, Eps: o.Eps, Decay: max(o.Decay, o.ShortDecay),
		Clip: max(o.Clip, o.ShortClip), Correct: o.Correct == nil || *o.Correct, Warmup: o.Steps, Lambda: o.Lambda}
	if len(o.Betas) == 2 {
		r.Beta1, r.Beta2 = o.Betas[0], o.Betas[1]
	}
	if o.Warmup > 0 {
		r.Start, r.Warmup = true, o.Warmup*float64(r.Steps)
	}
	if r.Steps < 1 || r.Rate <= 0 {
		return nil, fault(path, "a training run of %d steps with a learning rate of %g", r.Steps, r.Rate)
	}
	return r, nil
}

// Schedule returns the learning rates of the run.
func (r *Recipe) Schedule() rate.Schedule {
	return rate.Schedule{Peak: r.Rate, Steps: r.Steps, Warmup: r.Warmup, Course: rate.Linear, FromStart: r.Start}
}

// stepKinds maps the tasks of training runs to the kinds of their steps; "" stands for runs of kind train.
var stepKinds = map[string]string{"": KindLibrary, "emd": KindEMD, "rtd": KindRTD}

// Step returns the case of one step of a training run, from 0. Its inputs have the names of InputName.
func (c *Case) Step(r *Recipe, step int) (*Case, error) {
	kind, ok := stepKinds[r.Task]
	if !ok {
		return nil, fault(filepath.Join(c.Dir, caseFile), "the task %q is unknown: there are emd and rtd", r.Task)
	}
	s := *c
	s.Kind, s.prefix = kind, fmt.Sprintf("step%d.", step)
	return &s, s.readInputs(filepath.Join(c.Dir, inputsFile))
}

// InputName returns the name of an input in the case's file of inputs.
func (c *Case) InputName(name string) string { return c.prefix + name }
