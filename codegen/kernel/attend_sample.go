package kernel

import "github.com/debertac/debertac/runtime/attention"

// AttendSample is an attention of a training program that generated/kernels tests. Its kernels are those of [AttendJobs] and [AttendGradJobs].
type AttendSample struct {
	Name string
	attention.Attend
	Prefix bool // with a mask: some leading keys are seen by all rows
	Span   int  // see AttentionSample
	Bucket int
}

// Row returns the row of the relative table for an offset.
func (s AttendSample) Row(offset int) int {
	return AttentionSample{Params: AttentionParams{Shape: attention.Shape{R: s.R}}, Span: s.Span, Bucket: s.Bucket}.Row(offset)
}

// attendSample returns a sample of heads of d columns with a table of 2·half rows for offsets up to span. Strides are those of the pass tile.
func attendSample(name string, heads, d, half, bucket, span int, t attention.Terms) AttendSample {
	ld := LD(heads * d)
	s := attention.Strides{O: ld, Q: ld, K: ld, V: ld, KR: ld, QR: ld, Bias: LD(2*attendReach + 1), MixScore: LD(heads), MixWeight: LD(heads)}
	a := attention.Attend{Heads: heads, D: d, E: d, R: 2 * half, Reach: attendReach, Scale: 0.125, Terms: t, Operands: s, Gradient: s}
	return AttendSample{Name: name, Attend: a, Span: span, Bucket: bucket}
}

// attendReach is the greatest offset of the samples.
const attendReach = 1100

// with returns the sample with a change.
func (s AttendSample) with(name string, change func(s *AttendSample)) AttendSample {
	s.Name += ", " + name
	change(&s)
	return s
}

// AttendSamples returns the attentions of training programs that generated/kernels tests: shapes of models, every set of terms and signs, heads that no panel
// holds, masks, rows, and mixed heads.
func AttendSamples() []AttendSample {
	both := attention.Terms{Content: true, KeyPosition: attention.Forward, QueryPosition: attention.Forward}
	all := attention.Terms{Content: true, KeyPosition: attention.Forward, QueryPosition: attention.Reverse, Bias: true}
	plain := attention.Terms{Content: true}
	base := attendSample("v3 base", 12, 64, 256, 128, 512, both)
	odd := attendSample("D = 7", 3, 7, 16, 8, 64, all)
	causal := func(s *AttendSample) { s.Masked = true }
	prefix := func(s *AttendSample) { s.Masked, s.Prefix = true, true }
	first := func(s *AttendSample) { s.Rows = attention.First }
	picked := func(s *AttendSample) { s.Rows = attention.Picked }
	list := []AttendSample{
		base,
		attendSample("v1", 2, 32, 128, 0, 128, both),
		attendSample("plain", 2, 32, 0, 0, 0, plain),
		attendSample("three panels", 1, 48, 16, 8, 64, both),
		attendSample("wide", 1, 128, 24, 0, 24, both),
		odd,
		odd.with("causal", causal), odd.with("prefix", prefix), odd.with("first", first), odd.with("picked", picked),
		attendSample("D = 16", 2, 16, 16, 8, 64, all).with("prefix", prefix).with("picked", picked),
		odd.with("values of another size", func(s *AttendSample) {
			s.E = 19
			s.Operands.V, s.Operands.O = LD(s.Heads*s.E), LD(s.Heads*s.E)
			s.Gradient.V = s.Operands.V
		}),
		odd.with("gradients with strides of their own", func(s *AttendSample) {
			s.Gradient.Q, s.Gradient.K, s.Gradient.V, s.Gradient.KR, s.Gradient.QR = 48, 64, 80, 96, 112
		}),
		odd.with("dropout, causal", func(s *AttendSample) { s.Rate, s.Masked = 0.25, true }),
		attendSample("v1 with dropout", 2, 32, 128, 0, 128, both).with("picked", func(s *AttendSample) { s.Rate, s.Rows = 0.1, attention.Picked }),
		odd.with("both mixed, dropout", func(s *AttendSample) { s.MixScore, s.MixWeight, s.Rate = true, true, 0.5 }),
		odd.with("scores mixed", func(s *AttendSample) { s.MixScore = true }),
		odd.with("probabilities mixed, causal", func(s *AttendSample) { s.MixWeight, s.Masked = true, true }),
		odd.with("both mixed, picked", func(s *AttendSample) { s.MixScore, s.MixWeight, s.Rows = true, true, attention.Picked }),
	}
	for set := 1; set < 16; set++ {
		for signs := range 4 {
			sign := func(bit int) attention.Sign {
				switch {
				case set>>bit&1 == 0:
					return attention.Absent
				case signs>>(bit-1)&1 == 1:
					return attention.Reverse
				}
				return attention.Forward
			}
			if signs&^(set>>1) != 0 { // the sign of a term that is not there
				continue
			}
			t := attention.Terms{Content: set&1 == 1, KeyPosition: sign(1), QueryPosition: sign(2), Bias: set>>3&1 == 1}
			list = append(list, attendSample("terms "+termsName(t, true), 2, 16, 16, 8, 64, t))
		}
	}
	return list
}
