package trial

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// TestRecordedAscent computes the gradient of the perturbation in recorded cases of scale-invariant fine-tuning (He et al. 2020, section 4), the moved
// perturbation, and the gradients of all parameters. The latter are sums of those of the clean pass and of the perturbed pass, which stops at the normalised
// input.
func TestRecordedAscent(t *testing.T) {
	compared := 0
	for _, dir := range caseDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			k, recorded := openCase(t, dir, golden.KindSiFT)
			(&ascent{recordedCase: k}).compare(recorded)
			compared++
		})
	}
	t.Logf("%d cases were compared", compared)
	require.NotZero(t, compared)
}

// ascent is a case of scale-invariant fine-tuning.
type ascent struct {
	*recordedCase
	Rate float64 `json:"sift_learning_rate"`
}

// compare computes and compares the gradients of a case.
func (a *ascent) compare(recorded []string) {
	text, err := os.ReadFile(filepath.Join(a.dir, "case.json"))
	require.NoError(a.t, err)
	require.NoError(a.t, json.Unmarshal(text, a))
	passes, err := a.golden.Passes(a.Trial.outputs)
	require.NoError(a.t, err)
	require.Len(a.t, passes, 3)
	clean, probe, perturbed := a.forward(passes[0]), a.forward(passes[1]), a.forward(passes[2])
	a.compareDelta(a.backward(passes[1], a.inner(probe, clean), []string{"delta"})["delta"])
	// CE(p_clean, z_adv) + CE(p_adv, z_clean), whose probabilities are constants, is the mean over the rows.
	rows := len(clean) / a.width()
	task := a.task(clean)
	a.compile(passes[0])
	names := compiler.Parameters(a.unit.Program)
	add := func(seed, from, to []float64) []float64 { // dCE/dz = softmax(z) - p
		out := slices.Clone(seed)
		p, q := a.softmax(from), a.softmax(to)
		for i := range p {
			out[i] += a.golden.Adversarial / float64(rows) * (q[i] - p[i])
		}
		return out
	}
	total := a.backward(passes[0], add(task, perturbed, clean), names)
	for name, g := range a.backward(passes[2], add(make([]float64, len(clean)), clean, perturbed), names, "normed") {
		for i := range g {
			total[name][i] += g[i]
		}
	}
	a.compareAll(recorded, total)
}

// width returns how many logits are one row of a softmax: the columns, or for one column all rows of the batch.
func (a *ascent) width() int {
	if a.unit.Head.Out == 1 {
		return a.golden.Sequences
	}
	return a.unit.Head.Out
}

// forward returns the logits of a pass.
func (a *ascent) forward(p golden.Pass) []float64 {
	a.compile(p)
	a.run()
	return a.store["logits"].Floats()
}

// backward returns the gradients of the named values of a pass, whose logits have the gradient seed.
func (a *ascent) backward(p golden.Pass, seed []float64, names []string, constant ...string) map[string][]float64 {
	a.compile(p)
	g := ir.NewArray(len(seed)/a.unit.Head.Out, a.unit.Head.Out)
	copy(g.F, seed)
	a.store[compiler.GradOf("logits")] = g
	return a.differentiate("logits", names, constant...)
}

// softmax returns the probabilities of all rows.
func (a *ascent) softmax(z []float64) []float64 {
	p := make([]float64, len(z))
	for at := 0; at < len(z); at += a.width() {
		sum := 0.0
		for i := range a.width() {
			p[at+i] = math.Exp(z[at+i])
			sum += p[at+i]
		}
		for i := range a.width() {
			p[at+i] /= sum
		}
	}
	return p
}

// inner returns the gradient, by the logits of the probe, of the loss whose growth the perturbation follows. Those of the clean pass are constants, and so are
// the probabilities of the second part of the symmetric loss.
func (a *ascent) inner(probe, clean []float64) []float64 {
	out := make([]float64, len(probe))
	p, q := a.softmax(clean), a.softmax(probe)
	for i := range out {
		out[i] = q[i] - p[i]
		if a.golden.Inner == "mse" {
			out[i] = 2 * (probe[i] - clean[i]) / float64(len(probe))
		}
	}
	return out
}

// task returns the gradient of the head's own loss by the logits.
func (a *ascent) task(z []float64) []float64 {
	labels, out := a.floats(a.inputs, "labels"), make([]float64, len(z))
	if a.unit.Head.Loss == tasktable.MeanSquaredError {
		for i := range out {
			out[i] = 2 * (z[i] - labels[i]) / float64(len(z))
		}
		return out
	}
	require.Equal(a.t, spec.First, a.unit.Head.Take.Rows)
	for i, p := range a.softmax(z) {
		if out[i] = p / float64(len(labels)); i%a.width() == int(labels[i/a.width()]) {
			out[i] -= 1 / float64(len(labels))
		}
	}
	return out
}

// compareDelta compares the gradient of the perturbation, and the perturbation that was moved along it, in the rows that are live.
func (a *ascent) compareDelta(got []float64) {
	require.NotZero(a.t, a.Rate)
	width := a.unit.Model.Hidden
	grad, from, to := a.floats(a.outputs, "delta_grad"), a.floats(a.inputs, "delta0"), a.floats(a.outputs, "delta1")
	largest := 0.0
	for i, row := range a.rows {
		if row < 0 {
			continue
		}
		g, at := got[row*width:(row+1)*width], i*width
		largest = max(largest, a.recordedCase.compare("delta_grad", grad[at:at+width], g))
		top := 0.0
		for _, v := range g {
			top = max(top, math.Abs(v))
		}
		moved := make([]float64, width)
		for j, v := range g {
			moved[j] = from[at+j] + a.Rate*v/(1e-6+top)
		}
		largest = max(largest, a.recordedCase.compare("delta1", to[at:at+width], moved))
	}
	a.t.Logf("delta_grad, delta1: largest difference %.2g, tolerance %v", largest, a.golden.Tolerance["other"])
}
