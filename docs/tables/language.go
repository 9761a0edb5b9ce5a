package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// words writes the schema as tables, one per block.
func words(context.Context) (string, error) {
	var b strings.Builder
	var blocks []string
	for _, r := range spec.Schema {
		if !slices.Contains(blocks, r.Block) {
			blocks = append(blocks, r.Block)
		}
	}
	for _, block := range blocks {
		fmt.Fprintf(&b, "\n### `%s`\n\n", block)
		row(&b, "written", "meaning", "without it")
		row(&b, "---", "---", "---")
		for _, r := range spec.Schema {
			if r.Block == block {
				row(&b, code(r.Usage()), cell(r.Doc), cell(r.Default))
			}
		}
	}
	return b.String(), nil
}

// codes writes the table of message codes.
func codes(context.Context) (string, error) {
	var b strings.Builder
	row(&b, "code", "meaning")
	row(&b, "---", "---")
	for _, i := range diag.Codes {
		row(&b, code(string(i.Code)), cell(i.Meaning))
	}
	return b.String(), nil
}

// models writes the table of the zoo's models, with whether this version compiles each of them, or the reason why not.
func models(context.Context) (string, error) {
	var b strings.Builder
	row(&b, "model", "layers", "hidden", "parameters", "this version")
	row(&b, "---", "---:", "---:", "---:", "---")
	for _, name := range spec.Zoo() {
		m := spec.ZooModel(name)
		if m == nil {
			return "", fmt.Errorf("the zoo has no model %s", name)
		}
		verdict, err := compiles(name, m.Checkpoint)
		if err != nil {
			return "", err
		}
		row(&b, code(name), fmt.Sprint(m.Encoder.Layers), fmt.Sprint(m.Hidden), fmt.Sprintf("%.0f M", float64(spec.Params(m))/1e6), verdict)
	}
	return b.String(), nil
}

// headTasks maps published layouts that name the tensors of one kind of head to the task of this head.
var headTasks = map[string]tasktable.Task{"hf.gliner2": tasktable.Extract, "hf.gliclass": tasktable.OwnLabels}

// compiles returns "compiled" if this version compiles a model with a head that its layout has names for: one that classifies texts, or that of headTasks.
// Otherwise it returns what is missing.
func compiles(name, checkpoint string) (string, error) {
	task, ok := headTasks[checkpoint]
	if !ok {
		task = tasktable.Labels
	}
	f, faults := spec.Parse("model.dspec", []byte("dspec 1\nmodel m like "+name+" { }\nhead h on m { "+tasktable.Of(task).Sample+" }\n"))
	if len(faults) > 0 {
		return "", fmt.Errorf("%s: %s", name, faults[0].Message)
	}
	s, faults := spec.Resolve(f)
	if s == nil {
		return "", fmt.Errorf("%s: %s", name, faults[0].Message)
	}
	_, faults, err := compiler.Compile(s, compiler.Options{})
	if err != nil {
		return "", err
	}
	var later []string
	for _, d := range faults {
		what, _, _ := strings.Cut(d.Message, " is checked by this version")
		later = append(later, cell(what))
	}
	if len(later) == 0 {
		return "compiled", nil
	}
	return "not yet: " + strings.Join(later, ", "), nil
}
