package program

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/batchfile"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/safetensors"
)

// FuzzBatch passes any file to the verb forward as its batch. It must be computed, or refused as a fault of the input.
func FuzzBatch(f *testing.F) {
	add := func(tensors map[string][]int32, order ...string) {
		var list []safetensors.Tensor
		for _, name := range order {
			list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(tensors[name])}})
		}
		var b bytes.Buffer
		w, err := safetensors.NewWriter(&b, nil, list)
		if err != nil {
			f.Fatal(err)
		}
		for _, name := range w.Order() {
			data, err := binary.Append(nil, binary.LittleEndian, tensors[name])
			if err == nil {
				err = w.Write(name, data)
			}
			if err != nil {
				f.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	add(map[string][]int32{"ids": {1, 5, 2}, "starts": {0, 3}}, "ids", "starts")
	add(map[string][]int32{"ids": {1, 5, 2, 7}, "starts": {0, 1, 4}, "positions": {0, 0, 2, 3}, "rows": {0}}, "ids", "starts", "positions", "rows")
	add(map[string][]int32{"ids": {1}, "starts": {0, 1}, "words": {0, 1}, "word_starts": {0, 1}, "marks": {0}, "mark_starts": {0, 1}, "prefix": {1},
		"types": {0}},
		"ids", "starts", "words", "word_starts", "marks", "mark_starts", "prefix", "types")
	weights := fakeWeights(f, true)
	core, err := engine.Open(fakeProgram(), weights, runtime.Threads(1))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { core.Close() })
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(dir, "batch")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		b, err := batchfile.Read(path)
		if err == nil {
			err = b.Validate(core.Program().Limits)
			if err == nil {
				for i, h := range core.Program().Heads {
					if rerr := core.Run(t.Context(), engine.Call{Head: i, Batch: b, Out: make([]float32, h.OutLen(b))}); rerr != nil {
						err = errors.Join(err, rerr)
					}
				}
			}
		}
		var p *pool.PanicError
		if errors.As(err, &p) && p.Value != "the word panic" {
			t.Fatalf("%v\n%s", err, p.Stack)
		}
		if err != nil && p == nil && command.ExitCode(err) != ExitInput {
			t.Fatalf("exit code %d: %v", command.ExitCode(err), err)
		}
	})
}
