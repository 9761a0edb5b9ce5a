package main

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/graph"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
)

type graphVerb struct {
	File string `arg:"" help:"The spec; - is the standard input."`
	source.Choice
	Out   string `short:"o" placeholder:"FILE" help:"The picture to write: its name ends in .svg, .html or .dot."`
	After string `placeholder:"PASS" help:"Stop after this pass; build is the program before any. Default: the last."`
	Pack  bool   `help:"Draw what is computed when weights are packed, too."`
	Trace bool   `help:"As verify compiles it: the hidden states of all layers are outputs."`
}

// Help is the long help.
func (graphVerb) Help() string {
	return `Draws the program of a spec after a pass: one panel per call of the schedule, with its operations and their fused parts, the
shapes of results, the statements of the spec that the operations come from, and the slots of the arena. A layer that is called
many times is drawn once. The passes are those of debertac dump. No other program is needed for .svg and .html; .dot is for
Graphviz.

Examples:
  debertac graph model.dspec -o model.svg
  debertac graph model.dspec --after build -o plain.html
  debertac graph model.dspec --pack -o all.svg`
}

// pictures are the formats of pictures, by the extension of the file.
var pictures = []struct {
	ending string
	draw   func([]*graph.Picture) []byte
}{{".svg", graph.SVG}, {".html", graph.HTML}, {".dot", graph.DOT}}

// Run draws the program and writes the picture.
func (v *graphVerb) Run(c *console.Console) error {
	if v.Out == "" {
		return fault.Usage("debertac graph "+v.File+" -o model.svg", "a picture is written to a file, and -o names none")
	}
	i := slices.IndexFunc(pictures, func(p struct {
		ending string
		draw   func([]*graph.Picture) []byte
	}) bool {
		return p.ending == strings.ToLower(filepath.Ext(v.Out))
	})
	if i < 0 {
		return fault.Usage("-o model.svg", "%s: the name of a picture ends in .svg, .html or .dot", v.Out)
	}
	units, last, err := source.UnitsAfter(c, v.File, v.After, compiler.Options{Target: v.Target, Emit: v.Emit, Trace: v.Trace})
	if err != nil {
		return err
	}
	var list []*graph.Picture
	for _, u := range units {
		list = append(list, graph.Of(u.Program, last, graph.Options{Pack: v.Pack}))
	}
	return output.Fault(disk.WriteFile(v.Out, pictures[i].draw(list), 0o644))
}
