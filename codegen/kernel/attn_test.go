package kernel

import (
	"strings"
	"testing"
)

// attnSample returns the parameters of the sample for DeBERTa-v3 base.
func attnSample() AttentionParams { return AttentionSamples()[0].Params }

// TestAttentionCheck checks parameters for which there is no kernel.
func TestAttentionCheck(t *testing.T) {
	for want, change := range map[string]func(*AttentionParams){
		"DP = 60 must be a multiple of 16":  func(p *AttentionParams) { p.DP = 60 },
		"at least D = 65":                   func(p *AttentionParams) { p.D = 65 },
		"DP = 272, must be at most 256":     func(p *AttentionParams) { p.DP = 272 },
		"LDQ = 48":                          func(p *AttentionParams) { p.LDQ = 48 },
		"LDK = 32":                          func(p *AttentionParams) { p.LDK = 32 },
		"the score has no terms":            func(p *AttentionParams) { p.Terms = AttentionTerms{} },
		"need a table, R = 0":               func(p *AttentionParams) { p.R = 0 },
		"2 is not a sign":                   func(p *AttentionParams) { p.Terms.QueryPosition = 2 },
		"R = 2000000 does not fit":          func(p *AttentionParams) { p.R = 2e6 },
		"LDO = 8388608 does not fit 32-bit": func(p *AttentionParams) { p.LDO = 1 << 23 },
	} {
		p := attnSample()
		change(&p)
		err := p.Check()
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
		for _, isa := range ISAs() {
			if _, err := Assemble("test", AttentionKernels(p, isa)); err == nil {
				t.Errorf("%s: %s: assembled", isa.Name, want)
			}
		}
	}
	for _, s := range AttentionSamples() {
		if err := s.Params.Check(); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}

// TestAttentionNames checks that one name means one function.
func TestAttentionNames(t *testing.T) {
	params, text := map[string]AttentionParams{}, map[string]string{}
	for _, s := range AttentionSamples() {
		name := AttentionName(s.Params, AVX2)
		if old, ok := params[name]; ok {
			t.Errorf("%v and %v are both called %s", old, s.Params, name)
		}
		params[name] = s.Params
		isa, _ := FindISA(AVX2)
		for _, k := range AttentionKernels(s.Params, isa) {
			code, err := Assemble("test", []Kernel{k})
			if err != nil {
				t.Fatal(err)
			}
			if old, ok := text[k.Name]; ok && old != string(code) {
				t.Errorf("%s has two bodies", k.Name)
			}
			text[k.Name] = string(code)
		}
	}
}

// TestAttentionLayout checks that every array has whole cache lines, so that the next one is aligned, and that the length of the scratch memory is at most
// linear in n.
func TestAttentionLayout(t *testing.T) {
	for _, s := range AttentionSamples() {
		p := s.Params
		for _, n := range []int{1, 15, 16, 17, 100, 600, 16384} {
			for _, part := range AttentionLayout(p) {
				if l := part.Len(n); l < 1 || l%16 != 0 {
					t.Errorf("%s, n = %d: %s has %d floats", s.Name, n, part.Name, l)
				}
			}
			rows := (n + 15) / 16 * 16
			if got, most := AttentionScratch(p, n), rows*(p.LDR()*2+p.DP*4+attnLDS+8)+8192; got > most {
				t.Errorf("%s, n = %d: %d floats of scratch, more than %d", s.Name, n, got, most)
			}
		}
	}
}
