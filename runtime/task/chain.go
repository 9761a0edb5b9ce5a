package task

import (
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/engine"
)

// Chain scores sequences of labels as a linear-chain conditional random field does (Lafferty,
// McCallum and Pereira 2001). A path y over T tokens has the score
//
//	Start[y_0] + Σ_t emission[t, y_t] + Σ_t Transitions[y_{t-1}, y_t] + End[y_{T-1}]
//
// and the probability exp(score) / Σ exp(score of any path). A score of -Inf forbids a label or a
// transition. Everything is computed in float64. Sums of exponentials are scaled by their largest
// term.
type Chain struct {
	C           int
	Transitions []float64 // [C, C]; row: the earlier label, column: the later one
	Start, End  []float64 // [C]
}

// newChain returns a chain of C labels whose scores are all 0.
func newChain(c int) *Chain {
	return &Chain{C: c, Transitions: make([]float64, c*c), Start: make([]float64, c), End: make([]float64, c)}
}

// clone returns a copy of the chain that may be changed.
func (k *Chain) clone() *Chain {
	return &Chain{k.C, slices.Clone(k.Transitions), slices.Clone(k.Start), slices.Clone(k.End)}
}

// check returns T for emissions [T, C]. It is an error if T < 1 or if shapes do not match.
func (k *Chain) check(emissions []float64) (int, error) {
	if k.C < 1 || len(k.Transitions) != k.C*k.C || len(k.Start) != k.C || len(k.End) != k.C {
		return 0, input("a chain of %d labels has %d transitions, %d first and %d last scores", k.C, len(k.Transitions), len(k.Start), len(k.End))
	}
	if len(emissions) == 0 || len(emissions)%k.C != 0 {
		return 0, input("%d emissions are not one row of %d per token", len(emissions), k.C)
	}
	return len(emissions) / k.C, nil
}

// Viterbi returns the path with the highest score and this score, for emissions [T, C]. Ties: the
// path with the lower label at the last token where the paths differ. A score of -Inf means that
// every path is forbidden.
func (k *Chain) Viterbi(emissions []float64) ([]int, float64, error) {
	t, err := k.check(emissions)
	if err != nil {
		return nil, 0, err
	}
	c := k.C
	best, next := make([]float64, c), make([]float64, c)
	from := make([]int, t*c)
	for j := range c {
		best[j] = k.Start[j] + emissions[j]
	}
	for i := 1; i < t; i++ {
		for j := range c {
			top, at := math.Inf(-1), 0
			for p := range c {
				if s := best[p] + k.Transitions[p*c+j]; s > top {
					top, at = s, p
				}
			}
			next[j], from[i*c+j] = top+emissions[i*c+j], at
		}
		best, next = next, best
	}
	top, last := math.Inf(-1), 0
	for j := range c {
		if s := best[j] + k.End[j]; s > top {
			top, last = s, j
		}
	}
	path := make([]int, t)
	for i := t - 1; i >= 0; i-- {
		path[i] = last
		last = from[i*c+last]
	}
	return path, top, nil
}

// Score returns the score of one path for emissions [T, C].
func (k *Chain) Score(emissions []float64, path []int) (float64, error) {
	t, err := k.check(emissions)
	if err != nil {
		return 0, err
	}
	if len(path) != t {
		return 0, input("a path of %d labels for %d tokens", len(path), t)
	}
	sum := 0.0
	for i, y := range path {
		if y < 0 || y >= k.C {
			return 0, input("label %d at token %d: there are %d labels", y, i, k.C)
		}
		if i == 0 {
			sum += k.Start[y]
		} else {
			sum += k.Transitions[path[i-1]*k.C+y]
		}
		sum += emissions[i*k.C+y]
	}
	return sum + k.End[path[t-1]], nil
}

// LogPartition returns the logarithm of the sum of exp(score) over all paths.
func (k *Chain) LogPartition(emissions []float64) (float64, error) {
	t, err := k.check(emissions)
	if err != nil {
		return 0, err
	}
	return k.partition(k.forward(emissions, t), t), nil
}

// partition completes the forward recursion: it returns the logarithm of the partition function.
func (k *Chain) partition(alpha []float64, t int) float64 {
	last := make([]float64, k.C)
	for j := range last {
		last[j] = alpha[(t-1)*k.C+j] + k.End[j]
	}
	return logSum(last)
}

// forward returns, for each token t and label j, log Σ exp(score) over the paths up to t that end
// in j [T, C].
func (k *Chain) forward(emissions []float64, t int) []float64 {
	c := k.C
	alpha, terms := make([]float64, t*c), make([]float64, c)
	for j := range c {
		alpha[j] = k.Start[j] + emissions[j]
	}
	for i := 1; i < t; i++ {
		for j := range c {
			for p := range c {
				terms[p] = alpha[(i-1)*c+p] + k.Transitions[p*c+j]
			}
			alpha[i*c+j] = logSum(terms) + emissions[i*c+j]
		}
	}
	return alpha
}

// Marginals returns the probability of each label at each token [T, C], and the logarithm of the
// partition function. It is an error if every path is forbidden.
func (k *Chain) Marginals(emissions []float64) (p []float64, logPartition float64, err error) {
	t, err := k.check(emissions)
	if err != nil {
		return nil, 0, err
	}
	c := k.C
	alpha := k.forward(emissions, t)
	z := k.partition(alpha, t)
	if math.IsInf(z, -1) {
		return nil, z, input("every sequence of labels is forbidden")
	}
	beta, next, terms := append([]float64(nil), k.End...), make([]float64, c), make([]float64, c)
	for i := t - 1; i >= 0; i-- {
		for j := range c {
			alpha[i*c+j] = math.Exp(alpha[i*c+j] + beta[j] - z)
		}
		for j := range c {
			for n := range c {
				terms[n] = k.Transitions[j*c+n] + emissions[i*c+n] + beta[n]
			}
			next[j] = logSum(terms)
		}
		beta, next = next, beta
	}
	return alpha, z, nil
}

// logSum returns log Σ exp(x_i). It returns -Inf if all x_i are -Inf.
func logSum(x []float64) float64 {
	top := math.Inf(-1)
	for _, v := range x {
		top = math.Max(top, v)
	}
	if math.IsInf(top, -1) {
		return top
	}
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v - top)
	}
	return top + math.Log(sum)
}

// packedChain reads the learned scores of a head with a CRF from the packed weights.
func packedChain(core *engine.Core, c int) (*Chain, error) {
	k := &Chain{C: c}
	for _, part := range []struct {
		name string
		n    int
		into *[]float64
	}{{engine.CRFTransitions, c * c, &k.Transitions}, {engine.CRFStart, c, &k.Start}, {engine.CRFEnd, c, &k.End}} {
		v, err := core.Tensor(part.name)
		if err != nil {
			return nil, err
		}
		if len(v) != part.n {
			return nil, fmt.Errorf("tensor %q has %d numbers, %d labels need %d: run debertac pack again", part.name, len(v), c, part.n)
		}
		for i, x := range v {
			if math.IsNaN(float64(x)) || math.IsInf(float64(x), 1) {
				return nil, fmt.Errorf("tensor %q: number %d is %v: the weights may be damaged, run debertac pack again", part.name, i, x)
			}
			*part.into = append(*part.into, float64(x))
		}
	}
	return k, nil
}
