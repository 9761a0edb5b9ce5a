package measure

import (
	"fmt"
	"image/color"
	"math"
)

// Sizes in pixels of an SVG; a PNG has pngScale times as many.
const (
	panelWidth, panelHeight = 520.0, 430.0
	margin                  = 20.0 // between charts
	left, right             = 72.0, 14.0
	top, bottom             = 40.0, 54.0
	textSize                = 12.0
	letter                  = 0.6 * textSize // about the advance of a character, to keep labels apart
)

var (
	black = color.RGBA{27, 31, 36, 255}
	grey  = color.RGBA{220, 224, 229, 255}
)

// dashes tell curves apart beyond the number of colours.
var dashes = [][]float64{nil, {7, 4}, {2, 3}}

// point is a place in a chart or in a drawing.
type point struct{ x, y float64 }

// curve is a line through measured points. bars holds half the height of the error bar at each point; nil means no bars.
type curve struct {
	name   string
	points []point
	bars   []float64
}

// chart is a set of curves over one axis. Its vertical axis begins at 0: a truncated one makes small differences look large.
type chart struct {
	title, x, y string
	at          []float64 // where the horizontal axis has its marks, rising
	curves      []curve
}

// draw adds the chart to a drawing, with the chart's left edge at x0.
func (c *chart) draw(d *drawing, x0 float64) {
	low, high, most := c.at[0], c.at[len(c.at)-1], 0.0
	if low == high {
		low, high = low-1, high+1
	}
	for _, k := range c.curves {
		for i, p := range k.points {
			v := p.y
			if k.bars != nil {
				v += k.bars[i]
			}
			most = max(most, v)
		}
	}
	step := niceStep(most)
	most = max(most*1.15, step)
	width, height := panelWidth-left-right, panelHeight-top-bottom
	place := func(p point) point {
		return point{x0 + left + width*(0.04+0.92*(p.x-low)/(high-low)), panelHeight - bottom - height*p.y/most}
	}
	base, edge := panelHeight-bottom, x0+left
	for i := 0; float64(i)*step <= most; i++ {
		v := float64(i) * step
		y := place(point{low, v}).y
		d.line(grey, 1, nil, point{edge, y}, point{edge + width, y})
		d.text(point{edge - 8, y + 4}, fmt.Sprintf("%.6g", v), 1)
	}
	free := math.Inf(-1)
	for _, v := range c.at {
		x, text := place(point{v, 0}).x, fmt.Sprintf("%.4g", v)
		d.line(grey, 1, nil, point{x, top}, point{x, base})
		if half := letter * float64(len(text)) / 2; x-half > free { // a label that would lie on the one before it is left out
			d.text(point{x, base + 18}, text, 0.5)
			free = x + half + letter/2
		}
	}
	d.line(black, 1, nil, point{edge, top}, point{edge, base}, point{edge + width, base})
	d.labels = append(d.labels,
		text{point{edge + width/2, top - 16}, c.title, 0.5, 1.25, false}, text{point{edge + width/2, panelHeight - 12}, c.x, 0.5, 1, false},
		text{point{x0 + 16, top + height/2}, c.y, 0.5, 1, true})
	for i, k := range c.curves {
		ink, dash := colours[i%len(colours)], dashes[i/len(colours)%len(dashes)]
		var line []point
		for n, p := range k.points {
			at := place(p)
			line = append(line, at)
			d.dot(ink, at, 3)
			if k.bars == nil || k.bars[n] == 0 {
				continue
			}
			from, to := place(point{p.x, max(p.y-k.bars[n], 0)}), place(point{p.x, p.y + k.bars[n]})
			d.line(ink, 1, nil, from, to)
			for _, end := range []point{from, to} {
				d.line(ink, 1, nil, point{end.x - 4, end.y}, point{end.x + 4, end.y})
			}
		}
		d.line(ink, 2, dash, line...)
		y := top + 14 + 16*float64(i)
		d.line(ink, 2, dash, point{edge + 10, y}, point{edge + 38, y})
		d.dot(ink, point{edge + 24, y}, 3)
		d.text(point{edge + 46, y + 4}, k.name, 0)
	}
}

// niceStep is the distance of the marks of an axis from 0 to most: 1, 2 or 5 times a power of ten, for four to ten marks.
func niceStep(most float64) float64 {
	if !(most > 0) || math.IsInf(most, 0) {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(most/4)))
	for _, k := range []float64{5, 2} {
		if k*power <= most/4 {
			return k * power
		}
	}
	return power
}
