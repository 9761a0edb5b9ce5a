package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/safetensors"
)

// recording is a model folder whose files were changed, and the libraries' results for it. docs/record_folders.py writes recordings.
type recording struct {
	Number  int
	Base    string              // a folder of examples/tasks
	Changes []string            // what was changed, for messages
	Edits   [][]json.RawMessage // see docs/record_changes.py
	Names   []string            // the fields and files that were changed
	Flags   []string            // of run
	Input   []json.RawMessage   // records
	Want    []any               // results; fields that are not in them are not compared
	Error   string              // the libraries' message if they refuse the folder
}

// tolerance is the largest difference of numbers: the libraries compute in float32, with sums of a hundred terms over two layers.
const tolerance = 2e-4

// TestRecordedFolders checks that every recorded folder leads to the recorded results, or is refused with the name of a field or file that was changed.
func TestRecordedFolders(t *testing.T) {
	file, err := os.Open("testdata/folders.jsonl")
	require.NoError(t, err)
	defer file.Close()
	root := memory(t) // its path is in messages, and must not hold the name of a field or file
	var equal, refused, faults, total int
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r recording
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r))
		total++
		if testing.Short() && r.Number%10 != 0 {
			continue
		}
		t.Run(fmt.Sprintf("%d %s %s", r.Number, r.Base, strings.Join(r.Changes, ", ")), func(t *testing.T) {
			t.Setenv(cache.Env, filepath.Join(root, "cache", strconv.Itoa(r.Number))) // the more a cache holds, the longer it takes to add something
			out, said, code := r.run(t, filepath.Join(root, strconv.Itoa(r.Number)))
			switch {
			case code == fault.ExitDone && r.Error == "":
				equal++
				r.compare(t, out)
			case code == fault.ExitDone:
				t.Fatalf("it runs, but the libraries say: %s\n%s%s", r.Error, said, out)
			case code != fault.ExitInput && code != fault.ExitUsage || !r.names(said):
				t.Fatalf("the refusal (exit code %d) names none of %q:\n%s\nthe libraries: %s", code, r.Names, said, r.Error)
			case r.Error == "":
				refused++
				t.Log(said)
			default:
				faults++
			}
		})
	}
	require.NoError(t, lines.Err())
	require.GreaterOrEqual(t, total, 300)
	t.Logf("%d folders: %d give the recorded results, %d are refused, as by the libraries, %d are refused that the libraries take",
		equal+refused+faults, equal, faults, refused)
	if !t.Failed() && !testing.Short() { // the few folders of a short run prove nothing
		require.Greater(t, equal, 3*refused, "most folders that the libraries take give results")
	}
}

// names reports whether a message names what was changed.
func (r *recording) names(message string) bool {
	return slices.ContainsFunc(r.Names, func(n string) bool { return strings.Contains(message, n) })
}

// run makes the folder and runs it.
func (r *recording) run(t *testing.T, root string) (stdout, stderr string, code int) {
	dir := filepath.Join(root, "folder")
	require.NoError(t, os.CopyFS(dir, os.DirFS(filepath.Join("..", "..", "examples", "tasks", r.Base))))
	for _, e := range r.Edits {
		r.edit(t, dir, e)
	}
	var input bytes.Buffer
	for _, record := range r.Input {
		input.Write(record)
		input.WriteByte('\n')
	}
	path := filepath.Join(root, "input.jsonl")
	require.NoError(t, os.WriteFile(path, input.Bytes(), 0o600))
	return interpreted(slices.Concat([]string{"run", dir, "--json", "--quiet", "--input", path}, r.Flags))
}

// compare compares the results with the recorded ones.
func (r *recording) compare(t *testing.T, out string) {
	dec := json.NewDecoder(strings.NewReader(out))
	for i, want := range r.Want {
		var got any
		require.NoError(t, dec.Decode(&got), "result %d: %s", i, out)
		if diff := differs(want, got, ""); diff != "" {
			t.Fatalf("result %d: %s\nhave %v\nwant %v", i, diff, got, want)
		}
	}
	require.False(t, dec.More(), "more results than %d: %s", len(r.Want), out)
}

// differs describes where two results differ, or returns "". Fields that are only in have are not compared.
func differs(want, have any, at string) string {
	switch w := want.(type) {
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v", at, have)
		}
		for k, v := range w {
			if d := differs(v, h[k], at+"."+k); d != "" {
				return d
			}
		}
	case []any:
		h, ok := have.([]any)
		if !ok && have != nil || len(h) != len(w) {
			return fmt.Sprintf("%s has %d entries, want %d", at, len(h), len(w))
		}
		for i := range w {
			if d := differs(w[i], h[i], fmt.Sprintf("%s[%d]", at, i)); d != "" {
				return d
			}
		}
	case float64:
		h, ok := have.(float64)
		if !ok && have != nil || math.Abs(h-w) > tolerance*max(1, math.Abs(w)) { // a field of value 0 may be left out
			return fmt.Sprintf("%s = %v, want %v", at, have, w)
		}
	default:
		if want != have {
			return fmt.Sprintf("%s = %v, want %v", at, have, want)
		}
	}
	return ""
}

// edit makes one change in a folder.
func (r *recording) edit(t *testing.T, dir string, e []json.RawMessage) {
	text := func(i int) (s string) {
		require.NoError(t, json.Unmarshal(e[i], &s))
		return s
	}
	path := filepath.Join(dir, filepath.FromSlash(text(1)))
	switch op := text(0); op {
	case "set", "unset":
		whole := map[string]json.RawMessage{}
		old, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, json.Unmarshal(old, &whole))
		delete(whole, text(2))
		if op == "set" {
			whole[text(2)] = e[3]
		}
		new, err := json.Marshal(whole)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, new, 0o600))
	case "file":
		content := []byte(e[2])
		if content[0] == '"' {
			content = []byte(text(2))
		}
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		require.NoError(t, os.WriteFile(path, content, 0o600))
	case "remove":
		require.NoError(t, os.Remove(path))
	case "tensors":
		editTensors(t, filepath.Join(dir, "model.safetensors"), e[1:])
	default:
		t.Fatalf("the edit %s is not known", op)
	}
}

// stored is a tensor that is written to a file.
type stored struct {
	name  string
	shape []int
	data  []float32
	ints  bool // their numbers are 0, 1, 2 …
}

// editTensors rewrites a file of tensors.
func editTensors(t *testing.T, path string, e []json.RawMessage) {
	var op, first, second string
	var scale float32
	var shape []int
	into := []any{&op, &first, &second, &scale}
	require.NoError(t, json.Unmarshal(e[0], &op))
	if op == "make" || op == "ints" {
		into[2] = &shape
	}
	for i := range e {
		require.NoError(t, json.Unmarshal(e[i], into[i]))
	}
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	var list []stored
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		s := stored{name: n, shape: info.Shape, data: make([]float32, info.Elements())}
		if s.ints = info.DType == safetensors.I64; !s.ints {
			require.NoError(t, f.Floats(n, s.data))
		}
		switch {
		case op == "prefix":
			s.name = first + n
		case op == "rename" && n == first:
			s.name = second
		case op == "drop" && n == first:
			continue
		case op == "copy" && n == first:
			scaled := stored{name: second, shape: s.shape, data: make([]float32, len(s.data))}
			for i, v := range s.data {
				scaled.data[i] = v * scale
			}
			list = append(list, scaled)
		}
		list = append(list, s)
	}
	require.NoError(t, f.Close())
	if op == "make" || op == "ints" {
		n := 1
		for _, d := range shape {
			n *= d
		}
		s := stored{name: first, shape: shape, data: make([]float32, n), ints: op == "ints"}
		for i := range s.data {
			s.data[i] = float32((i*37)%101-50) / 64
		}
		list = slices.DeleteFunc(list, func(o stored) bool { return o.name == first })
		list = append(list, s)
	}
	writeTensors(t, path, list)
}

func writeTensors(t *testing.T, path string, list []stored) {
	out, err := os.Create(path)
	require.NoError(t, err)
	var decls []safetensors.Tensor
	byName := map[string]stored{}
	for _, s := range list {
		dtype := safetensors.F32
		if s.ints {
			dtype = safetensors.I64
		}
		decls = append(decls, safetensors.Tensor{Name: s.name, DType: dtype, Shape: s.shape})
		byName[s.name] = s
	}
	w, err := safetensors.NewWriter(out, nil, decls)
	require.NoError(t, err)
	for _, n := range w.Order() {
		s := byName[n]
		if !s.ints {
			require.NoError(t, w.WriteFloats(n, s.data))
			continue
		}
		raw := make([]byte, 8*len(s.data))
		for i := range s.data {
			raw[8*i], raw[8*i+1] = byte(i), byte(i>>8)
		}
		require.NoError(t, w.Write(n, raw))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
}
