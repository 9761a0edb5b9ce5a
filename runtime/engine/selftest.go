package engine

import (
	"context"
	"fmt"
	"math"

	"github.com/debertac/debertac/runtime"
)

// SelfTestTensor is the name of the F32 tensor that holds the outputs of a recorded self-test whose metadata do not hold
// them.
const SelfTestTensor = "self_test"

// SelfTest is a recorded result that a model must reproduce when it is opened.
type SelfTest struct {
	Head      string    `json:"head"` // "" is the first head
	Sequence            // parts that the model needs and that are missing here are filled in, see Batch.FillNeeded
	Outputs   []float32 `json:"outputs,omitempty"` // outputs of the head, see Head.Recorded; nil: they are in the tensor SelfTestTensor
	Tolerance float64   `json:"tolerance"`         // |got − recorded| ≤ Tolerance·(1 + |recorded|)
}

// TestResult is the outcome of the self-test.
type TestResult struct {
	Ran      bool    `json:"ran"`
	Recorded bool    `json:"recorded"` // there was a recorded result to compare with
	Error    float64 `json:"error"`    // largest |got − recorded| / (1 + |recorded|)
	Score    float32 `json:"score"`    // first output that is recorded
}

const selfTestTokens = 8

// selfTest runs the recorded sequence of the packed file through the model, or 8 tokens if it has none. It checks that the
// outputs are finite and equal the recorded ones, if any, within the tolerance.
func (c *Core) selfTest() (TestResult, error) {
	l := c.program.Limits
	rec := c.weights.Meta().SelfTest
	head, b := 0, &runtime.Batch{}
	if rec != nil {
		var err error
		if head, err = c.HeadIndex(rec.Head); err != nil {
			return TestResult{}, err
		}
		b.Append(&rec.Sequence, l)
	} else {
		var s Sequence
		for i := range min(selfTestTokens, l.SequenceTokens, l.BatchTokens) {
			s.IDs = append(s.IDs, int32((1+37*i)%l.Vocab)) // spread over the vocabulary
		}
		b.Append(&s, l)
	}
	b.FillNeeded(l)
	if err := b.Validate(l); err != nil {
		return TestResult{}, err
	}
	out := make([]float32, c.program.Heads[head].OutLen(b))
	if err := c.Run(context.Background(), Call{Head: head, Batch: b, Out: out}); err != nil {
		return TestResult{}, err
	}
	own := c.program.Heads[head].Recorded(b.Sizes(), out)
	r := TestResult{Ran: true, Recorded: rec != nil}
	if len(own) > 0 {
		r.Score = own[0]
	}
	for i, v := range out {
		if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
			return r, fmt.Errorf("output %d is %v on %s; the weights may be damaged: check them, run debertac pack again", i, v, c.isa)
		}
	}
	if rec == nil {
		return r, nil
	}
	recorded := rec.Outputs
	if recorded == nil && c.weights.Has(SelfTestTensor) {
		var err error
		if recorded, err = c.weights.floats(SelfTestTensor); err != nil {
			return r, err
		}
	}
	if len(recorded) != len(own) {
		return r, fmt.Errorf("%d outputs are recorded, the model computes %d; run debertac pack again", len(recorded), len(own))
	}
	for i, v := range own {
		want := float64(recorded[i])
		r.Error = math.Max(r.Error, math.Abs(float64(v)-want)/(1+math.Abs(want)))
	}
	if !(r.Error <= rec.Tolerance) {
		return r, fmt.Errorf("the result on %s differs from the recorded one by %.3g, tolerance %.3g; "+
			"the weights may be damaged: check them, run debertac pack again", c.isa, r.Error, rec.Tolerance)
	}
	return r, nil
}
