package task

import (
	"maps"
	"slices"
	"strings"
)

// thresholds returns one probability per label: that of single if it has one, else all. Each must
// be from 0 to 1, and single may hold only names of labels.
func thresholds(labels []string, all float64, single map[string]float64) ([]float64, error) {
	if !(all >= 0 && all <= 1) {
		return nil, input("Threshold is %v: it must be from 0 to 1", all)
	}
	list := make([]float64, len(labels))
	for i := range list {
		list[i] = all
	}
	for _, name := range slices.Sorted(maps.Keys(single)) {
		if t := single[name]; !(t >= 0 && t <= 1) {
			return nil, input("Thresholds of label %q is %v: it must be from 0 to 1", name, t)
		}
		found := false
		for i, l := range labels {
			if l == name {
				list[i], found = single[name], true
			}
		}
		if !found {
			return nil, input("Thresholds names label %q, which is not among the labels (there are: %s)", name,
				strings.Join(slices.Compact(slices.Sorted(slices.Values(labels))), ", "))
		}
	}
	return list, nil
}
