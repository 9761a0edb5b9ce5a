package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
)

// TestParameters checks the exact counts of Table 13 against those of transformers' classes, in millions.
func TestParameters(t *testing.T) {
	var b bytes.Buffer
	chosen, err := choose([]string{"t13"})
	require.NoError(t, err)
	require.NoError(t, compute(t.Context(), &lab{log: io.Discard}, chosen, "", &b))
	for _, want := range []string{"| 124 055 040 |  |", "| 138 601 728 | +14 546 688 |", "| 124 436 736 | -14 164 992 |", "| 126 208 512 | +1 771 776 |",
		"| 185 985 792 | +59 777 280 |"} {
		require.Contains(t, b.String(), want)
	}
}

// TestPositions checks that each letter is as frequent as any other, so that chance is one in eight.
func TestPositions(t *testing.T) {
	d := positions()
	list := strings.Fields(d.train[0].Text)
	require.Len(t, list, places)
	for _, letter := range letters {
		n := 0
		for _, word := range list {
			if word == string(letter) {
				n++
			}
		}
		require.Equal(t, places/len(letters), n, "%c", letter)
	}
}

// TestReader checks each tag by the definition of the task.
func TestReader(t *testing.T) {
	for _, e := range copies("reader", true, 50, 0).train {
		for i, word := range e.Words {
			want, distance := none, int(word[1]-'0')
			if i >= distance {
				want = e.Words[i-distance][:1]
			}
			require.Equal(t, want, e.Tags[i])
		}
	}
}

// TestWriter checks that exactly one word writes to each place from the fifth on, and that no word writes to the places before it.
func TestWriter(t *testing.T) {
	for _, e := range copies("writer", false, 50, 0).train {
		for i, tag := range e.Tags {
			var from []string
			for k, word := range e.Words[:i] {
				distance := int(word[1] - '0')
				require.True(t, distance >= 1 && distance <= reaches, word)
				if k+distance == i {
					from = append(from, word[:1])
				}
			}
			if tag == none {
				require.Less(t, i, reaches/2)
				require.Empty(t, from)
			} else {
				require.Equal(t, []string{tag}, from)
			}
		}
	}
}

// TestSpecs checks that the spec of each ablation is right, and has the terms of its name.
func TestSpecs(t *testing.T) {
	place, reader := positions(), copies("reader", true, 1, 1)
	for i := range rows {
		a := &rows[i]
		for _, j := range []*job{locate(a, place, 1, 100), duplicate(a, reader, 1, 100)} {
			s, faults := spec.ParseAndResolve("t4.dspec", []byte(j.spec))
			require.NotNil(t, s, "%v\n%s", faults, j.spec)
			require.NotNil(t, s.Head(j.head))
			score := s.Model("m").Encoder.Attention.ScoreSource.Text
			require.Equal(t, a.c2p, strings.Contains(score, "q[i]·kr[i-j]"), a.name)
			require.Equal(t, a.p2c, strings.Contains(score, "qr[i-j]·k[j]"), a.name)
			require.NotNil(t, s.Train("t"))
		}
		s, _ := spec.ParseAndResolve("t4.dspec", []byte(locate(a, place, 1, 100).spec))
		require.Equal(t, a.emd, s.Head("m.letter").Decoder != nil, a.name)
	}
}

// TestTopicsShowInPairsAlone checks that a topic decides the object of each subject, that topics differ, and that all sets are as large as asked for.
func TestTopicsShowInPairsAlone(t *testing.T) {
	d := language(5, 60, 40)
	require.Len(t, d.before, 5)
	require.Len(t, d.train, 60)
	require.Len(t, d.test, 40)
	objects := map[string]map[string]string{}
	for _, e := range append(d.train, d.test...) {
		words := strings.Fields(e.Text)
		require.Len(t, words, 2*pairs)
		if objects[e.Label] == nil {
			objects[e.Label] = map[string]string{}
		}
		for i := 0; i < len(words); i += 2 {
			if known, ok := objects[e.Label][words[i]]; ok {
				require.Equal(t, known, words[i+1])
			}
			objects[e.Label][words[i]] = words[i+1]
		}
	}
	require.Len(t, objects, topics)
	for label, own := range objects {
		require.Len(t, own, subjects)
		seen := map[string]bool{}
		for _, o := range own {
			seen[o] = true
		}
		require.Len(t, seen, subjects, "each object belongs to one subject of topic %s", label)
	}
	require.NotEqual(t, objects["a"], objects["b"])
}

// TestSpecsOfOtherTables checks that the specs of all rows resolve, and that each has what its row is about.
func TestSpecsOfOtherTables(t *testing.T) {
	resolve := func(text string) *spec.Spec {
		s, faults := spec.ParseAndResolve("paper.dspec", []byte(text))
		require.NotNil(t, s, "%v\n%s", faults, text)
		require.NotNil(t, s.Train("t"))
		return s
	}
	for i := range pretrainings {
		p := &pretrainings[i]
		before := resolve(p.spec(21, 100)).Train("before")
		require.Equal(t, p.head != "", before != nil, p.name)
		if before != nil {
			require.Equal(t, strings.HasPrefix(p.name, "RTD"), before.Replace != nil, p.name)
		}
	}
	for i := range causals {
		c := &causals[i]
		s := resolve(c.job(&data{tokens: []string{"a"}, length: 64}, 1, 100).spec)
		require.Equal(t, c.on != "", s.Head("ar.lm").Decoder != nil, c.name)
		require.Equal(t, c.name == "DeBERTa-MT", s.Head("base.mlm") != nil, c.name)
		require.Equal(t, c.name == "RoBERTa" || c.name == "DeBERTa-AP", s.Model("ar").Embed.Absolute != nil, c.name)
	}
	topic := topicTexts(1, 1)
	require.Nil(t, resolve(tuned(topic, "", 1, 100).spec).Train("t").Sift)
	require.NotNil(t, resolve(tuned(topic, fmt.Sprintf(sifting, 4), 1, 100).spec).Train("t").Sift)
	m := resolve(roberta(topic, 1, 100).spec).Model("m")
	require.Empty(t, m.Encoder.Attention.Proj("kr"))
	require.NotZero(t, m.Embed.Absolute)
}

// TestDisturb checks that noise of the right size is added to the table of tokens, and to no other tensor, and that the optimizer's tensors are left out.
func TestDisturb(t *testing.T) {
	dir := t.TempDir()
	from, to := filepath.Join(dir, "a.safetensors"), filepath.Join(dir, "b.safetensors")
	const n = 10000
	values := make([]float32, n)
	for i := range values {
		values[i] = 2 // its root mean square
	}
	var b bytes.Buffer
	w, err := safetensors.NewWriter(&b, nil, []safetensors.Tensor{{Name: "embed.token", DType: safetensors.F32, Shape: []int{n}},
		{Name: "embed.norm.weight", DType: safetensors.F32, Shape: []int{n}}, {Name: "first.embed.token", DType: safetensors.F32, Shape: []int{n}}})
	require.NoError(t, err)
	for _, name := range w.Order() {
		require.NoError(t, w.WriteFloats(name, values))
	}
	require.NoError(t, w.Close())
	require.NoError(t, os.WriteFile(from, b.Bytes(), 0o666))
	require.NoError(t, disturb(from, to, 0.5, 1))
	f, err := safetensors.Open(to)
	require.NoError(t, err)
	defer f.Close()
	require.ElementsMatch(t, []string{"embed.token", "embed.norm.weight"}, f.Names())
	got := make([]float32, n)
	require.NoError(t, f.Floats("embed.norm.weight", got))
	require.Equal(t, values, got)
	require.NoError(t, f.Floats("embed.token", got))
	square := 0.0
	for _, v := range got {
		square += float64(v-2) * float64(v-2)
	}
	require.InDelta(t, 1, math.Sqrt(square/n), 0.03)
}

// TestNumbers checks how numbers over seeds are printed.
func TestNumbers(t *testing.T) {
	list := []float64{0.5, 0.6, 0.7}
	require.Equal(t, "60.0 ± 24.8", interval(list)) // 4.303 · 0.1 / √3
	require.Equal(t, "50.0", interval(list[:1]))
	require.Equal(t, "50.0/70.0/60.0", extremes(list))
	require.Equal(t, "60.0 (50.0 to 70.0)", percent(list))
	require.Equal(t, "50.0", percent(list[:1]))
	require.Equal(t, "not defined", probability(math.NaN()))
	require.Equal(t, "< 0.0001", probability(0.00009))
	require.Equal(t, "0.0123", probability(0.01234))
	require.Equal(t, "+50.0 %", more(3, 2))
	require.Equal(t, "-1 234 567", signed(-1234567))
}

// TestRequirements checks which results Table 4 refuses.
func TestRequirements(t *testing.T) {
	good := map[string][]float64{"DeBERTa": {95, 95, 95}, "−EMD": {17.5, 95, 95}, "−C2P": {95, 75, 95}, "−P2C": {95, 95, 75}}
	check := func(row string, task int, value float64) []string {
		r := &result{}
		hold(r, func(k int, name string) float64 {
			if k == task && name == row {
				return value
			}
			return good[name][k]
		}, 3)
		return r.faults
	}
	require.Empty(t, check("", 0, 0))
	for _, bad := range []struct {
		row   string
		task  int
		value float64
	}{{"DeBERTa", 0, 94.9}, {"−EMD", 0, 17.6}, {"−C2P", 1, 75.1}, {"−P2C", 2, 75.1}} {
		require.Len(t, check(bad.row, bad.task, bad.value), 1, bad)
	}
	require.Len(t, check("DeBERTa", 1, 94.9), 2)
}

// TestChoose checks the names of tables.
func TestChoose(t *testing.T) {
	_, err := choose(nil)
	require.ErrorContains(t, err, "no table is named")
	_, err = choose([]string{"t4", "t5"})
	require.ErrorContains(t, err, `there is no table "t5"`)
}

// TestFaults checks that an unfulfilled requirement is an error after the table is printed.
func TestFaults(t *testing.T) {
	var b bytes.Buffer
	bad := table{"x", "", func(context.Context, *lab) (*result, error) {
		r := &result{columns: []string{"a", "b"}}
		r.add("1", "2")
		r.require(false, "%d is too small", 2)
		return r, nil
	}}
	err := compute(t.Context(), &lab{log: io.Discard}, []table{bad}, "", &b)
	require.EqualError(t, err, "x: 2 is too small")
	require.Equal(t, "| a | b |\n| --- | ---: |\n| 1 | 2 |\n\n", b.String())
}

// TestKept checks that a model whose metrics are in the folder is not trained again, and that a damaged file is an error that names it.
func TestKept(t *testing.T) {
	l := &lab{program: "/nowhere/debertac", dir: t.TempDir(), jobs: 1, log: io.Discard}
	d := &data{name: "d", tokens: []string{"a"}}
	j, other := &job{spec: "x", data: d, seed: 1}, &job{spec: "x", data: d, seed: 2}
	require.NoError(t, os.WriteFile(l.place(j).of(".json"), []byte(`{"accuracy": 0.5}`), 0o666))
	require.NoError(t, l.run(t.Context(), []*job{j, j}))
	require.Equal(t, measured{"accuracy": 0.5}, l.result(j))
	require.ErrorContains(t, l.run(t.Context(), []*job{other}), "/nowhere/debertac")
	require.NoError(t, os.WriteFile(l.place(other).of(".json"), []byte(`{`), 0o666))
	require.ErrorContains(t, l.run(t.Context(), []*job{other}), l.place(other).of(".json"))
	require.NotEqual(t, j.key(), (&job{spec: "x", data: d, seed: 1, every: 5}).key())
}

// TestEvaluations reads a metric of evaluations, and links a folder under a name again and again.
func TestEvaluations(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "metrics.jsonl")
	lines := `{"step":10,"loss":2}` + "\n" + `{"step":10,"eval_accuracy":0.25}` + "\n" + `{"step":20,"eval_accuracy":0.5}` + "\n"
	require.NoError(t, os.WriteFile(path, []byte(lines), 0o666))
	list, err := evaluations(path, "eval_accuracy")
	require.NoError(t, err)
	require.Equal(t, map[int]float64{10: 0.25, 20: 0.5}, list)
	require.NoError(t, os.WriteFile(path, []byte(`{"step":10`), 0o666))
	_, err = evaluations(path, "eval_accuracy")
	require.ErrorContains(t, err, path)
	l := &lab{dir: dir}
	run := filepath.Join(dir, "run")
	require.NoError(t, os.Mkdir(run, 0o777))
	for range 2 {
		named, err := l.called(run, "DeBERTa-1")
		require.NoError(t, err)
		target, err := filepath.EvalSymlinks(named)
		require.NoError(t, err)
		require.Equal(t, run, target)
		require.Equal(t, "DeBERTa-1", filepath.Base(named))
	}
}
