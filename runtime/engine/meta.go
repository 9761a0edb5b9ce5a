package engine

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/debertac/debertac/runtime"
)

// TokenizerTensor is the name of the U8 tensor that holds the packed tokenizer.
const TokenizerTensor = "tokenizer"

// LayoutKey is the key of the layout's version in a packed file's safetensors metadata. Every packed file has it.
const LayoutKey = "debertac.layout"

// The keys of a packed file's safetensors metadata. Other keys are not allowed.
const (
	keyLayout  = LayoutKey          // Meta.Layout
	keySpec    = "debertac.spec"    // Meta.SpecHash
	keyMeta    = "debertac.meta"    // JSON: the other fields of Meta
	keyTensors = "debertac.tensors" // JSON: name → true length and sha256 of the stored bytes
	// keyHeader is the sha256, in hex, of the length prefix and the header, computed with this
	// value's own 64 digits replaced by zeros.
	keyHeader = "debertac.header"
)

// Meta is the metadata of a packed file.
type Meta struct {
	// Layout is the version of the tensors' layout. The generated package accepts only the layout
	// that its kernels read.
	Layout string `json:"-"`
	// SpecHash is the sha256, in hex, of the canonical spec.
	SpecHash string `json:"-"`
	// Model is the name of the model in the spec.
	Model string `json:"model,omitempty"`
	// Labels holds the labels of each head whose labels come from the checkpoint and not from the
	// spec.
	Labels map[string][]string `json:"labels,omitempty"`
	// MaxTokens is the model's own limit on the length of a text, including special tokens; 0: the
	// spec's limit.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Tokenizer is the format of the tokenizer tensor.
	Tokenizer string `json:"tokenizer,omitempty"`
	// Aliases holds further names of stored tensors: equal tensors are stored once. It maps each
	// further name to the name under which the tensor is stored.
	Aliases map[string]string `json:"aliases,omitempty"`
	// Adapters are the low-rank adapters of the file, and Rank is the greatest rank that they are
	// packed for.
	Adapters []AdapterMeta `json:"adapters,omitempty"`
	Rank     int           `json:"rank,omitempty"`
	// SelfTest is a result that the model must reproduce, or nil.
	SelfTest *SelfTest `json:"self_test,omitempty"`
	// Extra holds entries that only a head or a tool reads.
	Extra map[string]string `json:"extra,omitempty"`
}

// TruncateKey is the key in Meta.Extra for the side on which Truncate cuts texts: left or right.
// The default is right.
const TruncateKey = "truncate"

// truncatesLeft reports whether the metadata of the weights makes Truncate cut the start of a text.
func (c *Core) truncatesLeft() (bool, error) {
	switch side := c.Meta().Extra[TruncateKey]; side {
	case "", "right":
		return false, nil
	case "left":
		return true, nil
	default:
		return false, c.MetaError("%s is %q, which is neither left nor right", TruncateKey, side)
	}
}

// MetaError returns the error for metadata that a task cannot use, a *runtime.WeightsError. It adds the
// name of the file and what to do.
func (c *Core) MetaError(format string, args ...any) error {
	reason := "in the metadata of the weights, " + fmt.Sprintf(format, args...) + ": " + again
	return &runtime.WeightsError{File: c.weights.Name(), Reason: reason}
}

// tensorMeta is the entry of one tensor in keyTensors.
type tensorMeta struct {
	Len    int64  `json:"len"` // length in elements without padding
	SHA256 string `json:"sha256"`
}

// decodeStrict decodes text, which must be one JSON value without unknown fields.
func decodeStrict(text string, into any) error {
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("more than one JSON value")
	}
	return nil
}
