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
)

// The reasons for which a generated text ends.
const (
	EndToken  = "end"    // the model says that the text is over: [SEP], or what the tokenizer has for it
	EndStop   = "stop"   // a stop string came
	EndLength = "length" // as many tokens as were asked for
	EndFull   = "full"   // as many tokens as the model takes
)

// GenerateOptions are the settings of Generator.Generate. The zero value takes the most
// probable token each time, up to 64 of them.
type GenerateOptions struct {
	// MaxNew is the most tokens that are generated; 0 stands for 64. A number beyond what the
	// model takes ends texts with EndFull.
	MaxNew int
	// Temperature divides the logits before their softmax: below 1 the likely tokens gain,
	// above 1 the others do. At 0 the most probable token is taken (of equals that with the
	// smaller id), and the settings below have no effect.
	Temperature float64
	// TopK keeps only the K most probable tokens (Fan et al. 2018); 0, and a number beyond the
	// vocabulary, keep all.
	TopK int
	// TopP keeps only the most probable tokens whose probabilities, after temperature and
	// TopK, sum up to P or just above (Holtzman et al. 2019); 0 and 1 keep all.
	TopP float64
	// Seed decides what is drawn. A text's result depends on it and on the number of the
	// sample, not on the other texts of the call, on threads or batches.
	Seed uint64
	// Samples is the number of results per prompt; 0 stands for 1. Prompts times Samples is at
	// most MaxResults. Memory beyond the results does not grow with it.
	Samples int
	// Stop are strings that end a text, which they are cut from.
	Stop []string
	// Stream, if not nil, receives the text as it grows: the number of the prompt, that of
	// the sample, and what has been added. An error ends the call.
	Stream func(prompt, sample int, added string) error
}

// Generated is one generated text.
type Generated struct {
	// Text continues the prompt: it begins with a space where a new word begins. For models
	// that turn one text into another it is that other text.
	Text   string  `json:"text"`
	IDs    []int32 `json:"ids"`    // the generated tokens, without the last that ends the text
	Reason string  `json:"reason"` // end, stop, length or full
	// LogProbability is the natural logarithm of the text's probability by the model, the
	// token that ends it included, whatever the settings made of the probabilities.
	LogProbability float64 `json:"log_probability"`
	Prompt         int     `json:"prompt_tokens"` // tokens before the generated ones, special ones included
	Tokens         int     `json:"tokens"`        // generated, the one that ends the text included
}

// Generator writes on: it draws tokens one by one from a causal model, each from those
// before it. Models whose mask has a prefix turn a first text, which all tokens see whole,
// into a second one (Dong et al. 2019, sequence to sequence). It is safe for concurrent
// use.
type Generator struct {
	predictor
	allowed []bool // by id: pieces of texts, and the tokens that end one
	ends    []int32
	prefix  bool
	memory  int64 // bytes that the pasts of one call may take
}

// NewGenerator serves the named head ("" is the first), which must predict tokens, of a
// causal model.
func NewGenerator(core *runtime.Core, name string) (*Generator, error) {
	p, err := newPredictor(core, name, "generating text")
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

// MaxResults is the most texts that one call of Generate returns.
const MaxResults = 1 << 20

// check sets the defaults and finds what no call takes. full is the most tokens of a
// sequence.
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
		return input("Samples is %d for %d prompts: a call returns at most %d texts; make several calls, each with another Seed", o.Samples, prompts, MaxResults)
	case o.TopK < 0:
		return input("TopK is %d: it must be 1 or more, or 0 for all tokens", o.TopK)
	case !(0 < o.TopP && o.TopP <= 1):
		return input("TopP is %v: it must be above 0 and at most 1, or 0 for all tokens", o.TopP)
	case !(0 <= o.Temperature && o.Temperature <= math.MaxFloat64):
		return input("Temperature is %v: it must be a number from 0 on", o.Temperature)
	case slices.Contains(o.Stop, ""):
		return input("an empty stop string would end every text at once")
	}
	o.MaxNew = min(o.MaxNew, full+1) // beyond, the model's limit ends a text first
	return validUTF8("stop string", o.Stop...)
}

// growth is one text under way.
type growth struct {
	Generated
	prompt, sample int
	seq            runtime.Sequence // what the model sees
	past           *runtime.Past    // what was computed of it; nil: it is computed anew each time
	need           int64            // bytes of past
	before         int32            // the prompt's last token, -1 if the text begins anew
	draw           *rand.Rand
	shown          string // of the text, to Stream
}

// Generate continues texts. Results come in the order of the prompts, Samples for each.
// For a causal model the prompt is a text's beginning; a pair is the beginning of a pair.
// For a model with a prefix, First is the source and Second, if there is one, the
// beginning of the result. A prompt is never cut: one that is too long is an error, before
// anything is computed.
//
// As many texts grow at the same time as one call of the model takes and their memory
// allows; the others wait for their places. No result depends on it.
func (g *Generator) Generate(ctx context.Context, prompts []runtime.Text, o GenerateOptions) ([]Generated, error) {
	if err := o.check(len(prompts), g.core.Options().MaxTokens); err != nil {
		return nil, err
	}
	b, err := runtime.NewBatcher(g.core, g.index, true, nil) // to make sequences only
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

// copy is a text of its own that begins as w does.
func (w *growth) copy() *growth {
	c := *w
	c.seq.IDs, c.seq.Types = slices.Clone(w.seq.IDs), slices.Clone(w.seq.Types)
	return &c
}

// begin makes the sequence that a prompt is.
func (g *Generator) begin(b *runtime.Batcher, n int, t runtime.Text) (*growth, error) {
	t.Pair = t.Pair || g.prefix
	var e runtime.Encoded
	if err := b.Encode(&e, n, t); err != nil {
		return nil, err
	}
	w := &growth{prompt: n, before: -1}
	b.Sequence(&w.seq, &runtime.Window{Last: e.Split, Second: e.Split, Behind: len(e.IDs)}, &e)
	s, frame := &w.seq, b.Frame()
	s.IDs = s.IDs[:len(s.IDs)-len(frame.Close)]
	s.Types = s.Types[:min(len(s.Types), len(s.IDs))]
	w.Prompt = len(s.IDs)
	if written := len(e.IDs); written > 0 && (!t.Pair || written > e.Split) {
		w.before = e.IDs[written-1]
	}
	switch limit := b.MaxTokens; {
	case len(s.IDs) == 0:
		return nil, fault(n, "the prompt is empty, and the tokenizer puts no token before it")
	case len(s.IDs) > limit:
		return nil, fault(n, "a prompt of %d tokens is too long, the limit is %d: shorten it", len(s.IDs), limit)
	}
	return w, nil
}

// grow draws the next token from the logits.
func (g *Generator) grow(w *growth, logits []float32, o *GenerateOptions) error {
	z, err := logNorm(logits)
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

// pick chooses a token; ok is false if none is allowed.
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

// nucleus keeps the most probable of the ids whose weights sum up to mass or just above.
// It gives them with that sum.
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

// advance takes the token that was drawn last: it ends the text or makes it longer.
func (g *Generator) advance(w *growth, o *GenerateOptions) error {
	id := w.IDs[len(w.IDs)-1]
	w.Tokens++
	if slices.Contains(g.ends, id) {
		w.IDs, w.Reason = w.IDs[:len(w.IDs)-1], EndToken
		return g.show(w, o)
	}
	text, err := behind(g.token, w.before, w.IDs)
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

// show gives Stream what has been added for certain: nothing that a stop string might
// still take away, and no half character.
func (g *Generator) show(w *growth, o *GenerateOptions) error {
	if o.Stream == nil {
		return nil
	}
	sure := w.Text
	if w.Reason == "" {
		for strings.HasSuffix(sure, string(utf8.RuneError)) { // the bytes that follow may complete it
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
