package measure_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"image/png"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/spec"
)

// round returns what one process measured at a point.
func round(batch int, tokens, p50 float64) measure.Result {
	return measure.Result{
		Model: "m", Batch: batch, Tokens: tokens, Threads: 2, Precision: "f32", ISA: "go", MinMS: p50 * 0.9, P50MS: p50, P90MS: p50 * 1.1, P99MS: p50 * 1.2,
		TokensPerS: float64(batch) * tokens / p50 * 1e3, Calls: 10, StartMS: 3, GFLOPS: 50,
		Environment: measure.Environment{Machine: measure.ThisMachine(), Go: "go1.26", Debertac: "v1", SpecHash: strings.Repeat("ab", 32),
			Time: "2026-01-02T03:04:05Z"},
	}
}

// joined returns a point with a median for each of the given rounds.
func joined(batch int, tokens float64, p50 ...float64) measure.Result {
	var rounds []measure.Result
	for _, ms := range p50 {
		rounds = append(rounds, round(batch, tokens, ms))
	}
	return measure.Join(rounds)
}

func TestJoin(t *testing.T) {
	r := joined(1, 16, 4, 2, 9)
	require.Equal(t, 4.0, r.P50MS, "the median of the rounds' medians")
	require.Equal(t, 1.8, r.MinMS, "the shortest call of all rounds")
	require.InDelta(t, math.Sqrt(13), r.DeviationMS, 1e-12) // mean 5; (1+9+16)/2
	require.Equal(t, []float64{4, 2, 9}, r.RoundsMS)
	require.Equal(t, 30, r.Calls)
	require.Equal(t, 3, r.Rounds)
	require.Equal(t, 3.0, joined(1, 16, 4, 2).P50MS, "of an even number of rounds the mean of the two in the middle")
	require.Zero(t, joined(1, 16, 4).DeviationMS)
}

func TestCompare(t *testing.T) {
	now := joined(1, 16, 10, 10.1, 10.2, 10.3, 10.4, 10.5)
	before := joined(1, 16, 8, 8.1, 8.2, 8.3, 8.4, 8.5)
	other := joined(4, 16, 1, 1, 1, 1, 1, 1)
	c, err := measure.Compare([]measure.Result{other, before}, &now, measure.Allow{})
	require.NoError(t, err)
	require.InDelta(t, 10.25/8.25-1, c.Change, 1e-9)
	require.InDelta(t, 10/8.5-1, c.Low, 1e-9, "the nearest ends")
	require.InDelta(t, 10.5/8-1, c.High, 1e-9, "the farthest ends")
	require.True(t, c.Slower(0.1))
	require.False(t, c.Slower(0.2), "the nearest end is 17.6 % slower")
	require.Contains(t, c.String(), "95 % interval +17.6 to +31.2 %")

	few, err := measure.Compare([]measure.Result{joined(1, 16, 8)}, &now, measure.Allow{})
	require.NoError(t, err)
	require.True(t, few.Slower(0.2), "without an interval the medians decide: 28 %")
	require.False(t, few.Slower(0.3))
	require.Contains(t, few.String(), "1 and 6 rounds; an interval needs 6 of each: --repeat 6")

	two, err := measure.Compare([]measure.Result{joined(1, 16, 8, 8, 8), joined(1, 16, 9, 9, 9)}, &now, measure.Allow{})
	require.NoError(t, err)
	require.Equal(t, 8.5, two.Before.Center, "rounds of several earlier results count together")

	_, err = measure.Compare([]measure.Result{other}, &now, measure.Allow{})
	require.ErrorContains(t, err, "it has no result of m with 1 × 16 tokens")
}

// TestCompareMachines checks that results of another machine, or of an unknown one, are refused unless they are allowed.
func TestCompareMachines(t *testing.T) {
	now := joined(1, 16, 10)
	for want, change := range map[string]func(*measure.Result){
		"do not name the machine":     func(r *measure.Result) { r.Machine = nil },
		"the processor was":           func(r *measure.Result) { r.Machine.CPU = "an abacus" },
		"the platform was":            func(r *measure.Result) { r.Machine.OS = "plan9" },
		"processors could be used":    func(r *measure.Result) { r.Machine.Logical = 4096 },
		"the caches are not the same": func(r *measure.Result) { r.Machine.Caches = nil },
	} {
		before := joined(1, 16, 9)
		if len(before.Machine.Caches) == 0 && strings.Contains(want, "caches") {
			continue // the system does not report its caches
		}
		change(&before)
		_, err := measure.Compare([]measure.Result{before}, &now, measure.Allow{})
		var other *measure.MachineError
		require.ErrorAs(t, err, &other, want)
		require.ErrorContains(t, err, want)
		c, err := measure.Compare([]measure.Result{before}, &now, measure.Allow{Machine: true})
		require.NoError(t, err)
		require.InDelta(t, 10.0/9-1, c.Change, 1e-9)
	}
}

// TestCompareSpecs checks that results of another spec, or of an unknown one, are refused unless they are allowed.
func TestCompareSpecs(t *testing.T) {
	now := joined(1, 16, 10)
	now.SpecHash = "0123456789abcdef"
	for hash, want := range map[string]string{"fedcba9876543210": "it is of another spec: spec_sha256 was fedcba987654, now it is 0123456789ab",
		"": "spec_sha256 is missing"} {
		before := joined(1, 16, 9)
		before.SpecHash = hash
		_, err := measure.Compare([]measure.Result{before}, &now, measure.Allow{Machine: true})
		var other *measure.SpecError
		require.ErrorAs(t, err, &other)
		require.ErrorContains(t, err, want)
		c, err := measure.Compare([]measure.Result{before}, &now, measure.Allow{Spec: true})
		require.NoError(t, err)
		require.InDelta(t, 10.0/9-1, c.Change, 1e-9)
	}
}

func sweep() []measure.Result {
	var list []measure.Result
	for _, batch := range []int{1, 8} {
		for _, tokens := range []float64{16, 128, 512} {
			ms := float64(batch) * tokens / 20
			list = append(list, joined(batch, tokens, ms, ms*1.1, ms*0.9))
		}
	}
	return list
}

func TestFormats(t *testing.T) {
	results := sweep()
	results[0].Model = "a|b"
	for _, format := range measure.Formats {
		var b bytes.Buffer
		require.NoError(t, measure.Write(&b, format, results), format)
		switch format {
		case "json":
			back, err := measure.Read(b.Bytes())
			require.NoError(t, err)
			require.Equal(t, results, back)
		case "csv":
			rows, err := csv.NewReader(&b).ReadAll()
			require.NoError(t, err)
			require.Len(t, rows, 1+len(results))
			require.Contains(t, rows[0], "p50_ms")
			require.Equal(t, "a|b", rows[1][0])
		case "markdown":
			bars := strings.Count(strings.ReplaceAll(b.String(), "\\|", ""), "|")
			require.Equal(t, (2+len(results))*19, bars, "every row has every column:\n%s", b.String())
		case "table":
			require.Contains(t, b.String(), "median ms")
			require.Equal(t, 2+1+len(results), strings.Count(b.String(), "\n"), "machine, versions, titles, results")
		case "benchstat":
			r, lines := benchfmt.NewReader(&b, "test"), 0
			for r.Scan() {
				res, ok := r.Result().(*benchfmt.Result)
				require.True(t, ok, "%v", r.Result())
				lines++
				ns, ok := res.Value("sec/op")
				require.True(t, ok)
				require.Positive(t, ns)
				require.Equal(t, "v1", res.GetConfig("debertac"))
			}
			require.NoError(t, r.Err())
			require.Equal(t, 3*len(results), lines, "a sample per round")
		}
	}
	require.ErrorContains(t, measure.Write(io.Discard, "xml", results), `unknown format "xml" (known: table, markdown`)
}

func TestReadFaults(t *testing.T) {
	good := `{"model":"m","isa":"go","min_ms":1`
	for text, want := range map[string]string{
		"":       "it holds no results",
		" \n":    "it holds no results",
		"[]":     "line 1: not a result of debertac bench --json: a JSON array, want an object",
		"\n\n{}": "line 3: not a result of debertac bench --json: an object without model, isa or min_ms",
		"{\"model\":\"m\",\"isa\":\"go\",\"min_ms\":1}\n{\"batch\":\"x\"}": "line 2: not a result of debertac bench --json: batch is a JSON string",
		"nonsense":                                   "line 1: ",
		good + `,"rounds_ms":[1,-1]}`:                "line 1: a damaged result: rounds_ms has -1, want a time above 0 and up to 1e+12 ms",
		good + `,"rounds_ms":[0]}`:                   "rounds_ms has 0",
		good + `,"rounds_ms":[1e308,1]}`:             "rounds_ms has 1e+308",
		good + `,"rounds_ms":[]}`:                    "a damaged result: rounds_ms is empty",
		good + `,"rounds_ms":null}`:                  "a damaged result: rounds_ms is null",
		good + `,"Rounds_MS":[1],"rounds_ms":[2]}`:   "a damaged result: rounds_ms is there twice",
		good + `,"min_ms":2}`:                        "min_ms is there twice",
		good + `,"machine":{"cpu":"a","cpu":"b"}}`:   "machine.cpu is there twice",
		good + `,"rounds":3,"rounds_ms":[1,1]}`:      "rounds is 3, rounds_ms has 2 times",
		good + `,"p50_ms":0}`:                        "p50_ms is 0, want a time above 0",
		good + `,"p99_ms":-1}`:                       "p99_ms is -1",
		`{"model":"m","isa":"go","min_ms":-1}`:       "without model, isa or min_ms",
		`{"model":"m","isa":"go","min_ms":1e300}`:    "min_ms is 1e+300",
		good + "}\n" + good + `,"rounds_ms":[]}`:     "line 2: a damaged result",
		good + `,"rounds_ms":[1],"deviation_ms":-1}`: "deviation_ms is -1",
	} {
		_, err := measure.Read([]byte(text))
		require.ErrorContains(t, err, want, "%q", text)
		require.NotContains(t, err.Error(), "measure.", "no Go types in messages")
	}
}

func TestPlot(t *testing.T) {
	for _, results := range [][]measure.Result{sweep(), sweep()[:1]} {
		drawn, err := measure.Plot("x.png", results)
		require.NoError(t, err)
		picture, err := png.Decode(bytes.NewReader(drawn))
		require.NoError(t, err)
		require.Greater(t, picture.Bounds().Dx(), 800)
		drawn, err = measure.Plot("x.SVG", results)
		require.NoError(t, err)
		text, d := "", xml.NewDecoder(bytes.NewReader(drawn))
		for {
			token, err := d.Token()
			if err == io.EOF {
				break
			}
			require.NoError(t, err)
			if c, ok := token.(xml.CharData); ok {
				text += string(c) + "\n"
			}
		}
		require.Contains(t, text, "tokens per sequence")
		require.Contains(t, text, "throughput")
		if len(results) > 1 {
			require.Contains(t, text, "m, batch 8")
			require.Contains(t, text, "512")
		}
	}
	_, err := measure.Plot("x.pdf", sweep())
	require.ErrorContains(t, err, "x.pdf: a plot is written as .png or .svg")
}

// program compiles a small model of two layers.
func program(t *testing.T) *ir.Program {
	t.Helper()
	s, faults := spec.ParseAndResolve("test.dspec", []byte("dspec 1\nmodel m like deberta_v3_base { dim layers = 2; dim hidden = 32; dim heads = 2; "+
		"dim vocab = 100 }\n"))
	require.Empty(t, faults)
	units, list, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, list)
	require.Len(t, units, 1)
	return units[0].Program
}

// TestExplain checks that the times of the schedule's steps become rows whose times add up to the time of the call, with one layer for each run of a region.
func TestExplain(t *testing.T) {
	p := program(t)
	r := joined(1, 16, 1)
	r.Extents, r.BetweenMS = &engine.Sizes{T: 16, B: 1, P: 256}, 0.5
	for _, c := range p.Run {
		for range c.Count * len(c.Region.Nodes) {
			r.StepMS = append(r.StepMS, float64(1+len(r.StepMS)))
		}
	}
	total := r.BetweenMS
	for _, ms := range r.StepMS {
		total += ms
	}
	require.NoError(t, r.Explain(p, func(flops, bf16, bytes float64) float64 { return max(flops/1e9, bytes/1e9) }))
	steps, share, runs := 0.0, 0.0, 0
	for _, s := range r.Steps {
		steps += s.MS
		share += s.Share
		runs += s.Runs
		require.NotEmpty(t, s.Kernel)
		if strings.HasPrefix(s.Op, "gemm") {
			require.Positive(t, s.GFLOPS)
			require.Positive(t, s.Roofline)
			require.Contains(t, s.Line, "deberta_v3.dspec:")
		}
	}
	require.InDelta(t, total-0.5, steps, 1e-9)
	require.InDelta(t, 1-0.5/total, share, 1e-9)
	require.Equal(t, len(r.StepMS), runs)
	layers := 0.0
	for _, l := range r.Layers {
		layers += l.MS
	}
	require.InDelta(t, steps, layers, 1e-9)
	var b bytes.Buffer
	require.NoError(t, measure.WriteSteps(&b, &r))
	require.Contains(t, b.String(), "layer 1 ")
	require.Contains(t, b.String(), "between steps")
	text, err := json.Marshal(&r)
	require.NoError(t, err)
	require.Contains(t, string(text), `"steps":[{"region":"embed"`)

	for _, change := range []int{-1, 1} {
		short := joined(1, 16, 1)
		short.Extents, short.StepMS = r.Extents, make([]float64, len(r.StepMS)+change)
		require.ErrorContains(t, short.Explain(p, nil), "the program measured")
	}
}
