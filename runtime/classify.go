package runtime

import (
	"context"
	"fmt"
	"strconv"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Classifier classifies texts by one head of a model. It is safe for concurrent use.
type Classifier struct {
	core   *Core
	head   int
	labels []string
	frame  Frame
	idle   chan *classifyWork
}

// NewClassifier serves the named head ("" is the first), which must give a row a
// sequence. Labels come from the weight file, else from the spec, else they are
// LABEL_0, LABEL_1 … as in published configurations without names.
func NewClassifier(c *Core, head string) (*Classifier, error) {
	i, err := c.HeadIndex(head)
	if err != nil {
		return nil, err
	}
	h := &c.program.Heads[i]
	if h.Rows != PerSequence && h.Name == "" {
		return nil, input("this model has no head: it gives hidden states for token ids, and cannot classify texts")
	}
	if h.Rows != PerSequence {
		return nil, input("head %q gives a row a token, it cannot classify texts", h.Name)
	}
	k := &Classifier{core: c, head: i, labels: h.Labels, idle: make(chan *classifyWork, 2*c.options.Concurrency)}
	if own := c.weights.Meta().Labels[h.Name]; own != nil {
		if len(own) != h.C {
			return nil, &WeightsError{File: c.weights.Name(), Reason: fmt.Sprintf("%d labels for head %q with %d outputs: %s", len(own), h.Name, h.C, again)}
		}
		k.labels = own
	}
	if k.labels == nil {
		for n := range h.C {
			k.labels = append(k.labels, "LABEL_"+itoa(n))
		}
	}
	if c.token != nil {
		k.frame = c.token.Frame()
	}
	return k, nil
}

// Labels are the head's labels by number, [C].
func (k *Classifier) Labels() []string { return append([]string(nil), k.labels...) }

// classifyWork is the memory of one Classify call.
type classifyWork struct {
	encoded encoded
	windows []window // of the batch being filled
	fresh   []window // of the text being added
	batch   Batch
	out     []float32
	count   []int // windows of each text whose logits are summed so far
}

// Classify classifies texts; results come in input order. An error, wrapping ErrInput
// where the input is at fault, names the text; then the results are nil. How many
// texts are computed together is decided by the limits and never changes a result.
func (k *Classifier) Classify(ctx context.Context, texts []string) ([]Classification, error) {
	dst := make([]Classification, len(texts))
	if err := k.ClassifyInto(ctx, dst, texts); err != nil {
		return nil, err
	}
	return dst, nil
}

// ClassifyPairs is Classify for pairs of texts, such as premise and hypothesis.
func (k *Classifier) ClassifyPairs(ctx context.Context, pairs [][2]string) ([]Classification, error) {
	dst := make([]Classification, len(pairs))
	if err := k.ClassifyPairsInto(ctx, dst, pairs); err != nil {
		return nil, err
	}
	return dst, nil
}

// ClassifyInto is Classify into dst, as long as texts, reusing the Scores and Logits
// that are in it: in steady state it allocates nothing beyond what the tokenizer
// does. After an error dst is undefined.
func (k *Classifier) ClassifyInto(ctx context.Context, dst []Classification, texts []string) error {
	return k.classify(ctx, dst, len(texts), texts, nil)
}

// ClassifyPairsInto is ClassifyInto for pairs.
func (k *Classifier) ClassifyPairsInto(ctx context.Context, dst []Classification, pairs [][2]string) error {
	return k.classify(ctx, dst, len(pairs), nil, pairs)
}

// Logits computes the head's outputs for token ids, [B][C].
func (k *Classifier) Logits(ctx context.Context, b *Batch) ([][]float32, error) {
	if b == nil {
		return nil, input("the batch is nil")
	}
	n, c := b.Sequences(), k.core.program.Heads[k.head].C
	out := make([]float32, n*c)
	if err := k.LogitsInto(ctx, b, out); err != nil {
		return nil, err
	}
	rows := make([][]float32, n)
	for i := range rows {
		rows[i] = out[i*c : (i+1)*c : (i+1)*c]
	}
	return rows, nil
}

// LogitsInto is Logits into dst, row-major, exactly B·C long, without allocation.
func (k *Classifier) LogitsInto(ctx context.Context, b *Batch, dst []float32) error {
	return k.core.Run(ctx, Call{Head: k.head, Batch: b, Out: dst})
}

// classify runs n texts or pairs; one of the two slices is used.
func (k *Classifier) classify(ctx context.Context, dst []Classification, n int, texts []string, pairs [][2]string) error {
	if len(dst) != n {
		return input("room for %d results, %d texts", len(dst), n)
	}
	if ctx == nil {
		return input("the context is nil")
	}
	if k.core.closed.Load() {
		return ErrClosed
	}
	if k.core.token == nil {
		return input("these weights were packed without a tokenizer: give token ids to Logits, or %s from a folder with one", again)
	}
	if t := k.core.program.Limits.Types; pairs != nil && t > 0 && int(k.frame.SecondType) >= t {
		return input("the tokenizer gives second texts the token type %d, the model has only %d: it takes no pairs", k.frame.SecondType, t)
	}
	w := k.work()
	defer k.rest(w)
	w.count = resize(w.count, n)
	clear(w.count)
	for i := range n {
		t := Text{}
		if pairs != nil {
			t = Text{pairs[i][0], pairs[i][1], true}
		} else {
			t.First = texts[i]
		}
		if err := k.add(ctx, w, dst, i, t); err != nil {
			return err
		}
	}
	if err := k.flush(ctx, w, dst); err != nil {
		return err
	}
	for i := range dst {
		k.decode(&dst[i], w.count[i])
	}
	return nil
}

// add encodes text i and puts its windows into the batch, which is computed whenever
// it is full.
func (k *Classifier) add(ctx context.Context, w *classifyWork, dst []Classification, i int, t Text) error {
	o, l := &k.core.options, k.core.program.Limits
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := w.encoded.encode(k.core.token, t, o.Special == SpecialAsTokens); err != nil {
		return &inputError{"text " + itoa(i) + ": it cannot be encoded: " + err.Error(), err}
	}
	frame := k.frame.single()
	if t.Pair {
		frame = k.frame.pair()
	}
	var cut int
	var err error
	w.fresh, cut, err = w.encoded.fit(w.fresh[:0], i, o.Long, o.MaxTokens, frame)
	if err != nil {
		return err
	}
	if len(w.encoded.ids)-cut+frame == 0 {
		return input("text %d: it has no tokens", i)
	}
	r := &dst[i]
	r.Tokens, r.Truncated = len(w.encoded.ids)-cut+frame, cut
	r.Logits = resize(r.Logits, k.core.program.Heads[k.head].C)
	clear(r.Logits)
	for _, win := range w.fresh {
		size := win.last - win.first + win.behind - win.second + frame
		if len(w.windows) == l.BatchSequences || len(w.windows) > 0 && len(w.batch.IDs)+size > o.BatchTokens {
			if err := k.flush(ctx, w, dst); err != nil {
				return err
			}
		}
		appendSequence(&w.batch, &w.encoded, win, &k.frame, l)
		w.windows = append(w.windows, win)
	}
	return nil
}

// flush computes the batch and adds the logits of each window to its text's.
func (k *Classifier) flush(ctx context.Context, w *classifyWork, dst []Classification) error {
	if len(w.windows) == 0 {
		return nil
	}
	c := k.core.program.Heads[k.head].C
	w.out = resize(w.out, len(w.windows)*c)
	if err := k.LogitsInto(ctx, &w.batch, w.out); err != nil {
		return err
	}
	for s, win := range w.windows {
		w.count[win.text]++
		sum := dst[win.text].Logits
		for j, v := range w.out[s*c : (s+1)*c] {
			sum[j] += v
		}
	}
	w.batch.Reset()
	w.windows = w.windows[:0]
	return nil
}

// decode turns the sum of count windows' logits into a result.
func (k *Classifier) decode(r *Classification, count int) {
	if count > 1 {
		for j := range r.Logits {
			r.Logits[j] /= float32(count)
		}
	}
	r.Scores = resize(r.Scores, len(r.Logits))
	if k.core.program.Heads[k.head].Independent {
		Sigmoid(r.Scores, r.Logits)
	} else {
		Softmax(r.Scores, r.Logits)
	}
	r.Index = argmax(r.Logits)
	r.Label, r.Score = k.labels[r.Index], r.Scores[r.Index]
}

// work takes the memory of an earlier call, if there is one.
func (k *Classifier) work() *classifyWork {
	select {
	case w := <-k.idle:
		return w
	default:
		return &classifyWork{}
	}
}

// rest keeps the memory for later calls.
func (k *Classifier) rest(w *classifyWork) {
	w.batch.Reset()
	w.windows, w.fresh = w.windows[:0], w.fresh[:0]
	select {
	case k.idle <- w:
	default:
	}
}
