package trainer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
)

// held is what a file holds: tensors of two numbers.
type held map[string][2]float32

// write writes a file of tensors.
func (h held) write(t *testing.T, path string) string {
	t.Helper()
	var list []safetensors.Tensor
	for name := range h {
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{2}})
	}
	f, err := os.Create(path)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(f, nil, list)
	require.NoError(t, err)
	for _, name := range w.Order() {
		two := h[name]
		require.NoError(t, w.WriteFloats(name, two[:]))
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	return path
}

// readHeld reads a file of tensors.
func readHeld(t *testing.T, path string) held {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	h := held{}
	for _, name := range f.Names() {
		var two [2]float32
		require.NoError(t, f.Floats(name, two[:]))
		h[name] = two
	}
	return h
}

// bare is a program without a step over tensors of two numbers.
func bare(names ...string) *trainer.Program {
	p := &trainer.Program{
		Name: "bare", ISAs: []cpu.ISA{cpu.ISAGo}, Limits: engine.Limits{Vocab: 9, SequenceTokens: 9, BatchSequences: 9, BatchTokens: 99},
		Arena: func(engine.Sizes) int64 { return 64 },
		Bind:  func(*trainer.Exec, cpu.ISA) ([]trainer.Step, error) { return []trainer.Step{{}}, nil },
	}
	for _, name := range names {
		p.Params = append(p.Params, trainer.Param{Name: name, Shape: []int{2}, Trained: true})
	}
	return p
}

// pairOf is a program of two models: their tables are two ("no"), one ("all"), or one and a difference ("stopping").
func pairOf(share string) *trainer.Program {
	g, d := "generator.deberta.table.weight", "discriminator.deberta.table."
	own := []string{g}
	p := bare(g, "generator.lm.weight")
	switch share {
	case "no":
		own = []string{d + "weight"}
		p.Params = append(p.Params, bare(d+"weight").Params...)
	case "stopping":
		own = append(own, d+"_weight")
		p.Params = append(bare(d+"_weight").Params, p.Params...) // the order has no meaning
		p.Params[0].New = true
	}
	p.Params = append(p.Params, bare("discriminator.rtd.weight").Params...)
	p.Models = []trainer.Model{
		{Name: "generator", Tensors: []trainer.Stored{{Name: "deberta.table.weight", Of: []string{g}},
			{Name: "lm.weight", Of: []string{"generator.lm.weight"}}}},
		{Name: "discriminator", Tensors: []trainer.Stored{{Name: "deberta.table.weight", Of: own},
			{Name: "rtd.weight", Of: []string{"discriminator.rtd.weight"}}}},
	}
	return p
}

// TestPair opens and saves the models of replaced-token detection, from a file of both and from a file of each.
func TestPair(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	g := held{"table.weight": {1, 2}, "lm.weight": {3, 4}}.write(t, at("g.safetensors")) // a bare encoder's name
	d := held{"deberta.table.weight": {10, 20}, "rtd.weight": {5, 6}}.write(t, at("d.safetensors"))
	for share, c := range map[string]struct{ both, detector held }{
		"no": {held{"generator.deberta.table.weight": {1, 2}, "generator.lm.weight": {3, 4}, "discriminator.deberta.table.weight": {10, 20},
			"discriminator.rtd.weight": {5, 6}}, held{"deberta.table.weight": {10, 20}, "rtd.weight": {5, 6}}},
		"all": {held{"generator.deberta.table.weight": {1, 2}, "generator.lm.weight": {3, 4}, "discriminator.rtd.weight": {5, 6}},
			held{"deberta.table.weight": {1, 2}, "rtd.weight": {5, 6}}},
		"stopping": {held{"generator.deberta.table.weight": {1, 2}, "generator.lm.weight": {3, 4}, "discriminator.deberta.table._weight": {9, 18},
			"discriminator.rtd.weight": {5, 6}}, held{"deberta.table.weight": {10, 20}, "rtd.weight": {5, 6}}},
	} {
		p := pairOf(share)
		check := func(tr *trainer.Trainer, err error) {
			t.Helper()
			require.NoError(t, err, share)
			defer tr.Close()
			require.Empty(t, tr.Drawn())
			for name, want := range c.both {
				got, err := tr.Tensor(name)
				require.NoError(t, err)
				require.Equal(t, want[:], got, "%s: %s", share, name)
			}
			require.NoError(t, tr.SaveModel(at("detector")))
			require.Equal(t, c.detector, readHeld(t, at("detector")), share)
			require.NoError(t, tr.SaveGenerator(at("generator")))
			require.Equal(t, held{"deberta.table.weight": {1, 2}, "lm.weight": {3, 4}}, readHeld(t, at("generator")), share)
		}
		check(trainer.Open(p, d, trainer.Generator(g)))
		check(trainer.Open(p, at("detector"), trainer.Generator(at("generator"))))
		check(trainer.Open(p, c.both.write(t, at("both"))))
		_, err := trainer.Open(p, d)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, "name that of the generator with the option Generator")
		_, err = trainer.Open(p, d, trainer.Generator(d))
		require.ErrorContains(t, err, "d.safetensors has no tensor generator.lm.weight")
	}
	tr := begin(t, bare("w"))
	require.ErrorContains(t, tr.SaveGenerator(at("x")), "trains one model")
	_, err := trainer.Open(bare("w"), held{"w": {}}.write(t, at("w")), trainer.Generator(g))
	require.ErrorContains(t, err, "leave out the option Generator")
	require.ErrorContains(t, trainer.Generator("")(&trainer.Options{}), "the path is empty")
	_, err = trainer.Draw(pairOf("no"), 1, trainer.Generator(g))
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "Draw draws all tensors, and Generator names weights")
	broken := pairOf("no")
	broken.Models[1].Tensors[0].Of = []string{"none"}
	_, err = trainer.Open(broken, d)
	require.ErrorContains(t, err, "deberta.table.weight")
}

// TestNames opens files whose names lack the encoder's prefix, or have the names of early checkpoints.
func TestNames(t *testing.T) {
	p := bare("deberta.a.weight", "deberta.LayerNorm.weight", "classifier.weight")
	for _, h := range []held{
		{"deberta.a.weight": {1, 2}, "deberta.LayerNorm.weight": {3, 4}, "classifier.weight": {5, 6}},
		{"a.weight": {1, 2}, "LayerNorm.gamma": {3, 4}, "classifier.weight": {5, 6}, "other": {7, 8}},
	} {
		tr, err := trainer.Open(p, h.write(t, filepath.Join(t.TempDir(), "m.safetensors")))
		require.NoError(t, err)
		for name, want := range map[string][]float32{"deberta.a.weight": {1, 2}, "deberta.LayerNorm.weight": {3, 4}, "classifier.weight": {5, 6}} {
			got, err := tr.Tensor(name)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		require.NoError(t, tr.Close())
	}
	path := held{"b.weight": {}}.write(t, filepath.Join(t.TempDir(), "m.safetensors"))
	_, err := trainer.Open(p, path)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "m.safetensors has no tensor deberta.a.weight, which the package bare trains or reads: the file must be of the model")
}

// TestAdapters refuses weights with an adapter that the program does not have.
func TestAdapters(t *testing.T) {
	p := bare("w", "q.lora_A.weight")
	open := func(names ...string) error {
		h := held{}
		for _, name := range names {
			h[name] = [2]float32{}
		}
		tr, err := trainer.Open(p, h.write(t, filepath.Join(t.TempDir(), "m.safetensors")))
		if err == nil {
			require.NoError(t, tr.Close())
		}
		return err
	}
	require.NoError(t, open("w", "q.lora_A.weight"))
	require.ErrorContains(t, open("w", "q.lora_A.weight", "v.lora_A.weight"), "has an adapter that the package bare does not train, such as v.lora_A.weight")
	require.ErrorIs(t, open("w", "q.lora_A.weight", "base.q.lora_A.default.weight"), runtime.ErrInput)
}

// TestTorch opens a folder with weights in the form of torch.save.
func TestTorch(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile("../torchfile/testdata/module.bin")
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "pytorch_model.bin"), text, 0o600))
	want, err := safetensors.Open("../torchfile/testdata/module.safetensors")
	require.NoError(t, err)
	defer want.Close()
	p := bare()
	for _, name := range want.Names() {
		info, err := want.Info(name)
		require.NoError(t, err)
		if len(info.Shape) > 0 && info.Shape[0] > 0 {
			p.Params = append(p.Params, trainer.Param{Name: name, Shape: info.Shape})
		}
	}
	require.NotEmpty(t, p.Params)
	for _, path := range []string{dir, filepath.Join(dir, "pytorch_model.bin")} {
		tr, err := trainer.Open(p, path)
		require.NoError(t, err)
		for _, q := range p.Params {
			got, err := tr.Tensor(q.Name)
			require.NoError(t, err)
			numbers := make([]float32, len(got))
			require.NoError(t, want.Floats(q.Name, numbers))
			require.Equal(t, numbers, got, q.Name)
		}
		require.NoError(t, tr.Close())
	}
	_, err = trainer.Open(p, t.TempDir())
	require.ErrorContains(t, err, "model.safetensors")
}

// TestPacked refuses packed weights.
func TestPacked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.weights")
	w, err := engine.CreateWeights(path, engine.Meta{Layout: "1", SpecHash: "0123"}, []engine.TensorDecl{{Name: "w", DType: safetensors.F32, Len: 2}})
	require.NoError(t, err)
	require.NoError(t, w.WriteF32("w", []float32{1, 2}))
	require.NoError(t, w.Close())
	_, err = trainer.Open(bare("w"), path)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "m.weights holds packed weights, which have another layout: open the safetensors file")
}

// TestWrapped opens a file in which all names have the prefix of a training library.
func TestWrapped(t *testing.T) {
	const table = "embeddings.word_embeddings.weight"
	p := bare("deberta."+table, "classifier.bias")
	path := held{"module.deberta." + table: {1, 2}, "module.classifier.bias": {3, 4}}.write(t, filepath.Join(t.TempDir(), "m.safetensors"))
	tr, err := trainer.Open(p, path)
	require.NoError(t, err)
	defer tr.Close()
	got, err := tr.Tensor("classifier.bias")
	require.NoError(t, err)
	require.Equal(t, []float32{3, 4}, got)
	path = held{"backbone." + table: {1, 2}}.write(t, filepath.Join(t.TempDir(), "m.safetensors"))
	_, err = trainer.Open(p, path)
	require.ErrorContains(t, err, "save the model's own state dict")
}

// TestRows opens a table with another number of rows than the file has, as that of a model whose prompt adds tokens: further rows are the mean of the others.
func TestRows(t *testing.T) {
	const table = "embeddings.word_embeddings.weight"
	path := filepath.Join(t.TempDir(), "m.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	w, err := safetensors.NewWriter(f, nil, []safetensors.Tensor{{Name: "deberta." + table, DType: safetensors.F32, Shape: []int{2, 3}}})
	require.NoError(t, err)
	require.NoError(t, w.WriteFloats("deberta."+table, []float32{1, 2, 3, 5, 6, 10}))
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	for rows, want := range map[int][]float32{1: {1, 2, 3}, 2: {1, 2, 3, 5, 6, 10}, 4: {1, 2, 3, 5, 6, 10, 3, 4, 6.5, 3, 4, 6.5}} {
		p := bare("token_rep_layer.bert_layer.model." + table)
		p.Params[0].Shape, p.Params[0].Rows = []int{rows, 3}, true
		tr, err := trainer.Open(p, path, trainer.Threads(1))
		require.NoError(t, err)
		require.Empty(t, tr.Drawn())
		require.Equal(t, max(0, rows-2), tr.Grown())
		have, err := tr.Tensor(p.Params[0].Name)
		require.NoError(t, err)
		require.Equal(t, want, have)
		require.NoError(t, tr.Close())
		p.Params[0].Rows = false
		if rows != 2 {
			_, err = trainer.Open(p, path, trainer.Threads(1))
			require.ErrorContains(t, err, table)
		}
		p.Params[0].Shape, p.Params[0].Rows = []int{rows, 4}, true
		_, err = trainer.Open(p, path, trainer.Threads(1))
		require.ErrorContains(t, err, table)
	}
}
