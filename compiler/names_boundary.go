package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/spec"
)

// mostRefined is the greatest number of refinement blocks, and of layers of attention, that have names in the published layout.
const mostRefined = 64

// boundaryNames returns the names of the tensors of a head that scores boundaries in GLiNER2.5's checkpoints.
func boundaryNames() [][2]string {
	const to = "boundary_head."
	encoder, query, pool, scorer := to+"boundary_encoder.", to+"boundary_query_head.", to+"shared_pool_builder.", to+"shared_pool_scorer."
	list := [][2]string{
		{"bounds.left.", encoder + "left_projection."},
		{"bounds.right.", encoder + "right_projection."},
		{"bounds.join.", encoder + "output_projection."},
		{"bounds.norm.", encoder + "layer_norm."},
		{"bounds.first", encoder + "bos_state"},
		{"bounds.last", encoder + "eos_state"},
		{"bounds.query.start.", query + "start_query_projection."},
		{"bounds.query.end.", query + "end_query_projection."},
		{"bounds.query.inside.", query + "inside_query_projection."},
		{"bounds.start.", query + "start_boundary_projection."},
		{"bounds.end.", query + "end_boundary_projection."},
		{"bounds.inside.", query + "inside_text_projection."},
		{"pool.start.", pool + "start_projection."},
		{"pool.end.", pool + "end_projection."},
		{"spans.start.", scorer + "start_projection."},
		{"spans.end.", scorer + "end_projection."},
		{"spans.length.", scorer + "length_projection."},
		{"spans.prior.", scorer + "prior_projection."},
		{"spans.value.", scorer + "content_pooler.value_projection."},
		{"spans.content_norm.", scorer + "content_pooler.layer_norm."},
		{"spans.content.", scorer + "content_projection."},
		{"spans.norm.", scorer + "candidate_norm."},
		{"spans.query.", scorer + "query_projection."},
		{"spans.film.", scorer + "film."},
		{"spans.film1.", scorer + "film_output.0."},
		{"spans.film2.", scorer + "film_output.3."},
		{"absent.", to + "null_projection."},
		{"classes.layer1.", "classifier.0."},
	}
	for i := range mostRefined {
		from, block := fmt.Sprintf("bounds.refine_%d.", i), fmt.Sprintf("%srefinement_blocks.%d.", encoder, i)
		list = append(list, [2]string{from + "norm.", block + "norm."}, [2]string{from + "in.", block + "input_projection."},
			[2]string{from + "out.", block + "output_projection."})
		from, block = fmt.Sprintf("bounds.attend_%d.", i), fmt.Sprintf("%sattention_blocks.%d.", encoder, i)
		list = append(list, [2]string{from + "norm.", block + "norm."}, [2]string{from + "qkv.", block + "qkv_projection."},
			[2]string{from + "out.", block + "output_projection."})
	}
	for i := range list {
		list[i][0] = gliner2Head + list[i][0]
	}
	return list
}

// boundaryNaming returns the naming of a model whose head scores boundaries: a dropout in front of the last layer of classes counts as a layer.
func (n naming) boundaryNaming(h *spec.Head) naming {
	last := "classifier.2."
	if h.Dropout() > 0 {
		last = "classifier.3."
	}
	n.prefix = slices.Concat(boundaryNames(), [][2]string{{gliner2Head + "classes.layer2.", last}}, n.prefix)
	return n
}

// publishedBoundary reports whether a head that scores boundaries has names in GLiNER2.5's layout: all its steps, and one inner layer of classes.
func publishedBoundary(h *spec.Head) bool {
	var kinds []spec.StepKind
	for _, s := range h.Steps {
		switch {
		case s.Kind == spec.StepDropout:
			continue
		case s.Kind == spec.StepClasses && len(s.Widths) != 1, s.Kind == spec.StepBounds && max(s.Bounds.Refine, s.Bounds.Attend) > mostRefined:
			return false
		}
		kinds = append(kinds, s.Kind)
	}
	want := []spec.StepKind{spec.StepClasses, spec.StepBounds, spec.StepPool, spec.StepCandidates}
	return slices.Equal(kinds, want) || slices.Equal(kinds, append(want, spec.StepAbsent))
}
