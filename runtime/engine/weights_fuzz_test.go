package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/pool"
)

// headerKey is the text before the header's own hash in the header.
const headerKey = `"debertac.header":"`

// withHash returns a packed file with the hash that its header must have, so that fuzzed headers pass this check. Such a file stands for one
// that was made to do harm.
func withHash(data []byte) []byte {
	if len(data) < 8 {
		return data
	}
	n := binary.LittleEndian.Uint64(data)
	if n > uint64(len(data)-8) {
		return data
	}
	head := data[:8+n]
	at := bytes.Index(head, []byte(headerKey))
	if at < 0 || at+len(headerKey)+64 > len(head) {
		return data
	}
	at += len(headerKey)
	fixed := bytes.Clone(data)
	copy(fixed[at:at+64], bytes.Repeat([]byte("0"), 64))
	sum := sha256.Sum256(fixed[:len(head)])
	hex.Encode(fixed[at:at+64], sum[:])
	return fixed
}

// FuzzOpen opens packed files whose header has the right hash, whatever it contains, and uses each model that opens. Nothing panics, and each
// refused file has an error with a text.
func FuzzOpen(f *testing.F) {
	tested := fakeMeta()
	tested.SelfTest = &engine.SelfTest{Head: "kind", Sequence: engine.Sequence{IDs: []int32{1, 2, 3}, Types: []int32{0, 1, 1}},
		Outputs: []float32{0, 0, 0}, Tolerance: 1e9}
	tested.MaxTokens = 9
	tested.Labels = map[string][]string{"kind": {"x", "y", "z"}}
	aliased := fakeMeta()
	aliased.Aliases = map[string]string{"layer.1": "layer.0"}
	for _, meta := range []engine.Meta{fakeMeta(), tested, aliased} {
		f.Add(packFakeBytes(f, meta))
	}
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := engine.OpenBytes(fakeProgram(fakeHooks{}), "fuzz", withHash(data), runtime.Threads(1))
		var p *pool.PanicError
		if errors.As(err, &p) {
			t.Fatalf("%v\n%s", err, p.Stack)
		}
		if err != nil {
			if err.Error() == "" {
				t.Fatal("an error without a text")
			}
			return
		}
		defer c.Close()
		if _, err := runKind(context.Background(), c, oneSequence(min(3, c.Options().MaxTokens))); errors.As(err, &p) {
			t.Fatalf("%v\n%s", err, p.Stack)
		}
		if k, err := engine.NewClassifier(c, ""); err == nil {
			_, _ = k.Classify(context.Background(), []string{"some text of words"})
		}
		_ = c.CheckWeights()
	})
}
