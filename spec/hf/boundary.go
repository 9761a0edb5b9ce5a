package hf

import (
	"fmt"
	"strings"
)

// boundaryField is the object in the config.json of GLiNER2.5 that describes the head.
const boundaryField = "boundary_head"

// boundaryFilm is the number of inner columns of the layers on a span's row that a query changed, in the library.
const boundaryFilm = 64

// mostBoundary bounds the counts and columns of a head that scores boundaries.
const mostBoundary = 1 << 16

// boundary reads the config.json of GLiNER2.5: an encoder, whose config is a file of its own, and a head that scores boundaries and chooses spans.
func (c *config) boundary(tensors map[string][]int, opts Options) (*want, error) {
	c.table = boundaryTable
	w, err := c.gliner2Encoder(tensors, opts)
	if err != nil {
		return nil, err
	}
	w.candidates = append([]string{"gliner25_base", "gliner25_small", "gliner25_multi"}, w.candidates...)
	w.checkpoint, w.origin = "hf.gliner2", "From the config.json of a GLiNER2.5 model."
	if opts.Seq == 0 && w.absolute == 0 {
		w.seq = max(w.positions, gliner2Tokens)
	}
	v := c.raw(boundaryField)
	if v == nil {
		return nil, c.fault(boundaryField, "is missing: it describes how boundaries are scored and spans are chosen")
	}
	sub, err := readConfig(v)
	if err != nil {
		return nil, c.fault(boundaryField, "= %s: %v", shown(v), err)
	}
	sub.prefix, sub.table = boundaryField+".", boundaryHeadTable
	version, err := c.integer("config_version", 3, 0, 1<<10)
	if err != nil {
		return nil, err
	}
	pooling, err := c.gliner2Pooling()
	if err != nil {
		return nil, err
	}
	w.head = &head{name: "extract"}
	w.head.add("take words("+pooling+")", "prompt schema")
	if err := sub.boundaryHead(w.head, version); err != nil {
		return nil, err
	}
	if err := sub.boundaryTensors(tensors); err != nil {
		return nil, err
	}
	if err := sub.rest(); err != nil {
		return nil, err
	}
	c.notes, c.warned = append(c.notes, sub.notes...), append(c.warned, sub.warned...)
	return w, c.rest()
}

// boundaryHead reads boundary_head. The fields that are missing have the values of the library, which differ from those of the published models.
func (c *config) boundaryHead(h *head, version int) error {
	if err := c.boundaryOthers(version); err != nil {
		return err
	}
	drop, err := c.real("dropout", 0.1, "in [0, 1)", func(v float64) bool { return v >= 0 && v < 1 })
	if err != nil {
		return err
	}
	h.add("classes layers 2 * hidden")
	if drop > 0 {
		h.add("dropout " + number(drop))
	}
	for _, read := range []func() (string, error){c.boundaryStates, c.boundaryPool, c.boundaryCandidates, c.boundaryAbsent, c.boundaryTemperature,
		c.boundaryOverlap} {
		line, err := read()
		if err != nil {
			return err
		}
		if line != "" {
			h.add(line)
		}
	}
	h.add("loss binary_cross_entropy")
	return nil
}

// boundaryOthers refuses models whose spans are chosen or scored in another way.
func (c *config) boundaryOthers(version int) error {
	pool, err := c.text("candidate_pool", "per_query")
	if err != nil {
		return err
	}
	if pool != "shared" {
		return c.fault("candidate_pool", "= %q: spans are chosen for all fields of a text together, which is \"shared\"; without the field it is "+
			"\"per_query\"", pool)
	}
	for _, f := range []struct {
		name   string
		absent int
	}{{"candidate_attention_layers", 2}, {"query_attention_layers", 1}} {
		n, err := c.integer(f.name, f.absent, 0, mostBoundary)
		if err != nil {
			return err
		}
		if n != 0 {
			return c.fault(f.name, "= %d: attention among spans or fields is not known; without the field there are %d layers", n, f.absent)
		}
	}
	adapt, err := c.boolean("adaptive_threshold", false)
	if err != nil {
		return err
	}
	if adapt {
		return c.fault("adaptive_threshold", "= true: a threshold that depends on the text is not known")
	}
	structured := version >= 3
	for _, f := range []string{"enable_records", "enable_relations"} {
		on, err := c.boolean(f, structured)
		if err != nil {
			return err
		}
		if on {
			c.note("%s%s is true: entities and classifications are compiled, structures and relations are not; their tensors are left out", c.prefix, f)
		}
	}
	return nil
}

// boundaryStates returns the statement that makes the rows of boundaries.
func (c *config) boundaryStates() (string, error) {
	size, err := c.integer("boundary_dim", 128, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	blocks, err := c.integer("boundary_refinement_layers", 1, 0, 64)
	if err != nil {
		return "", err
	}
	layers, err := c.integer("boundary_attention_layers", 0, 0, 64)
	if err != nil {
		return "", err
	}
	heads, err := c.integer("boundary_attention_heads", 4, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	window, err := c.integer("boundary_attention_window", 0, 0, mostBoundary)
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("boundaries %d", size)
	if layers > 0 {
		if size%heads != 0 {
			return "", c.fault("boundary_attention_heads", "= %d does not divide boundary_dim = %d", heads, size)
		}
		line += fmt.Sprintf(" attend(repeat: %d, heads: %d", layers, heads)
		if window > 0 {
			line += fmt.Sprintf(", window: %d", window)
		}
		line += ")"
	}
	times, err := c.real("boundary_ffn_multiplier", 2, "above 0, at most 1024", func(v float64) bool { return v > 0 && v <= 1024 })
	if err != nil || blocks == 0 {
		return line, err
	}
	return fmt.Sprintf("%s refine %d ffn %d", line, blocks, max(1, int(float64(size)*times))), nil
}

// boundaryPool returns the statement that chooses spans.
func (c *config) boundaryPool() (string, error) {
	most, err := c.integer("pool_size", 384, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	top, err := c.integer("pool_boundary_top_k", 64, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	least, err := c.integer("min_pool_per_query", 8, 0, most)
	if err != nil || least == 0 {
		return fmt.Sprintf("pool <= %d from %d", most, top), err
	}
	return fmt.Sprintf("pool <= %d from %d least %d", most, top, least), nil
}

// boundaryCandidates returns the statement that scores the chosen spans.
func (c *config) boundaryCandidates() (string, error) {
	size, err := c.integer("pair_dim", 128, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	content, err := c.boolean("enable_span_content", false)
	if err != nil {
		return "", err
	}
	columns, err := c.integer("content_dim", 64, 1, mostBoundary)
	if err != nil {
		return "", err
	}
	soft, err := c.boolean("content_soft_max_pool", false)
	if err != nil {
		return "", err
	}
	inside, err := c.boolean("use_inside_evidence", true)
	if err != nil {
		return "", err
	}
	line := fmt.Sprintf("candidates %d", size)
	if content {
		line += fmt.Sprintf(" content %d", columns)
		if soft {
			line += " soft"
		}
	}
	line += fmt.Sprintf(" film %d", boundaryFilm)
	if inside {
		line += " inside"
	}
	return line, nil
}

// boundaryAbsent returns the statement for labels without result, or "".
func (c *config) boundaryAbsent() (string, error) {
	on, err := c.boolean("enable_abstention", true)
	if err != nil {
		return "", err
	}
	above, err := c.real("abstention_threshold", 0.5, "in [0, 1]", func(v float64) bool { return v >= 0 && v <= 1 })
	if err != nil || !on {
		return "", err
	}
	return "absent above " + number(above), nil
}

// boundaryTemperature returns the statement for what logits are divided by, or "" if that is 1.
func (c *config) boundaryTemperature() (string, error) {
	line := ""
	for _, f := range [][2]string{{"pair_temperature", "pairs"}, {"classification_temperature", "classes"}} {
		v, err := c.real(f[0], 1, "above 0", func(v float64) bool { return v > 0 })
		if err != nil {
			return "", err
		}
		if v != 1 {
			line += " " + f[1] + " " + number(v)
		}
	}
	if line == "" {
		return "", nil
	}
	return "temperature" + line, nil
}

// boundaryOverlap returns the statement for spans that share words, or "" for the default.
func (c *config) boundaryOverlap() (string, error) {
	policy, err := c.text("overlap_policy", "flat")
	if err != nil {
		return "", err
	}
	switch policy {
	case "flat":
		return "", nil
	case "nested", "longest":
		return "overlap " + policy, nil
	}
	return "", c.fault("overlap_policy", "= %q is not one of flat, longest, nested", policy)
}

// boundaryTensors compares the fields of the head with the tensors that the checkpoint has.
func (c *config) boundaryTensors(tensors map[string][]int) error {
	if !whole(tensors) {
		return nil
	}
	drop, _ := c.real("dropout", 0.1, "", func(float64) bool { return true })
	content, _ := c.boolean("enable_span_content", false)
	absent, _ := c.boolean("enable_abstention", true)
	for _, t := range []struct {
		asked         bool
		field, tensor string
	}{
		{true, "boundary_dim", "boundary_head.boundary_encoder.bos_state"},
		{true, "candidate_pool", "boundary_head.shared_pool_builder.start_projection.weight"},
		{content, "enable_span_content", "boundary_head.shared_pool_scorer.content_projection.weight"},
		{absent, "enable_abstention", "boundary_head.null_projection.weight"},
		{drop > 0, "dropout", "classifier.3.weight"},
		{drop == 0, "dropout", "classifier.2.weight"},
	} {
		if t.asked && tensors[t.tensor] == nil {
			return c.fault(t.field, "asks for the tensor %s, which the checkpoint lacks", t.tensor)
		}
	}
	return nil
}

// gliner2Pooling returns which tokens of a word are read.
func (c *config) gliner2Pooling() (string, error) {
	pooling, err := c.text("token_pooling", "first")
	if err == nil && !strings.Contains(" "+strings.Join(gliner2Poolings, " ")+" ", " "+pooling+" ") {
		err = c.fault("token_pooling", "= %q is not one of %s", pooling, strings.Join(gliner2Poolings, ", "))
	}
	return pooling, err
}
