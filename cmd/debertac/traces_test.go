package main

import (
	"encoding/binary"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/debertac/debertac/runtime/safetensors"
)

// batch is the script command "batch OUT IDS …": it writes a batch of sequences, whose ids stand between commas. The first token of the batch is asked for.
func batch(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: batch OUT IDS …")
	}
	parts := map[string][]int32{"starts": {0}, "rows": {0}}
	for _, sequence := range args[1:] {
		for _, id := range strings.Split(sequence, ",") {
			n, err := strconv.ParseInt(id, 10, 32)
			ts.Check(err)
			parts["ids"] = append(parts["ids"], int32(n))
		}
		parts["starts"] = append(parts["starts"], int32(len(parts["ids"])))
	}
	var list []safetensors.Tensor
	for name, v := range parts {
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(v)}})
	}
	out, err := os.Create(ts.MkAbs(args[0]))
	ts.Check(err)
	defer out.Close()
	w, err := safetensors.NewWriter(out, nil, list)
	ts.Check(err)
	for _, name := range w.Order() {
		raw, err := binary.Append(nil, binary.LittleEndian, parts[name])
		ts.Check(err)
		ts.Check(w.Write(name, raw))
	}
	ts.Check(w.Close())
}

// floats returns a tensor of a file.
func floats(ts *testscript.TestScript, path, name string) []float32 {
	f, err := safetensors.Open(ts.MkAbs(path))
	ts.Check(err)
	defer f.Close()
	info, err := f.Info(name)
	ts.Check(err)
	n := 1
	for _, d := range info.Shape {
		n *= d
	}
	list := make([]float32, n)
	ts.Check(f.Floats(name, list))
	return list
}

// same is the script command "same FILE NAME NAME" or "same FILE NAME FILE NAME": two tensors have the same numbers, up to rounding, and not all are 0.
func same(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) == 3 {
		args = []string{args[0], args[1], args[0], args[2]}
	}
	if neg || len(args) != 4 {
		ts.Fatalf("usage: same FILE NAME [FILE] NAME")
	}
	a, b := floats(ts, args[0], args[1]), floats(ts, args[2], args[3])
	if len(a) != len(b) {
		ts.Fatalf("%s has %d numbers, and %s has %d", args[1], len(a), args[3], len(b))
	}
	size := 0.0
	for i := range a {
		size += math.Abs(float64(a[i]))
		if !(math.Abs(float64(a[i]-b[i])) < 1e-5) {
			ts.Fatalf("number %d is %v in %s and %v in %s", i, a[i], args[1], b[i], args[3])
		}
	}
	if size == 0 {
		ts.Fatalf("%s is 0", args[1])
	}
}

// shares is the script command "shares FILE NAME HEADS TOKENS …": a tensor holds, for each head, the attention maps of sequences with these numbers of tokens.
func shares(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: shares FILE NAME HEADS TOKENS …")
	}
	list := floats(ts, args[0], args[1])
	heads, err := strconv.Atoi(args[2])
	ts.Check(err)
	for range heads {
		for _, text := range args[3:] {
			n, err := strconv.Atoi(text)
			ts.Check(err)
			for range n {
				if len(list) < n {
					ts.Fatalf("%s is too short", args[1])
				}
				sum := 0.0
				for _, v := range list[:n] {
					sum += float64(v)
				}
				if math.Abs(sum-1) > 1e-5 {
					ts.Fatalf("a row of %s adds up to %v", args[1], sum)
				}
				list = list[n:]
			}
		}
	}
	if len(list) > 0 {
		ts.Fatalf("%s has %d numbers more", args[1], len(list))
	}
}
