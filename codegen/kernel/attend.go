package kernel

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime/attention"
)

// AttendName returns the name of the form of an attention of a training program, or of its gradient, for an instruction set, or for [Generic]. It holds
// whatever makes two forms differ.
func AttendName(a *attention.Attend, grad bool, isa string) string {
	var b strings.Builder
	b.WriteString("attend")
	if grad {
		b.WriteString("_grad")
	}
	fmt.Fprintf(&b, "_f32_%dx%d", a.Heads, a.D)
	if a.E != a.D {
		fmt.Fprintf(&b, "_%d", a.E)
	}
	fmt.Fprintf(&b, "_r%d_reach%d_%s_scale%s", a.R, a.Reach, termsName(a.Terms, true), number(shortest(a.Scale)))
	for _, word := range []struct {
		use  bool
		text string
	}{{a.Masked, "masked"}, {a.Rows == attention.First, "first"}, {a.Rows == attention.Picked, "picked"}, {a.MixScore, "mixscore"},
		{a.MixWeight, "mixweight"}} {
		if word.use {
			b.WriteString("_" + word.text)
		}
	}
	if a.Rate > 0 {
		b.WriteString("_drop" + number(a.Rate))
	}
	b.WriteString(stridesName("_ld", a.Operands))
	if grad {
		b.WriteString(stridesName("_ldg", a.Gradient))
	}
	return b.String() + "_" + isa
}

// shortest returns the number with the fewest digits that rounds to x.
func shortest(x float32) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(float64(x), 'g', -1, 32), 64)
	if err != nil {
		return float64(x)
	}
	return y
}

// stridesName returns strides as a part of a name: one number if all are equal.
func stridesName(word string, s attention.Strides) string {
	var list []string
	for _, x := range []int{s.O, s.Q, s.K, s.V, s.KR, s.QR, s.Bias, s.MixScore, s.MixWeight} {
		if x != 0 {
			list = append(list, fmt.Sprint(x))
		}
	}
	if len(slices.Compact(slices.Clone(list))) == 1 {
		list = list[:1]
	}
	return word + strings.Join(list, "_")
}

// AttendForward returns the constants of the kernels of the forward pass of an attention of a training program.
func AttendForward(a *attention.Attend) AttentionParams {
	return AttentionParams{max(a.D, a.E), a.ForwardShape()}
}

// AttendBackward returns the constants of the kernels of the backward pass.
func AttendBackward(a *attention.Attend) AttentionParams {
	return AttentionParams{max(a.D, a.E), a.BackwardShape()}
}

// CheckAttend returns an error for an attention of a training program that has no kernels.
func CheckAttend(a *attention.Attend) error {
	if a.Mixes() {
		return fmt.Errorf("attention: the heads are mixed")
	}
	return first(AttendForward(a).Check(), AttendBackward(a).Check())
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// AttendJobs returns the kernels of the forward pass and the fields of [attention.ForwardForm] that they fill.
func AttendJobs(a *attention.Attend, isa ISA) []AttentionJob {
	return append(AttentionJobs(AttendForward(a), isa), attendHeadJobs(a, isa)...)
}

// attendHeadJobs returns the kernels that move heads, and that of the dropout.
func attendHeadJobs(a *attention.Attend, isa ISA) []AttentionJob {
	p := AttendBackward(a)
	jobs := []AttentionJob{{"Rows", attendRows(p, isa)}, {"Panels", attnKeys(p, isa)}}
	if a.Rate > 0 {
		jobs = append(jobs, AttentionJob{"Drop", attendDrop(a.Rate, isa)})
	}
	return jobs
}

// AttendGradJobs returns the kernels of the backward pass and the fields of [attention.BackwardForm] that they fill.
func AttendGradJobs(a *attention.Attend, isa ISA) []AttentionJob {
	p := AttendBackward(a)
	var jobs []AttentionJob
	for _, j := range AttentionJobs(p, isa) {
		if j.Field != "Keys" && j.Field != "Values" && j.Field != "Weigh" {
			jobs = append(jobs, j)
		}
	}
	jobs = append(append(jobs, attendHeadJobs(a, isa)...), AttentionJob{"ValueProduct", attnProduct(p, isa, p.DP)}, AttentionJob{"Turned", GemmTN(false, isa)},
		AttentionJob{"Probs", attendProbs(isa)}, AttentionJob{"Slopes", attendSlopes(isa)})
	if p.Terms.Content {
		jobs = append(jobs, AttentionJob{"Times", attendTimes(p, isa, attention.LDS)})
	}
	if p.Terms.Indexed() {
		jobs = append(jobs, AttentionJob{"TableTimes", attendTimes(p, isa, p.LDG())})
	}
	if p.Terms.KeyPosition != attention.Absent {
		jobs = append(jobs, AttentionJob{"Fold", attendFold(p, isa)})
	}
	if p.Terms.QueryPosition != attention.Absent {
		jobs = append(jobs, AttentionJob{"FoldKeys", attendFoldKeys(p, isa)})
	}
	return jobs
}
