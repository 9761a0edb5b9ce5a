package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/token"
	"github.com/debertac/debertac/runtime/token/tokentest"
	"github.com/debertac/debertac/spec/hf"
)

type verifyVerb struct {
	Cases []string `arg:"" optional:"" name:"case" help:"Folders of recorded cases."`
	Only  string   `enum:",forward" default:"" placeholder:"forward" help:"Compare forward passes only: leave out gradients, trained weights and training runs."`
	ISA   []string `name:"isa" placeholder:"SET" help:"Instruction sets to compare on. Default: all of this machine."`

	Tokenizer string  `placeholder:"DIR" help:"Instead of cases: compare the tokenizers in a folder with their recorded encodings."`
	Model     string  `placeholder:"DIR" help:"Instead of cases: compare a Hugging Face model folder with --outputs."`
	Outputs   string  `placeholder:"FILE" help:"With --model: safetensors file with input_ids, attention_mask, token_type_ids and the recorded outputs."`
	Atol      float64 `default:"1e-4" help:"With --model: a number holds if |got - want| <= atol + rtol·|want|."`
	Rtol      float64 `default:"1e-4" help:"With --model: see --atol."`
	OfLargest float64 `placeholder:"X" help:"With --model, instead of --atol and --rtol: a number holds if |got - want| <= X times the largest |want| of its tensor."`

	Layers []int `placeholder:"N,…" help:"Compare the hidden states after these layers only; 0 is the input of the first layer."`
	folder.Wishes

	JSON bool `name:"json" help:"Print one JSON object per tensor, the summary last."`
}

// Help is the long help.
func (verifyVerb) Help() string {
	return `Compares a compiled model with recorded reference outputs. A case is a folder with config.json, model.safetensors,
inputs.safetensors, outputs.safetensors and case.json (head and tolerances). The model is imported, compiled, built and run on
every instruction set of this machine, and every recorded tensor is compared where the attention mask is 1. All cases share
one build. A tensor that this version does not produce fails its case; the exit code is 3 if anything fails.

A case can be one forward pass, one with the enhanced mask decoder, a generator with a discriminator, or the three passes of
scale-invariant fine-tuning, of which the last takes the recorded noise. Losses are computed from what the model gives and the
case's labels; one that depends on rows where the mask is 0 is left out, and said to be. Cases that are training runs are left
out with --only forward.

Examples:
  debertac verify cases/v2_*
  debertac verify --only forward --isa avx2 cases/v2_v3like
  debertac verify --tokenizer path/to/tokenizer_folder
  debertac verify --model ~/models/deberta-v3-base --outputs reference.safetensors
  debertac verify --model ~/models/deberta-base --head fill-mask --outputs reference.safetensors --layers 0,6,12`
}

// Run verifies.
func (v *verifyVerb) Run(m *built.Maker) error {
	numbers := []flags.Number{flags.Real("--atol", &v.Atol, 0, math.MaxFloat64), flags.Real("--rtol", &v.Rtol, 0, math.MaxFloat64), flags.Real("--of-largest", &v.OfLargest, 0, math.MaxFloat64)}
	for _, layer := range v.Layers {
		numbers = append(numbers, flags.Whole("--layers", &layer, 0, math.MaxInt))
	}
	if err := flags.Within(numbers...); err != nil {
		return err
	}
	ways := 0
	for _, given := range []bool{len(v.Cases) > 0, v.Tokenizer != "", v.Model != ""} {
		if given {
			ways++
		}
	}
	wanted := v.Wishes
	if v.Tokenizer != "" {
		wanted.Ignore = nil
	}
	switch {
	case ways != 1:
		return fault.Usage("debertac verify --help", "give folders of cases, or --tokenizer DIR, or --model DIR --outputs FILE")
	case (v.Model != "") != (v.Outputs != ""):
		return fault.Usage("debertac verify --help", "--model and --outputs belong together")
	case v.OfLargest != 0 && v.Model == "":
		return fault.Usage("debertac verify --help", "--of-largest belongs to --model: a case has its own tolerances")
	case v.Model == "" && wanted.Given():
		return fault.Usage("debertac verify --help", "--head, --layer, --pool, --mask, --seq and --ignore belong to --model, and --ignore to --tokenizer too: a case says itself what its model is for")
	case v.Tokenizer != "":
		return v.tokenizer(m)
	}
	if err := v.Wishes.OfFolder(); err != nil {
		return err
	}
	for _, name := range v.ISA {
		if err := machine.CheckISA(name); err != nil {
			return err
		}
	}
	var trials []*trial
	for _, dir := range v.Cases {
		t, err := v.trial(m, dir)
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	if v.Model != "" {
		t, err := v.modelTrial(m)
		if err != nil {
			return err
		}
		trials = append(trials, t)
	}
	return v.judge(m, trials)
}

// tokenizer compares tokenizers with recorded encodings.
func (v *verifyVerb) tokenizer(m *built.Maker) error {
	st, err := disk.Stat(v.Tokenizer)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fault.Input(v.Tokenizer, "this is a file, the folder of a tokenizer is wanted")
	}
	view, err := hf.NewView(disk.FS(v.Tokenizer, token.MaxFile), v.Ignore)
	if err != nil {
		return fault.Input(v.Tokenizer, "%v", err)
	}
	for _, n := range view.Notes() {
		m.Note("%s: note: %s", v.Tokenizer, n)
	}
	compared, failed, err := tokentest.VerifyFS(view, func(line string) {
		if !v.JSON {
			fmt.Fprintln(m.Out, line)
		}
	})
	var field *token.FieldError
	switch {
	case errors.As(err, &field):
		return folder.TokenizerFault(v.Tokenizer, v.Tokenizer, err)
	case err != nil:
		return fault.Input(v.Tokenizer, "%v", err)
	}
	if v.JSON {
		err = json.NewEncoder(m.Out).Encode(map[string]any{"tokenizer": v.Tokenizer, "compared": compared, "failed": failed, "ok": failed == 0})
	} else {
		_, err = fmt.Fprintf(m.Out, "%s: %d of %d encodings are as recorded\n", v.Tokenizer, compared-failed, compared)
	}
	if err == nil && failed > 0 {
		return fault.NotHeld()
	}
	return err
}

// judge builds, runs and compares all trials, and prints the results.
func (v *verifyVerb) judge(m *built.Maker, trials []*trial) error {
	temp, err := disk.TempDir("", "debertac-verify-")
	if err != nil {
		return err
	}
	defer disk.RemoveAll(temp)
	if err := buildTrials(m, trials, temp); err != nil {
		return err
	}
	total := tally{isas: map[string]bool{}}
	for _, t := range trials {
		if err := m.Context.Err(); err != nil {
			return err
		}
		if t.golden.Training() && v.scope().Forward {
			total.left++
			v.leave(m, t)
			continue
		}
		total.cases++
		held := v.one(m, t, temp, &total)
		if held {
			total.held++
		}
	}
	if v.JSON {
		err = json.NewEncoder(m.Out).Encode(total.json())
	} else {
		_, err = fmt.Fprintln(m.Out, total.line())
	}
	if err == nil && !total.ok() {
		return fault.NotHeld()
	}
	return err
}

// scope is what is compared of the recorded tensors.
func (v *verifyVerb) scope() golden.Scope {
	return golden.Scope{Forward: v.Only == "forward", Layers: v.Layers}
}

// leave says that a training run is left out.
func (v *verifyVerb) leave(m *built.Maker, t *trial) {
	const reason = "a training run, which --only forward leaves out"
	if v.JSON {
		_ = json.NewEncoder(m.Out).Encode(map[string]any{"case": t.golden.Name, "left": reason, "ok": true}) // a broken pipe shows at the summary
		return
	}
	fmt.Fprintf(m.Out, "%s: %s\n", t.golden.Name, reason)
}

// one runs and compares one case on every instruction set, and reports whether everything held.
func (v *verifyVerb) one(m *built.Maker, t *trial, temp string, total *tally) bool {
	if t.fault != nil {
		v.say(m, t, "", t.fault.Error())
		names, err := golden.Recorded(t.outputs, v.scope())
		total.missing += len(names)
		switch {
		case v.JSON:
		case err != nil && strings.Contains(t.fault.Error(), t.outputs): // that is the fault
		case err != nil:
			fmt.Fprintf(m.Out, "  %v\n", err)
		case len(names) == 0:
			fmt.Fprintln(m.Out, "  there is nothing to compare")
		default:
			fmt.Fprintf(m.Out, "  not produced: %s\n", strings.Join(names, " "))
		}
		return false
	}
	isas := v.ISA
	if len(isas) == 0 {
		isas = t.isas()
	}
	held := true
	for _, isa := range isas {
		files, err := t.forward(m, temp, isa)
		var results []golden.Result
		if err == nil {
			results, err = t.compare(files, v.scope())
		}
		if err != nil {
			v.say(m, t, isa, rendered(m.Console, caseFault(err)).Error())
			held = false
			continue
		}
		held = v.print(m, t, isa, results) && held
		total.add(isa, results)
	}
	return held
}

// mostLines bounds what is shown of the reason why a case failed.
const mostLines = 12

// say reports why a case could not be compared.
func (v *verifyVerb) say(m *built.Maker, t *trial, isa, reason string) {
	if v.JSON {
		names, err := golden.Recorded(t.outputs, v.scope())
		if err != nil {
			reason += "; " + err.Error()
		}
		_ = json.NewEncoder(m.Out).Encode(map[string]any{"case": t.golden.Name, "isa": isa, "reason": reason, "missing": names, "ok": false}) // a broken pipe shows at the summary
		return
	}
	on := ""
	if isa != "" {
		on = " on " + isa
	}
	lines := strings.Split(strings.TrimSpace(reason), "\n")
	if n := len(lines); n > mostLines {
		lines = append(lines[:mostLines], fmt.Sprintf("… %d lines more", n-mostLines))
	}
	fmt.Fprintf(m.Out, "%s%s: failed\n  %s\n", t.golden.Name, on, strings.Join(lines, "\n  "))
}

// tensorRow is the JSON form of one comparison.
type tensorRow struct {
	Case string `json:"case"`
	ISA  string `json:"isa"`
	golden.Result
}

// print prints the table of one case on one instruction set and reports whether all of it held.
func (v *verifyVerb) print(m *built.Maker, t *trial, isa string, results []golden.Result) bool {
	held := len(results) > 0
	var first *golden.Result
	width := len("tensor")
	for i := range results {
		r := &results[i]
		width = max(width, len(r.Tensor))
		held = held && r.OK
		if !r.OK && r.Reason == "" && first == nil {
			first = r
		}
	}
	if v.JSON {
		for _, r := range results {
			_ = json.NewEncoder(m.Out).Encode(tensorRow{t.golden.Name, isa, r}) // a broken pipe shows at the summary
		}
		return held
	}
	shows := ""
	if t.golden.Shows != "" {
		shows = ": " + t.golden.Shows
	}
	fmt.Fprintf(m.Out, "%s on %s%s\n", t.golden.Name, isa, shows)
	fmt.Fprintf(m.Out, "  %-*s  %13s  %-21s  ok\n", width, "tensor", "largest error", "tolerance")
	for _, r := range results {
		switch {
		case r.Left != "":
			fmt.Fprintf(m.Out, "  %-*s  %13s  %-21s  left out: %s\n", width, r.Tensor, "-", "", r.Left)
		case r.Reason != "":
			fmt.Fprintf(m.Out, "  %-*s  %13s  %-21s  NO: %s\n", width, r.Tensor, "-", "", r.Reason)
		default:
			ok := "yes"
			if !r.OK {
				ok = "NO"
			}
			note := ""
			if r.Group == "attentions" {
				note = " (portable form)"
			}
			fmt.Fprintf(m.Out, "  %-*s  %13.3g  %-21s  %s%s\n", width, r.Tensor, r.Error, fmt.Sprintf("%.3g + %.3g·|x|", r.Abs, r.Rel), ok, note)
		}
	}
	switch {
	case len(results) == 0:
		fmt.Fprintln(m.Out, "  there is nothing to compare")
	case first != nil:
		fmt.Fprintf(m.Out, "  the first tensor that diverges: %s, furthest at %v\n", first.Tensor, first.At)
	}
	return held
}

// tally counts what was compared.
type tally struct {
	cases, held      int
	left             int // cases of training
	tensors, missing int
	isas             map[string]bool
}

func (t *tally) add(isa string, results []golden.Result) {
	t.isas[isa] = true
	for _, r := range results {
		switch {
		case r.Left != "":
		case r.Reason != "":
			t.missing++
		default:
			t.tensors++
		}
	}
}

func (t *tally) names() []string {
	var names []string
	for n := range t.isas {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// line is the summary.
func (t *tally) line() string {
	s := fmt.Sprintf("%d of %d cases hold", t.held, t.cases)
	if len(t.isas) > 0 {
		s += fmt.Sprintf(" on %s: %s compared", wording.List(t.names()), wording.Counted(t.tensors, "tensor", "tensors"))
	}
	if t.missing > 0 {
		s += fmt.Sprintf(", %d not produced", t.missing)
	}
	if t.left > 0 {
		s += fmt.Sprintf("; %d training run%s left out", t.left, map[bool]string{true: "s"}[t.left > 1])
	}
	return s
}

// ok reports whether everything held; nothing at all does not.
func (t *tally) ok() bool { return t.cases > 0 && t.held == t.cases }

func (t *tally) json() map[string]any {
	return map[string]any{"cases": t.cases, "held": t.held, "isas": t.names(), "tensors": t.tensors, "missing": t.missing, "left": t.left, "ok": t.ok()}
}
