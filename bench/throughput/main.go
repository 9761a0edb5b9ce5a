// Command throughput measures the tokenizers of model folders on texts, on one thread. bench/throughput.py runs it beside other tokenizers.
//
//	throughput TEXTS ROUNDS FOLDER...
//
// TEXTS holds one JSON string per line. The command writes one JSON object per line: a folder, a way of encoding, the least processor time of the rounds, the
// number of tokens and a checksum of the ids.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// result is one line of the output. Seconds is the least processor time of the rounds, for all texts.
type result struct {
	Peer      string  `json:"peer"`
	Version   string  `json:"version"`
	Tokenizer string  `json:"tokenizer"`
	Kind      string  `json:"kind"`
	Way       string  `json:"way"`
	Seconds   float64 `json:"seconds"`
	Tokens    int     `json:"tokens"`
	CRC       uint32  `json:"crc"`
}

func main() {
	runtime.GOMAXPROCS(1)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "throughput:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 4 {
		return fmt.Errorf("want TEXTS ROUNDS FOLDER")
	}
	texts, err := readTexts(os.Args[1])
	if err != nil {
		return err
	}
	rounds, err := strconv.Atoi(os.Args[2])
	if err != nil || rounds < 1 {
		return fmt.Errorf("%q rounds (want 1 or more)", os.Args[2])
	}
	out := json.NewEncoder(os.Stdout)
	for _, dir := range os.Args[3:] {
		t, err := token.Load(os.DirFS(dir))
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		var ids []int32
		var spans []tokenizer.Span
		ways := []struct {
			name string
			one  func(text string) error
		}{
			{"ids", func(text string) (err error) {
				ids, err = t.AppendIDs(ids, text, token.SpecialText)
				return err
			}},
			{"offsets", func(text string) (err error) {
				spans, err = t.AppendSpans(spans[:0], text, token.SpecialText)
				for _, x := range spans {
					ids = append(ids, x.ID)
				}
				return err
			}},
		}
		for _, w := range ways {
			r := result{Peer: "debertac", Version: runtime.Version(), Tokenizer: filepath.Base(dir), Kind: t.Kind() + ", " + t.Form(), Way: w.name}
			for range rounds {
				ids = ids[:0]
				start := processorTime()
				for _, text := range texts {
					if err := w.one(text); err != nil {
						return err
					}
				}
				if s := processorTime() - start; r.Seconds == 0 || s < r.Seconds {
					r.Seconds = s
				}
			}
			r.Tokens, r.CRC = len(ids), checksum(ids)
			if err := out.Encode(r); err != nil {
				return err
			}
		}
	}
	return nil
}

func readTexts(name string) (texts []string, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<26)
	for s.Scan() {
		var text string
		if err := json.Unmarshal(s.Bytes(), &text); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		texts = append(texts, text)
	}
	return texts, s.Err()
}

func checksum(ids []int32) uint32 {
	b := make([]byte, 0, 4*len(ids))
	for _, id := range ids {
		b = binary.LittleEndian.AppendUint32(b, uint32(id))
	}
	return crc32.ChecksumIEEE(b)
}
