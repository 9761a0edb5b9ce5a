package hf_test

import (
	"errors"
	"io/fs"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/hf"
)

// TestView checks that what is ignored seems to be missing: a file, a field, a field of an object, and a field whose name has a dot.
func TestView(t *testing.T) {
	folder := fstest.MapFS{
		"config.json":           {Data: []byte(`{"a": 1, "b": {"c": [1, 2], "d": {"e": 3}}, "b.c": "dot", "z": null}`)},
		"tokenizer_config.json": {Data: []byte(`{"x": 1, "y": 2}`)},
		"1_Pooling/config.json": {Data: []byte(`{"p": true}`)},
		"notes.json":            {Data: []byte(`{}`)},
		"broken.json":           {Data: []byte(`{"x": `)},
	}
	read := func(file string, ignore ...string) string {
		t.Helper()
		v, err := hf.NewView(folder, ignore)
		require.NoError(t, err)
		require.Len(t, v.Notes(), len(ignore))
		text, err := v.ReadFile(file)
		require.NoError(t, err)
		opened, err := v.Open(file)
		require.NoError(t, err)
		st, err := opened.Stat()
		require.NoError(t, err)
		require.Equal(t, int64(len(text)), st.Size())
		return string(text)
	}
	require.JSONEq(t, `{"b": {"c": [1, 2], "d": {"e": 3}}, "b.c": "dot", "z": null}`, read("config.json", "a"))
	require.JSONEq(t, `{"a": 1, "b": {"c": [1, 2], "d": {"e": 3}}, "z": null}`, read("config.json", "b.c"))
	require.JSONEq(t, `{"a": 1, "b": {"c": [1, 2], "d": {}}, "b.c": "dot"}`, read("config.json", "b.d.e", "z"))
	require.JSONEq(t, `{"y": 2}`, read("tokenizer_config.json", "tokenizer_config.json:x"))
	require.JSONEq(t, `{}`, read("1_Pooling/config.json", "1_Pooling/config.json:p"))
	require.JSONEq(t, `{"x": 1, "y": 2}`, read("tokenizer_config.json"))
	v, err := hf.NewView(folder, []string{"tokenizer_config.json", "1_Pooling/config.json"})
	require.NoError(t, err)
	for _, name := range []string{"tokenizer_config.json", "1_Pooling/config.json"} {
		_, err = v.ReadFile(name)
		require.True(t, errors.Is(err, fs.ErrNotExist))
		_, err = v.Open(name)
		require.True(t, errors.Is(err, fs.ErrNotExist))
		_, err = v.Stat(name)
		require.True(t, errors.Is(err, fs.ErrNotExist))
	}
	found, err := fs.Glob(v, "*.json")
	require.NoError(t, err)
	require.Equal(t, []string{"broken.json", "config.json", "notes.json"}, found)
	for name, want := range map[string]string{
		"q": "the folder has no file q, and config.json has no such field", "b.q": "no such field", "a.b": "no such field", "": "no such field",
		"notes.json:x": `notes.json has no field "x"`, "broken.json:x": `broken.json has no field "x"`, "../config.json:a": "no file ../config.json",
		"/etc/passwd": "no such field",
	} {
		_, err := hf.NewView(folder, []string{name})
		require.ErrorContains(t, err, want, name)
	}
	folder["gliner_config.json"] = &fstest.MapFile{Data: []byte(`{"g": 1}`)}
	v, err = hf.NewView(folder, []string{"g"})
	require.NoError(t, err)
	require.Equal(t, "gliner_config.json", v.Config())
	v, err = hf.NewView(folder, []string{"gliner_config.json", "a"})
	require.NoError(t, err)
	require.Equal(t, "config.json", v.Config())
}

// TestViewOddNames checks files and fields whose names have colons, dashes, spaces or characters that are not printed.
func TestViewOddNames(t *testing.T) {
	folder := fstest.MapFS{
		"config.json": {Data: []byte(`{"a:b": 1, "-c": 2, "d e": 3, "f\u0001g": 4, "tokenizer_config.json:x": 5, "h": {"": 6}}`)},
		"a:b.json":    {Data: []byte(`{"x:y": 1}`)},
		"-c d.json":   {Data: []byte(`{"x": 1}`)},
	}
	for _, name := range []string{"a:b", "config.json:a:b", "-c", "d e", "f\x01g", "tokenizer_config.json:x", "h.", "a:b.json", "a:b.json:x:y", "-c d.json",
		"-c d.json:x"} {
		v, err := hf.NewView(folder, []string{name})
		require.NoError(t, err, name)
		before, after := 0, 0
		for file, f := range folder {
			before += len(f.Data)
			text, _ := v.ReadFile(file) // an error: the file is left out
			after += len(text)
		}
		require.Less(t, after, before, name)
	}
	own, its, err := hf.Divide(folder, []string{"a:b.json:x:y", "a:b", "tokenizer_config.json:x", "special_tokens_map.json"})
	require.NoError(t, err)
	require.Equal(t, []string{"a:b.json:x:y", "a:b"}, own)
	require.Equal(t, []string{"tokenizer_config.json:x", "special_tokens_map.json"}, its)
	v, err := hf.NewView(folder, []string{"f\x01g"})
	require.NoError(t, err)
	require.Equal(t, []string{`"f\x01g" is ignored, as asked`}, v.Notes())
	_, err = hf.NewView(fstest.MapFS{"tokenizer.json": {Data: []byte("{}")}}, []string{"special_tokens_map.json"})
	require.EqualError(t, err, "there is nothing to ignore: the folder has no file special_tokens_map.json, nor a config.json that could have such a field")
	_, err = beside(t, configs(t)["v2_v3like"], files{"tokenizer_config.json": `{"x\ny": 1}`})
	require.ErrorContains(t, err, `tokenizer_config.json: "x\ny" is not known`)
	_, err = beside(t, configs(t)["v2_v3like"], files{"tokenizer_config.json": `{"": 1}`})
	require.EqualError(t, err, "tokenizer_config.json: a field with an empty name is not known: remove it from the file")
}

// TestFieldErrors checks that every fault of a field is a *FieldError that has the name by which the field can be ignored, and tells whether it can be
// ignored.
func TestFieldErrors(t *testing.T) {
	for _, c := range []struct {
		base      string
		fields    fields
		name      string
		canIgnore bool
	}{
		{"v2_v3like", fields{"hidden_size": -1}, "hidden_size", false},
		{"v2_v3like", fields{"rope_theta": 1}, "rope_theta", true},
		{"v2_v3like", fields{"auto_map": fields{"AutoModel": "x.py"}}, "auto_map", true},
		{"rtd_gdes", fields{"lambda": 50}, "lambda", true},
		{"gliner_span_plain", fields{"encoder_config": fields{"rope_theta": 1, "vocab_size": 99, "hidden_size": 8, "num_hidden_layers": 1,
			"num_attention_heads": 2, "intermediate_size": 8}}, "encoder_config.rope_theta", true},
		{"v2_seq_multi", fields{"id2label": 3}, "id2label", false},
	} {
		_, _, err := hf.Spec(with(t, c.base, c.fields), nil, hf.Options{})
		var field *hf.FieldError
		require.ErrorAs(t, err, &field, "%v", c.fields)
		require.Equal(t, c.name, field.Name())
		require.Equal(t, c.canIgnore, field.CanIgnore, "%v", c.fields)
	}
	require.Equal(t, "modules.json:x", (&hf.FieldError{File: "modules.json", Field: "x"}).Name())
	require.Equal(t, "x", (&hf.FieldError{File: "config.json", Field: "x"}).Name())
	require.Equal(t, "notes.json", (&hf.FieldError{File: "notes.json", Reason: "is not known"}).Name())
}
