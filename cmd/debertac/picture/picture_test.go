package picture

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHeat draws two maps and looks at their cells: each has the colour of its number, rows go down, and numbers above the top have the darkest colour.
func TestHeat(t *testing.T) {
	h := &Heat{Across: 2, Top: 0.5, Unit: "share", Maps: []Map{
		{"first", [][]float64{{0, 0.5, 0.5}, {0.25, 0, 0}, {1, 0.1, 0}}},
		{"second", [][]float64{{0.5}}},
	}}
	b, err := h.PNG()
	require.NoError(t, err)
	if out := os.Getenv("PICTURES"); out != "" {
		require.NoError(t, os.WriteFile(filepath.Join(out, "heat.png"), b, 0o666))
	}
	img, err := png.Decode(bytes.NewReader(b))
	require.NoError(t, err)
	const perPoint = dots / 72
	require.Equal(t, image.Rect(0, 0, int(2*(side+gap)+gap)*perPoint, int(title+side+gap+gap+foot)*perPoint), img.Bounds())
	at := func(m, size, row, column int) color.NRGBA {
		cell := int(side) * perPoint / size
		x := (int(gap)+m*int(side+gap))*perPoint + column*cell + cell/2
		y := int(gap+title)*perPoint + row*cell + cell/2
		return color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
	}
	for row, list := range h.Maps[0].Rows {
		for column, v := range list {
			require.Equal(t, shade(h.level(v)), color.Color(at(0, 3, row, column)), "row %d, column %d", row, column)
		}
	}
	require.Equal(t, shade(levels-1), color.Color(at(1, 1, 0, 0)))
	require.Equal(t, color.NRGBA{255, 255, 255, 255}, at(0, 3, 0, 0))
	b, err = h.SVG()
	require.NoError(t, err)
	for _, want := range []string{"<svg", ">first<", ">second<", ">share<", ">0.5<"} {
		require.Contains(t, string(b), want)
	}
	require.Equal(t, 1, strings.Count(string(b), ">first<"))
}

// TestBadHeat checks that what cannot be drawn is refused.
func TestBadHeat(t *testing.T) {
	good := []Map{{"m", [][]float64{{0, 1}, {1, 0}}}}
	for _, bad := range []struct {
		h    Heat
		want string
	}{
		{Heat{Across: 1, Top: 1}, "0 maps"},
		{Heat{Maps: good, Top: 1}, "0 in a row"},
		{Heat{Maps: good, Across: 1}, "numbers up to 0"},
		{Heat{Maps: good, Across: 1, Top: math.Inf(1)}, "numbers up to +Inf"},
		{Heat{Maps: []Map{{"m", nil}}, Across: 1, Top: 1}, "m: the map is empty"},
		{Heat{Maps: []Map{{"m", [][]float64{{1, 2}, {1}}}}, Across: 1, Top: 1}, "m: row 1 has 1 numbers, and row 0 has 2"},
		{Heat{Maps: []Map{{"m", [][]float64{{1, math.NaN()}}}}, Across: 1, Top: 1}, "m: row 0 has the number NaN"},
		{Heat{Maps: []Map{{"m", [][]float64{{-1}}}}, Across: 1, Top: 1}, "m: row 0 has the number -1"},
	} {
		_, err := bad.h.PNG()
		require.ErrorContains(t, err, bad.want)
	}
}
