package export_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/adapter"
	"github.com/debertac/debertac/cmd/debertac/export"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/hf"
)

// sizes make a model of the zoo small.
const sizes = "dim vocab = 40; dim hidden = 12; dim heads = 2; dim inner = 10; dim layers = 2; "

// cases lists the heads whose folders transformers has read: testdata/record.py records its logits.
var cases = []struct{ name, model, head, train string }{
	{"classify", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24 }",
		`take first; dropout 0.1; linear hidden; act; dropout 0.2; linear 3 as labels("no", "maybe", "yes"); loss cross_entropy`, ""},
	{"several", "deberta_base { " + sizes + "dim span = 8; dim seq <= 24; drop decoder.emd; drop absolute.pos }",
		`take first; linear hidden; act; linear 2 as labels("a", "b"); loss binary_cross_entropy`, "lora q, v rank 2 alpha 3"},
	{"score", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24; embed { absolute 24 } }",
		`take first; linear hidden; act; linear 1 as score; loss mean_squared_error`, "lora k rank 3"},
	{"tag", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24; encoder.attention { kr, qr = linear(rel) } }",
		`take each; linear 3 as labels("O", "B-X", "I-X"); loss cross_entropy`, ""},
	{"answer", "deberta_v2_xlarge { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24 }", `take each; linear 2 as span; loss cross_entropy`, ""},
	{"choose", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24; defaults { act gelu_tanh } }",
		`take first; linear hidden; act; linear 1 as choices; loss cross_entropy`, ""},
	{"mlm_v1", "deberta_base { " + sizes + "dim span = 8; dim seq <= 24; drop decoder.emd; drop absolute.pos }",
		`take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`, ""},
	{"mlm_v2", "deberta_v2_xlarge { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24 }",
		`take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`, ""},
	{"mlm_v3", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24 }",
		`take masked; from "lm_predictions.lm_head"; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`, ""},
	{"bert", "bert_base { " + sizes + "dim seq <= 24; embed { absolute 24 } }",
		`take first; linear hidden; act tanh; dropout 0.1; linear 2 as labels("x", "y"); loss cross_entropy`, ""},
	{"roberta", "roberta_base { " + sizes + "dim seq <= 24; embed { absolute 26 from 2 } }",
		`take first; linear hidden; act tanh; dropout 0.1; linear 2 as labels("x", "y"); loss cross_entropy`, ""},
	{"vector", "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24 }", `take mean; loss contrastive`, ""},
}

// text returns the spec of a case.
func text(model, head, train string) string {
	masking := ""
	if strings.Contains(head, "masked") {
		masking = "mask 15 % of tokens; "
	}
	return "dspec 1\nmodel m like " + model + "\nhead h on m { " + head + " }\ntrain tune on m.h { batch 4 sequences; steps 10 steps; rate 1e-3; " +
		masking + train + " }\ntarget t { emit train tune }\n"
}

// trained compiles the training of a spec.
func trained(t *testing.T, text string) *compiler.Unit {
	t.Helper()
	s, faults := spec.ParseAndResolve("m.dspec", []byte(text))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{Emit: "tune"})
	require.NoError(t, err)
	require.Empty(t, faults)
	return units[0]
}

// checkpoint draws a checkpoint of a training, by the seed.
func checkpoint(t *testing.T, u *compiler.Unit, seed uint64) string {
	t.Helper()
	draw := rand.New(rand.NewPCG(seed, 1))
	var list []safetensors.Tensor
	values := map[string][]float32{}
	for _, p := range u.Program.Training.Params {
		n := 1
		for _, d := range p.Shape {
			n *= d
		}
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(draw.NormFloat64() * 0.4)
		}
		values[p.Name] = v
		list = append(list, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape})
	}
	path := filepath.Join(t.TempDir(), "step-00000010.safetensors")
	out, err := os.Create(path)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(out, map[string]string{"debertac.step": "10"}, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, w.WriteFloats(n, values[n]))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	return path
}

// card is a card with all that one can have.
func card(text string) *export.Card {
	metrics := map[string]float64{"eval_accuracy": 0.96875, "eval_loss": 0.125}
	return &export.Card{Title: "tuned", Step: 10, At: 8, Metrics: metrics, Spec: text, Run: runfolder.Run{
		Training: "tune", Head: "m.h", Version: "v1.2.3", Base: "/some/where/deberta-v3-small", Seed: 7, Steps: 10, Spec: "ab", Program: "cd", Tokenizer: "ef",
		Data:  []runfolder.Data{{Path: "/data/train.jsonl", SHA256: "01", Bytes: 3, Examples: 2}},
		Eval:  []runfolder.Data{{Path: "/data/dev.jsonl", SHA256: "02", Bytes: 3, Examples: 1}},
		Began: time.Unix(0, 0), Command: []string{"debertac", "train", "model.dspec", "--train=tune", "--data=/home/me/my data.jsonl"},
	}}
}

// base makes the folder of what a training began with: a tokenizer, and weights that must not be copied.
func base(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokenizer_config.json"), []byte("{\"model_max_length\": 24}\n"), 0o666))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "model.safetensors"), []byte("old"), 0o666))
	return dir
}

// tensors reads the tensors of a folder under any of their published names.
type tensors struct{ *safetensors.File }

// Tensor returns a tensor in float64.
func (f tensors) Tensor(name string) (*ir.Array, error) {
	found, ok := published.Find(f.Has, name)
	if !ok {
		return nil, fmt.Errorf("the folder lacks %s", name)
	}
	info, err := f.Info(found)
	if err != nil {
		return nil, err
	}
	v := make([]float32, info.Elements())
	if err := f.Floats(found, v); err != nil {
		return nil, err
	}
	a := ir.NewArray(info.Shape...)
	for i, x := range v {
		a.F[i] = float64(x)
	}
	return a, nil
}

// ids are the tokens of the recorded logits: a text, and a shorter one.
var ids = [][]int32{{3, 7, 12, 33, 4, 2}, {3, 30, 2}}

// logits computes what the model of a folder computes for the texts: it imports the folder and runs the reference of its program.
func logits(t *testing.T, dir string, o hf.Options) [][]float64 {
	t.Helper()
	config, err := os.ReadFile(filepath.Join(dir, "config.json"))
	require.NoError(t, err)
	f, err := safetensors.OpenDir(dir)
	require.NoError(t, err)
	defer f.Close()
	shapes := map[string][]int{}
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		shapes[n] = info.Shape
	}
	text, _, err := hf.Spec(config, shapes, o)
	require.NoError(t, err)
	s, faults := spec.ParseAndResolve("m.dspec", []byte(text+"\ntarget t { emit infer model"+headName(text)+" }\n"))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.False(t, faults.HasErrors())
	var out [][]float64
	for _, text := range ids {
		b := &ragged.Batch{IDs: text, Starts: []int32{0, int32(len(text))}}
		for i := range text { // all tokens are predicted
			b.Rows = append(b.Rows, int32(i))
		}
		store := eval.StoreOf(b, 0)
		require.NoError(t, eval.Run(units[0].Program, store, eval.From(tensors{f})))
		p := units[0].Program
		a := store[p.Outputs[len(p.Outputs)-1]]
		for row := range slices.Chunk(a.Floats(), a.Shape[len(a.Shape)-1]) {
			out = append(out, row)
		}
	}
	return out
}

// headName returns the name of a spec's head after a point.
func headName(text string) string {
	_, after, ok := strings.Cut(text, "\nhead ")
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(after, " ")
	return "." + name
}

// TestFolders exports a folder per head, compares it with the recorded one, and its logits with those that transformers computed for that one. UPDATE=1
// writes the folders; then testdata/record.py records the logits.
func TestFolders(t *testing.T) {
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			spec := text(c.model, c.head, c.train)
			u := trained(t, spec)
			recorded := filepath.Join("testdata", c.name)
			out := filepath.Join(t.TempDir(), "out")
			s := export.Source{Checkpoint: checkpoint(t, u, uint64(i)), Unit: u, Base: base(t), BaseName: "tiny", Card: card(spec)}
			if c.name != "classify" {
				s.Card = nil
			}
			w, err := export.Folder(t.Context(), s, out)
			require.NoError(t, err)
			require.Empty(t, w.Notes)
			require.NotEmpty(t, w.Class)
			if os.Getenv("UPDATE") != "" {
				require.NoError(t, os.RemoveAll(recorded))
				require.NoError(t, os.CopyFS(recorded, os.DirFS(out)))
				return
			}
			same(t, recorded, out)
			var want struct{ Logits [][]float64 }
			raw, err := os.ReadFile(filepath.Join("testdata", c.name+".json"))
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(raw, &want))
			got := logits(t, out, wish(c.name))
			require.Len(t, got, len(want.Logits))
			for r := range got {
				require.Len(t, got[r], len(want.Logits[r]))
				for k := range got[r] {
					require.InDelta(t, want.Logits[r][k], got[r][k], 1e-4*max(1, math.Abs(want.Logits[r][k])), "row %d", r)
				}
			}
		})
	}
}

// wish returns the options for a head that config.json does not name.
func wish(name string) hf.Options {
	o := hf.Options{Tokenizer: "none"}
	if name == "vector" {
		o.Task, o.Pool = "embed", "mean"
	}
	return o
}

// same compares two folders, file by file.
func same(t *testing.T, want, got string) {
	t.Helper()
	read := func(dir string) map[string]string {
		files := map[string]string{}
		require.NoError(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(filepath.Join(dir, path))
			files[path] = string(text)
			return err
		}))
		return files
	}
	a, b := read(want), read(got)
	for name, text := range a {
		require.True(t, text == b[name], "%s differs", name)
	}
	require.Len(t, b, len(a))
}

// TestAdapterOfATraining exports the adapter alone, and merges it into the model without it: the folder is the one with merged adapters.
func TestAdapterOfATraining(t *testing.T) {
	for i, c := range cases {
		if c.train == "" {
			continue
		}
		u := trained(t, text(c.model, c.head, c.train))
		dir := t.TempDir()
		at := func(name string) string { return filepath.Join(dir, name) }
		s := export.Source{Checkpoint: checkpoint(t, u, uint64(i)), Unit: u, BaseName: "tiny", Card: card("")}
		_, err := export.Folder(t.Context(), s, at("merged"))
		require.NoError(t, err)
		_, err = export.Adapter(t.Context(), s, at("adapter"))
		require.NoError(t, err)
		without := trained(t, text(c.model, c.head, ""))
		_, err = export.Folder(t.Context(), export.Source{Checkpoint: s.Checkpoint, Unit: without}, at("model"))
		require.NoError(t, err)
		_, err = adapter.Merge(t.Context(), at("model"), at("adapter"), at("again"))
		require.NoError(t, err)
		for _, name := range []string{"config.json", "model.safetensors"} {
			a, err := os.ReadFile(filepath.Join(at("merged"), name))
			require.NoError(t, err)
			b, err := os.ReadFile(filepath.Join(at("again"), name))
			require.NoError(t, err)
			require.True(t, string(a) == string(b), "%s: %s", c.name, name)
		}
		_, err = export.Adapter(t.Context(), export.Source{Checkpoint: s.Checkpoint, Unit: without}, at("none"))
		require.ErrorContains(t, err, "has no adapters")
	}
}

// TestTwoModels exports both models of a training by replaced-token detection. The detector has no class; its shared table is the sum with the difference.
func TestTwoModels(t *testing.T) {
	u := trained(t, `dspec 1
model g like deberta_v3_base { `+sizes+`dim span = 4; dim reach = 16; dim seq <= 24 }
model d like g { dim layers = 3 }
head mlm on g { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on d { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
train tune on d.rtd { batch 4 sequences; steps 10 steps; rate 1e-3; replace from g.mlm share embed.token stopping gradient }
target t { emit train tune }
`)
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	s := export.Source{Checkpoint: checkpoint(t, u, 3), Unit: u}
	w, err := export.Folder(t.Context(), s, at("detector"))
	require.NoError(t, err)
	require.Empty(t, w.Class)
	require.Contains(t, w.Notes[0], "--head rtd")
	require.Len(t, logits(t, at("detector"), hf.Options{Task: "rtd", Tokenizer: "none"}), 9)
	s.Generator = true
	w, err = export.Folder(t.Context(), s, at("generator"))
	require.NoError(t, err)
	require.Equal(t, "DebertaV2ForMaskedLM", w.Class)
	require.Len(t, logits(t, at("generator"), hf.Options{Tokenizer: "none"}), 9)

	from, err := safetensors.Open(s.Checkpoint)
	require.NoError(t, err)
	defer from.Close()
	detector, err := safetensors.OpenDir(at("detector"))
	require.NoError(t, err)
	defer detector.Close()
	const table = "deberta.embeddings.word_embeddings.weight"
	read := func(f *safetensors.File, name string) []float32 {
		v := make([]float32, 40*12)
		require.NoError(t, f.Floats(name, v))
		return v
	}
	shared, difference := read(from, "generator."+table), read(from, "discriminator.deberta.embeddings.word_embeddings._weight")
	for i, got := range read(detector, table) {
		require.Equal(t, shared[i]+difference[i], got)
	}
	one := trained(t, text(cases[0].model, cases[0].head, ""))
	_, err = export.Folder(t.Context(), export.Source{Checkpoint: checkpoint(t, one, 1), Unit: one, Generator: true}, at("x"))
	require.ErrorContains(t, err, "--generator belongs to a training that replaces tokens")
}

// TestHeadsWithoutAClass exports heads that transformers has no class for. What debertac imports of the folder computes what the checkpoint does.
func TestHeadsWithoutAClass(t *testing.T) {
	const v3 = "deberta_v3_base { " + sizes + "dim span = 4; dim reach = 16; dim seq <= 24"
	const newer = `take masked; from "lm_predictions.lm_head"; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy`
	for name, c := range map[string]struct {
		model, on, head, note string
		o                     hf.Options
		class                 bool
	}{
		"crf": {v3 + " }", "m", `take each; linear 3 as labels("O", "B-X", "I-X"); crf; loss cross_entropy`, "ignores the transitions", hf.Options{}, true},
		"emd": {v3 + "; absolute pos { rows 24 }; decoder emd { repeat 2 of encoder.last; query encoder[-2] + pos; memory encoder[-2] } }", "m.emd", newer,
			"--head emd", hf.Options{Task: "emd"}, false},
		"causal": {v3 + "; encoder.attention.mask j <= i }", "m", "take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy",
			"--mask causal", hf.Options{Task: "fill-mask", Mask: "causal"}, false},
	} {
		masking := ""
		if name == "emd" {
			masking = "mask 15 % of tokens; "
		}
		u := trained(t, "dspec 1\nmodel m like "+c.model+"\nhead h on "+c.on+" { "+c.head+" }\ntrain tune on "+strings.Replace(c.on, "m.emd", "m", 1)+
			".h { batch 4 sequences; steps 10 steps; rate 1e-3; "+masking+"}\ntarget t { emit train tune }\n")
		out := filepath.Join(t.TempDir(), "out")
		w, err := export.Folder(t.Context(), export.Source{Checkpoint: checkpoint(t, u, 4), Unit: u}, out)
		require.NoError(t, err)
		require.Equal(t, c.class, w.Class != "")
		require.Len(t, w.Notes, 1)
		require.Contains(t, w.Notes[0], c.note)
		c.o.Tokenizer = "none"
		require.NotEmpty(t, logits(t, out, c.o))
	}
}

// TestWrongName checks that a checkpoint under the name of another step is refused.
func TestWrongName(t *testing.T) {
	u := trained(t, text(cases[0].model, cases[0].head, ""))
	path := checkpoint(t, u, 5)
	other := filepath.Join(filepath.Dir(path), "step-00000020.safetensors")
	require.NoError(t, os.Rename(path, other))
	_, err := export.Folder(t.Context(), export.Source{Checkpoint: other, Unit: u}, filepath.Join(t.TempDir(), "out"))
	require.ErrorContains(t, err, "step-00000020.safetensors: it is the checkpoint after step 10, and its name tells another step")
}

// TestDamagedCheckpoints checks that a checkpoint that is damaged, or of another training, is refused, and that nothing is written then.
func TestDamagedCheckpoints(t *testing.T) {
	spec := text(cases[0].model, cases[0].head, "")
	u := trained(t, spec)
	other := trained(t, text(cases[3].model, cases[3].head, ""))
	path := checkpoint(t, u, 5)
	const sum = `{"classifier.weight": 1}`
	without := func(key string) func(map[string]string, []float32) {
		return func(meta map[string]string, _ []float32) {
			meta["debertac.spec"], meta["debertac.step"], meta["debertac.crc32c"] = u.Program.Meta.SpecHash, "10", "{}"
			delete(meta, key)
		}
	}
	for want, change := range map[string]func(meta map[string]string, v []float32){
		"it is a checkpoint of another model":                 func(meta map[string]string, _ []float32) { meta["debertac.spec"] = "0123" },
		"it is damaged: debertac.step is missing":             without("debertac.step"),
		"it is damaged: debertac.crc32c is missing":           without("debertac.crc32c"),
		"debertac.crc32c cannot be read":                      func(meta map[string]string, _ []float32) { meta["debertac.crc32c"] = "{" },
		"classifier.weight does not have its checksum":        func(meta map[string]string, _ []float32) { meta["debertac.crc32c"] = sum },
		"the number 2 of classifier.weight is NaN":            func(_ map[string]string, v []float32) { v[2] = float32(math.NaN()) },
		"the checkpoint is of another training than the spec": nil,
	} {
		u, dir := u, t.TempDir()
		s := export.Source{Checkpoint: path, Unit: u}
		if change == nil {
			s.Unit = other
		} else {
			s.Checkpoint = rewritten(t, path, change)
		}
		_, err := export.Folder(t.Context(), s, filepath.Join(dir, "out"))
		require.ErrorContains(t, err, want)
		entries, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, entries)
	}
}

// rewritten copies a checkpoint, with a change of its metadata or of the classifier.
func rewritten(t *testing.T, path string, change func(meta map[string]string, v []float32)) string {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	meta := f.Metadata()
	var list []safetensors.Tensor
	values := map[string][]float32{}
	for _, n := range f.Names() {
		info, err := f.Info(n)
		require.NoError(t, err)
		list = append(list, safetensors.Tensor{Name: n, DType: safetensors.F32, Shape: info.Shape})
		values[n] = make([]float32, info.Elements())
		require.NoError(t, f.Floats(n, values[n]))
	}
	change(meta, values["classifier.weight"])
	to := filepath.Join(t.TempDir(), "changed.safetensors")
	out, err := os.Create(to)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(out, meta, list)
	require.NoError(t, err)
	for _, n := range w.Order() {
		require.NoError(t, w.WriteFloats(n, values[n]))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	return to
}
