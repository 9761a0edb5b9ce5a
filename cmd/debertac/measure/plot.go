package measure

import (
	"cmp"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
)

// CheckPlotName returns an error if no plot can be written under a name. The extension decides the format.
func CheckPlotName(name string) error {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".svg":
		return nil
	}
	return fmt.Errorf("%s: a plot is written as .png or .svg", name)
}

// colours can be told apart by people with the common forms of colour blindness (Okabe and Ito).
var colours = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255},
	{0, 0, 0, 255}}

// axis is what a sweep varies along the horizontal axis.
type axis struct {
	name string
	of   func(*Result) float64
}

var axes = []axis{
	{"tokens per sequence", func(r *Result) float64 { return r.Tokens }},
	{"sequences per call", func(r *Result) float64 { return float64(r.Batch) }},
	{"threads", func(r *Result) float64 { return float64(r.Threads) }},
}

// Plot draws a sweep: latency and throughput over the first of tokens, batch and threads that varies, with a line for each combination of the
// others. The bars of the latency reach one standard deviation of the rounds' medians to each side. name decides the format: .png or .svg.
func Plot(name string, results []Result) ([]byte, error) {
	if err := CheckPlotName(name); err != nil {
		return nil, err
	}
	x := axes[0]
	for _, a := range axes {
		if slices.ContainsFunc(results, func(r Result) bool { return a.of(&r) != a.of(&results[0]) }) {
			x = a
			break
		}
	}
	var names []string
	lines := map[string][]*Result{}
	for i := range results {
		n := label(&results[i], x.name, results)
		if lines[n] == nil {
			names = append(names, n)
		}
		lines[n] = append(lines[n], &results[i])
	}
	latency, throughput := &chart{title: "latency", y: "median of a call, ms"}, &chart{title: "throughput", y: "tokens/s"}
	for _, n := range names {
		rs := lines[n]
		slices.SortStableFunc(rs, func(a, b *Result) int { return cmp.Compare(x.of(a), x.of(b)) })
		ms, rate := curve{name: n}, curve{name: n}
		for _, r := range rs {
			ms.points = append(ms.points, point{x.of(r), r.P50MS})
			ms.bars = append(ms.bars, r.DeviationMS)
			rate.points = append(rate.points, point{x.of(r), r.TokensPerS})
		}
		latency.curves, throughput.curves = append(latency.curves, ms), append(throughput.curves, rate)
	}
	d := &drawing{width: 2*panelWidth + margin, height: panelHeight}
	for i, c := range []*chart{latency, throughput} {
		c.x = x.name
		for k := range results {
			c.at = append(c.at, x.of(&results[k]))
		}
		slices.Sort(c.at)
		c.at = slices.Compact(c.at)
		c.draw(d, float64(i)*(panelWidth+margin))
	}
	if strings.EqualFold(filepath.Ext(name), ".svg") {
		return d.svg(), nil
	}
	return d.png()
}

// label names a line: the model, and what else varies in the sweep.
func label(r *Result, x string, all []Result) string {
	parts := []string{r.Model}
	for _, v := range []struct {
		axis string
		text func(*Result) string
	}{
		{axes[0].name, func(r *Result) string { return fmt.Sprintf("%.4g tokens", r.Tokens) }},
		{axes[1].name, func(r *Result) string { return fmt.Sprintf("batch %d", r.Batch) }},
		{axes[2].name, func(r *Result) string { return fmt.Sprintf("threads %d", r.Threads) }},
		{"", func(r *Result) string { return r.ISA }},
		{"", func(r *Result) string { return r.Precision }},
	} {
		if v.axis != x && slices.ContainsFunc(all, func(o Result) bool { return v.text(&o) != v.text(r) }) {
			parts = append(parts, v.text(r))
		}
	}
	return strings.Join(parts, ", ")
}
