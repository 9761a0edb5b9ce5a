package curves

import (
	"bytes"
	"fmt"
	"html/template"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/runfolder"
)

// HTML returns a page with the picture of runs, their facts and the commands that repeat them. It is whole by itself: it loads nothing.
func HTML(runs []*Run, o Options) ([]byte, error) {
	picture, err := SVG(runs, o)
	if err != nil {
		return nil, err
	}
	if at := bytes.Index(picture, []byte("<svg")); at > 0 {
		picture = picture[at:] // without the declaration of XML
	}
	page := struct {
		Title   string
		Picture template.HTML
		Runs    []facts
	}{Picture: template.HTML(picture)}
	var names []string
	for _, r := range runs {
		names = append(names, r.Name)
		page.Runs = append(page.Runs, factsOf(r))
	}
	page.Title = strings.Join(names, ", ")
	var b bytes.Buffer
	err = pageTemplate.Execute(&b, page)
	return b.Bytes(), err
}

// facts are what the page tells of a run.
type facts struct {
	Name    string
	Command string
	Rows    [][2]string
	Metrics []metric
}

// metric is a number of the last line that has it, and of the best evaluation.
type metric struct{ Name, Last, At string }

// factsOf returns what the page tells of a run.
func factsOf(r *Run) facts {
	var words []string
	for _, w := range r.Facts.Again() {
		words = append(words, wording.Quoted(w))
	}
	f := facts{Name: r.Name, Command: strings.Join(words, " ")}
	add := func(name, value string) {
		if value != "" {
			f.Rows = append(f.Rows, [2]string{name, value})
		}
	}
	done := r.Lines[len(r.Lines)-1].Step
	add("training", r.Facts.Training+" on "+r.Facts.Head)
	add("task", r.Facts.Task)
	add("seed", strconv.FormatUint(r.Facts.Seed, 10))
	add("steps", fmt.Sprintf("%d of %d, %d per pass over the data", done, r.Facts.Steps, r.Facts.StepsPerEpoch))
	if r.Best != nil {
		add("best", fmt.Sprintf("%s %s after %s", r.Best.Metric, short(r.Best.Value), wording.Counted(r.Best.Step, "step", "steps")))
	}
	base := r.Facts.Base
	if base == "" {
		base = "weights drawn by the seed"
	}
	add("began from", base)
	for _, d := range r.Facts.Data {
		add("training data", fmt.Sprintf("%s: %d examples, %d bytes, sha256 %s", d.Path, d.Examples, d.Bytes, d.SHA256))
	}
	for _, d := range r.Facts.Eval {
		add("evaluation data", fmt.Sprintf("%s: %d examples, %d bytes, sha256 %s", d.Path, d.Examples, d.Bytes, d.SHA256))
	}
	add("sha256 of the spec", r.Facts.Spec)
	add("sha256 of the program", r.Facts.Program)
	add("sha256 of the tokenizer", r.Facts.Tokenizer)
	add("sha256 of the weights", r.Facts.Weights)
	for _, name := range slices.Sorted(maps.Keys(r.Facts.Settings)) {
		add("--"+name, r.Facts.Settings[name])
	}
	add("debertac", r.Facts.Version)
	add("began", r.Facts.Began.UTC().Format("2006-01-02 15:04:05 UTC"))
	for _, name := range namesOf([]*Run{r}) {
		for _, l := range slices.Backward(r.Lines) {
			if v, ok := l.Values[name]; ok {
				f.Metrics = append(f.Metrics, metric{strings.TrimPrefix(titleOf(name), runfolder.EvalPrefix), short(v), strconv.Itoa(l.Step)})
				break
			}
		}
	}
	return f
}

// short returns a number with six digits.
func short(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// pageTemplate is the page.
var pageTemplate = template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}}</title>
<style>
body { font: 15px/1.45 sans-serif; margin: 1.5em auto; max-width: 75em; padding: 0 1em; color: #222; }
svg { max-width: 100%; height: auto; }
svg text { font-family: sans-serif !important; }
table { border-collapse: collapse; margin: .6em 0; }
td, th { text-align: left; vertical-align: top; padding: .15em 1em .15em 0; border-bottom: 1px solid #e4e4e4; overflow-wrap: anywhere; }
pre { background: #f4f4f4; padding: .7em; overflow-x: auto; }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
{{.Picture}}
{{range .Runs}}
<h2>{{.Name}}</h2>
<p>This command, in the folder of the run, repeats it:</p>
<pre>{{.Command}}</pre>
<table>
<tr><th>metric</th><th>last</th><th>after steps</th></tr>
{{- range .Metrics}}
<tr><td>{{.Name}}</td><td>{{.Last}}</td><td>{{.At}}</td></tr>
{{- end}}
</table>
<table>
{{- range .Rows}}
<tr><td>{{index . 0}}</td><td>{{index . 1}}</td></tr>
{{- end}}
</table>
{{end}}
</body>
</html>
`))
