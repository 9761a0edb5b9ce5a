package runtime

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// TokenizerTensor is the name of the U8 tensor that holds the packed tokenizer.
const TokenizerTensor = "tokenizer"

// The keys in a packed file's safetensors metadata. Other keys are not allowed.
const (
	keyLayout  = "debertac.layout"  // Meta.Layout
	keySpec    = "debertac.spec"    // Meta.SpecHash
	keyMeta    = "debertac.meta"    // the rest of Meta, JSON
	keyTensors = "debertac.tensors" // JSON: name → true length and sha256 of the stored bytes
	// keyHeader is the sha256, in hex, of the length prefix and the header with this
	// value's own 64 digits replaced by zeros.
	keyHeader = "debertac.header"
)

// Meta is what a packed file says beside its tensors.
type Meta struct {
	// Layout is the version of the way in which tensors are packed; the generated
	// package asks for the one that its kernels read.
	Layout string `json:"-"`
	// SpecHash is the sha256, in hex, of the canonical spec.
	SpecHash string `json:"-"`
	// Model names the model in the spec.
	Model string `json:"model,omitempty"`
	// Labels are the labels by head, where the checkpoint and not the spec names them.
	Labels map[string][]string `json:"labels,omitempty"`
	// MaxTokens is the model's own limit on the tokens of a text, special tokens
	// included; 0: the spec's bound.
	MaxTokens int `json:"max_tokens,omitempty"`
	// Tokenizer says how to read the tokenizer tensor.
	Tokenizer string `json:"tokenizer,omitempty"`
	// Aliases are tensors that are stored once, under the name of an equal one: alias →
	// stored tensor.
	Aliases map[string]string `json:"aliases,omitempty"`
	// SelfTest is a result that the model must reproduce, or nil.
	SelfTest *SelfTest `json:"self_test,omitempty"`
	// Extra is for what only a head or a tool reads.
	Extra map[string]string `json:"extra,omitempty"`
}

// TruncateKey is the key in Meta.Extra for the side on which Truncate cuts texts: left or
// right; without it, right.
const TruncateKey = "truncate"

// truncatesLeft reports whether the weights say that Truncate cuts the start of a text.
func (c *Core) truncatesLeft() (bool, error) {
	switch side := c.Meta().Extra[TruncateKey]; side {
	case "", "right":
		return false, nil
	case "left":
		return true, nil
	default:
		return false, fmt.Errorf("the weights say that %s is %q, which is neither left nor right: %s", TruncateKey, side, again)
	}
}

// tensorMeta is what keyTensors says of one tensor.
type tensorMeta struct {
	Len    int64  `json:"len"` // true length in elements; the stored one is padded
	SHA256 string `json:"sha256"`
}

// decodeStrict reads one JSON value that may hold nothing unknown.
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

// WeightsError is a packed file that does not fit the package, is damaged or
// cannot be read.
type WeightsError struct {
	File   string
	Tensor string // empty when the fault is not one tensor's
	Reason string // what is wrong and what to do
	Err    error  // underlying error, or nil

	changed bool
}

// Error gives "file: tensor "x": reason".
func (e *WeightsError) Error() string {
	s := e.File
	if e.Tensor != "" {
		s += fmt.Sprintf(": tensor %q", e.Tensor)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is ErrChanged and the file changed while it was open.
func (e *WeightsError) Is(target error) bool { return e.changed && target == ErrChanged }

// Unwrap returns the underlying error, if there is one.
func (e *WeightsError) Unwrap() error { return e.Err }

// again ends most messages about packed files.
const again = "run debertac pack again"
