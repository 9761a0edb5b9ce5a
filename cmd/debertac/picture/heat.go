package picture

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Map is a matrix as a picture: a cell per number, the darker, the larger the number is.
type Map struct {
	Title string
	Rows  [][]float64 // from top to bottom; no number is below 0
}

// Heat is a picture of maps beside each other, all with one scale.
type Heat struct {
	Maps   []Map
	Across int     // maps beside each other
	Top    float64 // the number of the darkest colour; larger numbers have it too
	Unit   string  // what the numbers are, under the scale
}

// Sizes of a heat map.
const (
	side   = 180 * vg.Length(1) // of a map, at most
	gap    = 12 * vg.Length(1)
	title  = 18 * vg.Length(1)
	foot   = 34 * vg.Length(1) // of the scale, with its text
	levels = 32                // colours
)

// PNG returns the picture as a PNG.
func (h *Heat) PNG() ([]byte, error) { return h.make(PNG) }

// SVG returns the picture as an SVG.
func (h *Heat) SVG() ([]byte, error) { return h.make(SVG) }

// make draws the picture in a format.
func (h *Heat) make(format func(w, h vg.Length, paint func(draw.Canvas) error) ([]byte, error)) ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	down := (len(h.Maps) + h.Across - 1) / h.Across
	across := vg.Length(min(h.Across, len(h.Maps)))
	return format(across*(side+gap)+gap, vg.Length(down)*(title+side+gap)+gap+foot, func(c draw.Canvas) error {
		for i := range h.Maps {
			at := vg.Point{X: c.Min.X + gap + vg.Length(i%h.Across)*(side+gap), Y: c.Max.Y - gap - vg.Length(i/h.Across)*(title+side+gap)}
			h.draw(c, &h.Maps[i], at)
		}
		h.scale(c)
		return nil
	})
}

// check returns an error if something cannot be drawn.
func (h *Heat) check() error {
	if len(h.Maps) == 0 || h.Across < 1 || !(h.Top > 0) || math.IsInf(h.Top, 0) {
		return fmt.Errorf("a picture of %d maps, %d in a row, with numbers up to %v: want at least one of each, and a number above 0", len(h.Maps),
			h.Across, h.Top)
	}
	for i := range h.Maps {
		m := &h.Maps[i]
		if len(m.Rows) == 0 || len(m.Rows[0]) == 0 {
			return fmt.Errorf("%s: the map is empty", m.Title)
		}
		for r, row := range m.Rows {
			if len(row) != len(m.Rows[0]) {
				return fmt.Errorf("%s: row %d has %d numbers, and row 0 has %d", m.Title, r, len(row), len(m.Rows[0]))
			}
			for _, v := range row {
				if !(v >= 0) || math.IsInf(v, 0) {
					return fmt.Errorf("%s: row %d has the number %v, want finite numbers that are not below 0", m.Title, r, v)
				}
			}
		}
	}
	return nil
}

// draw draws a map with its title. The upper left corner is at a point. Cells of one colour are one path, and neighbours in a row are one rectangle.
func (h *Heat) draw(c draw.Canvas, m *Map, at vg.Point) {
	style := text.Style{Color: color.Black, Font: Sans(11), YAlign: text.YTop, Handler: plot.DefaultTextHandler}
	c.FillText(style, at, m.Title)
	down, across := len(m.Rows), len(m.Rows[0])
	cell := side / vg.Length(max(down, across))
	if whole := vg.Length(math.Floor(2*float64(cell))) / 2; whole > 0 {
		cell = whole // its edges lie between the dots of a PNG
	}
	x, y := at.X, at.Y-title
	var paths [levels]vg.Path
	for r, row := range m.Rows {
		for from := 0; from < across; {
			k, to := h.level(row[from]), from+1
			for to < across && h.level(row[to]) == k {
				to++
			}
			if k > 0 {
				box(&paths[k], x+vg.Length(from)*cell, y-vg.Length(r)*cell, vg.Length(to-from)*cell, cell)
			}
			from = to
		}
	}
	for k := range paths {
		if len(paths[k]) > 0 {
			c.SetColor(shade(k))
			c.Fill(paths[k])
		}
	}
	var edge vg.Path
	box(&edge, x, y, vg.Length(across)*cell, vg.Length(down)*cell)
	c.SetColor(color.Gray{0xa0})
	c.SetLineWidth(0.5)
	c.Stroke(edge)
}

// scale draws the colours with their numbers at the foot of the picture.
func (h *Heat) scale(c draw.Canvas) {
	const wide, high = 4 * vg.Length(1), 8 * vg.Length(1)
	x, y := c.Min.X+gap, c.Min.Y+foot-gap/2
	for k := range levels {
		var p vg.Path
		box(&p, x+vg.Length(k)*wide, y, wide, high)
		c.SetColor(shade(k))
		c.Fill(p)
	}
	style := text.Style{Color: color.Black, Font: Sans(9), YAlign: text.YTop, Handler: plot.DefaultTextHandler}
	c.FillText(style, vg.Point{X: x, Y: y - high - 3}, "0")
	c.FillText(style, vg.Point{X: x + levels*wide + 6, Y: y + 1}, h.Unit)
	style.XAlign = text.XRight
	c.FillText(style, vg.Point{X: x + levels*wide, Y: y - high - 3}, fmt.Sprintf("%.3g", h.Top))
}

// level returns the colour of a number.
func (h *Heat) level(v float64) int { return int(min(v/h.Top, 1)*(levels-1) + 0.5) }

// shade returns a colour, from white over blue to nearly black.
func shade(k int) color.Color {
	stops := [][3]float64{{255, 255, 255}, {0x86, 0xbd, 0xe0}, {0x00, 0x72, 0xb2}, {0x06, 0x1a, 0x33}}
	at := float64(k) / (levels - 1) * float64(len(stops)-1)
	i := min(int(at), len(stops)-2)
	part := func(n int) uint8 { return uint8(stops[i][n] + (at-float64(i))*(stops[i+1][n]-stops[i][n]) + 0.5) }
	return color.NRGBA{part(0), part(1), part(2), 0xff}
}

// box adds a rectangle to a path. Its upper left corner is at (x, y).
func box(p *vg.Path, x, y, w, h vg.Length) {
	p.Move(vg.Point{X: x, Y: y})
	p.Line(vg.Point{X: x + w, Y: y})
	p.Line(vg.Point{X: x + w, Y: y - h})
	p.Line(vg.Point{X: x, Y: y - h})
	p.Close()
}
