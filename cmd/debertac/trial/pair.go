package trial

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainprogram"
	"github.com/debertac/debertac/spec/hf"
)

// The names of recorded tensors that a step of a pair computes, by what the step writes: of a step whose gradients were recorded, and of a training run.
var (
	pairNames = map[string]string{trainprogram.LossTensor: golden.StepLoss, "generator.loss": "mlm_loss" + golden.OfStep,
		"discriminator.loss": "rtd_loss" + golden.OfStep, trainprogram.OfPrefix + "generator.logits": "mlm_logits" + golden.OfStep,
		trainprogram.OfPrefix + "discriminator.logits": "rtd_logits" + golden.OfStep}
	pairRunNames = map[string]string{"generator.loss": "mlm_losses", "discriminator.loss": "rtd_losses", trainprogram.RateTensor: "learning_rates",
		"generator." + trainprogram.NormTensor: "gen_grad_norms", "discriminator." + trainprogram.NormTensor: "disc_grad_norms"}
)

// pair compiles the step of a generator and a discriminator, from the imported spec of both with a training. The recipe is that of a training run, whose models
// are updated one after the other; nil: the gradients of the sum of both losses were recorded.
func (t *Trial) pair(c *console.Console, r *golden.Recipe, cases []*golden.Case) error {
	dir, err := folder.Open(t.dir, true, t.ignore)
	if err != nil {
		return err
	}
	defer dir.Close()
	dir.Wish = t.wish
	quiet := *c // notes of the import and the compiler are not results of the comparison
	quiet.Err = &bytes.Buffer{}
	both, err := folder.SpecOf(&quiet, dir, "", t.golden.Length)
	if err != nil {
		return err
	}
	text, _, err := dir.Spec(hf.Options{Seq: both.Spec.Models[0].Seq})
	if err != nil {
		return err
	}
	tables := []string{"embed.token"}
	if both.Spec.Models[0].Embed.Absolute != nil && both.Spec.Models[1].Embed.Absolute != nil {
		tables = append(tables, "embed.absolute")
	}
	src, err := source.Parse(&quiet, both.Tree.Name, []byte(text+t.training(r, shareOf(dir.Weights.Names(), tables))))
	if err != nil {
		return err
	}
	s := &step{cases: cases, names: pairNames}
	if s.Unit, err = source.TrainingOf(&quiet, src, "", "pair", compiler.Options{Trace: r == nil}); err != nil {
		return err
	}
	g := s.Unit.Training.Replace.Generator
	s.reads = &compiler.Unit{Program: s.Unit.Program, Model: g.Model, Head: g}
	for _, of := range cases {
		passes, err := of.Passes(t.outputs)
		if err != nil {
			return caseFault(err)
		}
		s.passes = append(s.passes, passes[0])
	}
	if r != nil {
		s.update, s.names, s.lean = true, pairRunNames, true
		if s.still, err = t.unread(dir, s.Unit); err != nil {
			return err
		}
	}
	t.steps = []*step{s}
	return nil
}

// training returns the training of a pair in the words of the language.
func (t *Trial) training(r *golden.Recipe, share string) string {
	steps, weight, lines := 1, t.golden.Lambda, []string{"rate 1e-3", "updates together"}
	if r != nil {
		correct, course := "no", "linear"
		if r.Correct {
			correct = "yes"
		}
		if r.Start {
			course += " from start"
		}
		steps, weight = r.Steps, r.Lambda
		lines = []string{
			fmt.Sprintf("optimizer adamw(betas: %v %v, eps: %v, decay: %v except norm bias, correct: %s)", r.Beta1, r.Beta2, r.Eps, r.Decay, correct),
			fmt.Sprintf("rate %v warmup %v %% then %s", r.Rate, 100*r.Warmup/float64(r.Steps), course), fmt.Sprintf("clip %v", r.Clip), "updates apart",
		}
	}
	lines = append(lines, fmt.Sprintf("batch %d sequences", t.golden.Sequences), fmt.Sprintf("length %d tokens", t.golden.Length),
		fmt.Sprintf("steps %d steps", steps), fmt.Sprintf("weight %v", weight), "replace from generator.mlm"+share)
	return "\ntrain pair on discriminator.rtd {\n" + strings.Join(lines, "\n") + "\n}\n"
}

// shareOf returns how the models share tables, as their tensors tell: the discriminator has differences, no tables, or tables of its own.
func shareOf(weights, tables []string) string {
	const table = hf.Discriminator + ".deberta.embeddings.word_embeddings."
	share := " share " + strings.Join(tables, ", ")
	switch {
	case slices.Contains(weights, table+"_weight"):
		return share + " stopping gradient"
	case slices.Contains(weights, table+"weight"):
		return ""
	}
	return share
}

// unread returns the recorded tensors that the program of a training run does not read, so that they stay as they are: the table of positions of a model whose
// decoder alone adds positions.
func (t *Trial) unread(dir *folder.Folder, u *compiler.Unit) (map[string][]float32, error) {
	f, err := safetensors.Open(t.outputs)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	still := map[string][]float32{}
	shapes := map[string]bool{}
	for _, p := range u.Program.Training.Params {
		shapes[p.Name] = true
	}
	for _, name := range dir.Weights.Names() {
		if to := trainprogram.NewPrefix + name; !shapes[name] && f.Has(to) {
			info, err := f.Info(to)
			if err != nil {
				return nil, err
			}
			still[to] = make([]float32, info.Elements())
			if err := dir.Weights.Floats(name, still[to]); err != nil {
				return nil, err
			}
		}
	}
	return still, nil
}
