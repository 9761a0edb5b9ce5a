// Package rate computes the numbers of a training step that depend on the number of the step alone: the learning rate, and what optimizers with moments need.
// Everything is in float64.
package rate

import (
	"errors"
	"fmt"
	"math"
)

// Course is how the learning rate falls after the warmup.
type Course string

// The courses, with the factor f(x) for x from 0 to 1.
const (
	Constant   Course = "constant"   // 1, and the rate does not fall to Final
	Linear     Course = "linear"     // 1 - x
	Cosine     Course = "cosine"     // (1 + cos πx)/2
	Polynomial Course = "polynomial" // (1 - x)^Power
)

// courses maps the courses to their factors.
var courses = map[Course]func(s Schedule, x float64) float64{
	Constant:   func(Schedule, float64) float64 { return 1 },
	Linear:     func(_ Schedule, x float64) float64 { return 1 - x },
	Cosine:     func(_ Schedule, x float64) float64 { return (1 + math.Cos(math.Pi*x)) / 2 },
	Polynomial: func(s Schedule, x float64) float64 { return math.Pow(1-x, s.Power) },
}

// Schedule is the learning rate over the steps of a training: it grows in a line from 0 to Peak in the warmup, and then falls from Peak to Final.
type Schedule struct {
	Peak   float64
	Final  float64 // the rate after the last step; Constant does not read it
	Steps  int     // of the training; 0: not known, Constant does not read it
	Warmup float64 // in steps; a share of the steps may be a fraction
	Course Course
	Power  float64 // of Polynomial

	// FromStart counts the course from the first step and not from the end of the warmup, so the rate jumps at the end of the warmup. With Linear this is
	// warmup_linear of the published code of DeBERTa.
	FromStart bool
}

// Check returns an error that names the first field that has no meaning.
func (s Schedule) Check() error {
	switch {
	case courses[s.Course] == nil:
		return fmt.Errorf("the course %q is unknown: there are constant, linear, cosine and polynomial", s.Course)
	case !(s.Peak > 0) || math.IsInf(s.Peak, 0):
		return fmt.Errorf("the rate is %g, not a number above 0", s.Peak)
	case !(s.Final >= 0) || math.IsInf(s.Final, 0):
		return fmt.Errorf("the final rate is %g, not a number of at least 0", s.Final)
	case s.Steps < 0 || s.Steps == 0 && s.Course != Constant:
		return fmt.Errorf("the training has %d steps, at least 1 is needed", s.Steps)
	case !(s.Warmup >= 0) || math.IsInf(s.Warmup, 0) || s.Steps > 0 && s.Warmup > float64(s.Steps):
		return fmt.Errorf("the warmup has %g steps, of %d in all", s.Warmup, s.Steps)
	case s.Steps == 1 && s.Warmup > 0:
		return errors.New("the warmup begins at the rate 0, so a training of one step changes nothing: at least 2 steps are needed")
	case s.Course == Polynomial && !(s.Power > 0):
		return fmt.Errorf("the power of the polynomial is %g, not a number above 0", s.Power)
	}
	return nil
}

// At returns the learning rate of a step. The first step is 0; with a warmup, its rate is 0. Steps after the last one have the final rate.
func (s Schedule) At(step int) float64 {
	t, n := float64(step), float64(s.Steps)
	switch {
	case t < s.Warmup:
		return s.Peak * t / s.Warmup
	case s.Course == Constant:
		return s.Peak
	case t >= n:
		return s.Final
	}
	x := t / n
	if !s.FromStart {
		x = (t - s.Warmup) / (n - s.Warmup)
	}
	return s.Final + (s.Peak-s.Final)*courses[s.Course](s, x)
}

// Moments are the numbers of one step of an optimizer with moments m and v: a parameter moves by Mean·m/(Root·√v + Plus) times the learning rate.
type Moments struct{ Mean, Root, Plus float64 }

// Floats returns the numbers in float32, in the order in which programs read them.
func (m Moments) Floats() [3]float32 {
	return [3]float32{float32(m.Mean), float32(m.Root), float32(m.Plus)}
}

// AdamW returns the numbers of a step of AdamW (Loshchilov and Hutter 2019, algorithm 2) or LAMB (You et al. 2020, algorithm 2). The first step is 0. With
// correct, m and v are divided by 1-β1ᵗ and 1-β2ᵗ, where t is the number of the step from 1.
func AdamW(beta1, beta2, eps float64, correct bool, step int) Moments {
	if !correct {
		return Moments{Mean: 1, Root: 1, Plus: eps}
	}
	return Moments{Mean: 1 / missing(beta1, step), Root: 1 / math.Sqrt(missing(beta2, step)), Plus: eps}
}

// missing returns 1-βᵗ for the step t-1: the share of the start value 0 in a moment.
func missing(beta float64, step int) float64 { return -math.Expm1(float64(step+1) * math.Log(beta)) }

// tractable is the length of the approximated simple moving average above which RAdam's authors and torch.optim.RAdam rectify the step. The paper needs more
// than 4, where the variance is finite.
const tractable = 5

// RAdam returns the numbers of a step of RAdam (Liu et al. 2020, algorithm 2). The first step is 0. As long as the moving average is too short for the variance
// of the adaptive rate to be finite, the step is m/(1-β1ᵗ) without a denominator.
func RAdam(beta1, beta2, eps float64, step int) Moments {
	m := AdamW(beta1, beta2, eps, true, step)
	t := float64(step + 1)
	most := 2/(1-beta2) - 1
	length := most - 2*t*math.Pow(beta2, t)/missing(beta2, step)
	if length <= tractable {
		return Moments{Mean: m.Mean, Plus: 1}
	}
	m.Mean *= math.Sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
	return m
}
