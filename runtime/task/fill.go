package task

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// FillOptions holds the settings of Filler.Fill.
type FillOptions struct {
	// Top is the number of candidates for each mask; 0 stands for 5. If the vocabulary has fewer
	// tokens, all are returned.
	Top int
	// Targets, if not empty, holds the only words that are candidates; Top is then ignored. Each
	// must be one token of the vocabulary.
	Targets []string
}

// Candidate is a token that may fill a mask.
type Candidate struct {
	Token string `json:"token"` // its characters, without a space before them
	Piece string `json:"piece"` // its text in the vocabulary
	ID    int32  `json:"id"`
	// Score is its probability: the softmax over the whole vocabulary, in float64.
	Score float64 `json:"score"`
	// Text is the text with this mask filled. Other masks stay as they are written.
	Text string `json:"text"`
}

// Blank is one mask of a text.
type Blank struct {
	Part                   // the mask as it is written
	Candidates []Candidate `json:"candidates"` // best first; ties: the lower id first
}

// Filled is the result for one text.
type Filled struct {
	Text   string  `json:"text"`  // the text with every mask filled by its best candidate, each chosen separately
	Blanks []Blank `json:"masks"` // masks in the order of the text
	runtime.Seen
}

// Filler fills masks in texts: it returns the tokens that the model finds most likely in place of
// each mask. The model must have been trained to predict masked tokens (Devlin et al. 2018, section
// 3.1). It is safe for concurrent use.
type Filler struct {
	predictor
	masks tokenizer.MaskTokenizer
	mask  int32
	name  string
}

// NewFiller returns a Filler for the named head; "" means the first head. The head must predict
// tokens. A causal model is an error, because a row predicts the next token and not the one in its
// place.
func NewFiller(core *engine.Core, name string) (*Filler, error) {
	p, err := newPredictor(core, name, "Filler")
	if err != nil {
		return nil, err
	}
	f := &Filler{predictor: p}
	if core.Program().Limits.Causal {
		return nil, input("this model is causal: it predicts what follows a text, see Generate, and fills no masks")
	}
	f.mask = p.token.Specials().MASK
	f.masks, _ = p.token.(tokenizer.MaskTokenizer)
	if f.name, _ = p.token.Piece(f.mask); f.mask < 0 || f.name == "" {
		return nil, input("the tokenizer has no mask token: this model fills no masks")
	}
	if f.masks == nil {
		return nil, input("the tokenizer cannot recognize the mask token in a text: filling masks needs one that does (tokenizer.MaskTokenizer)")
	}
	return f, nil
}

// Mask returns the name of the mask token, as texts must write it.
func (f *Filler) Mask() string { return f.name }

// Fill returns candidates for the masks in texts. Results come in input order. Only the name of the
// mask token is read as a token; names of other special tokens are read as characters. A text
// without a mask is an error. A text is also an error if the policy for long texts cuts off one of
// its masks.
func (f *Filler) Fill(ctx context.Context, texts []string, o FillOptions) ([]Filled, error) {
	switch {
	case o.Top < 0:
		return nil, input("Top is %d: it must be 1 or more, or 0 for the default of 5", o.Top)
	case o.Top == 0:
		o.Top = 5
	}
	targets, err := f.targets(o.Targets)
	if err != nil {
		return nil, err
	}
	work := make([]blanks, len(texts))
	a, err := f.ask(ctx, false, func(j *job, i int, logits []float32) error {
		b := &work[j.text]
		z, err := logNorm(j.text, logits)
		if err != nil {
			return err
		}
		k := b.order[j.first+i]
		ids := targets.ids(b.glued(k))
		if targets == nil {
			ids = best(logits, o.Top, f.known)
		} else {
			slices.SortFunc(ids, func(x, y int32) int { return cmp.Or(cmp.Compare(logits[y], logits[x]), cmp.Compare(x, y)) })
		}
		for _, id := range ids {
			piece, _ := f.token.Piece(id)
			b.Blanks[k].Candidates = append(b.Blanks[k].Candidates, Candidate{ID: id, Piece: piece, Score: math.Exp(float64(logits[id]) - z)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for n, text := range texts {
		if err := f.add(ctx, a, &work[n], n, text); err != nil {
			return nil, err
		}
	}
	if err := a.flush(ctx); err != nil {
		return nil, err
	}
	results := make([]Filled, len(texts))
	for n := range work {
		if err := f.write(&work[n]); err != nil {
			return nil, err
		}
		results[n] = work[n].Filled
	}
	return results, nil
}

// blanks is a text that is being filled.
type blanks struct {
	Filled
	written string
	before  []int32 // token before each mask; -1: no token, or a mask
	order   []int   // masks in the order in which their rows are computed
	encoded engine.Encoded
}

// glued reports whether mask k directly follows a character that is not white space.
func (b *blanks) glued(k int) bool {
	r, n := utf8.DecodeLastRuneInString(b.written[:b.Blanks[k].Start])
	return n > 0 && !unicode.IsSpace(r)
}

// known reports whether an id has a piece. A model may have more columns than the tokenizer has
// ids.
func (f *Filler) known(id int32) bool {
	_, ok := f.token.Piece(id)
	return ok
}

// add encodes a text and adds the rows of its masks to the batch.
func (f *Filler) add(ctx context.Context, a *asking, b *blanks, n int, text string) error {
	err := engine.CheckUTF8("the text", text)
	if err != nil {
		return engine.TextFault(n, "%v", err)
	}
	b.written = text
	e := &b.encoded
	if e.Spans, err = f.masks.AppendMasked(nil, text); err != nil {
		return engine.NotEncoded(n, err)
	}
	at := places{text: text}
	var masks []int // indices of tokens
	for i, s := range e.Spans {
		e.IDs = append(e.IDs, s.ID)
		if s.ID != f.mask {
			continue
		}
		masks = append(masks, i)
		b.Blanks = append(b.Blanks, Blank{Part: at.part(int(s.Start), int(s.End))})
		before := int32(-1)
		if i > 0 && e.IDs[i-1] != f.mask {
			before = e.IDs[i-1]
		}
		b.before = append(b.before, before)
	}
	e.Split = len(e.IDs)
	if len(masks) == 0 {
		return engine.TextFault(n, "there is no %s in it: write it in place of the word to predict", f.name)
	}
	windows, seen, err := a.b.Cut(nil, n, e)
	if err != nil {
		return err
	}
	b.Seen = seen
	homes := make([]int, len(masks))
	for k, t := range masks {
		if homes[k] = home(windows, t, false, 0, e.Split); homes[k] < 0 {
			return engine.LongFault(n, "mask %d of %d lies after what the model sees, which is %d tokens: shorten the text, or let it be cut into windows", k+1,
				len(masks), seen.Tokens)
		}
	}
	var s engine.Sequence
	for i := range windows {
		if !slices.Contains(homes, i) {
			continue
		}
		w := &windows[i]
		a.b.Sequence(&s, w, e)
		var rows []int32
		first := len(b.order)
		for k, t := range masks {
			if homes[k] == i {
				row, _ := w.Row(t)
				rows = append(rows, int32(row))
				b.order = append(b.order, k)
			}
		}
		if err := a.add(ctx, n, first, &s, rows); err != nil {
			return err
		}
	}
	return nil
}

// write completes a text whose candidates are known.
func (f *Filler) write(b *blanks) error {
	whole, from := strings.Builder{}, 0
	best := int32(-1) // best candidate of the mask before
	for k := range b.Blanks {
		blank := &b.Blanks[k]
		before := b.before[k]
		if before < 0 && k > 0 {
			before = best
		}
		for i := range blank.Candidates {
			c := &blank.Candidates[i]
			text, spaced, err := continuation(f.token, before, c.ID)
			if err != nil {
				return input("candidate %d: %v", c.ID, err)
			}
			c.Token = strings.TrimSpace(text)
			c.Text = joined(b.written[:blank.Start], text, spaced) + b.written[blank.End:]
			if i == 0 {
				best = c.ID
				so := joined(whole.String()+b.written[from:blank.Start], text, spaced)
				whole.Reset()
				whole.WriteString(so)
				from = blank.End
			}
		}
	}
	b.Text = whole.String() + b.written[from:]
	return nil
}

// joined returns the text before a mask followed by a token. White space before the mask is kept,
// unless the token continues the word before it.
func joined(before, token string, spaced bool) string {
	if !spaced {
		before = strings.TrimRightFunc(before, unicode.IsSpace)
	}
	return before + token
}

// target is one word that may fill a mask: its id after white space, and its id directly after a
// character.
type target struct{ apart, glued int32 }

type targets []target

// ids returns the ids of the targets for one mask. Targets that are the same token there, as "the" and " the" may be inside a word, are one.
func (t targets) ids(glued bool) []int32 {
	var ids []int32
	for _, x := range t {
		id := x.apart
		if glued {
			id = x.glued
		}
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// targets looks up words in the vocabulary.
func (f *Filler) targets(words []string) (targets, error) {
	if err := validUTF8("target", words...); err != nil {
		return nil, err
	}
	var list targets
	for i, w := range words {
		one := func(text string) (int32, int, error) {
			spans, err := f.token.AppendSpans(nil, text, false)
			if err != nil {
				return 0, 0, inputOf(err, "target %q: it cannot be encoded: %v", w, err)
			}
			if len(spans) != 1 {
				return 0, len(spans), nil
			}
			return spans[0].ID, 1, nil
		}
		apart, n, err := one(" " + strings.TrimSpace(w))
		if err == nil && n != 1 {
			apart, n, err = one(w)
		}
		switch {
		case err != nil:
			return nil, err
		case strings.TrimSpace(w) == "":
			return nil, input("target %d is empty", i+1)
		case n != 1:
			return nil, input("target %q is %d tokens: a mask stands for one, choose a word that is in the vocabulary", w, n)
		}
		x := target{apart, apart}
		for _, piece := range []string{"##" + w, w} { // how pieces inside a word are written
			if id, ok := f.token.ID(piece); ok {
				x.glued = id
				break
			}
		}
		if !f.has(x.apart) || !f.has(x.glued) {
			return nil, input("target %q: the model has no output for its id: the tokenizer does not fit the model", w)
		}
		if slices.ContainsFunc(list, func(y target) bool { return y.apart == x.apart }) {
			return nil, input("target %q is given twice", w)
		}
		list = append(list, x)
	}
	return list, nil
}
