package engine

import (
	"context"
	"fmt"
	"strconv"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/ragged"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Classifier classifies texts by one head of a model. It is safe for concurrent use.
type Classifier struct {
	core   *Core
	head   int
	labels []string
	idle   chan *classifyWork
}

// NewClassifier returns a classifier for the named head; "" means the first head. The head must
// have one row per sequence. HeadLabels describes where its labels come from.
func NewClassifier(c *Core, head string) (*Classifier, error) {
	if c == nil {
		return nil, errNoModel()
	}
	i, err := c.HeadIndex(head)
	if err != nil {
		return nil, err
	}
	h := &c.program.Heads[i]
	if h.Rows != PerSequence && h.Name == "" {
		return nil, ragged.Errorf("this model has no head: it returns hidden states for token ids and cannot classify texts")
	}
	if h.Rows != PerSequence {
		return nil, ragged.Errorf("head %q has one row per %v: it cannot classify texts, which needs one row per sequence", h.Name, h.Rows)
	}
	k := &Classifier{core: c, head: i, idle: make(chan *classifyWork, 2*c.options.Concurrency)}
	k.labels, err = c.HeadLabels(i)
	if err != nil {
		return nil, err
	}
	return k, nil
}

// HeadLabels returns the labels of a head in the order of its outputs [C]: from the weight file if
// it has them, else from the spec, else LABEL_0, LABEL_1 … as in published configurations without
// names.
func (c *Core) HeadLabels(head int) ([]string, error) {
	if head < 0 || head >= len(c.program.Heads) {
		return nil, ragged.Errorf("head %d: this model has %d", head, len(c.program.Heads))
	}
	h := &c.program.Heads[head]
	labels := h.Labels
	if own := c.weights.Meta().Labels[h.Name]; own != nil {
		if len(own) != h.C {
			reason := fmt.Sprintf("%d labels for head %q with %d outputs: %s", len(own), h.Name, h.C, again)
			return nil, &runtime.WeightsError{File: c.weights.Name(), Reason: reason}
		}
		labels = own
	}
	labels = append([]string(nil), labels...)
	for n := len(labels); n < h.C; n++ {
		labels = append(labels, "LABEL_"+itoa(n))
	}
	return labels, nil
}

// Labels returns the head's labels in the order of its outputs [C].
func (k *Classifier) Labels() []string { return append([]string(nil), k.labels...) }

// classifyWork is the memory of one Classify call.
type classifyWork struct {
	*Batcher
	k       *Classifier
	encoded Encoded
	dst     []runtime.Classification
	scores  []float32 // scores of one window
}

// Classify classifies texts and returns the results in the order of the input. On an error the
// results are nil. The error names the text, and wraps ErrInput if the input caused it. The limits
// decide how many texts are computed together; this never changes a result.
func (k *Classifier) Classify(ctx context.Context, texts []string) ([]runtime.Classification, error) {
	dst := make([]runtime.Classification, len(texts))
	if err := k.ClassifyInto(ctx, dst, texts); err != nil {
		return nil, err
	}
	return dst, nil
}

// ClassifyPairs is Classify for pairs of texts, such as premise and hypothesis.
func (k *Classifier) ClassifyPairs(ctx context.Context, pairs [][2]string) ([]runtime.Classification, error) {
	dst := make([]runtime.Classification, len(pairs))
	if err := k.ClassifyPairsInto(ctx, dst, pairs); err != nil {
		return nil, err
	}
	return dst, nil
}

// ClassifyInto is Classify into dst, which must be as long as texts. It reuses the Scores and
// Logits in dst: in steady state it allocates only what the tokenizer allocates. After an error dst
// is undefined.
func (k *Classifier) ClassifyInto(ctx context.Context, dst []runtime.Classification, texts []string) error {
	return k.classify(ctx, dst, len(texts), texts, nil)
}

// ClassifyPairsInto is ClassifyInto for pairs.
func (k *Classifier) ClassifyPairsInto(ctx context.Context, dst []runtime.Classification, pairs [][2]string) error {
	return k.classify(ctx, dst, len(pairs), nil, pairs)
}

// Logits returns the head's outputs for token ids [B][C].
func (k *Classifier) Logits(ctx context.Context, b *runtime.Batch) ([][]float32, error) {
	if b == nil {
		return nil, ragged.Errorf("the batch is nil")
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

// LogitsInto is Logits into dst, row-major, exactly B·C long. It allocates nothing.
func (k *Classifier) LogitsInto(ctx context.Context, b *runtime.Batch, dst []float32) error {
	return k.core.Run(ctx, Call{Head: k.head, Batch: b, Out: dst})
}

// classify classifies n texts or n pairs; only one of the two slices is used.
func (k *Classifier) classify(ctx context.Context, dst []runtime.Classification, n int, texts []string, pairs [][2]string) error {
	if len(dst) != n {
		return ragged.Errorf("room for %d results, %d texts", len(dst), n)
	}
	w, err := k.work()
	if err != nil {
		return err
	}
	w.dst = dst
	defer k.rest(w)
	if err := w.Begin(ctx, pairs != nil); err != nil {
		return err
	}
	c := k.core.program.Heads[k.head].C
	for i := range n {
		t := runtime.Text{}
		if pairs != nil {
			t = runtime.Text{First: pairs[i][0], Second: pairs[i][1], Pair: true}
		} else {
			t.First = texts[i]
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.Encode(&w.encoded, i, t); err != nil {
			return err
		}
		r := &dst[i]
		r.Logits, r.Scores = resize(r.Logits, c), resize(r.Scores, c)
		if r.Seen, err = w.Add(ctx, i, &w.encoded); err != nil {
			return err
		}
	}
	return w.Flush(ctx)
}

// take joins a window's logits with those of the text's earlier windows. After the last window it
// completes the result. The windows of a text come in order.
func (w *classifyWork) take(win *Window, out []float32) error {
	if err := CheckNumbers(win.Text, out); err != nil {
		return err
	}
	r, best := &w.dst[win.Text], w.k.core.options.Join == runtime.JoinMax
	if win.Index == 0 {
		copy(r.Logits, out)
		if best && win.Count > 1 {
			w.k.score(r.Scores, out)
		}
	} else if best {
		w.scores = resize(w.scores, len(out))
		w.k.score(w.scores, out)
		for j, v := range out {
			r.Logits[j], r.Scores[j] = max(r.Logits[j], v), max(r.Scores[j], w.scores[j])
		}
	} else {
		for j, v := range out {
			r.Logits[j] += v
		}
	}
	if win.Index < win.Count-1 {
		return nil
	}
	if win.Count > 1 && !best {
		for j := range r.Logits {
			r.Logits[j] /= float32(win.Count)
		}
	}
	if win.Count == 1 || !best {
		w.k.score(r.Scores, r.Logits)
		r.Index = argmax(r.Logits)
	} else {
		r.Index = argmax(r.Scores)
	}
	r.Label, r.Score = w.k.labels[r.Index], r.Scores[r.Index]
	return nil
}

// score writes the probabilities for logits to dst.
func (k *Classifier) score(dst, logits []float32) {
	if k.core.program.Heads[k.head].Independent {
		Sigmoid(dst, logits)
	} else {
		Softmax(dst, logits)
	}
}

// work returns the memory of an earlier call, or new memory.
func (k *Classifier) work() (*classifyWork, error) {
	select {
	case w := <-k.idle:
		return w, nil
	default:
	}
	w := &classifyWork{k: k}
	var err error
	w.Batcher, err = NewBatcher(k.core, k.head, false, w.take)
	return w, err
}

// rest keeps the memory for later calls.
func (k *Classifier) rest(w *classifyWork) {
	w.dst = nil
	select {
	case k.idle <- w:
	default:
	}
}
