package main

import (
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/curves"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/output"
)

type plotVerb struct {
	Runs   []string `arg:"" name:"run" help:"Folders of runs. Several are compared in one picture."`
	Out    string   `short:"o" required:"" placeholder:"FILE" help:"The picture to write: its name ends in .png, .svg or .html."`
	Band   bool     `help:"Draw runs that differ only in the seed as their mean and a band of one standard deviation."`
	Smooth float64  `placeholder:"X" help:"Draw a moving mean of the metrics of steps. X, from 0 to below 1, is the weight of what came before, such as 0.9."`
	Only   []string `placeholder:"METRIC,…" help:"Draw these metrics alone, by their names in metrics.jsonl: loss, rate, grad_norm, tokens_per_s, eval_…"`
}

// Help is the long help.
func (plotVerb) Help() string {
	return `Draws the metrics of runs over their steps: the loss, the learning rate, the norm of the gradients, the tokens per second, and all
metrics of the evaluations. A run may still go on. Several runs have one picture with a legend.

The page of -o FILE.html is whole by itself, without scripts or links: the picture, what each run is, hashes of its data, and the
command that repeats it. A line of metrics.jsonl that cannot be read is an error that names it.

Examples:
  debertac plot run -o run.png
  debertac plot run --smooth 0.9 --only loss,eval_accuracy -o run.svg
  debertac plot run-small run-base -o compared.html
  debertac plot seed1 seed2 seed3 other1 other2 other3 --band -o seeds.png`
}

// drawings are the formats of pictures, by the extension of the file.
var drawings = map[string]func([]*curves.Run, curves.Options) ([]byte, error){".png": curves.PNG, ".svg": curves.SVG, ".html": curves.HTML}

// Run draws the metrics and writes the picture.
func (v *plotVerb) Run(c *console.Console) error {
	draw := drawings[strings.ToLower(filepath.Ext(v.Out))]
	if draw == nil {
		return fault.Usage("-o run.png", "%s: the name of a picture ends in .png, .svg or .html", v.Out)
	}
	if !(v.Smooth >= 0 && v.Smooth < 1) {
		return fault.Usage("--smooth 0.9", "--smooth %g is not a weight from 0 to below 1", v.Smooth)
	}
	if _, err := output.Place(v.Out); err != nil {
		return err
	}
	runs, err := curves.Read(v.Runs)
	if err != nil {
		return err
	}
	picture, err := draw(runs, curves.Options{Smooth: v.Smooth, Band: v.Band, Only: v.Only})
	if err != nil {
		return err
	}
	return output.Write(v.Out, picture)
}
