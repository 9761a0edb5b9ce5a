package curves

import (
	"bytes"
	"fmt"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/runfolder"
)

// made makes the folder of a run with n lines of steps, of at least 40, and an evaluation every tenth step.
func made(t *testing.T, dir, name string, seed uint64, rate float64, n int) string {
	t.Helper()
	path := filepath.Join(dir, name)
	run := &runfolder.Run{Training: "tune", Head: "m.h", Task: "labels", Spec: "5bec", Program: "9406", Seed: seed, Steps: max(n, 40), StepsPerEpoch: 7,
		Version: "v1", Data: []runfolder.Data{{Path: "/d/" + name + "/train.jsonl", SHA256: "da7a", Bytes: 12, Examples: 3}},
		Settings: map[string]string{"rate": fmt.Sprint(rate), "seed": fmt.Sprint(seed), "data": "/d/" + name},
		Command:  []string{"debertac", "train", "model.dspec", "--seed", fmt.Sprint(seed), "-o", "my run"}, Began: time.Unix(int64(seed), 0)}
	f, err := runfolder.Create(path, run, nil)
	require.NoError(t, err)
	require.NoError(t, f.Lock(t.Context()))
	_, err = f.Begin(0)
	require.NoError(t, err)
	for step := 1; step <= n; step++ {
		noise := math.Sin(float64(step)*float64(seed+1)*1.7) * 0.2
		fall := math.Exp(-rate * float64(step))
		require.NoError(t, f.Log(&runfolder.Line{Step: step, Values: map[string]float64{"epoch": float64(step) / 7, "loss": 2*fall + 0.3 + noise,
			"rate": 2e-5 * (1 - float64(step)/float64(n)), "grad_norm": 1 + noise, "tokens_per_s": 9000 + 500*noise}}))
		if step%10 == 0 {
			require.NoError(t, f.Log(&runfolder.Line{Step: step, Values: map[string]float64{"eval_loss": 2*fall + 0.5,
				"eval_accuracy": 1 - 0.5*fall + noise/10}}))
		}
	}
	require.NoError(t, f.SetBest(&runfolder.Best{Step: n / 10 * 10, Metric: "eval_accuracy", Value: 0.875}))
	require.NoError(t, f.Close())
	return path
}

// TestPictures draws one run and several, in all formats.
func TestPictures(t *testing.T) {
	dir := t.TempDir()
	one := made(t, dir, "first", 1, 0.03, 120)
	two := made(t, dir, "second <b>", 2, 0.05, 80)
	runs, err := Read([]string{one, two})
	require.NoError(t, err)
	for _, list := range [][]*Run{runs[:1], runs} {
		raw, err := PNG(list, Options{Smooth: 0.8})
		require.NoError(t, err)
		if out := os.Getenv("PICTURES"); out != "" {
			require.NoError(t, os.WriteFile(filepath.Join(out, fmt.Sprintf("runs%d.png", len(list))), raw, 0o666))
		}
		img, err := png.Decode(bytes.NewReader(raw))
		require.NoError(t, err)
		require.Greater(t, img.Bounds().Dx(), 1000)
		seen := map[[3]uint32]int{}
		for x := range img.Bounds().Dx() {
			for y := range img.Bounds().Dy() {
				r, g, b, _ := img.At(x, y).RGBA()
				seen[[3]uint32{r >> 8, g >> 8, b >> 8}]++
			}
		}
		require.Greater(t, seen[[3]uint32{0, 0x72, 0xb2}], 500, "the first curve")
		require.Equal(t, len(list) == 2, seen[[3]uint32{0xd5, 0x5e, 0}] > 500, "the second curve")
		svg, err := SVG(list, Options{})
		require.NoError(t, err)
		again, err := SVG(list, Options{})
		require.NoError(t, err)
		require.True(t, bytes.Equal(svg, again), "the picture depends on the runs alone")
		for _, title := range []string{"loss (dashed: of evaluations)", "learning rate", "norm of the gradients", "tokens per second", "evaluation: accuracy"} {
			require.Contains(t, string(svg), title)
		}
		require.NotContains(t, string(svg), "epoch")
		require.Equal(t, len(list) == 2, strings.Contains(string(svg), ">first<"), "the legend")
	}
}

// TestPage checks that the page is whole by itself, and what it tells.
func TestPage(t *testing.T) {
	dir := t.TempDir()
	runs, err := Read([]string{made(t, dir, "first", 1, 0.03, 40), made(t, dir, "second <b>", 2, 0.05, 30)})
	require.NoError(t, err)
	page, err := HTML(runs, Options{})
	require.NoError(t, err)
	if out := os.Getenv("PICTURES"); out != "" {
		require.NoError(t, os.WriteFile(filepath.Join(out, "page.html"), page, 0o666))
	}
	text := string(page)
	for _, want := range []string{"<svg", "debertac train model.dspec --seed 1 -o &#39;my run&#39;", "second &lt;b&gt;",
		"da7a", "5bec", "<td>seed</td><td>1</td>",
		"40 of 40, 7 per pass", "eval_accuracy 0.875 after 40 steps", "<td>evaluation: accuracy</td>"} {
		require.Contains(t, text, want)
	}
	links := regexp.MustCompile(`(?i)\b(src|href|@import|url)\b[=(]|<script|<link|<image`)
	require.Empty(t, links.FindAllString(text, -1))
	for _, address := range regexp.MustCompile(`https?://[^"'\s<]+`).FindAllString(text, -1) {
		require.Contains(t, address, "www.w3.org", "a namespace, which nothing loads")
	}
}

// TestBand checks the mean and the deviation over seeds.
func TestBand(t *testing.T) {
	dir := t.TempDir()
	paths := []string{made(t, dir, "small-1", 1, 0.03, 40), made(t, dir, "small-2", 2, 0.03, 40), made(t, dir, "small-3", 3, 0.03, 30),
		made(t, dir, "other", 1, 0.9, 40)}
	runs, err := Read(paths)
	require.NoError(t, err)
	list, groups, err := panels(runs, Options{Band: true})
	require.NoError(t, err)
	require.Len(t, groups, 2)
	require.Equal(t, "small (mean of 3 seeds)", groups[0].name)
	require.Equal(t, "other", groups[1].name)
	loss := list[0].curves[0]
	require.Len(t, loss.points, 30, "steps that all seeds have")
	at := 7
	var v [3]float64
	sum := 0.0
	for i := range v {
		v[i] = runs[i].Lines[at].Values["loss"]
		sum += v[i]
	}
	squares := 0.0
	for _, x := range v {
		squares += (x - sum/3) * (x - sum/3)
	}
	require.InDelta(t, sum/3, loss.points[at].value, 1e-12)
	require.InDelta(t, math.Sqrt(squares/2), loss.spread[at], 1e-12)
	raw, err := PNG(runs, Options{Band: true})
	require.NoError(t, err)
	if out := os.Getenv("PICTURES"); out != "" {
		require.NoError(t, os.WriteFile(filepath.Join(out, "band.png"), raw, 0o666))
	}
	reversed, err := Read([]string{paths[1], paths[2], paths[0], paths[3]})
	require.NoError(t, err)
	again, _, err := panels(reversed, Options{Band: true})
	require.NoError(t, err)
	require.Equal(t, loss.points, again[0].curves[0].points)
	require.Equal(t, loss.spread, again[0].curves[0].spread)

	_, err = PNG([]*Run{runs[0], runs[3]}, Options{Band: true})
	require.ErrorContains(t, err, "no two of these 2 do")
	_, err = PNG([]*Run{runs[0], runs[1], runs[0]}, Options{Band: true})
	require.ErrorContains(t, err, "are the same run: their seed is 1")
	_, err = PNG(runs, Options{Only: []string{"eval_f1"}})
	require.ErrorContains(t, err, "no run has the metric eval_f1 (there are: loss, rate, grad_norm, tokens_per_s, eval_accuracy, eval_loss)")
}

// TestSmoothing compares the moving mean with its definition, and checks which curves have it.
func TestSmoothing(t *testing.T) {
	points := []point{{1, 3}, {2, 5}, {5, 4}}
	got := smoothed(points, 0.5)
	require.Equal(t, 3.0, got[0].value)
	require.InDelta(t, (0.25*3+0.5*5)/0.75, got[1].value, 1e-12)
	require.InDelta(t, (0.125*3+0.25*5+0.5*4)/0.875, got[2].value, 1e-12)
	require.Equal(t, 5.0, got[2].step)
	runs, err := Read([]string{made(t, t.TempDir(), "run", 1, 0.03, 40)})
	require.NoError(t, err)
	list, _, err := panels(runs, Options{Smooth: 0.9})
	require.NoError(t, err)
	for _, p := range list {
		for _, c := range p.curves {
			still := c.dashed || strings.HasPrefix(p.title, "evaluation") || p.title == "learning rate"
			require.Equal(t, still, c.raw == nil, p.title)
		}
	}
	list, _, err = panels(runs, Options{Only: []string{"eval_loss", "rate"}})
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, "learning rate", list[0].title)
	require.Equal(t, "evaluation: loss", list[1].title)
}

// TestManyPoints checks that a line with many points keeps its extremes.
func TestManyPoints(t *testing.T) {
	var points []point
	for i := range 100_000 {
		points = append(points, point{float64(i), math.Sin(float64(i) / 1000)})
	}
	points[70_001].value, points[12_345].value = 9, -9
	thin := thinned(points)
	require.LessOrEqual(t, len(thin), most)
	low, high := 0.0, 0.0
	for i, p := range thin {
		low, high = min(low, p.value), max(high, p.value)
		require.True(t, i == 0 || thin[i-1].step < p.step)
	}
	require.Equal(t, []float64{-9, 9}, []float64{low, high})
	require.Equal(t, points[:most], thinned(points[:most]))
}

// TestRead checks the errors for folders that cannot be drawn, and the names of runs.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	path := made(t, dir, "run", 1, 0.03, 3)
	other := made(t, dir, "sub/run", 2, 0.03, 3)
	runs, err := Read([]string{path, other})
	require.NoError(t, err)
	require.Equal(t, path, runs[0].Name)
	require.Equal(t, other, runs[1].Name)
	metrics := filepath.Join(path, "metrics.jsonl")
	text, err := os.ReadFile(metrics)
	require.NoError(t, err)
	lines := strings.SplitAfter(string(text), "\n")
	for want, bad := range map[string]string{
		"metrics.jsonl:2: it is not a line of metrics":                            lines[0] + "nonsense\n" + lines[2],
		"metrics.jsonl:3: it is not a line of metrics":                            lines[0] + lines[1] + `{"loss":1}` + "\n",
		"metrics.jsonl:1: it is not a line of metrics":                            `{"step":1,"loss":"low"}` + "\n" + lines[1],
		"run: the run has no metrics yet":                                         "",
		"the run has no metrics yet":                                              `{"step":1,"epoch":1}` + "\n",
		"has no metrics yet":                                                      `{"step":1}` + "\n",
		"loss is 1e+308 after 1 step, and numbers beyond ±1e+100 cannot be drawn": `{"step":1,"loss":1e308}` + "\n" + `{"step":5,"loss":-1e308}` + "\n",
	} {
		require.NoError(t, os.WriteFile(metrics, []byte(bad), 0o666))
		_, err := Read([]string{other, path})
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, os.WriteFile(metrics, []byte(lines[0]+lines[1][:10]), 0o666))
	runs, err = Read([]string{path})
	require.NoError(t, err)
	require.Len(t, runs[0].Lines, 1, "a last line that is being written")
	_, err = PNG(runs, Options{})
	require.NoError(t, err)
	_, err = Read([]string{dir})
	require.ErrorContains(t, err, "has no run.json")
}

// TestExtremes draws numbers for which an axis has few distinct numbers, or none, between its ends.
func TestExtremes(t *testing.T) {
	path := made(t, t.TempDir(), "run", 1, 0.03, 3)
	for _, values := range [][2]float64{{1e100, -1e100}, {1e100, 1e100}, {1e17, 1e17}, {1e17, 1e17 + 16}, {-1e100, math.Nextafter(-1e100, 0)},
		{5e-324, 1e-323}, {1, math.Nextafter(1, 2)}, {0, 5e-324}, {1 << 53, 1<<53 + 2}} {
		for _, last := range []int{1, 2, 1<<31 - 1} {
			text := fmt.Sprintf("{\"step\":1,\"loss\":%g}\n{\"step\":%d,\"loss\":%g}\n", values[0], last, values[1])
			require.NoError(t, os.WriteFile(filepath.Join(path, "metrics.jsonl"), []byte(text), 0o666))
			runs, err := Read([]string{path})
			require.NoError(t, err)
			_, err = SVG(runs, Options{Smooth: 0.9})
			require.NoError(t, err, text)
		}
	}
}

// TestFlat checks that the axis of a metric that does not change stays near its value.
func TestFlat(t *testing.T) {
	q, err := (&panel{curves: []curve{{points: []point{{1, 0.4}, {2, 0.4}}}}}).plot()
	require.NoError(t, err)
	require.InDeltaSlice(t, []float64{0.36, 0.44}, []float64{q.Y.Min, q.Y.Max}, 1e-12)
}

// TestNothingInCommon checks that a band over runs that were logged after other steps is refused.
func TestNothingInCommon(t *testing.T) {
	dir := t.TempDir()
	one, two := made(t, dir, "a-1", 1, 0.03, 3), made(t, dir, "a-2", 2, 0.03, 3)
	for i, path := range []string{one, two} {
		require.NoError(t, os.WriteFile(filepath.Join(path, "metrics.jsonl"), fmt.Appendf(nil, "{\"step\":%d,\"loss\":1}\n", i+1), 0o666))
	}
	runs, err := Read([]string{one, two})
	require.NoError(t, err)
	_, err = SVG(runs, Options{Band: true})
	require.ErrorContains(t, err, "the runs have no metric after the same number of steps")
}

// TestFacts compares all that the page tells of a run.
func TestFacts(t *testing.T) {
	runs, err := Read([]string{made(t, t.TempDir(), "first", 1, 0.03, 11)})
	require.NoError(t, err)
	r := runs[0]
	r.Facts.Base, r.Facts.Weights, r.Facts.Tokenizer = "deberta", "3e16", "70c3"
	r.Facts.Eval = []runfolder.Data{{Path: "dev.jsonl", SHA256: "de7a", Bytes: 5, Examples: 2}}
	got := factsOf(r)
	require.Equal(t, [][2]string{{"training", "tune on m.h"}, {"task", "labels"}, {"seed", "1"}, {"steps", "11 of 40, 7 per pass over the data"},
		{"best", "eval_accuracy 0.875 after 10 steps"}, {"began from", "deberta"},
		{"training data", "/d/first/train.jsonl: 3 examples, 12 bytes, sha256 da7a"}, {"evaluation data", "dev.jsonl: 2 examples, 5 bytes, sha256 de7a"},
		{"sha256 of the spec", "5bec"}, {"sha256 of the program", "9406"}, {"sha256 of the tokenizer", "70c3"}, {"sha256 of the weights", "3e16"},
		{"--data", "/d/first"}, {"--rate", "0.03"}, {"--seed", "1"}, {"debertac", "v1"}, {"began", "1970-01-01 00:00:01 UTC"}}, got.Rows)
	var names, at []string
	for _, m := range got.Metrics {
		names, at = append(names, m.Name), append(at, m.At)
	}
	require.Equal(t, []string{"loss", "learning rate", "norm of the gradients", "tokens per second", "evaluation: accuracy", "evaluation: loss"}, names)
	require.Equal(t, []string{"11", "11", "11", "11", "10", "10"}, at)
	require.Equal(t, short(r.Lines[len(r.Lines)-1].Values["loss"]), got.Metrics[0].Last)
	r.Facts.Base, r.Best = "", nil
	require.Contains(t, factsOf(r).Rows, [2]string{"began from", "weights drawn by the seed"})
}

// TestPlaces checks the size of a picture, and the range of steps that its panels have.
func TestPlaces(t *testing.T) {
	w, h := size(5, 1)
	require.Equal(t, 2*width, w)
	require.Equal(t, 3*height, h)
	w, h = size(1, 3)
	require.Equal(t, width, w)
	require.Equal(t, height+3*row+margin, h)
	first, last := reach([]panel{{curves: []curve{{points: []point{{3, 0}, {9, 0}}}}}, {curves: []curve{{points: []point{{1, 0}}}}}})
	require.Equal(t, []float64{1, 9}, []float64{first, last})
	first, last = reach([]panel{{curves: []curve{{points: []point{{3, 0}}}}}})
	require.Equal(t, []float64{2, 4}, []float64{first, last})
	require.Nil(t, pattern(7, false))
	require.NotEqual(t, pattern(8, false), pattern(0, true))
	require.Equal(t, colour(0, 9), colour(len(colours), 9))
}
