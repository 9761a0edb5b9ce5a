package adapter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/spec/hf"
)

// gliner2Name is the file with the tensors of an adapter in GLiNER2's own layout. Its library wrote this layout before it used PEFT, and still reads it.
const gliner2Name = "adapter_weights.safetensors"

// gliner2Endings lists the ends of the names of tensors in GLiNER2's own layout. The names have no common beginning.
var gliner2Endings = []ending{
	{".lora_A", ".weight", func(c *change, name string) { c.down = name }},
	{".lora_B", ".weight", func(c *change, name string) { c.up = name }},
}

// readGliner2 reads the fields of an adapter in GLiNER2's own layout. The library ignores other fields; here they are refused by name.
func (s *settings) readGliner2(o *hf.Object) error {
	s.own, s.rank, s.alpha = true, 8, 16 // the library's defaults
	for _, name := range o.Names() {
		var err error
		switch name {
		case "adapter_type":
			kind := ""
			if _, err = o.Get(name, &kind); err == nil && kind != "lora" {
				err = fmt.Errorf("adapter_type = %q: only lora is known", kind)
			}
		case "adapter_version":
			version := ""
			if _, err = o.Get(name, &version); err == nil && version != "1.0" {
				err = fmt.Errorf("adapter_version = %q: only 1.0 is known", version)
			}
		case "lora_r":
			_, err = o.Get(name, &s.rank)
		case "lora_alpha":
			_, err = o.Get(name, &s.alpha)
		case "target_modules":
			_, err = o.Get(name, &s.groups)
		case "lora_dropout", "created_at": // they mean nothing once it is trained
		default:
			var raw json.RawMessage
			if _, err = o.Get(name, &raw); err == nil {
				err = fmt.Errorf("%s = %s is not known: what it means for the adapter cannot be told", name, raw)
			}
		}
		if err != nil {
			return err
		}
	}
	if len(s.groups) == 0 {
		return fmt.Errorf("target_modules is missing: the groups of modules with adapters, such as encoder")
	}
	return s.checkRank("lora_r")
}

// headGroups lists the modules that GLiNER2's names of groups of heads stand for.
var headGroups = map[string][]string{
	"all_task_heads":      {"span_rep", "classifier", "count_embed", "count_pred", "boundary_head", "record_decoder", "relation_scorer"},
	"classification_head": {"classifier"},
	"extractive_head":     {"span_rep", "count_embed", "count_pred", "boundary_head"},
	"relation_head":       {"relation_scorer"},
	"record_head":         {"record_decoder"},
}

// grouped reports whether the groups name a module: encoder stands for all its projections, encoder.query for those whose names contain query, other
// names for the modules below them.
func (s *settings) grouped(module string) bool {
	last := module[strings.LastIndex(module, ".")+1:]
	under := func(name string) bool { return module == name || strings.HasPrefix(module, name+".") }
	for _, g := range s.groups {
		for _, name := range headGroups[g] {
			if under(name) {
				return true
			}
		}
		part, inEncoder := strings.CutPrefix(g, "encoder.")
		if inEncoder && strings.HasPrefix(module, "encoder.") && strings.Contains(last, part) || under(g) {
			return true
		}
	}
	return false
}

// shortened reports whether the list of groups has a word of a module's name. The library gliner2 2.1 writes such words for adapters of many modules,
// because PEFT has shortened the names by then; its own reader looks for groups alone, and leaves these modules out.
func (s *settings) shortened(module string) bool {
	return slices.ContainsFunc(s.groups, func(g string) bool { return strings.Contains("."+module+".", "."+g+".") })
}

// shortenedNote is about matrices of modules that are named by one word of their names.
func (p *plan) shortenedNote() string {
	return fmt.Sprintf("target_modules names the modules of %s by single words, as gliner2 2.1 writes them; that library leaves these out when it reads "+
		"the adapter", wording.Counted(p.shortened, "tensor", "tensors"))
}
