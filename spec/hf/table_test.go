package hf

import (
	"bytes"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"
)

// TestTables checks that every name occurs once in its table, and that every row has a reason.
func TestTables(t *testing.T) {
	for _, in := range Fields() {
		seen := map[string]Effect{}
		for _, r := range in.Fields {
			require.NotEmpty(t, r.Why, "%s %s", in.File, r.Field)
			if in.File != "gliner_config.json" && in.File != gliclassFile && in.File != gliner2File { // they have the rows of config.json after their own
				require.Empty(t, seen[r.Field], "%s has %s twice", in.File, r.Field)
			}
			seen[r.Field] = r.Effect
			require.True(t, r.Values == nil || r.Effect == Harmless, "%s %s", in.File, r.Field)
			require.Equal(t, in.File, r.File)
		}
		require.NotEmpty(t, seen)
	}
	for _, r := range Files() {
		require.NotEmpty(t, r.Why)
		_, err := path.Match(r.File, "x")
		require.NoError(t, err, r.File)
	}
}

// TestFileRows checks that every row of the table of files can be reached: a name that matches its pattern finds it.
func TestFileRows(t *testing.T) {
	for i := range fileTable {
		for _, pattern := range strings.Fields(fileTable[i].names) {
			example := strings.ReplaceAll(pattern, "*", "x9")
			require.Same(t, &fileTable[i], fileRow(example), "%s is not reached by %s", pattern, example)
		}
	}
	for name, want := range map[string]Effect{
		"config.json": Applied, "model-00001-of-00002.safetensors": Applied, "pytorch_model.bin": Applied, "training_args.bin": Harmless,
		"rng_state_0.pth": Harmless,
		"some.json":       Refused, ".cache": Harmless, ".hidden.json": Harmless, "model_quantized.onnx": Harmless, "adapter_model.safetensors": Refused,
		"README.md": Harmless, "LICENSE": Harmless,
		"vocab.txt": Applied, "notes.txt": Harmless, "sentence_xlm-roberta_config.json": Applied, "anything": Harmless, "test_results.json": Harmless,
	} {
		require.Equal(t, want, fileRow(name).effect, name)
	}
}

// TestAppliedIsRead checks that each field that a reader reads is applied in the table, and that each applied field is read for some kind of model. So the
// page about inputs describes what the code does.
func TestAppliedIsRead(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/configs.txtar")
	require.NoError(t, err)
	encoder, err := os.ReadFile("testdata/encoder.json")
	require.NoError(t, err)
	tables := map[string][]group{"config.json": configTable, "gliner_config.json": glinerTable, gliclassFile: gliclassTable, gliner2File: gliner2Table,
		boundaryFile: boundaryTable, boundaryHeadFile: boundaryHeadTable}
	asked := map[string]map[string]bool{"config.json": {}, "gliner_config.json": {}, gliclassFile: {}, gliner2File: {}, boundaryFile: {}, boundaryHeadFile: {}}
	read := func(text []byte, task string) {
		c, err := readConfig(text)
		require.NoError(t, err)
		_, _ = c.wants(nil, Options{Task: task, Encoder: encoder})
		file := "config.json"
		if c.isGLiNER() {
			file = "gliner_config.json"
		}
		if c.isGLiClass() {
			file = gliclassFile
		}
		if c.isGLiNER2() {
			file = gliner2File
		}
		if v := c.fields[boundaryField]; v != nil {
			file = boundaryFile
			sub, err := readConfig(v)
			require.NoError(t, err)
			require.NoError(t, sub.boundaryHead(&head{}, 3))
			for name := range sub.known {
				asked[boundaryHeadFile][name] = true
			}
		}
		for name := range c.known {
			asked[file][name] = true
		}
	}
	for _, f := range archive.Files {
		for _, task := range append([]string{""}, Tasks...) {
			read(f.Data, task)
		}
		if strings.HasPrefix(f.Name, "gliner") { // one config by the name of its encoder
			read(bytes.Replace(f.Data, []byte(`"encoder_config"`), []byte(`"_name_or_path"`), 1), "")
		}
	}
	for file, table := range tables {
		for name := range asked[file] {
			g := find(table, name)
			require.NotNil(t, g, "%s: the code asks for %s, which the table does not have", file, name)
			if g.effect != Applied {
				require.Equal(t, "model_type", name, "%s: the code asks for %s, which the table has as %s", file, name, g.effect)
			}
		}
		for _, r := range flatten(file, table) {
			if r.Effect == Applied {
				require.True(t, asked[file][r.Field], "%s: the table has %s as applied, which no reader asks for", file, r.Field)
			}
		}
	}
}

// TestBesideRows checks that ReadBeside follows each row of the tables for the files beside the config. A harmless value is accepted; any other value of a
// harmless row, and every value of a refused row, is an error with the field's name.
func TestBesideRows(t *testing.T) {
	odd := `{"odd": [1]}`
	for _, in := range Fields() {
		if slices.Contains([]string{"config.json", gliclassFile, gliner2File, boundaryFile, boundaryHeadFile, "gliner_config.json", "modules.json",
			"1_Pooling/config.json", "2_Normalize/config.json", "generation_config.json"}, in.File) {
			continue
		}
		for _, r := range in.Fields {
			if r.Effect == Applied {
				continue
			}
			read := func(value string) error {
				v, err := NewView(fstest.MapFS{"config.json": {Data: []byte("{}")}, in.File: {Data: []byte(`{"` + r.Field + `": ` + value + "}")}}, nil)
				require.NoError(t, err)
				_, err = ReadBeside(v)
				return err
			}
			require.NoError(t, read("null"), "%s %s", in.File, r.Field)
			values := r.Values
			if r.Effect == Harmless && values == nil {
				values = []string{odd}
			}
			for _, value := range values {
				require.NoError(t, read(value), "%s %s", in.File, r.Field)
			}
			if !slices.Contains(values, odd) {
				var field *FieldError
				require.ErrorAs(t, read(odd), &field)
				require.Equal(t, []string{in.File, r.Field}, []string{field.File, field.Field})
			}
		}
	}
}
