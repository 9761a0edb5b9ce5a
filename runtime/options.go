package runtime

import (
	"fmt"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// maxConcurrency is the largest value that Concurrency accepts.
const maxConcurrency = 1024

// Option changes how a model is opened.
type Option func(*Options) error

// Options holds the settings of an open model. Zero values stand for the defaults.
type Options struct {
	Threads     int                 // threads per call; 0: DefaultThreads
	ISA         string              // instruction set to force; "" or "auto": DEBERTAC_ISA, else the best
	Concurrency int                 // calls that may compute at the same time; 0: DefaultThreads / Threads, at least 1
	Long        LongPolicy          // what to do with texts that are too long; zero value: Reject
	Join        Join                // how a Classifier joins the windows of a text; zero value: JoinMean
	MaxTokens   int                 // most tokens of a text that the model sees, including special tokens; 0: the model's own limit
	BatchTokens int                 // tokens that Classify puts into one call; 0: a default that suits caches, at most the spec's limit
	Special     SpecialText         // how text like "[SEP]" is read
	Pool        *pool.Pool          // shared with other models; nil: the model has its own
	Tokenizer   tokenizer.Tokenizer // used instead of the one in the weights
	Trace       TraceFunc           // called after each layer of every call
	Pin         bool                // bind the pool's threads to processors
	Copy        bool                // copy the weights into memory instead of mapping them
	SkipTest    bool                // open without the self-test
	Verify      bool                // compare all weights with their hashes at open
}

// Threads sets how many threads a call uses, including the caller's own.
func Threads(n int) Option {
	return func(o *Options) error {
		if n < 1 || n > pool.MaxThreads {
			return ragged.Errorf("Threads(%d): it must be from 1 to %d", n, pool.MaxThreads)
		}
		o.Threads = n
		return nil
	}
}

// UseISA forces an instruction set by name: go, avx2, avx512 …; "auto" forces none.
func UseISA(name string) Option {
	return func(o *Options) error {
		if name != "" && name != "auto" {
			if _, err := cpu.ParseISA(name); err != nil {
				return ragged.Errorf("UseISA: %v", err)
			}
		}
		o.ISA = name
		return nil
	}
}

// Concurrency sets how many calls may compute at the same time; each has its own arena. Further
// calls wait. On n cores, n calls of one thread each have more throughput than one call of n
// threads; one call of n threads has lower latency.
func Concurrency(n int) Option {
	return func(o *Options) error {
		if n < 1 || n > maxConcurrency {
			return ragged.Errorf("Concurrency(%d): it must be from 1 to %d", n, maxConcurrency)
		}
		o.Concurrency = n
		return nil
	}
}

// MaxTokens sets how many tokens of one text the model sees at most, including special tokens. It
// may not exceed the spec's limit on the sequence.
func MaxTokens(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return ragged.Errorf("MaxTokens(%d): it must be at least 1", n)
		}
		o.MaxTokens = n
		return nil
	}
}

// BatchTokens sets how many tokens Classify puts into one forward pass. It may not exceed the
// spec's limit on the batch. It changes speed and memory, but no result.
func BatchTokens(n int) Option {
	return func(o *Options) error {
		if n < 1 {
			return ragged.Errorf("BatchTokens(%d): it must be at least 1", n)
		}
		o.BatchTokens = n
		return nil
	}
}

// Long sets what happens to texts that are too long.
func Long(p LongPolicy) Option {
	return func(o *Options) error {
		if p < 0 {
			return ragged.Errorf("Windows(%d): the stride must not be negative", p.Stride())
		}
		o.Long = p
		return nil
	}
}

// Special sets how the names of special tokens, such as "[SEP]", are read inside a text.
func Special(s SpecialText) Option {
	return func(o *Options) error {
		if s != SpecialAsText && s != SpecialAsTokens {
			return ragged.Errorf("Special(%d): unknown value", s)
		}
		o.Special = s
		return nil
	}
}

// SharePool makes models share the threads of p. The models do not close the pool; close it after
// them.
func SharePool(p *pool.Pool) Option { return func(o *Options) error { o.Pool = p; return nil } }

// PinThreads binds each of the model's own worker threads to one physical core (on Linux; elsewhere
// it does nothing). If other programs compete for the processors, Linux often leaves caller and
// worker on the same one, so that threads bring no speed; bound workers keep their speed-up. It is
// not the default because several programs that use it would choose the same cores.
func PinThreads() Option { return func(o *Options) error { o.Pin = true; return nil } }

// UseTokenizer replaces the tokenizer that is packed with the weights.
func UseTokenizer(t tokenizer.Tokenizer) Option {
	return func(o *Options) error { o.Tokenizer = t; return nil }
}

// Trace makes every call run f after each layer. This costs time; do not set it in production.
func Trace(f TraceFunc) Option { return func(o *Options) error { o.Trace = f; return nil } }

// TraceFunc receives a named intermediate result, row-major, of the given shape. data is reused
// after the function returns, so it must copy what it keeps. It must not call the model.
type TraceFunc func(name string, shape []int, data []float32)

// CopyWeights copies the weights into (huge-page) memory at open instead of mapping the file. This
// costs start-up time and memory that no other process shares. It makes the model independent of
// later changes to the file.
func CopyWeights() Option { return func(o *Options) error { o.Copy = true; return nil } }

// VerifyWeights compares every tensor with the hash recorded when it was packed, before the model
// opens; CheckWeights does the same later. It reads the whole file. For the 774 MB of a base model
// this takes 0.56 s of processor time, divided among the threads, if the file is in memory, and
// otherwise as long as the disk takes. Without it, a changed bit in a matrix goes unnoticed and
// changes results.
func VerifyWeights() Option { return func(o *Options) error { o.Verify = true; return nil } }

// SkipSelfTest opens the model without running the self-test of 8 tokens.
func SkipSelfTest() Option { return func(o *Options) error { o.SkipTest = true; return nil } }

// LongPolicy sets what happens to a text that has more tokens than the model takes: Reject, Truncate, or what Windows returns.
type LongPolicy int

// The policies without a parameter.
const (
	Reject   LongPolicy = iota // an error that states the length and the limit
	Truncate                   // cut at the end; in a pair, the longer text first
	windows                    // windows without overlap. For a stride s, the value is windows + s
)

// Windows cuts a long text into windows of the model's maximum length. Each overlaps the one before by stride tokens. The logits are averaged. In a pair the
// longer text is cut into windows, and the other one is repeated whole in every window. [Long] refuses a negative stride.
func Windows(stride int) LongPolicy {
	if stride < 0 {
		return LongPolicy(stride)
	}
	return windows + LongPolicy(stride)
}

// Windowed reports whether long texts are cut into windows.
func (p LongPolicy) Windowed() bool { return p >= windows }

// Stride returns the overlap of windows in tokens, 0 for other policies.
func (p LongPolicy) Stride() int {
	if p.Windowed() {
		return int(p - windows)
	}
	return min(int(p), 0)
}

// String returns reject, truncate or windows:STRIDE.
func (p LongPolicy) String() string {
	switch p {
	case Reject:
		return "reject"
	case Truncate:
		return "truncate"
	}
	return fmt.Sprintf("windows:%d", p.Stride())
}

// ParseLong parses what LongPolicy.String returns; "windows" alone means no overlap.
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
	return Reject, ragged.Errorf("unknown policy %q for long texts (known: reject, truncate, windows, windows:STRIDE)", s)
}

// Join sets how a Classifier makes one result from a text's windows.
type Join uint8

// The two ways to join windows.
const (
	// JoinMean averages the logits, then computes the scores.
	JoinMean Join = iota
	// JoinMax takes each label's highest score in any window. It suits labels that a small part of
	// a text decides. Scores of labels that exclude each other may then sum to more than 1. Each
	// label's logit is its highest one too.
	JoinMax
)

// JoinWindows sets how a Classifier joins the windows of a text.
func JoinWindows(j Join) Option {
	return func(o *Options) error {
		if j != JoinMean && j != JoinMax {
			return ragged.Errorf("JoinWindows(%d): unknown value", j)
		}
		o.Join = j
		return nil
	}
}

// SpecialText sets how the names of special tokens inside a text are read.
type SpecialText uint8

// The two readings.
const (
	SpecialAsText   SpecialText = iota // as characters like any others
	SpecialAsTokens                    // as the special token of that name
)
