package main

import (
	"cmp"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/graph"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
)

type graphVerb struct {
	File string `arg:"" help:"The spec; - is the standard input."`
	chosen
	Out   string `short:"o" placeholder:"FILE" help:"The picture to write: its name ends in .svg, .html or .dot."`
	After string `placeholder:"PASS" help:"Stop after this pass; build is the program before any. Default: the last."`
	Pack  bool   `help:"Draw what is computed when weights are packed, too."`
	Trace bool   `help:"As verify compiles it: the hidden states of all layers are outputs."`
}

// Help is the long help.
func (graphVerb) Help() string {
	return `Draws the program of a spec after a pass: one panel per call of the schedule, its operations with what is fused in them, the
shapes of their results, the statements of the spec that ask for them, and the slots of the arena. A layer that is called
many times is drawn once. The passes are those of debertac dump. No other program is needed for .svg and .html; .dot is for
Graphviz.

Examples:
  debertac graph model.dspec -o model.svg
  debertac graph model.dspec --after build -o plain.html
  debertac graph model.dspec --pack -o all.svg`
}

// pictures are the forms that a picture can be written in, by the ending of the file's name.
var pictures = []struct {
	ending string
	draw   func([]*graph.Picture) []byte
}{{".svg", graph.SVG}, {".html", graph.HTML}, {".dot", graph.DOT}}

// Run draws.
func (v *graphVerb) Run(a *app) error {
	if v.Out == "" {
		return usage("debertac graph "+v.File+" -o model.svg", "a picture is written to a file, and -o names none")
	}
	i := slices.IndexFunc(pictures, func(p struct {
		ending string
		draw   func([]*graph.Picture) []byte
	}) bool {
		return p.ending == strings.ToLower(filepath.Ext(v.Out))
	})
	if i < 0 {
		return usage("-o model.svg", "%s: the name of a picture ends in .svg, .html or .dot", v.Out)
	}
	units, last, err := a.unitsAfter(v.File, v.After, compiler.Options{Target: v.Target, Emit: v.Emit, Trace: v.Trace})
	if err != nil {
		return err
	}
	var list []*graph.Picture
	for _, u := range units {
		list = append(list, graph.Of(u.Program, last, graph.Options{Pack: v.Pack}))
	}
	return outFault(disk.WriteFile(v.Out, pictures[i].draw(list), 0o644))
}

// unitsAfter compiles a spec as far as a pass, and returns the name of that pass. Without a name it is the last one.
func (a *app) unitsAfter(file, pass string, o compiler.Options) ([]*compiler.Unit, string, error) {
	names := passNames()
	last := cmp.Or(pass, names[len(names)-1])
	if !slices.Contains(names, last) {
		return nil, "", usage("debertac dump --help", "no pass is named %s; there are %s", last, list(names))
	}
	src, err := a.load(file)
	if err != nil {
		return nil, "", err
	}
	o.After = pass
	units, err := a.units(src, o)
	return units, last, err
}
