package engine

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// AdapterMeta describes an adapter in a packed file.
type AdapterMeta struct {
	// Name chooses the adapter. It has letters, digits, and the characters - _ .
	Name string `json:"name"`
	// Base is the name or path of the model that the adapter was trained for, as its files have it.
	Base string `json:"base,omitempty"`
}

// adapterPrefix begins the names of the tensors of adapters in a packed file.
const adapterPrefix = "adapter/"

// AdapterTensor returns the name under which a packed file holds a tensor of an adapter. The tensor
// is one that only adapters have, or takes the place of the packed tensor of that name.
func AdapterTensor(adapter, name string) string { return adapterPrefix + adapter + "/" + name }

// checkAdapters checks the adapters of the file, and that the package knows their tensors.
func (w *Weights) checkAdapters(want Want) error {
	bad := func(tensor, format string, args ...any) error {
		return &runtime.WeightsError{File: w.name, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
	}
	names := w.AdapterNames()
	switch {
	case len(names) > 0 && want.Rank == 0:
		return bad("", "it has adapters (%s), and this package was compiled without: add adapters rank <= %[2]d to the target of the spec, "+
			"or --adapter-rank %[2]d for a model folder, and compile again", strings.Join(names, ", "), w.meta.Rank)
	case len(names) > 0 && want.Rank != w.meta.Rank:
		return bad("", "its adapters are packed for adapters rank <= %d, this package was compiled with rank <= %d: %s", w.meta.Rank, want.Rank, again)
	}
	known := map[string]TensorWant{}
	for _, t := range want.Tensors {
		known[t.Name] = t
	}
	for i, name := range names {
		if !AdapterName(name) || slices.Contains(names[:i], name) {
			return bad("", "the metadata have an adapter %q, which is no name, or stands twice: %s", name, again)
		}
	}
	for name, got := range w.tensors {
		adapter, inner, ok := adapterOf(name)
		if !ok {
			continue
		}
		t, there := known[inner]
		switch n := int64(len(got.bytes) / got.dtype.Size()); {
		case !slices.Contains(names, adapter):
			return bad(name, "the metadata lack its adapter: %s", again)
		case !there || t.DType == safetensors.I32 || t.Optional: // indices follow from the spec alone
			return bad(name, "this package does not know it: %s", again)
		case got.dtype != t.DType || n != t.Len:
			return bad(name, "it has %d elements of %s, this package reads %d of %s: %s", n, got.dtype, t.Len, t.DType, again)
		}
	}
	return nil
}

// adapterOf returns the adapter of a tensor, and the tensor's name without it.
func adapterOf(name string) (adapter, inner string, ok bool) {
	rest, ok := strings.CutPrefix(name, adapterPrefix)
	if !ok {
		return "", "", false
	}
	return strings.Cut(rest, "/")
}

// AdapterName reports whether a text can be the name of an adapter.
func AdapterName(name string) bool {
	return name != "" && len(name) <= 100 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}

// AdapterNames returns the names of the adapters in the file, in its order.
func (w *Weights) AdapterNames() []string {
	var names []string
	for _, a := range w.meta.Adapters {
		names = append(names, a.Name)
	}
	return names
}

// withAdapter returns the weights of a call with an adapter: the same memory, in which some names
// stand for other tensors. It is valid as long as w is.
func (w *Weights) withAdapter(adapter string) *Weights {
	view := &Weights{name: w.name, mem: w.mem, size: w.size, meta: w.meta, tensors: maps.Clone(w.tensors), order: w.order}
	for name, t := range w.tensors {
		if a, inner, ok := adapterOf(name); ok && a == adapter {
			view.tensors[inner] = t
		}
	}
	view.refs.Store(1)
	return view
}

// Adapted is F32 for a tensor that an adapter may have. It returns nil if the weights are those of a
// call without an adapter, or of one that lacks the tensor.
func (w *Weights) Adapted(name string) []float32 {
	if !w.Has(name) {
		return nil
	}
	return w.F32(name)
}

// Adapters returns the names of the adapters that the weights have, in their order.
func (c *Core) Adapters() []string { return c.base.AdapterNames() }

// AdapterInUse returns the name of the adapter with which c computes, or "" for none.
func (c *Core) AdapterInUse() string {
	if c.adapter == 0 {
		return ""
	}
	return c.base.meta.Adapters[c.adapter-1].Name
}

// Adapter returns a view of the model that computes with an adapter of its weights; "" is the model
// without an adapter. Views share weights, memory, executions and threads, and each can be used at
// the same time as the others. Closing one closes all.
func (c *Core) Adapter(name string) (*Core, error) {
	if name == "" {
		return c.views[0], nil
	}
	names := c.Adapters()
	if i := slices.Index(names, name); i >= 0 {
		return c.views[i+1], nil
	}
	if len(names) == 0 {
		return nil, ragged.Errorf("no adapter %q: %s has no adapters; debertac pack --adapter NAME=DIR packs them", name, c.base.Name())
	}
	return nil, ragged.Errorf("no adapter %q in %s (there is: %s)", name, c.base.Name(), strings.Join(names, ", "))
}

// bindAll binds the weights once for each view: without an adapter, and with each of them.
func (c *Core) bindAll() (list []NewForward, err error) {
	all := []*Weights{c.base}
	for _, name := range c.Adapters() {
		all = append(all, c.base.withAdapter(name))
	}
	for i, w := range all {
		w.inPlace = true
		forward, err := c.bind(w)
		w.inPlace = w == c.base && c.base.inPlace
		if err != nil {
			return nil, err
		}
		list = append(list, forward)
		if i > 0 {
			c.views = append(c.views, &Core{state: c.state, weights: w, adapter: i})
		}
	}
	return list, nil
}
