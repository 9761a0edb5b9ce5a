// Package picture draws with gonum/plot: what is drawn on a canvas becomes a PNG or an SVG. It draws heat maps itself.
package picture

import (
	"bytes"
	"image/color"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// dots is the resolution of a PNG, per inch.
const dots = 144

// Sans returns a font of a size.
func Sans(size vg.Length) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: size}
}

// PNG returns what paint draws on a white canvas of the given size, as a PNG.
func PNG(w, h vg.Length, paint func(draw.Canvas) error) ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(w, h), vgimg.UseDPI(dots), vgimg.UseBackgroundColor(color.White))
	if err := paint(draw.New(c)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&b)
	return b.Bytes(), err
}

// SVG returns what paint draws, as an SVG.
func SVG(w, h vg.Length, paint func(draw.Canvas) error) ([]byte, error) {
	c := vgsvg.New(w, h)
	if err := paint(draw.New(c)); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err := c.WriteTo(&b)
	return b.Bytes(), err
}
