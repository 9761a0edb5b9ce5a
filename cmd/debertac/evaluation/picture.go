package evaluation

import (
	"bytes"
	"fmt"
	"image/color"
	"path/filepath"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/prediction"
)

// Drawable returns an error if the name of a picture has an ending of another format than PNG and SVG.
func Drawable(path string) error {
	if format(path) == "" {
		return fault.Usage("", "--plot %s: the picture's name must end in .png or .svg", path)
	}
	return nil
}

// format returns the format of a picture by its name, or "".
func format(path string) string {
	switch e := strings.ToLower(filepath.Ext(path)); e {
	case ".png", ".svg":
		return e[1:]
	}
	return ""
}

// Draw writes a picture of the table of confusion: a row per right class, a column per predicted one. The darker a cell, the larger is its share of the row. A
// report without such a table is an error.
func Draw(r *prediction.Report, path string) error {
	c := r.Confusion
	if c == nil {
		return fault.Usage("leave out --plot", "--plot draws a table of confusion, which belongs to predictions of one class each; these have none")
	}
	p := plot.New()
	p.Title.Text = fmt.Sprintf("%d examples", r.N)
	p.X.Label.Text, p.Y.Label.Text = "predicted", "right"
	n := len(c.Labels)
	for i := range c.Labels {
		for j := range c.Labels {
			if err := cell(p, c, i, j); err != nil {
				return err
			}
		}
	}
	var across, down []string
	for i, l := range c.Labels {
		across, down = append(across, short(l)), append(down, short(c.Labels[n-1-i]))
	}
	p.NominalX(across...)
	p.NominalY(down...)
	if n > 4 { // labels beside each other would overlap
		p.X.Tick.Label.Rotation, p.X.Tick.Label.XAlign, p.X.Tick.Label.YAlign = 1.57, text.XRight, text.YCenter
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = -0.5, float64(n)-0.5, -0.5, float64(n)-0.5
	side := vg.Length(120+min(n, 40)*36) * vg.Millimeter / 4
	to, err := p.WriterTo(side+30*vg.Millimeter, side, format(path))
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := to.WriteTo(&b); err != nil {
		return err
	}
	if err := disk.WriteFile(path, b.Bytes(), 0o666); err != nil {
		return output.Fault(err)
	}
	return nil
}

// cell draws one cell of the table, with its count if there is room for it.
func cell(p *plot.Plot, c *prediction.Confusion, gold, predicted int) error {
	count, row := c.Counts[gold][predicted], 0
	for _, k := range c.Counts[gold] {
		row += k
	}
	share := 0.0
	if row > 0 {
		share = float64(count) / float64(row)
	}
	x, y := float64(predicted), float64(len(c.Labels)-1-gold)
	box, err := plotter.NewPolygon(plotter.XYs{{X: x - 0.5, Y: y - 0.5}, {X: x + 0.5, Y: y - 0.5}, {X: x + 0.5, Y: y + 0.5}, {X: x - 0.5, Y: y + 0.5}})
	if err != nil {
		return err
	}
	fade := func(full uint8) uint8 { return uint8(255 - share*float64(255-full)) }
	box.Color = color.NRGBA{fade(0x1f), fade(0x4e), fade(0x8c), 255}
	box.LineStyle.Color, box.LineStyle.Width = color.NRGBA{0xd0, 0xd7, 0xde, 255}, vg.Points(0.5)
	p.Add(box)
	if len(c.Labels) > 40 || count == 0 && gold != predicted {
		return nil
	}
	label, err := plotter.NewLabels(plotter.XYLabels{XYs: plotter.XYs{{X: x, Y: y}}, Labels: []string{strconv.Itoa(count)}})
	if err != nil {
		return err
	}
	style := &label.TextStyle[0]
	style.XAlign, style.YAlign, style.Font.Size = text.XCenter, text.YCenter, font.Length(9)
	if share > 0.5 {
		style.Color = color.White
	}
	p.Add(label)
	return nil
}
