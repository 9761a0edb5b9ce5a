package adapter

import (
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec/hf"
)

// settings is an adapter_config.json.
type settings struct {
	file       string
	rank       float64
	alpha      float64
	ranks      []pattern // exceptions for modules, the first one that fits
	alphas     []pattern
	stable     bool // the scale is alpha/√rank, not alpha/rank
	transposed bool // the matrices of the model are [in, out]
	bias       string
	saved      []string       // modules that are stored whole
	targets    []string       // names of modules with adapters; nil: a pattern names them
	target     *regexp.Regexp // nil: a list names them
	narrowed   bool           // not all modules with such names have adapters
	task       string         // SEQ_CLS and so on; "": not known
	base       string         // name or path of the model that it was trained for; "": not known
	own        bool           // the layout is GLiNER2's own
	groups     []string       // in GLiNER2's own layout: names of groups of modules with adapters
}

// pattern is a number for the modules that a regular expression names.
type pattern struct {
	name   string
	module *regexp.Regexp
	number float64
}

// Fields that do not change what an adapter means once it is trained.
var harmless = strings.Fields("auto_mapping peft_version revision inference_mode lora_dropout layers_pattern megatron_config " +
	"megatron_core loftq_config eva_config corda_config lora_ga_config qalora_group_size runtime_config")

// foreign lists the fields of variants that are not understood. They are refused unless they are off.
var foreign = map[string]string{
	"use_dora":                "DoRA also scales the columns of the matrices",
	"use_qalora":              "QALoRA pools the input of an adapter",
	"use_bdlora":              "BD-LoRA has matrices of blocks",
	"alora_invocation_tokens": "an activated adapter changes a part of the tokens only",
	"arrow_config":            "Arrow chooses between adapters for each token",
	"kasa_config":             "KaSA has a third matrix per adapter",
	"velora_config":           "VeLoRA is a variant that is not known here",
	"monteclora_config":       "MonteCLoRA is a variant that is not known here",
	"layer_replication":       "layers would be repeated, which makes another model",
	"target_parameters":       "adapters of parameters are not known here, those of modules are",
	"trainable_token_indices": "rows of the token table would be replaced",
	"ensure_weight_tying":     "modules would share their adapters",
}

// starts lists the ways to begin an adapter that leave the model as it was. Others change the matrices of the model.
var starts = []string{"true", "false", `"gaussian"`, `"eva"`, `"orthogonal"`}

// readSettings reads the config of an adapter. What is not understood is refused by the name of its field.
func readSettings(dir string) (*settings, error) {
	path := filepath.Join(dir, configName)
	if there, err := disk.Exists(path); err != nil {
		return nil, err
	} else if !there {
		return nil, fault.Input(dir, "the folder has no %s: it is not an adapter in the layout of PEFT or of GLiNER2", configName)
	}
	text, err := disk.ReadFile(path, 4<<20)
	if err != nil {
		return nil, err
	}
	o, err := hf.ReadObject(text)
	if err != nil {
		return nil, fault.Input(path, "%v", err)
	}
	s := &settings{file: path, rank: 8, alpha: 8, bias: "none"} // the library's defaults
	if err := s.read(o); err != nil {
		return nil, fault.Input(path, "%v", err)
	}
	return s, nil
}

// read reads all fields.
func (s *settings) read(o *hf.Object) error {
	kind := ""
	if set, err := o.Get("peft_type", &kind); err != nil {
		return err
	} else if !set && slices.Contains(o.Names(), "lora_r") {
		return s.readGliner2(o)
	}
	if kind != "LORA" {
		return fmt.Errorf("peft_type = %q: only LORA is known", kind)
	}
	for _, name := range o.Names() {
		var raw json.RawMessage
		set, err := o.Get(name, &raw)
		if err != nil {
			return err
		}
		value := strings.Join(strings.Fields(string(raw)), " ")
		off := !set || slices.Contains([]string{"false", "{}", "[]", `""`}, value)
		read, known := fields[name]
		reason, variant := foreign[name]
		switch {
		case name == "init_lora_weights" && set && !slices.Contains(starts, value):
			return fmt.Errorf("init_lora_weights = %s: such a training began from other matrices than those of the model; convert the adapter with the "+
				"library (path_initial_model_for_weight_conversion of save_pretrained)", value)
		case name == "peft_type", name == "init_lora_weights", slices.Contains(harmless, name), off && name != "target_modules":
		case known:
			if err := read(s, o); err != nil {
				return err
			}
		case variant:
			return fmt.Errorf("%s = %s: %s", name, value, reason)
		default:
			return fmt.Errorf("%s = %s is not known: what it means for the adapter cannot be told", name, value)
		}
	}
	return s.checkRank("r")
}

// checkRank checks the general rank, which the config has in a field of that name.
func (s *settings) checkRank(field string) error {
	if s.rank < 1 || s.rank != math.Trunc(s.rank) {
		return fmt.Errorf("%s = %g is not a rank: a whole number from 1 on", field, s.rank)
	}
	return nil
}

// fields maps the fields that are read to their readers.
var fields = map[string]func(*settings, *hf.Object) error{
	"r":              number("r", func(s *settings) *float64 { return &s.rank }),
	"lora_alpha":     number("lora_alpha", func(s *settings) *float64 { return &s.alpha }),
	"rank_pattern":   patterns("rank_pattern", func(s *settings) *[]pattern { return &s.ranks }),
	"alpha_pattern":  patterns("alpha_pattern", func(s *settings) *[]pattern { return &s.alphas }),
	"use_rslora":     value("use_rslora", func(s *settings) any { return &s.stable }),
	"fan_in_fan_out": value("fan_in_fan_out", func(s *settings) any { return &s.transposed }),
	"task_type":      value("task_type", func(s *settings) any { return &s.task }),

	"base_model_name_or_path": value("base_model_name_or_path", func(s *settings) any { return &s.base }),

	"lora_bias": func(*settings, *hf.Object) error { return nil }, // the tensors tell
	"modules_to_save": func(s *settings, o *hf.Object) error {
		_, err := o.Get("modules_to_save", &s.saved)
		return err
	},
	"bias": func(s *settings, o *hf.Object) error {
		if _, err := o.Get("bias", &s.bias); err != nil {
			return err
		}
		if !slices.Contains([]string{"none", "all", "lora_only"}, s.bias) {
			return fmt.Errorf("bias = %q: it must be all, lora_only or none", s.bias)
		}
		return nil
	},
	"target_modules":      (*settings).readTargets,
	"exclude_modules":     func(s *settings, _ *hf.Object) error { s.narrowed = true; return nil },
	"layers_to_transform": func(s *settings, _ *hf.Object) error { s.narrowed = true; return nil },
}

// value returns a reader of a field.
func value(name string, at func(*settings) any) func(*settings, *hf.Object) error {
	return func(s *settings, o *hf.Object) error {
		_, err := o.Get(name, at(s))
		return err
	}
}

// number returns a reader of a number that is finite.
func number(name string, at func(*settings) *float64) func(*settings, *hf.Object) error {
	return value(name, func(s *settings) any { return at(s) })
}

// patterns returns a reader of an object from patterns to numbers.
func patterns(name string, at func(*settings) *[]pattern) func(*settings, *hf.Object) error {
	return func(s *settings, o *hf.Object) error {
		var raw json.RawMessage
		if _, err := o.Get(name, &raw); err != nil {
			return err
		}
		list, err := hf.ReadObject(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, key := range list.Names() {
			p := pattern{name: key}
			if _, err := list.Get(key, &p.number); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			if p.module, err = regexp.Compile(`^(.*\.)?(?:` + key + `)$`); err != nil {
				return fmt.Errorf("%s has the pattern %q, which cannot be read here: %w", name, key, err)
			}
			*at(s) = append(*at(s), p)
		}
		return nil
	}
}

// readTargets reads the names of the modules: a list, or a pattern for whole names.
func (s *settings) readTargets(o *hf.Object) error {
	one := ""
	if _, err := o.Get("target_modules", &one); err != nil {
		_, err := o.Get("target_modules", &s.targets)
		return err
	}
	if one == "all-linear" {
		return nil
	}
	re, err := regexp.Compile(`^(?:` + one + `)$`)
	if err != nil {
		return fmt.Errorf("target_modules = %q cannot be read here as a pattern: %w", one, err)
	}
	s.target = re
	return nil
}

// of returns the number for a module: that of the first pattern that fits, or the general one.
func of(module string, list []pattern, general float64) float64 {
	for _, p := range list {
		if p.module.MatchString(module) {
			return p.number
		}
	}
	return general
}

// scale returns the rank of the adapter of a module, and the factor of the product of its matrices.
func (s *settings) scale(module string) (rank int, factor float64) {
	r := of(module, s.ranks, s.rank)
	factor = of(module, s.alphas, s.alpha) / r
	if s.stable {
		factor *= math.Sqrt(r)
	}
	return int(r), factor
}

// keeps reports whether a tensor belongs to a module that is stored whole.
func (s *settings) keeps(name string) bool {
	return slices.ContainsFunc(s.saved, func(m string) bool { return strings.Contains("."+name, "."+m+".") })
}

// wants reports whether a matrix of the model should have an adapter.
func (s *settings) wants(name string) bool {
	module, ok := strings.CutSuffix(name, ".weight")
	if !ok || s.narrowed || s.own { // the groups of GLiNER2's own layout may name more modules than have adapters
		return false
	}
	if s.target != nil {
		return s.target.MatchString(module)
	}
	return slices.ContainsFunc(s.targets, func(t string) bool { return module == t || strings.HasSuffix(module, "."+t) })
}
