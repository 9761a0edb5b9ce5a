package graph

import (
	"fmt"
	"html"
	"strings"
)

// Distances of panels, in pixels.
const (
	margin     = 24.0
	panelPad   = 18.0
	panelHead  = 44.0
	panelGap   = 34.0
	loopSpace  = 46.0 // space left of the boxes of a panel that is called several times
	laneStep   = 12.0
	titleStep  = 20.0
	aboutWidth = 110 // characters of a panel's second line
)

// palette has the colours of slots. Slots beyond its length use the colours again from the first.
var palette = []string{"#4e79a7", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#9c755f", "#edc948", "#ff9da7", "#bab0ac"}

func colour(slot int) string {
	if slot < 0 {
		return "#8a8f98"
	}
	return palette[slot%len(palette)]
}

// SVG draws pictures below each other as one SVG document. The document needs a monospaced font and no other file.
func SVG(pictures []*Picture) []byte {
	s := &svg{}
	y, w := margin, 0.0
	for i, p := range pictures {
		if i > 0 {
			y += 2 * panelGap
		}
		wide, high := s.picture(p, y)
		y += high
		w = max(w, wide)
	}
	var out strings.Builder
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" font-family="ui-monospace, Menlo, `+
		`Consolas, 'DejaVu Sans Mono', monospace" font-size="%.0f">`+"\n",
		w+2*margin, y+margin, w+2*margin, y+margin, fontSize)
	out.WriteString(`<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0 L8 4 L0 8 ` +
		`z" fill="#5b6470"/></marker></defs>` + "\n")
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="#ffffff"/>`+"\n")
	out.WriteString(s.text.String())
	out.WriteString("</svg>\n")
	return []byte(out.String())
}

// svg collects the elements of a document.
type svg struct{ text strings.Builder }

func (s *svg) add(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

// label writes a text whose baseline is at y.
func (s *svg) label(x, y float64, style, text string) {
	s.add(`<text x="%.1f" y="%.1f" %s>%s</text>`, x, y, style, html.EscapeString(text))
}

// frame is the rectangle of a panel.
type frame struct{ x, y, w, h, left float64 }

// picture draws one program, from y downwards, and returns the size that it takes.
func (s *svg) picture(p *Picture, y float64) (w, h float64) {
	top := y
	s.label(margin, y+16, `font-size="17" font-weight="bold" fill="#1b1f24"`, p.Title)
	y += titleStep + 8
	for _, n := range p.Notes {
		s.label(margin, y+8, `fill="#4b535d"`, n)
		y += lineStep + 2
	}
	y += 10
	y = s.legend(p, y)
	frames := map[*Panel]frame{}
	columns := [2]float64{margin, 0} // the run; to its right, what is computed when weights are packed
	wide := [2]float64{}
	for _, x := range p.Panels {
		boxes, high := x.layOut()
		f := frame{w: max(boxes, width(x.head())*1.1, width(shortenTo(x.About, aboutWidth))) + 2*panelPad, h: high + panelHead + panelPad}
		f.left = panelPad
		if x.Times > 1 {
			f.left += loopSpace
			f.w += loopSpace
		}
		f.left += max(0, (f.w-f.left-panelPad-boxes)/2)
		frames[x] = f
		c := column(x)
		wide[c] = max(wide[c], f.w)
	}
	lanes := s.lanes(p)
	columns[1] = columns[0] + wide[0] + float64(lanes+2)*laneStep + panelGap
	bottoms := [2]float64{y, y}
	for _, x := range p.Panels {
		f, c := frames[x], column(x)
		f.x, f.y = columns[c]+(wide[c]-f.w)/2, bottoms[c]
		bottoms[c] += f.h + panelGap
		frames[x] = f
		for _, b := range x.Boxes {
			b.move(f.x+f.left, f.y+panelHead)
		}
	}
	for _, x := range p.Panels {
		s.panel(x, frames[x])
	}
	s.links(p, frames, columns[0]+wide[0])
	for _, x := range p.Panels {
		for _, b := range x.Boxes {
			s.box(b)
		}
	}
	w = columns[0] + wide[0] - margin + float64(lanes+1)*laneStep
	if wide[1] > 0 {
		w = columns[1] + wide[1] - margin
	}
	return max(w, width(p.Title)*1.5), max(bottoms[0], bottoms[1]) - top
}

func column(p *Panel) int {
	if p.Pack {
		return 1
	}
	return 0
}

// legend lists the slots of the arena.
func (s *svg) legend(p *Picture, y float64) float64 {
	if len(p.Slots) == 0 {
		return y
	}
	s.label(margin, y+8, `font-weight="bold" fill="#1b1f24"`, "arena: values of one slot share memory")
	y += lineStep + 6
	for _, x := range p.Slots {
		s.add(`<rect x="%.1f" y="%.1f" width="12" height="12" rx="2" fill="%s"/>`, margin, y-2, colour(x.Number))
		s.label(margin+20, y+8, `fill="#1b1f24"`, fmt.Sprintf("slot %d", x.Number))
		s.add(`<g><title>%s</title>`, html.EscapeString(strings.Join(x.Values, "\n")))
		s.label(margin+82, y+8, `fill="#4b535d"`, fmt.Sprintf("%s, %d values", x.Size, len(x.Values)))
		s.add(`</g>`)
		y += lineStep + 4
	}
	return y + 16
}

// head returns a panel's first line.
func (p *Panel) head() string {
	switch {
	case p.Times > 1:
		return fmt.Sprintf("%s × %d, layers %d to %d", p.Name, p.Times, p.First, p.First+p.Times-1)
	case p.Pack:
		return p.Name + ", when weights are packed"
	}
	return p.Name
}

// shortenTo cuts the end off a text that is too long.
func shortenTo(text string, most int) string {
	r := []rune(text)
	if len(r) <= most {
		return text
	}
	return string(r[:most-1]) + "…"
}

// panel draws a panel with the edges inside it.
func (s *svg) panel(p *Panel, f frame) {
	fill := "#f6f8fa"
	if p.Pack {
		fill = "#fbf7ef"
	}
	s.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="10" fill="%s" stroke="#d0d7de"/>`, f.x, f.y, f.w, f.h, fill)
	s.label(f.x+panelPad, f.y+20, `font-size="14" font-weight="bold" fill="#1b1f24"`, p.head())
	s.add(`<g><title>%s</title>`, html.EscapeString(p.About))
	s.label(f.x+panelPad, f.y+35, `font-size="11" fill="#6a737d"`, shortenTo(p.About, aboutWidth))
	s.add(`</g>`)
	if p.Times > 1 {
		s.loop(p, f)
	}
	for _, b := range p.Boxes {
		for _, e := range b.To {
			s.edge(b, e)
		}
	}
}

// loop draws an arrow from a panel's last result back to its first input.
func (s *svg) loop(p *Panel, f frame) {
	x, top, bottom := f.x+panelPad+10, f.y+panelHead+14, f.y+f.h-panelPad-14
	s.add(`<path d="M%.1f %.1f H%.1f V%.1f H%.1f" fill="none" stroke="#8a8f98" stroke-width="1.5" stroke-dasharray="5 3" marker-end="url(#tip)"/>`,
		x+24, bottom, x, top, x+24)
	s.label(x-10, (top+bottom)/2, fmt.Sprintf(`font-weight="bold" fill="#4b535d" transform="rotate(-90 %.1f %.1f)" text-anchor="middle"`, x-4,
		(top+bottom)/2), fmt.Sprintf("× %d", p.Times))
}

// edge draws an edge inside a panel as a smooth line through the ranks that it passes.
func (s *svg) edge(b *Box, e Edge) {
	points := append([]point{{b.x + b.w/2, b.y + b.h}}, e.via...)
	points = append(points, point{e.To.x + e.To.w/2, e.To.y - 1})
	path := fmt.Sprintf("M%.1f %.1f", points[0].x, points[0].y)
	for i := 1; i < len(points); i++ {
		p, q := points[i-1], points[i]
		bend := (q.y - p.y) / 2
		path += fmt.Sprintf(" C%.1f %.1f %.1f %.1f %.1f %.1f", p.x, p.y+bend, q.x, q.y-bend, q.x, q.y)
	}
	s.add(`<path d="%s" fill="none" stroke="%s" stroke-width="1.6" marker-end="url(#tip)"/>`, path, colour(b.Slot))
}

// lanes counts the links that do not lead straight to the next panel: each has a lane of its own at the side.
func (s *svg) lanes(p *Picture) int {
	n := 0
	for _, l := range p.Links {
		if !p.next(l) {
			n++
		}
	}
	return n
}

// next reports whether a link leads from a panel to the one right below it.
func (p *Picture) next(l Link) bool {
	for i := range p.Panels[1:] {
		if p.Panels[i] == l.Source && p.Panels[i+1] == l.Dest {
			return l.Source.Pack == l.Dest.Pack
		}
	}
	return false
}

// links draws the values that calls pass to later ones: straight down to the next panel, or through a lane at the right of the column.
func (s *svg) links(p *Picture, frames map[*Panel]frame, right float64) {
	lane := right + laneStep
	for _, l := range p.Links {
		from, to := l.From, l.To
		if p.next(l) {
			x1, y1, x2, y2 := from.x+from.w/2, from.y+from.h, to.x+to.w/2, to.y-1
			bend := (y2 - y1) / 2
			s.add(`<path d="M%.1f %.1f C%.1f %.1f %.1f %.1f %.1f %.1f" fill="none" stroke="#5b6470" stroke-width="2" marker-end="url(#tip)"/>`, x1,
				y1, x1, y1+bend, x2, y2-bend, x2, y2)
			continue
		}
		side := to.x + to.w + 1
		if l.Dest.Pack {
			side = to.x - 1
		}
		s.add(`<path d="M%.1f %.1f H%.1f V%.1f H%.1f" fill="none" stroke="#5b6470" stroke-width="1.5" stroke-opacity="0.7" marker-end="url(#tip)"/>`,
			from.x+from.w, from.y+from.h/2, lane, to.y+to.h/2, side)
		lane += laneStep
	}
}

// styles are the looks of a box's lines.
var styles = map[Role]string{
	Shape: `fill="#1b1f24"`, Weights: `fill="#7a4b00"`, Reads: `fill="#4b535d"`, Source: `fill="#0b5394" font-style="italic"`, Kernel: `fill="#6a737d"`,
}

// box draws an operation or an end.
func (s *svg) box(b *Box) {
	stroke, radius, fill := colour(b.Slot), 5.0, "#ffffff"
	if b.End {
		radius, fill = b.h/2, "#eef1f4"
	}
	s.add(`<g><title>%s</title>`, html.EscapeString(b.Tip))
	s.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%.1f" fill="%s" stroke="%s" stroke-width="2"/>`, b.x, b.y, b.w, b.h, radius, fill, stroke)
	y := b.y + padding + 10
	s.label(b.x+b.w/2, y, `font-weight="bold" text-anchor="middle" fill="#1b1f24"`, shorten(b.Op))
	y += lineStep
	if len(b.Parts) > 0 {
		x := b.x + (b.w-b.partsWidth())/2
		for _, p := range b.Parts {
			w := width(p) + chipPadding
			s.add(`<rect x="%.1f" y="%.1f" width="%.1f" height="18" rx="4" fill="#ddf4e4" stroke="#9bd3ad"/>`, x, y-10, w)
			s.label(x+w/2, y+3, `text-anchor="middle" fill="#14532d"`, p)
			x += w + chipGap
		}
		y += lineStep + 7
	}
	for _, l := range b.Lines {
		s.label(b.x+b.w/2, y, styles[l.Role]+` text-anchor="middle"`, shorten(l.Text))
		y += lineStep
	}
	s.add(`</g>`)
}
