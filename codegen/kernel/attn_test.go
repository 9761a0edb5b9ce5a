package kernel

import (
	"reflect"
	"strings"
	"testing"

	"github.com/debertac/debertac/runtime/attention"
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
		"the score has no terms":            func(p *AttentionParams) { p.Terms = attention.Terms{} },
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

// TestAttentionJobs compares the kernels' signatures with the fields that they fill. It fails if a field is filled twice or does not exist.
func TestAttentionJobs(t *testing.T) {
	kinds := []reflect.Type{reflect.TypeFor[attention.Kernels](), reflect.TypeFor[attention.PairKernels]()}
	filled := map[string]bool{}
	for _, s := range AttentionSamples() {
		for _, isa := range ISAs() {
			seen := map[string]bool{}
			for _, j := range AttentionJobs(s.Params, isa) {
				f, ok := kinds[0].FieldByName(j.Field)
				if !ok {
					f, ok = kinds[1].FieldByName(j.Field)
				}
				if !ok || seen[j.Field] {
					t.Fatalf("%s: field %s is missing or filled twice", s.Name, j.Field)
				}
				seen[j.Field], filled[j.Field] = true, true
				var types []string
				for _, p := range j.Params {
					types = append(types, string(p.Type))
				}
				if got := "func(" + strings.Join(types, ", ") + ")"; got != f.Type.String() {
					t.Errorf("%s is %s, the field %s has %s", j.Name, got, j.Field, f.Type)
				}
			}
		}
	}
	for _, fields := range kinds {
		for f := range fields.Fields() {
			if f.Type.Kind() == reflect.Func && !filled[f.Name] {
				t.Errorf("no kernel fills the field %s", f.Name)
			}
		}
	}
}
