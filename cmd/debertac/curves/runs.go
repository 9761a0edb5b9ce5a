// Package curves draws the metrics of runs over their steps.
package curves

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/runfolder"
)

// Run is what is drawn of a run.
type Run struct {
	Name  string // of its curves
	Dir   string
	Facts runfolder.Run
	Lines []runfolder.Line
	Best  *runfolder.Best
}

// Read reads the runs in folders. Their names are the last words of their paths, or the paths if two of those are equal.
func Read(dirs []string) ([]*Run, error) {
	var runs []*Run
	count := map[string]int{}
	for _, dir := range dirs {
		f, err := runfolder.Open(dir)
		if err != nil {
			return nil, fault.Input(dir, "%v", err)
		}
		r := &Run{Name: filepath.Base(filepath.Clean(dir)), Dir: dir, Facts: f.Run}
		if r.Lines, err = f.Metrics(); err != nil {
			return nil, fault.Input(dir, "%v", err)
		}
		if len(namesOf([]*Run{r})) == 0 { // no line, or none with more than the step and the epoch
			return nil, fault.Input(dir, "the run has no metrics yet")
		}
		if err := r.drawable(f.Path(runfolder.MetricsFile)); err != nil {
			return nil, err
		}
		if r.Best, err = f.Best(); err != nil {
			return nil, fault.Input(dir, "%v", err)
		}
		count[r.Name]++
		runs = append(runs, r)
	}
	for _, r := range runs {
		if count[r.Name] > 1 {
			r.Name = r.Dir
		}
	}
	return runs, nil
}

// largest bounds the numbers that are drawn. Differences of larger ones, and the squares of a band, overflow, and an axis without an end is never done.
const largest = 1e100

// drawable refuses numbers that no axis can show.
func (r *Run) drawable(path string) error {
	for _, l := range r.Lines {
		for _, name := range slices.Sorted(maps.Keys(l.Values)) {
			if v := l.Values[name]; math.Abs(v) > largest {
				return fault.Input(path, "%s is %g after %s, and numbers beyond ±%g cannot be drawn: remove the number from the line", name, v,
					wording.Counted(l.Step, "step", "steps"), largest)
			}
		}
	}
	return nil
}

// Options decide what is drawn.
type Options struct {
	Smooth float64  // weight of what came before in a moving mean, from 0 to below 1; 0: no smoothing
	Band   bool     // runs that differ only in the seed are drawn as their mean and a band
	Only   []string // the metrics that are drawn; none: all
}

// point is a number after some steps.
type point struct {
	step  float64
	value float64
}

// curve is a metric of a run, or of a group of runs.
type curve struct {
	name   string
	slot   int // of its colour
	dashed bool
	points []point
	raw    []point // what was smoothed; nil: nothing was
	spread []float64
}

// panel is a picture of one metric.
type panel struct {
	title  string
	curves []curve
}

// group is a number of runs that are drawn as one curve.
type group struct {
	name string
	runs []*Run
}

// titles lists the metrics of steps in the order in which they are drawn, with their titles. Others follow, by name.
var titles = [][2]string{{"loss", "loss"}, {"rate", "learning rate"}, {"grad_norm", "norm of the gradients"}, {"tokens_per_s", "tokens per second"}}

// Metrics lists the metrics that every run has.
func Metrics() (names []string) {
	for _, t := range titles {
		names = append(names, t[0])
	}
	return names
}

// left lists the metrics that are not drawn: the epoch follows from the step.
var left = []string{"epoch"}

// panels makes the pictures: one per metric. The loss of evaluations is in the picture of the loss.
func panels(runs []*Run, o Options) ([]panel, []group, error) {
	groups, err := groupsOf(runs, o)
	if err != nil {
		return nil, nil, err
	}
	names := namesOf(runs)
	for _, want := range o.Only {
		if !slices.Contains(names, want) {
			return nil, nil, fault.Usage("", "no run has the metric %s (there are: %s)", want, strings.Join(names, ", "))
		}
	}
	var list []panel
	for _, name := range names {
		beside := name == runfolder.EvalPrefix+"loss" && slices.Contains(names, "loss")
		if len(o.Only) > 0 && !slices.Contains(o.Only, name) || beside && len(o.Only) == 0 {
			continue
		}
		p := panel{title: titleOf(name)}
		p.add(groups, name, false, o)
		if name == "loss" && slices.Contains(names, runfolder.EvalPrefix+"loss") {
			p.title = "loss (dashed: of evaluations)"
			p.add(groups, runfolder.EvalPrefix+"loss", true, o)
		}
		if len(p.curves) > 0 { // a band has no curve if its runs have no step in common
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, nil, fault.Usage("without --band each run is drawn by itself", "--band: the runs have no metric after the same number of steps")
	}
	return list, groups, nil
}

// namesOf lists the metrics of runs in the order of their pictures.
func namesOf(runs []*Run) []string {
	all := map[string]bool{}
	for _, r := range runs {
		for _, l := range r.Lines {
			for name := range l.Values {
				all[name] = true
			}
		}
	}
	for _, name := range left {
		delete(all, name)
	}
	rank := func(name string) int {
		if i := slices.IndexFunc(titles, func(t [2]string) bool { return t[0] == name }); i >= 0 {
			return i
		}
		if strings.HasPrefix(name, runfolder.EvalPrefix) {
			return len(titles) + 1
		}
		return len(titles)
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(rank(a)-rank(b), strings.Compare(a, b)) })
}

// titleOf returns the title of a metric's picture.
func titleOf(name string) string {
	for _, t := range titles {
		if t[0] == name {
			return t[1]
		}
	}
	if rest, ok := strings.CutPrefix(name, runfolder.EvalPrefix); ok {
		return "evaluation: " + strings.ReplaceAll(rest, "_", " ")
	}
	return strings.ReplaceAll(name, "_", " ")
}

// add adds the curves of a metric.
func (p *panel) add(groups []group, name string, dashed bool, o Options) {
	for slot, g := range groups {
		var each [][]point
		for _, r := range g.runs {
			var points []point
			for _, l := range r.Lines {
				if v, ok := l.Values[name]; ok {
					points = append(points, point{float64(l.Step), v})
				}
			}
			if len(points) > 0 {
				each = append(each, points)
			}
		}
		if len(each) == 0 {
			continue
		}
		c := curve{name: g.name, slot: slot, dashed: dashed}
		smooth := o.Smooth > 0 && name != "rate" && !strings.HasPrefix(name, runfolder.EvalPrefix) // those are not noisy
		if len(each) == 1 {
			if c.points = each[0]; smooth {
				c.raw, c.points = each[0], smoothed(each[0], o.Smooth)
			}
		} else {
			if smooth {
				for i := range each {
					each[i] = smoothed(each[i], o.Smooth)
				}
			}
			c.points, c.spread = mean(each)
		}
		if len(c.points) > 0 {
			p.curves = append(p.curves, c)
		}
	}
}

// smoothed returns the exponential moving mean: m = w·m + (1−w)·x, divided by the sum of the weights so far, so that it does not begin at 0.
func smoothed(points []point, w float64) []point {
	out := make([]point, len(points))
	m, weight := 0.0, 0.0
	for i, p := range points {
		m, weight = w*m+(1-w)*p.value, w*weight+(1-w)
		out[i] = point{p.step, m / weight}
	}
	return out
}

// mean returns the mean over runs after the steps for which all of them have a number, and the sample deviation.
func mean(each [][]point) (points []point, spread []float64) {
	at := map[float64][]float64{}
	for _, run := range each {
		last := map[float64]float64{} // of two numbers after the same steps the later one counts
		for _, p := range run {
			last[p.step] = p.value
		}
		for step, v := range last {
			at[step] = append(at[step], v)
		}
	}
	for _, step := range slices.Sorted(maps.Keys(at)) {
		values := at[step]
		if len(values) < len(each) {
			continue
		}
		slices.Sort(values) // the order of the runs changes no bit
		sum, squares := 0.0, 0.0
		for _, v := range values {
			sum += v
		}
		m := sum / float64(len(values))
		for _, v := range values {
			squares += (v - m) * (v - m)
		}
		points, spread = append(points, point{step, m}), append(spread, math.Sqrt(squares/float64(len(values)-1)))
	}
	return points, spread
}

// groupsOf returns the runs one by one, or with a band those that differ only in the seed together.
func groupsOf(runs []*Run, o Options) (list []group, err error) {
	if !o.Band {
		for _, r := range runs {
			list = append(list, group{r.Name, []*Run{r}})
		}
		return list, nil
	}
	at := map[string]int{}
	for _, r := range runs {
		key, err := apartFromSeed(r.Facts)
		if err != nil {
			return nil, err
		}
		i, ok := at[key]
		if !ok {
			i, at[key] = len(list), len(list)
			list = append(list, group{})
		}
		for _, other := range list[i].runs {
			if other.Facts.Seed == r.Facts.Seed {
				return nil, fault.Usage("name one of them", "%s and %s are the same run: their seed is %d", other.Dir, r.Dir, r.Facts.Seed)
			}
		}
		list[i].runs = append(list[i].runs, r)
	}
	for i := range list {
		g := &list[i]
		if g.name = g.runs[0].Name; len(g.runs) > 1 {
			g.name = fmt.Sprintf("%s (mean of %s)", common(g.runs), wording.Counted(len(g.runs), "seed", "seeds"))
		}
	}
	if len(list) == len(runs) {
		return nil, fault.Usage("without --band each run is drawn by itself", "--band needs runs that differ only in the seed, and no two of these %d do",
			len(runs))
	}
	return list, nil
}

// elsewhere lists the flags that do not decide what a run computes: the seed, and where files lie, whose hashes count.
var elsewhere = []string{"seed", "data", "eval", "init", "tokenizer", "out", "o", "resume", "threads", "keep", "save-every", "json"}

// apartFromSeed returns what decides a run, without the seed.
func apartFromSeed(r runfolder.Run) (string, error) {
	settings := maps.Clone(r.Settings)
	for _, name := range elsewhere {
		delete(settings, name)
	}
	text, err := json.Marshal([]any{r.Training, r.Head, r.Task, r.Spec, r.Program, r.Tokenizer, r.Weights, sums(r.Data), sums(r.Eval), r.Steps, r.StepsPerEpoch,
		settings})
	return string(text), err
}

// sums returns the hashes of files.
func sums(list []runfolder.Data) (hashes []string) {
	for _, d := range list {
		hashes = append(hashes, d.SHA256)
	}
	return hashes
}

// common returns the words that the names of runs begin with, or the first name.
func common(runs []*Run) string {
	name := runs[0].Name
	for _, r := range runs {
		for !strings.HasPrefix(r.Name, name) {
			name = name[:len(name)-1]
		}
	}
	if name = strings.TrimRight(name, "-_./ "); name == "" {
		return runs[0].Name
	}
	return name
}
