package curves

import (
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/debertac/debertac/cmd/debertac/picture"
)

// Sizes of a picture.
const (
	width   = 13 * vg.Centimeter // of a panel
	height  = 7.5 * vg.Centimeter
	columns = 2
	row     = 14 * vg.Length(1) // of the legend
	margin  = 10 * vg.Length(1)
)

// colours are those of Okabe and Ito, which people who confuse colours can tell apart.
var colours = []color.NRGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0xd5, 0x5e, 0x00, 0xff}, {0x00, 0x9e, 0x73, 0xff}, {0xcc, 0x79, 0xa7, 0xff}, {0xe6, 0x9f, 0x00, 0xff}, {0x56, 0xb4, 0xe9, 0xff},
	{0x00, 0x00, 0x00, 0xff}, {0x99, 0x99, 0x99, 0xff},
}

// colour returns the colour of a slot, with an opacity.
func colour(slot int, alpha uint8) color.Color {
	c := colours[slot%len(colours)]
	c.A = alpha
	return c
}

// pattern returns the dashes of a slot: colours repeat with other dashes.
func pattern(slot int, dashed bool) []vg.Length {
	switch {
	case dashed:
		return []vg.Length{4, 3}
	case slot >= len(colours):
		return []vg.Length{8, 2, 2, 2}
	}
	return nil
}

// PNG returns the picture of runs as a PNG.
func PNG(runs []*Run, o Options) ([]byte, error) {
	list, groups, err := panels(runs, o)
	if err != nil {
		return nil, err
	}
	w, h := size(len(list), len(groups))
	return picture.PNG(w, h, func(c draw.Canvas) error { return drawAll(c, list, groups) })
}

// SVG returns the picture of runs as an SVG.
func SVG(runs []*Run, o Options) ([]byte, error) {
	list, groups, err := panels(runs, o)
	if err != nil {
		return nil, err
	}
	w, h := size(len(list), len(groups))
	return picture.SVG(w, h, func(c draw.Canvas) error { return drawAll(c, list, groups) })
}

// size returns the size of a picture of panels, and of a legend of entries.
func size(panels, entries int) (w, h vg.Length) {
	across := min(columns, panels)
	rows := (panels + across - 1) / across
	return vg.Length(across) * width, vg.Length(rows)*height + legendHeight(entries)
}

// legendHeight returns the height of the legend, which a single curve does not need.
func legendHeight(entries int) vg.Length {
	if entries < 2 {
		return 0
	}
	return vg.Length(entries)*row + margin
}

// drawAll draws the legend and all panels.
func drawAll(c draw.Canvas, list []panel, groups []group) error {
	legend(c, groups)
	area := draw.Crop(c, 0, 0, 0, -legendHeight(len(groups)))
	across := min(columns, len(list))
	down := (len(list) + across - 1) / across
	first, last := reach(list)
	tiles := draw.Tiles{Cols: across, Rows: down, PadX: margin, PadY: margin, PadTop: margin / 2, PadBottom: margin / 2, PadLeft: margin / 2, PadRight: margin}
	for i := range list {
		p, err := list[i].plot()
		if err != nil {
			return err
		}
		p.X.Min, p.X.Max = first, last
		p.Draw(tiles.At(area, i%across, i/across))
	}
	return nil
}

// reach returns the first and the last steps of all panels, which have one scale.
func reach(list []panel) (first, last float64) {
	first, last = math.Inf(1), math.Inf(-1)
	for _, p := range list {
		for _, c := range p.curves {
			for _, x := range c.points {
				first, last = min(first, x.step), max(last, x.step)
			}
		}
	}
	return apart(first, last, 1)
}

// apart returns the ends of an axis for numbers from low to high. Ends that are equal, or so near each other that float64 has few numbers between them, are
// moved apart by pad or more: the search for the marks of an axis does not end where adding 1 to a float64 does not change it.
func apart(low, high, pad float64) (float64, float64) {
	size := max(math.Abs(low), math.Abs(high))
	if low == high || high-low < size*1e-12 {
		pad = max(pad, size*1e-9)
		return low - pad, high + pad
	}
	return low, high
}

// legend draws the names of the curves at the top.
func legend(c draw.Canvas, groups []group) {
	if len(groups) < 2 {
		return
	}
	style := text.Style{Color: color.Black, Font: picture.Sans(10), YAlign: text.YCenter, Handler: plot.DefaultTextHandler}
	for i, g := range groups {
		y := c.Max.Y - margin/2 - (vg.Length(i)+0.5)*row
		line := draw.LineStyle{Color: colour(i, 0xff), Width: 2, Dashes: pattern(i, false)}
		c.StrokeLine2(line, c.Min.X+margin, y, c.Min.X+margin+24, y)
		c.FillText(style, vg.Point{X: c.Min.X + margin + 30, Y: y}, g.name)
	}
}

// plot returns the picture of a metric.
func (p *panel) plot() (*plot.Plot, error) {
	q := plot.New()
	q.Title.Text = p.title
	q.Title.TextStyle.Font = picture.Sans(11)
	q.X.Label.Text = "steps"
	q.X.Label.TextStyle.Font, q.X.Tick.Label.Font, q.Y.Tick.Label.Font = picture.Sans(9), picture.Sans(9), picture.Sans(9)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{0xe4}, color.Gray{0xe4}
	q.Add(grid)
	for _, c := range p.curves {
		if err := c.addTo(q); err != nil {
			return nil, err
		}
	}
	pad := max(math.Abs(q.Y.Min), math.Abs(q.Y.Max)) / 10
	if pad < 1e-300 { // near the smallest numbers, marks have no distance
		pad = 1
	}
	q.Y.Min, q.Y.Max = apart(q.Y.Min, q.Y.Max, pad)
	return q, nil
}

// addTo draws a curve: its band, what was smoothed, its line, and its points if they are few.
func (c *curve) addTo(q *plot.Plot) error {
	if c.spread != nil {
		var edge plotter.XYs
		for i, p := range c.points {
			edge = append(edge, plotter.XY{X: p.step, Y: p.value + c.spread[i]})
		}
		for i := len(c.points) - 1; i >= 0; i-- {
			edge = append(edge, plotter.XY{X: c.points[i].step, Y: c.points[i].value - c.spread[i]})
		}
		band, err := plotter.NewPolygon(edge)
		if err != nil {
			return err
		}
		band.Color, band.LineStyle.Width = colour(c.slot, 0x40), 0
		q.Add(band)
	}
	if c.raw != nil {
		if err := c.line(q, c.raw, colour(c.slot, 0x50), 0.75); err != nil {
			return err
		}
	}
	if err := c.line(q, c.points, colour(c.slot, 0xff), 1.5); err != nil {
		return err
	}
	const few = 60
	if len(c.points) > few {
		return nil
	}
	dots, err := plotter.NewScatter(xys(c.points))
	if err != nil {
		return err
	}
	dots.GlyphStyle = draw.GlyphStyle{Color: colour(c.slot, 0xff), Radius: 1.8, Shape: draw.CircleGlyph{}}
	q.Add(dots)
	return nil
}

// line draws a line through points.
func (c *curve) line(q *plot.Plot, points []point, ink color.Color, thick vg.Length) error {
	l, err := plotter.NewLine(xys(thinned(points)))
	if err != nil {
		return err
	}
	l.LineStyle = draw.LineStyle{Color: ink, Width: thick, Dashes: pattern(c.slot, c.dashed)}
	q.Add(l)
	return nil
}

// xys converts points.
func xys(points []point) plotter.XYs {
	list := make(plotter.XYs, len(points))
	for i, p := range points {
		list[i] = plotter.XY{X: p.step, Y: p.value}
	}
	return list
}

// most bounds the points of a line: more than a picture has dots side by side are not seen.
const most = 4000

// thinned keeps, of a line with too many points, the smallest and the largest of each stretch, so the line covers the same dots.
func thinned(points []point) []point {
	if len(points) <= most {
		return points
	}
	var out []point
	stretches := most / 2
	for i := range stretches {
		part := points[i*len(points)/stretches : (i+1)*len(points)/stretches]
		low, high := 0, 0
		for k, p := range part {
			if p.value < part[low].value {
				low = k
			}
			if p.value > part[high].value {
				high = k
			}
		}
		out = append(out, part[min(low, high)])
		if low != high {
			out = append(out, part[max(low, high)])
		}
	}
	return out
}
