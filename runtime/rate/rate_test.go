package rate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/rate"
)

// TestSchedule compares the courses with values that were computed by hand.
func TestSchedule(t *testing.T) {
	for name, c := range map[string]struct {
		rate.Schedule
		want []float64
	}{
		"linear":             {rate.Schedule{Peak: 2, Steps: 6, Warmup: 2, Course: rate.Linear}, []float64{0, 1, 2, 1.5, 1, 0.5, 0, 0}},
		"linear to":          {rate.Schedule{Peak: 2, Final: 1, Steps: 4, Course: rate.Linear}, []float64{2, 1.75, 1.5, 1.25, 1, 1}},
		"from start":         {rate.Schedule{Peak: 2, Steps: 4, Warmup: 1.2, Course: rate.Linear, FromStart: true}, []float64{0, 2 / 1.2, 1, 0.5, 0}},
		"cosine":             {rate.Schedule{Peak: 2, Steps: 6, Warmup: 2, Course: rate.Cosine}, []float64{0, 1, 2, 1 + math.Sqrt2/2, 1, 1 - math.Sqrt2/2, 0}},
		"cosine to":          {rate.Schedule{Peak: 2, Final: 1, Steps: 2, Course: rate.Cosine}, []float64{2, 1.5, 1}},
		"constant":           {rate.Schedule{Peak: 2, Steps: 3, Warmup: 1, Course: rate.Constant}, []float64{0, 2, 2, 2, 2}},
		"polynomial":         {rate.Schedule{Peak: 2, Steps: 4, Course: rate.Polynomial, Power: 2}, []float64{2, 1.125, 0.5, 0.125, 0}},
		"polynomial to":      {rate.Schedule{Peak: 3, Final: 1, Steps: 4, Course: rate.Polynomial, Power: 2}, []float64{3, 2.125, 1.5, 1.125, 1}},
		"root":               {rate.Schedule{Peak: 2, Steps: 4, Course: rate.Polynomial, Power: 0.5}, []float64{2, math.Sqrt(3), math.Sqrt2, 1, 0}},
		"no end":             {rate.Schedule{Peak: 2, Warmup: 2, Course: rate.Constant}, []float64{0, 1, 2, 2, 2}},
		"nothing but warmup": {rate.Schedule{Peak: 2, Final: 1, Steps: 2, Warmup: 2, Course: rate.Linear}, []float64{0, 1, 1}},
	} {
		require.NoError(t, c.Check(), name)
		for step, want := range c.want {
			require.InDelta(t, want, c.At(step), 1e-15*4, "%s, step %d", name, step)
		}
	}
}

// TestRecorded compares the rates with those of transformers' get_linear_schedule_with_warmup, as the recorded trainings hold them: 5 steps, 2 of warmup.
func TestRecorded(t *testing.T) {
	s := rate.Schedule{Peak: 0.002, Steps: 5, Warmup: 2, Course: rate.Linear}
	for step, want := range []float64{0, 0.001, 0.002, 0.0013333333333333333, 0.0006666666666666666} {
		require.InDelta(t, want, s.At(step), 1e-18, "step %d", step)
	}
}

// TestCheck checks that a schedule without a meaning is refused, and that the error names what is wrong.
func TestCheck(t *testing.T) {
	good := rate.Schedule{Peak: 1, Steps: 4, Warmup: 4, Course: rate.Polynomial, Power: 1}
	require.NoError(t, good.Check())
	for want, change := range map[string]func(*rate.Schedule){
		`the course "falling" is unknown`:                func(s *rate.Schedule) { s.Course = "falling" },
		"the rate is 0":                                  func(s *rate.Schedule) { s.Peak = 0 },
		"the rate is NaN":                                func(s *rate.Schedule) { s.Peak = math.NaN() },
		"the rate is +Inf":                               func(s *rate.Schedule) { s.Peak = math.Inf(1) },
		"the final rate is -1":                           func(s *rate.Schedule) { s.Final = -1 },
		"the final rate is +Inf":                         func(s *rate.Schedule) { s.Final = math.Inf(1) },
		"the training has 0 steps, at least 1 is needed": func(s *rate.Schedule) { s.Steps = 0 },
		"the training has -1 steps":                      func(s *rate.Schedule) { s.Steps, s.Course = -1, rate.Constant },
		"the warmup has +Inf steps, of 0 in all":         func(s *rate.Schedule) { s.Steps, s.Warmup, s.Course = 0, math.Inf(1), rate.Constant },
		"a training of one step changes nothing":         func(s *rate.Schedule) { s.Steps, s.Warmup = 1, 0.5 },
		"the warmup has 4.5 steps, of 4 in all":          func(s *rate.Schedule) { s.Warmup = 4.5 },
		"the warmup has -1 steps":                        func(s *rate.Schedule) { s.Warmup = -1 },
		"the power of the polynomial is 0":               func(s *rate.Schedule) { s.Power = 0 },
	} {
		s := good
		change(&s)
		require.ErrorContains(t, s.Check(), want)
	}
}

// TestAdamW compares the numbers with the corrections of the first steps.
func TestAdamW(t *testing.T) {
	require.Equal(t, rate.Moments{Mean: 1, Root: 1, Plus: 1e-6}, rate.AdamW(0.9, 0.999, 1e-6, false, 7))
	m := rate.AdamW(0.9, 0.75, 1e-6, true, 0)
	require.InDelta(t, 10, m.Mean, 1e-13)
	require.InDelta(t, 2, m.Root, 1e-13)
	require.Equal(t, 1e-6, m.Plus)
	m = rate.AdamW(0.5, 0.5, 1e-6, true, 2)
	require.InDelta(t, 8.0/7, m.Mean, 1e-14)
	require.InDelta(t, math.Sqrt(8.0/7), m.Root, 1e-14)
	late := rate.AdamW(0.9, 0.999, 1e-6, true, 1_000_000)
	require.Equal(t, 1.0, late.Mean)
	require.Equal(t, 1.0, late.Root)
	require.Equal(t, [3]float32{1, 1, 1e-6}, late.Floats())
	require.Equal(t, rate.Moments{Mean: 1, Root: 1, Plus: 1e-8}, rate.AdamW(0, 0, 1e-8, true, 0), "no moments")
}

// TestRAdam compares the rectification with the sums that it stands for: with β2 = 0.999 the average is too short in the first 5 steps, and the factor
// approaches 1.
func TestRAdam(t *testing.T) {
	for step := range 5 {
		m := rate.RAdam(0.9, 0.999, 1e-8, step)
		require.InDelta(t, 1/(1-math.Pow(0.9, float64(step+1))), m.Mean, 1e-12, "step %d", step)
		require.Zero(t, m.Root)
		require.Equal(t, 1.0, m.Plus)
	}
	before := 0.0
	for step := 5; step < 20000; step++ {
		m := rate.RAdam(0.9, 0.999, 1e-8, step)
		b1, b2 := math.Pow(0.9, float64(step+1)), math.Pow(0.999, float64(step+1))
		// the length of a simple moving average with the same centre of mass
		length := 1999 - 2*float64(step+1)*b2/(1-b2)
		want := math.Sqrt((length - 4) / 1995 * (length - 2) / 1997 * 1999 / length)
		got := m.Mean * (1 - b1)
		require.InDelta(t, want, got, 1e-9, "step %d", step)
		require.InDelta(t, 1/math.Sqrt(1-b2), m.Root, 1e-9)
		require.Greater(t, got, before)
		before = got
	}
	require.InDelta(t, 1, before, 1e-4)
}
