package measure

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/fixed"
	"golang.org/x/image/vector"
)

// pngScale is the number of pixels of a PNG per pixel of an SVG, in each direction.
const pngScale = 1.5

// drawing is the content of both formats: lines and dots, with labels on top.
type drawing struct {
	width, height float64
	shapes        []shape
	labels        []text
}

// shape is a line through points, or a dot at the only one.
type shape struct {
	ink    color.RGBA
	width  float64 // width of a line, or radius of a dot
	dash   []float64
	points []point
}

// text is a label. anchor is the share of the text that lies before the point; size is in units of textSize; a turned label is read upwards.
type text struct {
	at           point
	text         string
	anchor, size float64
	turned       bool
}

func (d *drawing) line(ink color.RGBA, width float64, dash []float64, points ...point) {
	if len(points) > 1 {
		d.shapes = append(d.shapes, shape{ink, width, dash, points})
	}
}

func (d *drawing) dot(ink color.RGBA, at point, radius float64) {
	d.shapes = append(d.shapes, shape{ink: ink, width: radius, points: []point{at}})
}

func (d *drawing) text(at point, words string, anchor float64) {
	d.labels = append(d.labels, text{at, words, anchor, 1, false})
}

// svg writes the drawing as SVG. It names fonts that systems have.
func (d *drawing) svg() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="Helvetica, Arial, `+
		`sans-serif">`+"\n", d.width, d.height, d.width, d.height)
	fmt.Fprintf(&b, `<rect width="%.0f" height="%.0f" fill="#ffffff"/>`+"\n", d.width, d.height)
	for _, s := range d.shapes {
		ink := fmt.Sprintf("#%02x%02x%02x", s.ink.R, s.ink.G, s.ink.B)
		if len(s.points) == 1 {
			fmt.Fprintf(&b, `<circle cx="%.2f" cy="%.2f" r="%g" fill="%s"/>`+"\n", s.points[0].x, s.points[0].y, s.width, ink)
			continue
		}
		fmt.Fprintf(&b, `<polyline fill="none" stroke="%s" stroke-width="%g" points="`, ink, s.width)
		for i, p := range s.points {
			if i > 0 {
				b.WriteByte(' ')
			}
			fmt.Fprintf(&b, "%.2f,%.2f", p.x, p.y)
		}
		b.WriteByte('"')
		if s.dash != nil {
			fmt.Fprintf(&b, ` stroke-dasharray="%g %g"`, s.dash[0], s.dash[1])
		}
		b.WriteString("/>\n")
	}
	for _, l := range d.labels {
		anchor := map[float64]string{0: "start", 0.5: "middle", 1: "end"}[l.anchor]
		turn := ""
		if l.turned {
			turn = fmt.Sprintf(` transform="rotate(-90 %.2f %.2f)"`, l.at.x, l.at.y)
		}
		fmt.Fprintf(&b, `<text x="%.2f" y="%.2f" font-size="%g" text-anchor="%s" fill="#1b1f24"%s>`, l.at.x, l.at.y, l.size*textSize, anchor, turn)
		_ = xml.EscapeText(&b, []byte(l.text)) // a buffer takes all
		b.WriteString("</text>\n")
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// png paints the drawing, with edges smoothed and the text in Go's own font.
func (d *drawing) png() ([]byte, error) {
	parsed, err := opentype.Parse(goregular.TTF)
	if err != nil {
		return nil, err
	}
	m := image.NewRGBA(image.Rect(0, 0, int(d.width*pngScale), int(d.height*pngScale)))
	draw.Draw(m, m.Bounds(), image.White, image.Point{}, draw.Src)
	for _, s := range d.shapes {
		s.paint(m)
	}
	for _, l := range d.labels {
		face, err := opentype.NewFace(parsed, &opentype.FaceOptions{Size: l.size * textSize * pngScale, DPI: 72, Hinting: font.HintingFull})
		if err != nil {
			return nil, err
		}
		l.paint(m, face)
	}
	var b bytes.Buffer
	err = png.Encode(&b, m)
	return b.Bytes(), err
}

// paint fills the area of a shape.
func (s *shape) paint(m *image.RGBA) {
	if len(s.points) == 1 {
		var corners []point
		for i := range 24 {
			sin, cos := math.Sincos(float64(i) / 24 * 2 * math.Pi)
			corners = append(corners, point{s.points[0].x + s.width*cos, s.points[0].y + s.width*sin})
		}
		fill(m, s.ink, corners)
	}
	for _, part := range s.strokes() {
		a, b := part[0], part[1]
		if length := math.Hypot(b.x-a.x, b.y-a.y); length > 0 {
			x, y := (b.y-a.y)/length*s.width/2, (a.x-b.x)/length*s.width/2
			fill(m, s.ink, []point{{a.x + x, a.y + y}, {b.x + x, b.y + y}, {b.x - x, b.y - y}, {a.x - x, a.y - y}})
		}
	}
}

// fill paints a polygon.
func fill(m *image.RGBA, ink color.RGBA, corners []point) {
	low, high := point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, p := range corners {
		low, high = point{min(low.x, p.x), min(low.y, p.y)}, point{max(high.x, p.x), max(high.y, p.y)}
	}
	at := image.Pt(int(math.Floor(low.x*pngScale)), int(math.Floor(low.y*pngScale)))
	size := image.Pt(int(math.Ceil(high.x*pngScale)), int(math.Ceil(high.y*pngScale))).Sub(at)
	z := vector.NewRasterizer(size.X, size.Y)
	for i, p := range corners {
		x, y := float32(p.x*pngScale-float64(at.X)), float32(p.y*pngScale-float64(at.Y))
		if i == 0 {
			z.MoveTo(x, y)
		} else {
			z.LineTo(x, y)
		}
	}
	z.ClosePath()
	z.Draw(m, image.Rectangle{at, at.Add(size)}, image.NewUniform(ink), image.Point{})
}

// strokes returns the straight parts of a line that are painted.
func (s *shape) strokes() (list [][2]point) {
	along, on := 0.0, 0 // the length that is left of the dash or gap, and whether it is a dash
	if s.dash != nil {
		along = s.dash[0]
	}
	for i := 1; i < len(s.points); i++ {
		a, b := s.points[i-1], s.points[i]
		if s.dash == nil {
			list = append(list, [2]point{a, b})
			continue
		}
		length := math.Hypot(b.x-a.x, b.y-a.y)
		for done := 0.0; done < length; {
			take := min(along, length-done)
			if on%2 == 0 {
				at := func(d float64) point { return point{a.x + (b.x-a.x)*d/length, a.y + (b.y-a.y)*d/length} }
				list = append(list, [2]point{at(done), at(done + take)})
			}
			done += take
			if along -= take; along <= 0 {
				on++
				along = s.dash[on%2]
			}
		}
	}
	return list
}

// paint writes a label.
func (l *text) paint(m *image.RGBA, face font.Face) {
	ink := image.NewUniform(black)
	width := font.MeasureString(face, l.text)
	x, y := l.at.x*pngScale, l.at.y*pngScale
	if !l.turned {
		dot := fixed.Point26_6{X: fixed.Int26_6(x*64) - fixed.Int26_6(l.anchor*float64(width)), Y: fixed.Int26_6(y * 64)}
		(&font.Drawer{Dst: m, Src: ink, Face: face, Dot: dot}).DrawString(l.text)
		return
	}
	// The label is written on a strip, whose pixels are then turned.
	rise := face.Metrics().Ascent.Ceil()
	strip := image.NewAlpha(image.Rect(0, 0, width.Ceil(), rise+face.Metrics().Descent.Ceil()))
	(&font.Drawer{Dst: strip, Src: image.Opaque, Face: face, Dot: fixed.P(0, rise)}).DrawString(l.text)
	turned := image.NewAlpha(image.Rect(0, 0, strip.Bounds().Dy(), strip.Bounds().Dx()))
	for v := range strip.Bounds().Dy() {
		for u := range strip.Bounds().Dx() {
			turned.SetAlpha(v, strip.Bounds().Dx()-1-u, strip.AlphaAt(u, v))
		}
	}
	corner := image.Pt(int(x)-rise, int(y+l.anchor*float64(width)/64)-strip.Bounds().Dx())
	draw.DrawMask(m, turned.Bounds().Add(corner), ink, image.Point{}, turned, image.Point{}, draw.Over)
}
