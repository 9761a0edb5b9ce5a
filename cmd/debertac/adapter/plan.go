package adapter

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/torchfile"
)

// prefixes are the names of the encoder in models with a head.
var prefixes = []string{"deberta.", "bert.", "roberta."}

// openTensors opens the tensors of an adapter.
func (s *settings) openTensors(dir string) (published.Weights, error) {
	if s.own {
		path := filepath.Join(dir, gliner2Name)
		if there, err := disk.Exists(path); err != nil {
			return nil, err
		} else if !there {
			return nil, fault.Input(dir, "the folder has no %s, and so no adapter: %s is in GLiNER2's own layout", gliner2Name, configName)
		}
		return safetensors.Open(path)
	}
	path := filepath.Join(dir, tensorName)
	if there, err := disk.Exists(path); err != nil {
		return nil, err
	} else if there {
		return safetensors.Open(path)
	}
	path = filepath.Join(dir, torchName)
	if there, err := disk.Exists(path); err != nil {
		return nil, err
	} else if !there {
		return nil, fault.Input(dir, "the folder has neither %s nor %s, and so no adapter", tensorName, torchName)
	}
	return torchfile.Open(path)
}

// change is what becomes of a tensor of the model.
type change struct {
	whole  string // the tensor of the adapter that takes its place; "": it stays
	down   string // the first matrix of the adapter; "": no matrices
	up     string
	table  bool   // the matrices are those of a table: down is [rank, rows], up is [width, rank]
	add    string // a vector that is added, times factor; "": none
	factor float64
}

// plan is what a merge does.
type plan struct {
	s         *settings
	adapter   published.Weights
	model     published.Weights
	has       map[string]bool    // tensors of the model
	changes   map[string]*change // by the model's names
	added     map[string]string  // tensors that the model lacks: their names → those in the adapter
	shortened int                // tensors whose modules the config names by one word of their names alone
	prefix    string             // that the model's names get, so that its encoder and a new head are told apart; "": none
}

// newPlan finds the place of each tensor of the adapter in the model.
func newPlan(s *settings, adapter, model published.Weights) (*plan, error) {
	p := &plan{s: s, adapter: adapter, model: model, has: map[string]bool{}, changes: map[string]*change{}, added: map[string]string{}}
	for _, name := range model.Names() {
		p.has[name] = true
	}
	names := slices.Sorted(slices.Values(adapter.Names()))
	if len(names) == 0 {
		return nil, fault.Input(adapter.Name(), "the file holds no tensors")
	}
	for _, name := range names {
		if err := p.place(name); err != nil {
			return nil, err
		}
	}
	if err := p.pairs(); err != nil {
		return nil, err
	}
	return p, p.complete()
}

// fault returns an error about a tensor of the adapter.
func (p *plan) fault(tensor, format string, args ...any) error {
	return &safetensors.Error{File: p.adapter.Name(), Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}

// ending is the end of the name of an adapter's tensor, the end of the name of the tensor that it changes, and where it is noted.
type ending struct {
	end, of string
	note    func(c *change, name string)
}

// endings lists the ends of the names of tensors in PEFT's layout.
var endings = []ending{
	{".lora_A.weight", ".weight", func(c *change, name string) { c.down = name }},
	{".lora_B.weight", ".weight", func(c *change, name string) { c.up = name }},
	{".lora_embedding_A", ".weight", func(c *change, name string) { c.down, c.table = name, true }},
	{".lora_embedding_B", ".weight", func(c *change, name string) { c.up, c.table = name, true }},
	{".lora_B.bias", ".bias", func(c *change, name string) { c.add = name }},
}

// place notes what a tensor of the adapter changes.
func (p *plan) place(name string) error {
	inner, list := name, gliner2Endings
	if !p.s.own {
		var ok bool
		if inner, ok = strings.CutPrefix(name, root); !ok {
			return p.fault(name, "the names of an adapter's tensors begin with %s", root)
		}
		list = endings
	}
	for _, e := range list {
		module, ok := strings.CutSuffix(inner, e.end)
		if !ok {
			continue
		}
		of, there := p.find(module + e.of)
		switch {
		case !p.s.own || p.s.grouped(module):
		case p.s.shortened(module):
			p.shortened++
		default:
			return p.fault(name, "target_modules = %s does not name its module", strings.Join(p.s.groups, ", "))
		}
		if !there {
			return p.fault(name, "the model %s has no tensor %s: the adapter is of another model", p.model.Name(), module+e.of)
		}
		c := p.changeOf(of)
		e.note(c, name)
		_, c.factor = p.s.scale(module)
		return nil
	}
	if strings.Contains(inner, "lora_magnitude_vector") {
		return p.fault(name, "it is of DoRA, which is not known here")
	}
	if strings.Contains(inner, ".lora_") || p.s.own {
		return p.fault(name, "this kind of tensor of an adapter is not known")
	}
	return p.placeWhole(name, inner)
}

// placeWhole notes a tensor that takes the place of one of the model, or is new.
func (p *plan) placeWhole(name, inner string) (err error) {
	if strings.Contains(inner, ".original_module.") {
		return nil // of the model before the training: the library writes such biases, and never reads them
	}
	inner = strings.Replace(inner, ".base_layer.", ".", 1)
	saved := p.s.keeps(inner)
	if module, rest, ok := strings.Cut(inner, ".modules_to_save."); ok {
		inner, saved = module+"."+rest, true
	}
	bias := strings.HasSuffix(inner, ".bias") && p.s.bias != "none"
	if !saved && !bias && !strings.HasSuffix(inner, published.TokenTable) {
		return p.fault(name, "it is no part of an adapter: modules_to_save = %s does not name its module", strings.Join(p.s.saved, ", "))
	}
	of, there := p.find(inner)
	if !there {
		p.added[inner], err = p.one(p.added[inner], name)
		return err
	}
	c := p.changeOf(of)
	c.whole, err = p.one(c.whole, name)
	return err
}

// one returns which of two tensors of the adapter takes the place of a tensor of the model. With bias = all the library stores the biases of a module that is
// stored whole twice; old is "" for the first tensor.
func (p *plan) one(old, name string) (string, error) {
	const second = ".modules_to_save."
	switch {
	case old == "" || strings.Contains(old, second) && !strings.Contains(name, second):
		return name, nil
	case strings.Contains(name, second) && !strings.Contains(old, second):
		return old, nil
	}
	return "", p.fault(name, "it is stored twice: %s is the same tensor of the model", old)
}

// changeOf returns the change of a tensor of the model.
func (p *plan) changeOf(name string) *change {
	if p.changes[name] == nil {
		p.changes[name] = &change{}
	}
	return p.changes[name]
}

// find returns the name of a tensor in the model. The adapter may be of the encoder alone or of a model with a head, and so may the folder.
func (p *plan) find(name string) (string, bool) {
	has := func(n string) bool { return p.has[n] }
	if found, ok := published.Find(has, name); ok {
		return found, true
	}
	for _, prefix := range prefixes {
		if found, ok := published.Find(has, prefix+name); ok {
			return found, true
		}
	}
	return name, false
}

// pairs checks that the matrices of an adapter come in pairs with shapes that fit.
func (p *plan) pairs() error {
	for _, name := range slices.Sorted(maps.Keys(p.changes)) {
		c := p.changes[name]
		one, other := c.down, "second"
		if one == "" {
			one, other = c.up, "first"
		}
		if (c.down == "") != (c.up == "") {
			return p.fault(one, "the adapter lacks the %s matrix of this pair", other)
		}
		if err := p.shapes(name, c); err != nil {
			return err
		}
	}
	return nil
}

// shapes checks the shapes of what changes a tensor.
func (p *plan) shapes(name string, c *change) error {
	info, err := p.model.Info(name)
	if err != nil {
		return err
	}
	check := func(tensor string, shape ...int) error {
		have, err := p.adapter.Info(tensor)
		if err == nil && !slices.Equal(have.Shape, shape) {
			return p.fault(tensor, "its shape is %v, and %v is expected, for the model's %s %v", have.Shape, shape, name, info.Shape)
		}
		return err
	}
	if c.whole != "" && !p.s.keeps(strings.TrimPrefix(c.whole, root)) {
		if err := check(c.whole, info.Shape...); err != nil {
			return err
		}
	}
	if c.add != "" {
		if err := check(c.add, info.Shape...); err != nil {
			return err
		}
	}
	if c.down == "" {
		return nil
	}
	if len(info.Shape) != 2 {
		return p.fault(c.down, "the model's %s has the shape %v, and only matrices have adapters here", name, info.Shape)
	}
	module, _, _ := strings.Cut(strings.TrimPrefix(c.down, root), ".lora_")
	rank, _ := p.s.scale(module)
	out, in := info.Shape[0], info.Shape[1]
	if c.table || p.s.transposed {
		out, in = in, out
	}
	if err := check(c.down, rank, in); err != nil {
		return err
	}
	return check(c.up, out, rank)
}

// complete checks that the matrices which the config names have adapters, and finds the prefix that the model's names need.
func (p *plan) complete() error {
	prefixed := ""
	for _, name := range p.adapter.Names() {
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, root+prefix) {
				prefixed = prefix
			}
		}
	}
	for name := range p.has {
		for _, n := range []string{name, prefixed + name} {
			if c := p.changes[name]; p.s.wants(n) && !p.s.keeps(n) && (c == nil || c.down == "" && c.whole == "") && p.matrix(name) {
				return fault.Input(p.adapter.Name(), "target_modules names the model's %s, for which the file has no matrices: it is not whole", name)
			}
		}
	}
	bare := !slices.ContainsFunc(prefixes, func(prefix string) bool {
		for name := range p.has {
			if strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	})
	if bare && len(p.added) > 0 {
		p.prefix = prefixed
	}
	return nil
}

// matrix reports whether a tensor of the model is a matrix.
func (p *plan) matrix(name string) bool {
	info, err := p.model.Info(name)
	return err == nil && len(info.Shape) == 2
}
