package adapter

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/outfolder"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
)

// Trained is what a training with adapters has made.
type Trained struct {
	Tensors published.Weights // a checkpoint of the training, or another file with its tensors
	Merges  []ir.Merge        // of the program that trains
	Head    []string          // the tensors of the head, which the training changes too
	Task    tasktable.Task    // of the head
	Dropout float64           // in front of adapters
	Base    string            // name or path of the model that was trained, as transformers takes it; "": not known
}

// kinds maps tasks of heads to the library's.
var kinds = map[tasktable.Task]string{tasktable.Labels: "SEQ_CLS", tasktable.Score: "SEQ_CLS", tasktable.Tags: "TOKEN_CLS", tasktable.Span: "QUESTION_ANS"}

// pair is an adapter of a module: the product of up [out, rank] and down [rank, in], times alpha/rank.
type pair struct {
	rank, in, out int
	alpha         float64
	down, up      []float32
}

// Write writes an adapter in PEFT's layout to the folder dir, which exists: adapter_config.json and adapter_model.safetensors. If a matrix of the model
// holds several parts of each head, as in_proj of DeBERTa v1, the adapters of its parts become one, whose rank is the sum of theirs: the product is the
// same.
func Write(ctx context.Context, dir string, t Trained) error {
	if len(t.Merges) == 0 {
		return fmt.Errorf("the training has no adapters")
	}
	pairs := map[string]*pair{}
	for _, m := range t.Merges {
		module, ok := strings.CutSuffix(m.Of, ".weight")
		if !ok {
			return fmt.Errorf("the adapter of %s cannot be written: its name does not end in .weight", m.Of)
		}
		if pairs[module] == nil {
			pairs[module] = &pair{}
		}
		if err := pairs[module].add(t.Tensors, m); err != nil {
			return err
		}
	}
	var list []outfolder.Tensor
	add := func(name string, v []float32, shape ...int) {
		list = append(list, outfolder.Tensor{Tensor: safetensors.Tensor{Name: root + name, DType: safetensors.F32, Shape: shape},
			Bytes: func() ([]byte, error) { return safetensors.FloatBytes(v), nil }})
	}
	for _, module := range slices.Sorted(maps.Keys(pairs)) {
		p := pairs[module]
		add(module+".lora_A.weight", p.down, p.rank, p.in)
		add(module+".lora_B.weight", p.up, p.out, p.rank)
	}
	for _, name := range t.Head {
		info, err := t.Tensors.Info(name)
		if err != nil {
			return err
		}
		v := make([]float32, info.Elements())
		if err := t.Tensors.Floats(name, v); err != nil {
			return err
		}
		add(name, v, info.Shape...)
	}
	if err := outfolder.Write(ctx, filepath.Join(dir, tensorName), map[string]string{"format": "pt"}, list); err != nil {
		return err
	}
	text, err := json.MarshalIndent(t.config(pairs), "", "  ")
	if err != nil {
		return err
	}
	return disk.WriteFile(filepath.Join(dir, configName), append(text, '\n'), 0o666)
}

// add adds the adapter of a matrix, or of a part of its rows.
func (p *pair) add(from published.Weights, m ir.Merge) error {
	down, err := from.Info(m.Down)
	if err != nil {
		return err
	}
	up, err := from.Info(m.Up)
	if err != nil {
		return err
	}
	if len(down.Shape) != 2 || len(up.Shape) != 2 || down.Shape[0] != up.Shape[1] {
		return fmt.Errorf("%s: the adapter of %s has the shapes %v and %v", from.Name(), m.Of, down.Shape, up.Shape)
	}
	rank, rows := down.Shape[0], up.Shape[0]
	a, b := make([]float32, down.Elements()), make([]float32, up.Elements())
	if err := from.Floats(m.Down, a); err != nil {
		return err
	}
	if err := from.Floats(m.Up, b); err != nil {
		return err
	}
	before := p.rank
	p.in, p.out, p.rank, p.down = down.Shape[1], max(1, m.Parts)*rows, before+rank, append(p.down, a...)
	wide := make([]float32, p.out*p.rank)
	for r := range p.out {
		if before > 0 {
			copy(wide[r*p.rank:], p.up[r*before:][:before])
		}
	}
	for r := range rows {
		copy(wide[row(m, r, rows)*p.rank+before:], b[r*rank:][:rank])
	}
	p.up, p.alpha = wide, p.alpha+m.By*float64(rank)
	return nil
}

// row returns the row of the matrix that row r of the adapter, which has n rows, changes: the parts of each head lie together.
func row(m ir.Merge, r, n int) int {
	if m.Parts == 0 {
		return r
	}
	per := n / m.Heads
	return (r/per*m.Parts+m.Part)*per + r%per
}

// config returns the fields of adapter_config.json.
func (t Trained) config(pairs map[string]*pair) map[string]any {
	rank, alpha := common(pairs, func(p *pair) int { return p.rank }), common(pairs, func(p *pair) float64 { return p.alpha })
	ranks, alphas := map[string]int{}, map[string]float64{}
	for module, p := range pairs {
		if p.rank != rank {
			ranks[module] = p.rank
		}
		if p.alpha != alpha {
			alphas[module] = p.alpha
		}
	}
	fields := map[string]any{
		"peft_type": "LORA", "task_type": nil, "base_model_name_or_path": nil, "inference_mode": true, "r": rank, "lora_alpha": alpha,
		"lora_dropout": t.Dropout, "bias": "none", "fan_in_fan_out": false, "use_rslora": false, "use_dora": false, "init_lora_weights": true,
		"modules_to_save": nil,
		"rank_pattern":    ranks, "alpha_pattern": alphas, "target_modules": t.targets(pairs),
	}
	if alpha == float64(int(alpha)) {
		fields["lora_alpha"] = int(alpha)
	}
	if kind := kinds[t.Task]; kind != "" {
		fields["task_type"] = kind
	}
	if t.Base != "" {
		fields["base_model_name_or_path"] = t.Base
	}
	var modules []string
	for _, name := range t.Head {
		module, _, _ := strings.Cut(name, ".")
		if !slices.Contains(modules, module) {
			modules = append(modules, module)
		}
	}
	if len(modules) > 0 {
		slices.Sort(modules)
		fields["modules_to_save"] = modules
	}
	return fields
}

// common returns the number that most modules have.
func common[T cmp.Ordered](pairs map[string]*pair, of func(*pair) T) (best T) {
	count := map[T]int{}
	for _, module := range slices.Sorted(maps.Keys(pairs)) {
		n := of(pairs[module])
		if count[n]++; count[n] > count[best] {
			best = n
		}
	}
	return best
}

// targets names the modules with adapters: by the last word of their names if all modules with this word have adapters, else by their whole names.
func (t Trained) targets(pairs map[string]*pair) []string {
	var names []string
	for module := range pairs {
		last := module[strings.LastIndex(module, ".")+1:]
		all := true
		for _, tensor := range t.Tensors.Names() {
			other, ok := strings.CutSuffix(tensor, ".weight")
			all = all && (!ok || other != last && !strings.HasSuffix(other, "."+last) || pairs[other] != nil)
		}
		name := module
		if all {
			name = last
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Add adds the adapter of a matrix w to it, as it is in a checkpoint: By·Up·Down on the rows that the adapter changes.
func Add(w []float64, from published.Weights, m ir.Merge) error {
	p := pair{}
	if err := p.add(from, m); err != nil {
		return err
	}
	if p.in*p.out != len(w) {
		return fmt.Errorf("%s: the adapter of %s is for a matrix of %d × %d numbers, and this one has %d", from.Name(), m.Of, p.out, p.in, len(w))
	}
	for r := range p.out {
		for c := range p.in {
			sum := 0.0
			for k := range p.rank {
				sum += float64(p.up[r*p.rank+k]) * float64(p.down[k*p.in+c])
			}
			w[r*p.in+c] += m.By * sum
		}
	}
	return nil
}
