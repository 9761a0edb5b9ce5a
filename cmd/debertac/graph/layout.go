package graph

import (
	"cmp"
	"slices"
)

// Boxes are laid out in ranks (Sugiyama, Tagawa and Toda 1981). A box is below all boxes that it reads. An edge over several ranks passes each of
// them through a place of its own. The places of a rank are ordered by the mean position of the places that they are connected with, and moved below
// that mean where there is room.

// point is a place in a picture, in pixels.
type point struct{ x, y float64 }

// Distances in pixels. The font is monospaced, so that sizes can be computed without it.
const (
	fontSize  = 12.0
	letter    = 0.602 * fontSize // the advance of common monospaced fonts
	lineStep  = 15.0
	padding   = 8.0
	between   = 22.0 // boxes of a rank
	rankGap   = 30.0
	dummyWide = 10.0
	mostText  = 58 // characters in a line of a box; the whole text is in the box's tooltip
)

// place is the place of a box in its rank, or a point that an edge passes.
type place struct {
	box      *Box
	w        float64
	x        float64 // of the middle
	up, down []*place
	key      float64
}

// shorten cuts the middle out of a text that is too long.
func shorten(text string) string {
	r := []rune(text)
	if len(r) <= mostText {
		return text
	}
	return string(r[:mostText-24]) + "…" + string(r[len(r)-23:])
}

func width(text string) float64 { return letter * float64(len([]rune(text))) }

// measure sets a box's size.
func (b *Box) measure() {
	widest := width(shorten(b.Op)) * 1.06 // it is bold
	if len(b.Parts) > 0 {
		widest = max(widest, b.partsWidth())
	}
	for _, l := range b.Lines {
		widest = max(widest, width(shorten(l.Text)))
	}
	lines := 1 + len(b.Lines)
	b.w = widest + 2*padding
	b.h = float64(lines)*lineStep + 2*padding - 3
	if len(b.Parts) > 0 {
		b.h += lineStep + 7
	}
}

// partsWidth returns the width of the labels of fused parts.
func (b *Box) partsWidth() float64 {
	w := 0.0
	for _, p := range b.Parts {
		w += width(p) + chipPadding + chipGap
	}
	return w - chipGap
}

const (
	chipPadding = 12.0
	chipGap     = 4.0
)

// mostWide is the largest width of a row of unconnected parts of a panel.
const mostWide = 1500.0

// layOut places the boxes of a panel and returns the size that they take. Parts that are not connected are laid out separately, and placed side by
// side in rows.
func (p *Panel) layOut() (w, h float64) {
	x, y, row := 0.0, 0.0, 0.0
	for _, part := range p.components() {
		wide, high := part.layOut()
		if x > 0 && x+wide > mostWide {
			x, y, row = 0, y+row+rankGap, 0
		}
		for _, b := range part {
			b.move(x, y)
		}
		w, row = max(w, x+wide), max(row, high)
		x += wide + between
	}
	return w, y + row
}

// move moves a box with the edges that leave it.
func (b *Box) move(dx, dy float64) {
	b.x += dx
	b.y += dy
	for i := range b.To {
		for j := range b.To[i].via {
			b.To[i].via[j].x += dx
			b.To[i].via[j].y += dy
		}
	}
}

// part is a list of boxes that are connected, in the order of computation.
type part []*Box

// components splits a panel into its connected parts, in the order of their first boxes.
func (p *Panel) components() []part {
	of := map[*Box]int{}
	for i, b := range p.Boxes {
		of[b] = i
	}
	root := make([]int, len(p.Boxes))
	for i := range root {
		root[i] = i
	}
	var find func(int) int
	find = func(i int) int {
		if root[i] != i {
			root[i] = find(root[i])
		}
		return root[i]
	}
	for i, b := range p.Boxes {
		for _, e := range b.To {
			x, y := find(i), find(of[e.To])
			root[max(x, y)] = min(x, y)
		}
	}
	var parts []part
	at := map[int]int{}
	for i, b := range p.Boxes {
		r := find(i)
		if _, ok := at[r]; !ok {
			at[r] = len(parts)
			parts = append(parts, nil)
		}
		parts[at[r]] = append(parts[at[r]], b)
	}
	return parts
}

// layOut places connected boxes and returns the size that they take.
func (p part) layOut() (w, h float64) {
	for _, b := range p {
		b.measure()
	}
	p.rank()
	ranks := p.places()
	order(ranks)
	w = settle(ranks)
	y := 0.0
	tops := make([]float64, len(ranks))
	heights := make([]float64, len(ranks))
	for i, r := range ranks {
		for _, x := range r {
			if x.box != nil {
				heights[i] = max(heights[i], x.box.h)
			}
		}
		tops[i] = y
		y += heights[i] + rankGap
	}
	for i, r := range ranks {
		for _, x := range r {
			if x.box != nil {
				x.box.x, x.box.y = x.x-x.box.w/2, tops[i]
			}
		}
	}
	for _, b := range p {
		for i := range b.To {
			for j, x := range b.To[i].through {
				r := b.rank + 1 + j
				b.To[i].via[j] = point{x.x, tops[r] + heights[r]/2}
			}
		}
	}
	return w, y - rankGap
}

// rank sets the rank of each box to the length of the longest path to it. Inputs, and boxes that depend on weights alone, are placed just above their
// first reader.
func (p part) rank() {
	for _, b := range p { // the list is in the order of computation
		for _, e := range b.To {
			e.To.rank = max(e.To.rank, b.rank+1)
		}
	}
	for _, b := range slices.Backward(p) {
		if b.run && !b.End || len(b.To) == 0 {
			continue
		}
		first := b.To[0].To.rank
		for _, e := range b.To {
			first = min(first, e.To.rank)
		}
		b.rank = max(b.rank, first-1)
	}
}

// places makes a place for each box and for each rank that an edge passes. Edges that leave the same box share their places.
func (p part) places() [][]*place {
	last := 0
	for _, b := range p {
		last = max(last, b.rank)
	}
	ranks := make([][]*place, last+1)
	of := map[*Box]*place{}
	for _, b := range p {
		x := &place{box: b, w: b.w}
		of[b] = x
		ranks[b.rank] = append(ranks[b.rank], x)
	}
	for _, b := range p {
		passing := map[int]*place{}
		for i := range b.To {
			e := &b.To[i]
			from := of[b]
			for r := b.rank + 1; r < e.To.rank; r++ {
				x := passing[r]
				if x == nil {
					x = &place{w: dummyWide}
					passing[r] = x
					ranks[r] = append(ranks[r], x)
					connect(from, x)
				}
				e.via = append(e.via, point{})
				e.through = append(e.through, x)
				from = x
			}
			connect(from, of[e.To])
		}
	}
	return ranks
}

func connect(from, to *place) {
	from.down = append(from.down, to)
	to.up = append(to.up, from)
}

// order sorts each rank by the mean position of the places that its places are connected with. It goes down and up several times.
func order(ranks [][]*place) {
	number := func(r []*place) {
		for i, x := range r {
			x.x = float64(i)
		}
	}
	for _, r := range ranks {
		number(r)
	}
	for sweep := range 8 {
		down := sweep%2 == 0
		for i := range ranks {
			r := ranks[i]
			if !down {
				r = ranks[len(ranks)-1-i]
			}
			for _, x := range r {
				near := x.up
				if !down {
					near = x.down
				}
				if x.key = x.x; len(near) > 0 {
					x.key = mean(near)
				}
			}
			slices.SortStableFunc(r, func(a, b *place) int { return cmp.Compare(a.key, b.key) })
			number(r)
		}
	}
}

func mean(list []*place) float64 {
	sum := 0.0
	for _, x := range list {
		sum += x.x
	}
	return sum / float64(len(list))
}

// settle sets the positions of places: first side by side, then below the places that they are connected with, without overlap. It returns the width.
func settle(ranks [][]*place) float64 {
	for _, r := range ranks {
		x := 0.0
		for _, p := range r {
			p.x = x + p.w/2
			x += p.w + between
		}
		shift(r, -(x-between)/2)
	}
	for sweep := range 12 {
		for i := range ranks {
			r := ranks[i]
			if sweep%2 == 1 {
				r = ranks[len(ranks)-1-i]
			}
			for _, p := range r {
				near := slices.Concat(p.up, p.down)
				if p.key = p.x; len(near) > 0 {
					p.key = mean(near)
				}
			}
			spread(r)
		}
	}
	left, right := 0.0, 0.0
	for _, r := range ranks {
		for _, p := range r {
			left, right = min(left, p.x-p.w/2), max(right, p.x+p.w/2)
		}
	}
	for _, r := range ranks {
		shift(r, -left)
	}
	return right - left
}

func shift(r []*place, by float64) {
	for _, p := range r {
		p.x += by
	}
}

// spread moves the places of a rank to their wanted positions (key), in their order and without overlap: runs that touch are moved to the mean of
// their wanted positions (pool adjacent violators).
func spread(r []*place) {
	type run struct {
		from, to    int
		sum, weight float64
		offset      []float64 // of each place from the first one
	}
	var runs []run
	for i, p := range r {
		next := run{from: i, to: i + 1, sum: p.key, weight: 1, offset: []float64{0}}
		for len(runs) > 0 {
			last := runs[len(runs)-1]
			end := last.sum/last.weight + last.offset[len(last.offset)-1]
			gap := r[last.to-1].w/2 + between + r[next.from].w/2
			if next.sum/next.weight >= end+gap {
				break
			}
			base := last.offset[len(last.offset)-1] + gap
			for _, o := range next.offset {
				last.offset = append(last.offset, base+o)
			}
			last.sum += next.sum - next.weight*base
			last.weight += next.weight
			last.to = next.to
			next = last
			runs = runs[:len(runs)-1]
		}
		runs = append(runs, next)
	}
	for _, u := range runs {
		x := u.sum / u.weight
		for i := u.from; i < u.to; i++ {
			r[i].x = x + u.offset[i-u.from]
		}
	}
}
