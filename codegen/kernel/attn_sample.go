package kernel

import (
	"fmt"
	"math"
	"slices"

	"github.com/debertac/debertac/runtime/attention"
)

var attnFamily = Family{
	Name:    "attn",
	Doc:     "steps of disentangled attention: products, relative terms, softmax, weighting",
	ISAs:    []string{AVX2, AVX512},
	Samples: attnKernels,
}

var pairAttnFamily = Family{
	Name: pairAttn,
	Doc:  "products of disentangled attention with pairs of bfloat16",
	ISAs: []string{AVX2, AVX512, AVX512BF16},
	Samples: func(isa ISA) []Kernel {
		return attnSampleKernels(isa, pairAttn)
	},
}

// AttentionSample is an attention that generated/kernels holds.
type AttentionSample struct {
	Name   string // of a model or for what it tests
	Params AttentionParams
	Heads  int
	Span   int // offsets from this one on share the first or the last row
	Bucket int // buckets are logarithmic from this offset on; 0: linear
}

// attnShape returns a model's attention: heads of d columns, a table of 2·half rows for offsets up to span.
func attnShape(name string, heads, d, half, bucket, span int, t attention.Terms) AttentionSample {
	dp := (d + PanelWidth - 1) / PanelWidth * PanelWidth
	ld := LD(3 * heads * dp)
	shape := attention.Shape{DP: dp, LDQ: ld, LDK: ld, LDO: LD(heads * dp), R: 2 * half, Terms: t}
	return AttentionSample{name, AttentionParams{d, shape}, heads, span, bucket}
}

// masked hides the keys after each query.
func (s AttentionSample) masked() AttentionSample {
	s.Name += ", masked"
	s.Params.Masked = true
	return s
}

// apart puts the queries into a matrix of their own.
func (s AttentionSample) apart() AttentionSample {
	s.Name += ", queries apart"
	s.Params.LDQ, s.Params.LDK = LD(s.Heads*s.Params.DP), LD(2*s.Heads*s.Params.DP)
	return s
}

// paired rounds products to bfloat16.
func (s AttentionSample) paired() AttentionSample {
	s.Name += ", pairs"
	s.Params.Pairs = true
	return s
}

// AttentionSamples returns the attentions that generated/kernels holds: shapes of models, some of them masked or with queries in a matrix of their own, and one
// small shape with every set of terms and signs.
func AttentionSamples() []AttentionSample {
	both := attention.Terms{Content: true, KeyPosition: attention.Forward, QueryPosition: attention.Forward}
	plain := attention.Terms{Content: true}
	list := []AttentionSample{
		attnShape("v3 base", 12, 64, 256, 128, 512, both),
		attnShape("spam", 2, 64, 64, 32, 512, both),
		attnShape("v1", 2, 32, 128, 0, 128, both),
		attnShape("three panels", 1, 48, 16, 8, 64, both),
		attnShape("wide", 1, 128, 24, 0, 24, both),
		attnShape("D = 12", 3, 12, 9, 0, 9, both),
		attnShape("D = 7", 3, 7, 32, 16, 128, both),
		attnShape("plain", 2, 32, 0, 0, 0, plain),
	}
	base, small := list[0], attnShape("all terms", 2, 7, 16, 8, 64,
		attention.Terms{Content: true, KeyPosition: attention.Forward, QueryPosition: attention.Reverse, Bias: true})
	list = append(list, base.masked(), list[7].masked(), small.masked(), small.apart().masked(),
		attnShape("positions", 2, 7, 16, 8, 64, attention.Terms{KeyPosition: attention.Reverse, QueryPosition: attention.Forward}).masked())
	for _, s := range append(slices.Clone(list[:8]), small, small.masked(), small.apart().masked()) {
		list = append(list, s.paired())
	}
	for signs := range 4 {
		turned := func(bit int) attention.Sign { return attention.Sign(2*(signs>>bit&1) - 1) }
		t := attention.Terms{KeyPosition: turned(0), QueryPosition: turned(1)}
		list = append(list, attnShape(fmt.Sprint("signs ", signs), 2, 24, 16, 8, 64, t).paired())
	}
	// Every set of terms with equal signs, and sets of two terms with different signs.
	for set := 1; set < 16; set++ {
		for signs := 0; signs < 4; signs++ {
			sign := func(bit, turned int) attention.Sign {
				switch {
				case set>>bit&1 == 0:
					return attention.Absent
				case signs>>turned&1 == 1:
					return attention.Reverse
				}
				return attention.Forward
			}
			t := attention.Terms{Content: set&1 == 1, KeyPosition: sign(1, 0), QueryPosition: sign(2, 1), Bias: set>>3&1 == 1}
			paired := set>>2&1 == 1 && set>>1&1 == 1
			if signs == 0 || t.Indexed() && (signs == 3 || paired) {
				list = append(list, attnShape(fmt.Sprint("D = 8, ", termsName(t, true)), 2, 8, 16, 8, 64, t))
			}
		}
	}
	return list
}

func attnKernels(isa ISA) []Kernel { return attnSampleKernels(isa, "attn") }

// attnSampleKernels returns the kernels of a family that the samples of attentions need.
func attnSampleKernels(isa ISA, family string) []Kernel {
	var ks []Kernel
	seen := map[string]bool{}
	add := func(k Kernel) {
		if !seen[k.Name] && k.Family == family && k.ISA.Name == isa.Name {
			seen[k.Name] = true
			ks = append(ks, k)
		}
	}
	for _, s := range AttentionSamples() {
		for _, k := range AttentionKernels(s.Params, isa) {
			add(k)
		}
	}
	for _, s := range AttendSamples() {
		if CheckAttend(&s.Attend) != nil {
			continue
		}
		for _, j := range append(AttendJobs(&s.Attend, isa), AttendGradJobs(&s.Attend, isa)...) {
			add(j.Kernel)
		}
	}
	return ks
}

// Row returns the row of the relative table for an offset: a logarithmic bucket as in DeBERTa-v2 and v3 (computed in float64), or a clamped offset. A kernel
// can read any table that rises by steps of 0 or 1.
func (s AttentionSample) Row(offset int) int {
	half, far := s.Params.R/2, abs(offset)
	if s.Bucket > 0 && far > s.Bucket {
		mid, reach := float64(s.Bucket), float64(s.Span-1)
		far = int(math.Ceil(math.Log(float64(far)/mid)/math.Log(reach/mid)*(mid-1)) + mid)
	}
	if offset < 0 {
		far = -far
	}
	return min(max(far+half, 0), max(2*half-1, 0))
}

func abs(x int) int {
	if x < 0 {
		return -x
	}
	return x
}
