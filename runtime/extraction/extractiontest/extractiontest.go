// Package extractiontest compares results of extraction by a schema, for tests.
package extractiontest

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Differ describes the first place where two results differ, both as encoding/json reads them into an any. It returns "" if they are equal. Confidences may
// differ by a tolerance; all else must be equal.
func Differ(got, want any, tolerance float64) string { return differ("", got, want, tolerance) }

// differ is Differ for the values at a path.
func differ(path string, got, want any, tolerance float64) string {
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok || !slices.Equal(slices.Sorted(maps.Keys(g)), slices.Sorted(maps.Keys(w))) {
			break
		}
		for _, k := range slices.Sorted(maps.Keys(w)) {
			if fault := differ(path+"."+k, g[k], w[k], tolerance); fault != "" {
				return fault
			}
		}
		return ""
	case []any:
		g, ok := got.([]any)
		if !ok || len(g) != len(w) {
			break
		}
		for i := range w {
			if fault := differ(fmt.Sprintf("%s[%d]", path, i), g[i], w[i], tolerance); fault != "" {
				return fault
			}
		}
		return ""
	case float64:
		g, ok := got.(float64)
		if ok && (g == w || strings.HasSuffix(path, ".confidence") && math.Abs(g-w) <= tolerance) {
			return ""
		}
	case nil, bool, string:
		if got == want {
			return ""
		}
	}
	return fmt.Sprintf("%s: got %v, want %v", path, got, want)
}
