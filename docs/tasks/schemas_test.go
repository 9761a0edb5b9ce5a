package tasks_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/extraction/extractiontest"
)

// schemaCase is a recorded case of a model that reads schemas: the lines of input for each of its results.
type schemaCase struct {
	recording
	ids   []string
	score float64 // tolerance of a confidence
}

// readSchemaCase reads a folder of recorded texts with schemas. It leaves out schemas that the published JSON form refuses; the tests of runtime/extraction
// have them.
func readSchemaCase(t *testing.T, dir string) *schemaCase {
	c := &schemaCase{recording: recording{Name: filepath.Base(dir), Folder: dir}}
	var info struct {
		Tolerance struct{ Score struct{ Atol float64 } }
	}
	data, err := os.ReadFile(filepath.Join(dir, "case.json"))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &info))
	c.score = info.Tolerance.Score.Atol
	require.Positive(t, c.score)
	data, err = os.ReadFile(filepath.Join(dir, "expected.jsonl"))
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct {
			ID        string
			Text      string
			Schema    json.RawMessage
			Options   map[string]any
			Validated *bool
			Results   []map[string]any
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		if row.Validated != nil && !*row.Validated {
			continue
		}
		for _, r := range row.Results {
			line := map[string]any{"text": row.Text, "schema": row.Schema}
			maps.Copy(line, row.Options)
			maps.Copy(line, r)
			delete(line, "output")
			text, err := json.Marshal(line)
			require.NoError(t, err)
			c.Input, c.Want = append(c.Input, text), append(c.Want, r["output"])
			c.ids = append(c.ids, fmt.Sprintf("%s %v", row.ID, r["overlap_policy"]))
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, len(c.Input), 20)
	return c
}

// compute runs the model on lines of input and returns the lines of output.
func (c *schemaCase) compute(t *testing.T, program, isa string, input []json.RawMessage, flags ...string) [][]byte {
	cmd := exec.CommandContext(t.Context(), program, append([]string{"run", "--model", c.model.name, "--weights", c.model.weights, "--json", "--quiet",
		"--input", "-", "--format", "jsonl", "--isa", isa}, flags...)...)
	var said bytes.Buffer
	cmd.Stdin, cmd.Stderr = bytes.NewReader(bytes.Join(asBytes(input), []byte("\n"))), &said
	out, err := cmd.Output()
	require.NoError(t, err, "%s", &said)
	lines := bytes.Split(bytes.TrimSpace(out), []byte("\n"))
	require.Len(t, lines, len(input))
	return lines
}

func asBytes(list []json.RawMessage) (out [][]byte) {
	for _, l := range list {
		out = append(out, l)
	}
	return out
}

// rowKeys are the keys of a line of results that do not come from the schema.
var rowKeys = []string{"tokens", "truncated", "windows", "words_cut", "no_effect"}

// TestSchemaCases compares what run prints for all recorded texts with schemas, with the results of the library: every key and value exactly, probabilities
// within the case's tolerance, in one batch on every instruction set. Each text alone has the same bits.
func TestSchemaCases(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	dirs, err := filepath.Glob("../../cmd/debertac/testdata/cases/gliner2_*")
	require.NoError(t, err)
	require.NotEmpty(t, dirs)
	var list []*schemaCase
	var recordings []*recording
	for _, dir := range dirs {
		c := readSchemaCase(t, dir)
		list, recordings = append(list, c), append(recordings, &c.recording)
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "program")
	build(t, dir, program, recordings)
	for _, c := range list {
		t.Run(c.Name, func(t *testing.T) {
			for _, isa := range []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2, cpu.ISAAVX512} {
				if !isa.Supported() {
					continue
				}
				together := c.compute(t, program, isa.String(), c.Input)
				for i, line := range together {
					var got map[string]any
					require.NoError(t, json.Unmarshal(line, &got))
					for _, key := range rowKeys {
						delete(got, key)
					}
					if fault := extractiontest.Differ(got, c.Want[i], c.score); fault != "" {
						t.Errorf("%s on %s: %s\ninput %s\ngot %.2000s", c.ids[i], isa, fault, c.Input[i], line)
					}
				}
				require.Equal(t, together, c.compute(t, program, isa.String(), c.Input, "--batch-tokens", "1"), "every text in a batch of its own")
				for i := 0; i < len(c.Input); i += 20 {
					require.Equal(t, string(together[i]), string(c.compute(t, program, isa.String(), c.Input[i:i+1])[0]), "%s alone", c.ids[i])
				}
			}
		})
	}
}
