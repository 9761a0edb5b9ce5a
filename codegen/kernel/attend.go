package kernel

import (
	"fmt"
	"slices"
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
	fmt.Fprintf(&b, "_r%d_reach%d_%s_scale%s", a.R, a.Reach, termsName(a.Terms, true), number(float64(a.Scale)))
	for _, word := range []struct {
		use  bool
		text string
	}{{a.Masked, "masked"}, {a.Rows == attention.First, "first"}, {a.Rows == attention.Picked, "picked"}, {a.MixScore, "mixscore"},
		{a.MixWeight, "mixweight"}} {
		if word.use {
			b.WriteString("_" + word.text)
		}
	}
	b.WriteString(stridesName("_ld", a.Operands))
	if grad {
		b.WriteString(stridesName("_ldg", a.Gradient))
	}
	return b.String() + "_" + isa
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
