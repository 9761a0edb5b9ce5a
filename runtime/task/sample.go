package task

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// The reasons why a generated text ends.
const (
	EndToken  = "end"    // the model ended the text with [SEP] or the tokenizer's token in this role
	EndStop   = "stop"   // a stop string was generated
	EndLength = "length" // the requested number of tokens was reached
	EndFull   = "full"   // the model's maximum length was reached
)

// GenerateOptions holds the settings of Generator.Generate. The zero value takes the most probable
// token each time, up to 64 tokens.
type GenerateOptions struct {
	// MaxNew is the largest number of tokens to generate; 0 stands for 64. If the model takes
	// fewer, texts end with EndFull.
	MaxNew int
	// Temperature divides the logits before the softmax. Below 1, likely tokens become more likely;
	// above 1, less likely. At 0 the most probable token is taken (ties: the lower id), and the
	// settings below have no effect.
	Temperature float64
	// TopK keeps only the K most probable tokens (Fan et al. 2018). 0 keeps all, and so does a
	// number larger than the vocabulary.
	TopK int
	// TopP keeps only the most probable tokens: the fewest whose probabilities, after temperature
	// and TopK, reach the sum P (Holtzman et al. 2019). 0 and 1 keep all.
	TopP float64
	// Seed decides what is drawn. A text's result depends on the seed and the index of the sample,
	// not on the other texts of the call, on threads or on batches.
	Seed uint64
	// Samples is the number of results per prompt; 0 stands for 1. Prompts times Samples is at most
	// MaxResults. More samples take no more memory, except for the results.
	Samples int
	// Stop holds strings that end a text. The text is cut before the stop string.
	Stop []string
	// Stream, if not nil, receives the text as it grows: the index of the prompt, the index of the
	// sample, and the added text. An error ends the call. It runs in the goroutine of the caller of
	// Generate. Its panic goes through to this caller; the model still works and closes afterwards.
	Stream func(prompt, sample int, added string) error
}

// Generated is one generated text.
type Generated struct {
	// Text continues the prompt. It begins with a space if a new word begins. For models that turn
	// one text into another, it is the other text.
	Text   string  `json:"text"`
	IDs    []int32 `json:"ids"`    // the generated tokens, without the token that ends the text
	Reason string  `json:"reason"` // end, stop, length or full
	// LogProbability is the natural logarithm of the text's probability under the model, including
	// the token that ends it. The settings do not affect it.
	LogProbability float64 `json:"log_probability"`
	Prompt         int     `json:"prompt_tokens"` // tokens before the generated ones, including special tokens
	Tokens         int     `json:"tokens"`        // generated tokens, including the one that ends the text
}

// Generator continues texts. It draws tokens one by one from a causal model, each given those
// before it. Models whose mask has a prefix turn a first text, which all tokens see whole, into a
// second one (sequence to sequence; Dong et al. 2019). It is safe for concurrent use.
type Generator struct {
	predictor
	allowed []bool // whether an id may be drawn: pieces of texts, and the tokens that end a text
	ends    []int32
	prefix  bool
	memory  int64 // bytes that the pasts of one call may take
}

// NewGenerator returns a Generator for the named head; "" means the first head. The head must
// predict tokens, and the model must be causal.
func NewGenerator(core *engine.Core, name string) (*Generator, error) {
	p, err := newPredictor(core, name, "Generator")
	if err != nil {
		return nil, err
	}
	l := core.Program().Limits
	if !l.Causal {
		return nil, input("this model looks at both sides of a token: it fills masks, and cannot generate text")
	}
	g := &Generator{predictor: p, prefix: l.Prefix, memory: pastBytes, allowed: make([]bool, p.C)}
	if s := p.token.Specials().SEP; s >= 0 {
		g.ends = append(g.ends, s)
	}
	if f := p.token.Frame(); len(f.Close) > 0 {
		g.ends = append(g.ends, f.Close[0])
	}
	for i := range g.allowed {
		id := int32(i)
		_, known := p.token.Piece(id)
		g.allowed[i] = known && (!p.token.IsSpecial(id) || slices.Contains(g.ends, id))
	}
	return g, nil
}

// MaxResults is the largest number of texts that one call of Generate returns.
const MaxResults = 1 << 20

// check fills in the defaults and returns an error for invalid settings. full is the maximum length
// of a sequence in tokens.
func (o *GenerateOptions) check(prompts, full int) error {
	if o.MaxNew == 0 {
		o.MaxNew = 64
	}
	if o.Samples == 0 {
		o.Samples = 1
	}
	if o.TopP == 0 {
		o.TopP = 1
	}
	switch {
	case o.MaxNew < 0:
		return input("MaxNew is %d: it must be 1 or more, or 0 for the default of 64", o.MaxNew)
	case o.Samples < 0:
		return input("Samples is %d: it must be 1 or more, or 0 for the default of 1", o.Samples)
	case o.Samples > MaxResults/max(prompts, 1):
		return input("Samples is %d for %d prompts: a call returns at most %d texts; make several calls, each with another Seed", o.Samples, prompts,
			MaxResults)
	case o.TopK < 0:
		return input("TopK is %d: it must be 1 or more, or 0 for all tokens", o.TopK)
	case !(0 < o.TopP && o.TopP <= 1):
		return input("TopP is %v: it must be above 0 and at most 1, or 0 for all tokens", o.TopP)
	case !(0 <= o.Temperature && o.Temperature <= math.MaxFloat64):
		return input("Temperature is %v: it must be a number from 0 on", o.Temperature)
	case slices.Contains(o.Stop, ""):
		return input("an empty stop string would end every text at once")
	}
	o.MaxNew = min(o.MaxNew, full+1) // above this, the model's limit ends a text first
	return validUTF8("stop string", o.Stop...)
}

// growth is one text that is being generated.
type growth struct {
	Generated
	prompt, sample int
	seq            engine.Sequence // what the model sees
	past           *engine.Past    // what was computed for seq; nil: seq is computed again for each token
	need           int64           // bytes of past
	before         int32           // the prompt's last token; -1 if a new text begins
	draw           *rand.Rand
	shown          string // the part of the text that Stream has received
}

// Generate continues texts. Results come in the order of the prompts, Samples for each prompt. For
// a causal model the prompt is the beginning of a text, or of a pair. For a model with a prefix,
// First is the source, and Second, if there is one, is the beginning of the result. A prompt is
// never cut: one that is too long is an error, before anything is computed.
//
// The number of texts that grow at the same time is limited by the model's batch and by memory; the
// other texts wait. This changes no result.
func (g *Generator) Generate(ctx context.Context, prompts []runtime.Text, o GenerateOptions) ([]Generated, error) {
	if err := o.check(len(prompts), g.core.Options().MaxTokens); err != nil {
		return nil, err
	}
	b, err := engine.NewBatcher(g.core, g.index, true, nil) // used only to make sequences
	if err != nil {
		return nil, err
	}
	if err := b.Begin(ctx, slices.ContainsFunc(prompts, func(t runtime.Text) bool { return t.Pair || g.prefix })); err != nil {
		return nil, err
	}
	first := make([]*growth, len(prompts))
	for n, t := range prompts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if first[n], err = g.begin(b, n, t); err != nil {
			return nil, err
		}
	}
	results := make([]Generated, len(prompts)*o.Samples)
	q := queue{memory: g.memory, most: g.core.Program().Limits.BatchSequences}
	var step step
	for next := 0; ; {
		for next < len(results) && q.room(g, first[next/o.Samples], &o) {
			w := first[next/o.Samples].copy()
			w.sample = next % o.Samples
			w.draw = rand.New(rand.NewPCG(o.Seed, uint64(w.sample)))
			if err := q.add(g, w, &o); err != nil {
				return nil, err
			}
			next++
		}
		if len(q.live) == 0 {
			return results, nil
		}
		for rest := q.live; len(rest) > 0; {
			n, err := g.step(ctx, &step, rest)
			if err != nil {
				return nil, err
			}
			for i, w := range rest[:n] {
				if err := g.grow(w, step.row(i), &o); err != nil {
					return nil, err
				}
			}
			rest = rest[n:]
		}
		for _, w := range q.live {
			if err := g.advance(w, &o); err != nil {
				return nil, err
			}
			if w.Reason != "" {
				results[w.prompt*o.Samples+w.sample] = w.Generated
			}
		}
		q.leave()
	}
}

// copy returns a new text with the same beginning as w.
func (w *growth) copy() *growth {
	c := *w
	c.seq.IDs, c.seq.Types = slices.Clone(w.seq.IDs), slices.Clone(w.seq.Types)
	return &c
}

// begin makes the sequence of a prompt.
func (g *Generator) begin(b *engine.Batcher, n int, t runtime.Text) (*growth, error) {
	t.Pair = t.Pair || g.prefix
	var e engine.Encoded
	if err := b.Encode(&e, n, t); err != nil {
		return nil, err
	}
	w := &growth{prompt: n, before: -1}
	whole := engine.Window{FirstEnd: e.Split, Second: e.Split, SecondEnd: len(e.IDs)}
	b.Sequence(&w.seq, &whole, &e)
	s := &w.seq
	s.IDs = s.IDs[:whole.SecondRow+len(e.IDs)-e.Split] // without the special tokens after the text
	s.Types = s.Types[:min(len(s.Types), len(s.IDs))]
	w.Prompt = len(s.IDs)
	if written := len(e.IDs); written > 0 && (!t.Pair || written > e.Split) {
		w.before = e.IDs[written-1]
	}
	switch limit := b.MaxTokens; {
	case len(s.IDs) == 0:
		return nil, engine.TextFault(n, "the prompt is empty, and the tokenizer puts no token before it")
	case len(s.IDs) > limit:
		return nil, engine.LongFault(n, "a prompt of %d tokens is too long, the limit is %d: shorten it", len(s.IDs), limit)
	}
	return w, nil
}

// grow draws the next token from the logits.
func (g *Generator) grow(w *growth, logits []float32, o *GenerateOptions) error {
	z, err := logNorm(w.prompt, logits)
	if err != nil {
		return err
	}
	id, ok := g.pick(logits, o, w.draw)
	if !ok {
		return input("the vocabulary has no token that may follow: the tokenizer does not fit the model")
	}
	w.LogProbability += float64(logits[id]) - z
	w.IDs = append(w.IDs, id)
	return nil
}

// pick chooses a token; ok is false if no token is allowed.
func (g *Generator) pick(logits []float32, o *GenerateOptions, draw *rand.Rand) (id int32, ok bool) {
	use := func(id int32) bool { return g.allowed[id] }
	list := best(logits, 1, use)
	if len(list) == 0 || o.Temperature == 0 {
		return append(list, -1)[0], len(list) > 0
	}
	top := float64(logits[list[0]])
	weight := func(id int32) float64 { return math.Exp((float64(logits[id]) - top) / o.Temperature) }
	if k := o.TopK; k > 0 && k < len(logits) {
		list = best(logits, k, use)
	} else {
		list = list[:0]
		for i := range logits {
			if use(int32(i)) {
				list = append(list, int32(i))
			}
		}
	}
	total := 0.0
	for _, id := range list {
		total += weight(id)
	}
	if o.TopP < 1 {
		list, total = nucleus(list, logits, weight, o.TopP*total)
	}
	at := draw.Float64() * total
	for _, x := range list {
		if w := weight(x); w > 0 {
			if id, at = x, at-w; at < 0 {
				break
			}
		}
	}
	return id, true
}

// nucleus returns the most probable of the ids, the fewest whose weights reach the sum mass, and the
// sum of their weights.
func nucleus(list []int32, logits []float32, weight func(int32) float64, mass float64) ([]int32, float64) {
	slices.SortFunc(list, func(a, b int32) int { return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b)) })
	sum := 0.0
	for i, id := range list {
		if sum += weight(id); sum >= mass {
			return list[:i+1], sum
		}
	}
	return list, sum
}

// advance processes the token that was drawn last: it either ends the text or makes it longer.
func (g *Generator) advance(w *growth, o *GenerateOptions) error {
	id := w.IDs[len(w.IDs)-1]
	w.Tokens++
	if slices.Contains(g.ends, id) {
		w.IDs, w.Reason = w.IDs[:len(w.IDs)-1], EndToken
		return g.show(w, o)
	}
	text, err := following(g.token, w.before, w.IDs)
	if err != nil {
		return input("generated tokens: %v", err)
	}
	w.Text = text
	s := &w.seq
	if s.IDs = append(s.IDs, id); len(s.Types) > 0 {
		s.Types = append(s.Types, s.Types[len(s.Types)-1])
		if len(s.Types) == w.Prompt+1 && w.before < 0 { // the second text begins
			s.Types[w.Prompt] = g.token.Frame().SecondType
		}
	}
	end := -1
	for _, stop := range o.Stop {
		if at := strings.Index(text, stop); at >= 0 && (end < 0 || at < end) {
			end = at
		}
	}
	switch {
	case end >= 0:
		w.Text, w.Reason = text[:end], EndStop
	case w.Tokens == o.MaxNew:
		w.Reason = EndLength
	case len(s.IDs) > g.core.Options().MaxTokens:
		w.Reason = EndFull
	}
	return g.show(w, o)
}

// show passes to Stream what certainly belongs to the text: no part that a stop string may still
// remove, and no incomplete character.
func (g *Generator) show(w *growth, o *GenerateOptions) error {
	if o.Stream == nil {
		return nil
	}
	sure := w.Text
	if w.Reason == "" {
		for strings.HasSuffix(sure, string(utf8.RuneError)) { // the next bytes may complete it
			sure = strings.TrimSuffix(sure, string(utf8.RuneError))
		}
		hold := 0
		for _, stop := range o.Stop {
			for n := min(len(stop)-1, len(sure)); n > hold; n-- {
				if strings.HasSuffix(sure, stop[:n]) {
					hold = n
				}
			}
		}
		sure = sure[:len(sure)-hold]
	}
	added, ok := strings.CutPrefix(sure, w.shown)
	if !ok || added == "" {
		return nil
	}
	w.shown = sure
	return o.Stream(w.prompt, w.sample, added)
}
