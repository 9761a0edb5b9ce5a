package measure

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// CheckPlotName reports why no plot can be written under a name; the ending decides the format.
func CheckPlotName(name string) error {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".png", ".svg":
		return nil
	}
	return fmt.Errorf("%s: a plot is written as .png or .svg", name)
}

// colours are told apart by people with the common forms of colour blindness (Okabe and Ito).
var colours = []color.RGBA{{0, 114, 178, 255}, {213, 94, 0, 255}, {0, 158, 115, 255}, {204, 121, 167, 255}, {230, 159, 0, 255}, {86, 180, 233, 255}, {0, 0, 0, 255}}

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
	latency, throughput := plot.New(), plot.New()
	latency.Title.Text, latency.Y.Label.Text = "latency", "median of a call, ms"
	throughput.Title.Text, throughput.Y.Label.Text = "throughput", "tokens/s"
	for _, p := range []*plot.Plot{latency, throughput} {
		p.X.Label.Text = x.name
		p.X.Tick.Marker = ticksAt(results, x)
		p.Y.Min = 0
		p.Legend.Top, p.Legend.Left = true, true
		p.Add(plotter.NewGrid())
	}
	for i, n := range names {
		rs := lines[n]
		slices.SortStableFunc(rs, func(a, b *Result) int {
			if x.of(a) < x.of(b) {
				return -1
			}
			return 1
		})
		ms, rate := make(plotter.XYs, len(rs)), make(plotter.XYs, len(rs))
		bars := make(plotter.YErrors, len(rs))
		for k, r := range rs {
			ms[k] = plotter.XY{X: x.of(r), Y: r.P50MS}
			rate[k] = plotter.XY{X: x.of(r), Y: r.TokensPerS}
			bars[k].Low, bars[k].High = r.DeviationMS, r.DeviationMS
		}
		if err := add(latency, ms, n, i); err != nil {
			return nil, err
		}
		errors, err := plotter.NewYErrorBars(struct {
			plotter.XYs
			plotter.YErrors
		}{ms, bars})
		if err != nil {
			return nil, err
		}
		errors.Color = colours[i%len(colours)]
		latency.Add(errors)
		if err := add(throughput, rate, n, i); err != nil {
			return nil, err
		}
	}
	for _, p := range []*plot.Plot{latency, throughput} {
		p.Y.Min = 0 // a truncated axis makes small differences look large
		p.Y.Max *= 1.15
	}
	return paint(name, latency, throughput)
}

// add draws one line with its points.
func add(p *plot.Plot, xy plotter.XYs, name string, i int) error {
	line, points, err := plotter.NewLinePoints(xy)
	if err != nil {
		return err
	}
	line.Color, points.Color = colours[i%len(colours)], colours[i%len(colours)]
	line.Width = vg.Points(1.5)
	line.Dashes = [][]vg.Length{nil, {vg.Points(5), vg.Points(3)}, {vg.Points(1.5), vg.Points(2)}}[i/len(colours)%3]
	points.Shape = draw.CircleGlyph{}
	p.Add(line, points)
	p.Legend.Add(name, line, points)
	return nil
}

// ticksAt puts a mark at each measured place of the axis.
func ticksAt(results []Result, x axis) plot.ConstantTicks {
	var at []float64
	for i := range results {
		at = append(at, x.of(&results[i]))
	}
	slices.Sort(at)
	var ticks plot.ConstantTicks
	for _, v := range slices.Compact(at) {
		ticks = append(ticks, plot.Tick{Value: v, Label: fmt.Sprintf("%.4g", v)})
	}
	return ticks
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

// paint puts the plots side by side.
func paint(name string, plots ...*plot.Plot) ([]byte, error) {
	const width, height = 28 * vg.Centimeter, 12 * vg.Centimeter
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Centimeter, PadTop: vg.Points(6), PadBottom: vg.Points(6), PadLeft: vg.Points(6), PadRight: vg.Points(12)}
	var b bytes.Buffer
	place := func(c draw.Canvas) {
		for i, row := range plot.Align([][]*plot.Plot{plots}, tiles, c)[0] {
			plots[i].Draw(row)
		}
	}
	if strings.EqualFold(filepath.Ext(name), ".svg") {
		c := vgsvg.New(width, height)
		place(draw.New(c))
		_, err := c.WriteTo(&b)
		return b.Bytes(), err
	}
	c := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(110))
	place(draw.New(c))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&b)
	return b.Bytes(), err
}
