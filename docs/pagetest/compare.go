package pagetest

import (
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
)

// number matches a number with a point or an exponent: its last digits may differ between instruction sets.
var number = regexp.MustCompile(`-?[0-9]+(\.[0-9]+(e[-+]?[0-9]+)?|e[-+]?[0-9]+)`)

// DifferLines describes how two outputs differ, or returns "". Differences in the last digits of numbers do not count.
func DifferLines(want, got string) string {
	if a, b := number.ReplaceAllString(want, "#"), number.ReplaceAllString(got, "#"); a != b {
		return "the page shows\n" + want
	}
	a, b := number.FindAllString(want, -1), number.FindAllString(got, -1)
	for i := range a {
		x, err := strconv.ParseFloat(a[i], 64)
		y, err2 := strconv.ParseFloat(b[i], 64)
		if err != nil || err2 != nil || math.Abs(x-y) > 2e-4*math.Max(1, math.Abs(x)) {
			return fmt.Sprintf("the page shows %s, not %s", a[i], b[i])
		}
	}
	return ""
}

// Tolerance bounds the difference of two numbers that are the same, relative to those above 1.
const Tolerance = 1e-4

// Differ describes where a result (got) differs from a recorded one (want), both as encoding/json reads them into an any, or returns "". Fields of objects
// that want does not have are not compared. at is the place of the result in the output.
func Differ(want, got any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s: %v, an object is wanted", at, got)
		}
		for _, name := range slices.Sorted(maps.Keys(w)) {
			v, ok := g[name]
			if !ok {
				return fmt.Sprintf("%s: there is no %s", at, name)
			}
			if fault := Differ(w[name], v, at+"."+name); fault != "" {
				return fault
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			return fmt.Sprintf("%s: %d items, %d are wanted: %v, not %v", at, len(g), len(w), got, want)
		}
		for i := range w {
			if fault := Differ(w[i], g[i], fmt.Sprintf("%s[%d]", at, i)); fault != "" {
				return fault
			}
		}
	case float64:
		g, ok := got.(float64)
		if !ok || !(math.Abs(g-w) <= Tolerance*math.Max(1, math.Abs(w))) {
			return fmt.Sprintf("%s: %v, %v is wanted", at, got, want)
		}
	default:
		if want != got {
			return fmt.Sprintf("%s: %#v, %#v is wanted", at, got, want)
		}
	}
	return ""
}
