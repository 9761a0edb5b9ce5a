package evaluation

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"

	"github.com/debertac/debertac/runtime/metrics"
	"github.com/debertac/debertac/runtime/prediction"
)

// Seeds holds the metrics of several runs, such as those of one training with several seeds, and compares them with other runs.
type Seeds struct {
	Runs    int
	Against int // the runs that they are compared with; 0: there is no comparison
	Metrics []SeedMetric
}

// SeedMetric is one metric of several runs.
type SeedMetric struct {
	Name            string
	Values          []float64 // of each run
	Mean, Deviation float64   // the deviation is that of a sample; NaN for one run
	Other           *Compared // nil: there is no comparison
}

// Compared is the comparison with the same metric of other runs.
type Compared struct {
	Values          []float64
	Mean, Deviation float64
	Welch           metrics.Test
	Paired          *metrics.Test // of runs that belong together in pairs, in their order; nil: there are not as many on both sides
}

// Summarize summarizes the metrics that all reports have, and compares them with those of other reports if there are any.
func Summarize(reports, against []*prediction.Report) *Seeds {
	s := &Seeds{Runs: len(reports), Against: len(against)}
	for _, name := range reports[0].Names() {
		x, ok := valuesOf(reports, name)
		y, both := valuesOf(against, name)
		if !ok || !both {
			continue
		}
		m := SeedMetric{Name: name, Values: x, Mean: metrics.Mean(x), Deviation: metrics.Deviation(x)}
		if len(against) > 0 {
			m.Other = &Compared{Values: y, Mean: metrics.Mean(y), Deviation: metrics.Deviation(y), Welch: metrics.Welch(x, y)}
			if len(x) == len(y) {
				t := metrics.Paired(x, y)
				m.Other.Paired = &t
			}
		}
		s.Metrics = append(s.Metrics, m)
	}
	return s
}

// valuesOf returns a metric of all reports; ok is false if one of them lacks it.
func valuesOf(reports []*prediction.Report, name string) (values []float64, ok bool) {
	for _, r := range reports {
		v, ok := r.Get(name)
		if !ok {
			return nil, false
		}
		values = append(values, v)
	}
	return values, true
}

// MarshalJSON writes one object: the mean of each metric by its name, and what else there is with an ending after the name.
func (s *Seeds) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"runs":%d`, s.Runs)
	if s.Against > 0 {
		fmt.Fprintf(&b, `,"against_runs":%d`, s.Against)
	}
	add := func(name string, v any) error {
		if x, ok := v.(float64); ok && (math.IsNaN(x) || math.IsInf(x, 0)) {
			v = nil
		}
		text, err := json.Marshal(v)
		fmt.Fprintf(&b, ",%q:%s", name, text)
		return err
	}
	for i := range s.Metrics {
		m := &s.Metrics[i]
		list := []any{"", m.Mean, "_deviation", m.Deviation, "_values", m.Values}
		if o := m.Other; o != nil {
			list = append(list, "_against", o.Mean, "_against_deviation", o.Deviation, "_against_values", o.Values,
				"_welch_t", o.Welch.T, "_welch_freedom", o.Welch.Freedom, "_welch_p", o.Welch.P)
			if p := o.Paired; p != nil {
				list = append(list, "_paired_t", p.T, "_paired_freedom", p.Freedom, "_paired_p", p.P)
			}
		}
		for k := 0; k < len(list); k += 2 {
			if err := add(m.Name+list[k].(string), list[k+1]); err != nil {
				return nil, err
			}
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// PrintSeeds shows a summary to people.
func PrintSeeds(w io.Writer, s *Seeds) {
	width := len("metric")
	for _, m := range s.Metrics {
		width = max(width, len(m.Name))
	}
	fmt.Fprintf(w, "%-*s       mean  deviation", width, "metric")
	if s.Against > 0 {
		fmt.Fprint(w, "    against  deviation  difference  p (Welch)  p (paired)")
	}
	fmt.Fprintln(w)
	for _, m := range s.Metrics {
		fmt.Fprintf(w, "%-*s  %9s  %9s", width, m.Name, number(m.Mean), orDash(m.Deviation))
		if o := m.Other; o != nil {
			paired := math.NaN()
			if o.Paired != nil {
				paired = o.Paired.P
			}
			fmt.Fprintf(w, "  %9s  %9s  %10s  %9s  %10s", number(o.Mean), orDash(o.Deviation), number(m.Mean-o.Mean), orDash(o.Welch.P), orDash(paired))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%d runs", s.Runs)
	if s.Against > 0 {
		fmt.Fprintf(w, " against %d; p is the probability of a difference at least as large if the means are equal in truth (t-test, two-sided)", s.Against)
	}
	fmt.Fprintln(w)
}

// orDash returns a number, or a dash if it is not defined.
func orDash(x float64) string {
	if math.IsNaN(x) {
		return "-"
	}
	return number(x)
}
