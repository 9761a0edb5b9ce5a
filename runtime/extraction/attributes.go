package extraction

import "slices"

// attributeLabels returns the labels of all attribute groups as a model reads them, sorted by code point.
func attributeLabels(s *Schema) []string {
	var labels []string
	for i := range s.Attributes {
		g := &s.Attributes[i]
		for _, l := range g.Labels {
			labels = append(labels, g.prompt(l))
		}
	}
	slices.Sort(labels) // bytes of UTF-8 stand in the order of code points
	return labels
}
