package kernel

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/debertac/debertac/runtime/attention"
)

// TestAttendJobs compares the kernels' signatures with the fields of both passes that they fill. It fails if a field is filled twice, or by none.
func TestAttendJobs(t *testing.T) {
	pairs := []string{"Panel", "Columns", "PairProduct", "PairWeigh"} // trainings compute attention in float32
	for _, pass := range []struct {
		form reflect.Type
		jobs func(a *attention.Attend, isa ISA) []AttentionJob
		not  []string // fields that the pass does not call
	}{
		{reflect.TypeFor[attention.ForwardForm](), AttendJobs, pairs},
		{reflect.TypeFor[attention.BackwardForm](), AttendGradJobs, append([]string{"Keys", "Values", "Weigh"}, pairs...)},
	} {
		filled := map[string]bool{}
		for _, s := range AttendSamples() {
			if CheckAttend(&s.Attend) != nil {
				continue
			}
			for _, isa := range ISAs() {
				seen := map[string]bool{}
				for _, j := range pass.jobs(&s.Attend, isa) {
					f, ok := pass.form.FieldByName(j.Field)
					if !ok || seen[j.Field] {
						t.Fatalf("%s: field %s of %s is missing or filled twice", s.Name, j.Field, pass.form)
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
		for _, f := range reflect.VisibleFields(pass.form) {
			unused := slices.Contains(pass.not, f.Name) || f.Name == "Portable"
			if f.Type.Kind() == reflect.Func && filled[f.Name] == unused {
				t.Errorf("%s: a kernel fills the field %s: %v", pass.form, f.Name, filled[f.Name])
			}
		}
	}
}

// TestAttendNames checks that one name means one form.
func TestAttendNames(t *testing.T) {
	forms := map[string]attention.Attend{}
	for _, s := range AttendSamples() {
		for _, grad := range []bool{false, true} {
			a := s.Attend
			if !grad {
				a.Gradient = attention.Strides{} // the forward pass does not write gradients
			}
			name := AttendName(&a, grad, Generic)
			if old, ok := forms[name]; ok && old != a {
				t.Errorf("%+v and %+v are both called %s", old, a, name)
			}
			forms[name] = a
		}
	}
	a := attention.Attend{Heads: 4, D: 16, E: 16, Scale: 0.14433756, Terms: attention.Terms{Content: true}}
	if got, want := AttendName(&a, false, AVX2), "attend_f32_4x16_r0_reach0_cc_scale0p14433756_ld_avx2"; got != want {
		t.Errorf("the name is %s, want %s", got, want)
	}
}

// TestCheckAttend checks attentions that have no kernels.
func TestCheckAttend(t *testing.T) {
	for want, change := range map[string]func(*attention.Attend){
		"heads are mixed":               func(a *attention.Attend) { a.MixScore = true },
		"DP = 272, must be at most 256": func(a *attention.Attend) { a.E = 257 },
		"the score has no terms":        func(a *attention.Attend) { a.Terms = attention.Terms{} },
		"R = 2000000 does not fit":      func(a *attention.Attend) { a.R = 2e6 },
	} {
		a := AttendSamples()[0].Attend
		change(&a)
		if err := CheckAttend(&a); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error is %v, want %q", err, want)
		}
	}
	for _, s := range AttendSamples() {
		if err := CheckAttend(&s.Attend); (err != nil) != s.Mixes() {
			t.Errorf("%s: %v", s.Name, err)
		}
	}
}
