package trial

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/runtime/disk"
)

// Comparison compares trials with what was recorded, and prints the results.
type Comparison struct {
	Maker *built.Maker
	ISA   []string // instruction sets to compare on; empty: all of this machine
	JSON  bool     // print JSON objects
	Scope golden.Scope
}

// Judge builds, runs and compares all trials, and prints the results.
func (v *Comparison) Judge(trials []*Trial) error {
	temp, err := disk.TempDir("", "debertac-verify-")
	if err != nil {
		return err
	}
	defer disk.RemoveAll(temp)
	if !v.Scope.Forward {
		for _, t := range trials {
			v.train(t)
		}
	}
	if err := buildTrials(v.Maker, trials, temp); err != nil {
		return err
	}
	total := tally{isas: map[string]bool{}}
	for _, t := range trials {
		if err := v.Maker.Context.Err(); err != nil {
			return err
		}
		if t.golden.Training() && v.Scope.Forward {
			total.left++
			v.leave(t)
			continue
		}
		total.cases++
		held := v.one(t, temp, &total)
		if held {
			total.held++
		}
	}
	if v.JSON {
		err = json.NewEncoder(v.Maker.Out).Encode(total.json())
	} else {
		_, err = fmt.Fprintln(v.Maker.Out, total.line())
	}
	if err == nil && !total.ok() {
		return fault.NotHeld()
	}
	return err
}

// train compiles the training steps of a trial. A training run that cannot be compiled has a fault; of other cases, what a forward pass produces is compared
// nevertheless.
func (v *Comparison) train(t *Trial) {
	if t.fault != nil {
		return
	}
	if err := t.train(v.Maker); err != nil {
		t.steps, t.untrained = nil, rendered(v.Maker.Console, err).Error()
	}
	if t.golden.Training() && t.untrained != "" {
		t.fault = errors.New(t.untrained)
	}
}

// leave prints that a training run is left out.
func (v *Comparison) leave(t *Trial) {
	const reason = "a training run, which --only forward leaves out"
	if v.JSON {
		_ = json.NewEncoder(v.Maker.Out).Encode(map[string]any{"case": t.golden.Name, "left": reason, "ok": true}) // a broken pipe shows at the summary
		return
	}
	fmt.Fprintf(v.Maker.Out, "%s: %s\n", t.golden.Name, reason)
}

// one runs and compares one case on every instruction set, and reports whether all tensors are within their tolerances.
func (v *Comparison) one(t *Trial, temp string, total *tally) bool {
	if t.fault != nil {
		v.say(t, "", t.fault.Error())
		names, err := golden.Recorded(t.outputs, v.Scope)
		total.missing += len(names)
		switch {
		case v.JSON:
		case err != nil && strings.Contains(t.fault.Error(), t.outputs): // the file of outputs is what is at fault
		case err != nil:
			fmt.Fprintf(v.Maker.Out, "  %v\n", err)
		case len(names) == 0:
			fmt.Fprintln(v.Maker.Out, "  there is nothing to compare")
		default:
			fmt.Fprintf(v.Maker.Out, "  not produced: %s\n", strings.Join(names, " "))
		}
		return false
	}
	isas := v.ISA
	if len(isas) == 0 {
		isas = t.isas()
	}
	held := true
	for _, isa := range isas {
		files, err := t.forward(v.Maker, temp, isa)
		var results []golden.Result
		if err == nil {
			var trained map[string][]float64
			if trained, err = t.trained(v.Maker, temp, isa); err == nil {
				results, err = t.compare(files, trained, v.Scope)
			}
		}
		if err != nil {
			v.say(t, isa, rendered(v.Maker.Console, caseFault(err)).Error())
			held = false
			continue
		}
		held = v.print(t, isa, results) && held
		total.add(isa, results)
	}
	return held
}

// mostLines is the largest number of lines that are shown of the reason why a case failed.
const mostLines = 12

// say prints why a case could not be compared.
func (v *Comparison) say(t *Trial, isa, reason string) {
	if v.JSON {
		names, err := golden.Recorded(t.outputs, v.Scope)
		if err != nil {
			reason += "; " + err.Error()
		}
		// a broken pipe shows at the summary
		_ = json.NewEncoder(v.Maker.Out).Encode(map[string]any{"case": t.golden.Name, "isa": isa, "reason": reason, "missing": names, "ok": false})
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
	fmt.Fprintf(v.Maker.Out, "%s%s: failed\n  %s\n", t.golden.Name, on, strings.Join(lines, "\n  "))
}

// tensorRow is the JSON form of one comparison.
type tensorRow struct {
	Case string `json:"case"`
	ISA  string `json:"isa"`
	golden.Result
}

// print prints the table of one case on one instruction set, and reports whether all tensors are within their tolerances.
func (v *Comparison) print(t *Trial, isa string, results []golden.Result) bool {
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
			_ = json.NewEncoder(v.Maker.Out).Encode(tensorRow{t.golden.Name, isa, r}) // a broken pipe shows at the summary
		}
		return held
	}
	shows := ""
	if t.golden.Shows != "" {
		shows = ": " + t.golden.Shows
	}
	fmt.Fprintf(v.Maker.Out, "%s on %s%s\n", t.golden.Name, isa, shows)
	fmt.Fprintf(v.Maker.Out, "  %-*s  %13s  %-21s  ok\n", width, "tensor", "largest error", "tolerance")
	for _, r := range results {
		switch {
		case r.Left != "":
			fmt.Fprintf(v.Maker.Out, "  %-*s  %13s  %-21s  left out: %s\n", width, r.Tensor, "-", "", r.Left)
		case r.Reason != "":
			fmt.Fprintf(v.Maker.Out, "  %-*s  %13s  %-21s  NO: %s\n", width, r.Tensor, "-", "", r.Reason)
		default:
			ok := "yes"
			if !r.OK {
				ok = "NO"
			}
			note := ""
			if r.Group == "attentions" {
				note = " (portable form)"
			}
			fmt.Fprintf(v.Maker.Out, "  %-*s  %13.3g  %-21s  %s%s\n", width, r.Tensor, r.Error, fmt.Sprintf("%.3g + %.3g·|x|", r.Abs, r.Rel), ok, note)
		}
	}
	switch {
	case len(results) == 0:
		fmt.Fprintln(v.Maker.Out, "  there is nothing to compare")
	case first != nil:
		fmt.Fprintf(v.Maker.Out, "  the first tensor that diverges: %s, furthest at %v\n", first.Tensor, first.At)
	}
	return held
}
