package task

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// Pooling selects how the rows of a text's tokens become one vector.
type Pooling string

// The poolings, for heads with one row per token. Both include special tokens, as in the training
// of such models.
const (
	PoolMean  Pooling = "mean"  // mean of all rows
	PoolFirst Pooling = "first" // the first row ([CLS])
)

// EmbedOptions holds the settings of Embedder.Embed. The zero value stands for the mean and for the
// model's own prompt and normalization.
type EmbedOptions struct {
	Pooling Pooling // for heads with one row per token; "": PoolMean. Other heads pool themselves
	// Normalize divides each vector by its Euclidean length. Models whose folder normalizes (see
	// Embedder.Normalizes) do so in any case.
	Normalize bool
	// Prompt is the name of the model's prompt that is put before each text, see Embedder.Prompts.
	// "" means the model's default, if it has one. Pairs of texts have no prompt.
	Prompt string
	// NoPrompt puts nothing before texts.
	NoPrompt bool
}

// The keys in engine.Meta.Extra for the settings of a folder of sentence-transformers.
const (
	NormalizeKey = "normalize" // "true": vectors are divided by their length
	PromptsKey   = "prompts"   // JSON, a list of Prompt
	PromptKey    = "prompt"    // the name of the default prompt
)

// Prompt is a text that an embedding model was trained to read before other texts, such as "query:
// ".
type Prompt struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Embedding is the result for one text.
type Embedding struct {
	// Vector is the text's vector. For several windows it is the mean of their vectors, weighted by
	// their tokens.
	Vector []float32 `json:"vector"` // [C]
	runtime.Seen
}

// Embedder turns texts into vectors. It is safe for concurrent use.
type Embedder struct {
	head
	normalize bool
	prompts   []Prompt
	usual     string // name of the default prompt, "" if there is no default
}

// NewEmbedder returns an Embedder for the named head; "" means the first head. The head must have
// one vector per sequence, or hidden states for each token.
func NewEmbedder(core *engine.Core, name string) (*Embedder, error) {
	h, err := newHead(core, name, "Embedder")
	if err != nil {
		return nil, err
	}
	if h.Rows != engine.PerSequence && h.Rows != engine.PerToken {
		return nil, input("head %q of this model has one row per %v; embedding needs one per sequence or per token", h.Name, h.Rows)
	}
	m := &Embedder{head: h}
	return m, m.read(core.Meta().Extra)
}

// read reads the model's prompts and normalization from the metadata.
func (m *Embedder) read(extra map[string]string) error {
	m.usual = extra[PromptKey]
	switch v := extra[NormalizeKey]; v {
	case "", "false":
	case "true":
		m.normalize = true
	default:
		return m.core.MetaError("%s is %q, which is neither true nor false", NormalizeKey, v)
	}
	if text := extra[PromptsKey]; text != "" {
		if err := json.Unmarshal([]byte(text), &m.prompts); err != nil {
			return m.core.MetaError("%s cannot be read: %v", PromptsKey, err)
		}
	}
	if m.usual != "" {
		if _, err := m.prompt(EmbedOptions{}); err != nil {
			return m.core.MetaError("%s is %q, which is not one of their prompts", PromptKey, m.usual)
		}
	}
	return nil
}

// Prompts returns the model's prompts in the order of its folder, and the name of the default
// prompt ("" if there is no default).
func (m *Embedder) Prompts() (prompts []Prompt, usual string) {
	return slices.Clone(m.prompts), m.usual
}

// Normalizes reports whether the model's folder divides vectors by their length.
func (m *Embedder) Normalizes() bool { return m.normalize }

// prompt returns the text that o puts before texts.
func (m *Embedder) prompt(o EmbedOptions) (string, error) {
	name := o.Prompt
	switch {
	case o.NoPrompt && name != "":
		return "", input("prompt %q contradicts the option for no prompt: choose one of the two", name)
	case o.NoPrompt:
		return "", nil
	case name == "" && m.usual == "":
		return "", nil
	case name == "":
		name = m.usual
	}
	var names []string
	for _, p := range m.prompts {
		if p.Name == name {
			return p.Text, nil
		}
		names = append(names, p.Name)
	}
	if len(names) == 0 {
		return "", input("prompt %q: these weights have no prompts", name)
	}
	return "", input("prompt %q: these weights have %s", name, strings.Join(names, ", "))
}

// Size returns the number of elements of a vector, C.
func (m *Embedder) Size() int { return m.C }

// Embed computes the vectors of texts. Results come in input order.
func (m *Embedder) Embed(ctx context.Context, texts []string, o EmbedOptions) ([]Embedding, error) {
	return m.embed(ctx, singles(texts), o)
}

// EmbedPairs computes the vectors of pairs of texts.
func (m *Embedder) EmbedPairs(ctx context.Context, texts [][2]string, o EmbedOptions) ([]Embedding, error) {
	return m.embed(ctx, pairs(texts), o)
}

func (m *Embedder) embed(ctx context.Context, texts []runtime.Text, o EmbedOptions) ([]Embedding, error) {
	switch {
	case o.Pooling != "" && o.Pooling != PoolMean && o.Pooling != PoolFirst:
		return nil, input("pooling %q: it must be mean or first", o.Pooling)
	case o.Pooling != "" && m.Rows == engine.PerSequence:
		return nil, input("pooling %q: head %q has one row per sequence, it has pooled already", o.Pooling, m.Name)
	}
	prompt, err := m.prompt(o)
	if err != nil {
		return nil, err
	}
	if prompt != "" {
		for i, t := range texts {
			if t.Pair {
				return nil, input("the prompt %q is put in front of single texts, and this is a pair: choose no prompt", prompt)
			}
			texts[i].First = prompt + t.First // texts belongs to this call
		}
	}
	results := make([]Embedding, len(texts))
	sum, weight := make([]float64, m.C), 0.0
	seen, err := m.run(ctx, texts, stream{
		take: func(w *engine.Window, _ *engine.Encoded, out []float32) error {
			if w.Index == 0 {
				clear(sum)
				weight = 0
			}
			n := float64(w.Size)
			weight += n
			switch {
			case m.Rows == engine.PerToken && o.Pooling != PoolFirst:
				for i, v := range out {
					sum[i%m.C] += float64(v) // n times the mean
				}
			default:
				for j, v := range out[:m.C] {
					sum[j] += n * float64(v)
				}
			}
			if w.Index < w.Count-1 {
				return nil
			}
			if err := engine.CheckNumbers(w.Text, sum); err != nil {
				return err
			}
			vector, length := make([]float32, m.C), weight
			if o.Normalize || m.normalize {
				squares := 0.0
				for _, v := range sum {
					squares += v * v
				}
				length = math.Sqrt(squares)
			}
			for j, v := range sum {
				if length > 0 { // a vector of zeros has no direction and stays as it is
					vector[j] = float32(v / length)
				}
			}
			results[w.Text].Vector = vector
			return engine.CheckNumbers(w.Text, vector)
		},
	})
	if err != nil {
		return nil, err
	}
	for i := range results {
		results[i].Seen = seen[i]
	}
	return results, nil
}

// Cosine returns the cosine of the angle between two vectors of the same length: Σ a_i·b_i /
// (|a|·|b|), computed in float64. It returns 0 if one of them has the length 0. Vectors with
// different numbers of elements are an error.
func Cosine(a, b []float32) (float64, error) {
	if len(a) != len(b) {
		return 0, input("vectors of %d and %d numbers have no angle", len(a), len(b))
	}
	var ab, aa, bb float64
	for i, x := range a {
		y := float64(b[i])
		ab += float64(x) * y
		aa += float64(x) * float64(x)
		bb += y * y
	}
	if aa == 0 || bb == 0 {
		return 0, nil
	}
	return min(1, max(-1, ab/(math.Sqrt(aa)*math.Sqrt(bb)))), nil
}
