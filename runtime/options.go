package runtime

import "fmt"

// Option changes how a model is opened.
type Option func(*Options) error

// Options are the settings of an open model. Zero values stand for the defaults.
type Options struct {
	Threads     int         // threads a call uses; 0: DefaultThreads
	ISA         string      // forced instruction set; "" or "auto": DEBERTAC_ISA, else the best
	Concurrency int         // calls that may compute at the same time; 0: DefaultThreads / Threads, at least 1
	Long        LongPolicy  // texts that are too long; zero value: Reject
	Join        Join        // how a Classifier joins the windows of a text; zero value: JoinMean
	MaxTokens   int         // tokens of a text that the model sees at most, special tokens included; 0: the model's own limit
	BatchTokens int         // tokens that Classify puts into one call; 0: a default that suits caches, at most the spec's limit
	Special     SpecialText // how text like "[SEP]" is read
	Pool        *Pool       // shared with other models; nil: an own one
	Tokenizer   Tokenizer   // instead of the one in the weights
	Trace       TraceFunc   // called after each layer of every call
	Pin         bool        // bind the pool's threads to processors
	Copy        bool        // copy the weights into memory instead of mapping them
	SkipTest    bool        // open without the self-test
	Verify      bool        // compare all weights with their hashes at open
}

// Threads sets how many threads a call uses, the caller's own included.
func Threads(n int) Option {
	return func(o *Options) error {
		if n < 1 || n > MaxThreads {
			return input("Threads(%d): it must be from 1 to %d", n, MaxThreads)
		}
		o.Threads = n
		return nil
	}
}

// UseISA forces an instruction set by name: go, avx2, avx512 …; "auto" forces none.
func UseISA(name string) Option {
	return func(o *Options) error {
		if name != "" && name != "auto" {
			if _, err := ParseISA(name); err != nil {
				return input("UseISA: %v", err)
			}
		}
		o.ISA = name
		return nil
	}
}

// Concurrency sets how many calls may compute at the same time; each has an arena
// of its own. Further calls wait for their turn. For throughput on n cores, n
// calls of one thread each beat one call of n threads; for latency the reverse.
func Concurrency(n int) Option {
	return func(o *Options) error {
		if n < 1 || n > MaxConcurrency {
			return input("Concurrency(%d): it must be from 1 to %d", n, MaxConcurrency)
		}
		o.Concurrency = n
		return nil
	}
}

// MaxConcurrency bounds Concurrency.
const MaxConcurrency = 1024

// MaxTokens sets how many tokens of one text the model sees at most, special
// tokens included. It may not exceed the spec's bound on the sequence.
func MaxTokens(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return input("MaxTokens(%d): it must be at least 1", n)
		}
		o.MaxTokens = n
		return nil
	}
}

// BatchTokens sets how many tokens Classify puts into one forward pass. It may not
// exceed the spec's bound on the batch. It changes speed and memory, no result.
func BatchTokens(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return input("BatchTokens(%d): it must be at least 1", n)
		}
		o.BatchTokens = n
		return nil
	}
}

// Long sets what becomes of texts that are too long.
func Long(p LongPolicy) Option {
	return func(o *Options) error {
		if p.kind == longWindows && p.stride < 0 {
			return input("Windows(%d): the stride must not be negative", p.stride)
		}
		o.Long = p
		return nil
	}
}

// Special sets how special-token text such as "[SEP]" inside a text is read.
func Special(s SpecialText) Option {
	return func(o *Options) error {
		if s != SpecialAsText && s != SpecialAsTokens {
			return input("Special(%d): unknown value", s)
		}
		o.Special = s
		return nil
	}
}

// SharePool lets several models use the same threads. The pool must outlive the
// models; they do not close it.
func SharePool(p *Pool) Option { return func(o *Options) error { o.Pool = p; return nil } }

// PinThreads binds the model's own worker threads to one physical core each (Linux;
// elsewhere it does nothing). Where other programs compete for the processors, Linux
// often leaves caller and worker on the same one, and threads gain nothing; bound
// workers keep their speed-up. It is not the default because several programs that do
// so would choose the same cores.
func PinThreads() Option { return func(o *Options) error { o.Pin = true; return nil } }

// UseTokenizer replaces the tokenizer that is packed with the weights.
func UseTokenizer(t Tokenizer) Option {
	return func(o *Options) error { o.Tokenizer = t; return nil }
}

// Trace has f called after each layer of every call. It costs time: a model for
// production has none.
func Trace(f TraceFunc) Option { return func(o *Options) error { o.Trace = f; return nil } }

// CopyWeights copies the weights into (huge-page) memory at open instead of
// mapping the file. It costs start-up time and memory of this process alone, and
// makes the model independent of what happens to the file afterwards.
func CopyWeights() Option { return func(o *Options) error { o.Copy = true; return nil } }

// VerifyWeights compares every tensor with the hash recorded when it was packed before
// the model opens, as CheckWeights does later. It reads the whole file: 0.56 s of
// processor time, which the threads share, for the 774 MB of a base model that are in
// memory, and as long as the disk takes for others. Without it a bit that has changed
// among the numbers of a matrix changes results.
func VerifyWeights() Option { return func(o *Options) error { o.Verify = true; return nil } }

// SkipSelfTest opens the model without the 8-token run.
func SkipSelfTest() Option { return func(o *Options) error { o.SkipTest = true; return nil } }

// LongPolicy says what becomes of a text that has more tokens than the model
// takes. The zero value is Reject.
type LongPolicy struct {
	kind   uint8
	stride int
}

const (
	longReject = iota
	longTruncate
	longWindows
)

// The policies without a parameter.
var (
	Reject   = LongPolicy{kind: longReject}   // an error that says by how much
	Truncate = LongPolicy{kind: longTruncate} // cut at the end; of a pair, the longer text first
)

// Windows cuts a long text into windows that fill the model, each overlapping the
// one before by stride tokens, and averages their logits. Of a pair the longer
// text is cut, the other one is repeated whole in every window.
func Windows(stride int) LongPolicy { return LongPolicy{kind: longWindows, stride: stride} }

// Stride is the overlap of windows in tokens, 0 for other policies.
func (p LongPolicy) Stride() int { return p.stride }

// String gives reject, truncate or windows:STRIDE.
func (p LongPolicy) String() string {
	switch p.kind {
	case longTruncate:
		return "truncate"
	case longWindows:
		return fmt.Sprintf("windows:%d", p.stride)
	}
	return "reject"
}

// ParseLong reads what LongPolicy.String writes; "windows" alone has no overlap.
func ParseLong(s string) (LongPolicy, error) {
	var stride int
	switch {
	case s == "reject":
		return Reject, nil
	case s == "truncate":
		return Truncate, nil
	case s == "windows":
		return Windows(0), nil
	}
	if n, err := fmt.Sscanf(s, "windows:%d", &stride); n == 1 && err == nil && fmt.Sprintf("windows:%d", stride) == s && stride >= 0 {
		return Windows(stride), nil
	}
	return Reject, input("unknown policy %q for long texts (known: reject, truncate, windows, windows:STRIDE)", s)
}

// Join says how a Classifier makes one result of a text's windows.
type Join uint8

// The two ways.
const (
	// JoinMean takes the mean of the logits, then scores.
	JoinMean Join = iota
	// JoinMax takes each label's highest score in any window, for labels that a small
	// part of a text decides. The scores of labels that exclude each other may then sum
	// to more than 1. Logits are the highest ones too.
	JoinMax
)

// JoinWindows sets how a Classifier joins the windows of a text.
func JoinWindows(j Join) Option {
	return func(o *Options) error {
		if j != JoinMean && j != JoinMax {
			return input("JoinWindows(%d): unknown value", j)
		}
		o.Join = j
		return nil
	}
}

// SpecialText says how special-token text inside a text is read.
type SpecialText uint8

// The two readings.
const (
	SpecialAsText   SpecialText = iota // characters like any others
	SpecialAsTokens                    // the special token of that name
)
